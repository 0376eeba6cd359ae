"""What a request has to look like: whatever two programs could read in two ways is refused before anything reads it."""

import re
from collections.abc import Collection, Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address

from starlette.types import Scope

from agent.web.access.refusal import Refused
from agent.web.access.rules import HEALTH

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_PATH_MOST, _QUERY_MOST, _HEADERS_MOST, _HEAD_MOST = 2048, 8192, 100, 32 * 2**10
_ODD = re.compile(r"//|[\\;%?#\ufffd]|/\.{1,2}(/|$)")
_ENCODED_ASCII = re.compile(rb"%[0-7][0-9A-Fa-f]")
_SINGLE = (
    "host", "content-length", "content-type", "content-encoding", "transfer-encoding", "authorization", "cookie",
    "origin", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest", "x-csrf-token",
)  # fmt: skip
Network = IPv4Network | IPv6Network


def headers_of(scope: Scope) -> Mapping[str, str]:
    """The headers by lower-case name. Raises `Refused` for those that nobody should send."""
    given: list[tuple[bytes, bytes]] = scope["headers"]
    found: dict[str, str] = {}
    if len(given) > _HEADERS_MOST or sum(len(name) + len(value) for name, value in given) > _HEAD_MOST:
        raise Refused(431, f"more than {_HEADERS_MOST} headers, or {_HEAD_MOST} bytes of them", close=True)
    for raw_name, raw_value in given:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1").strip()
        if name in _SINGLE and (name in found or any(ord(letter) < 32 or ord(letter) == 127 for letter in value)):
            raise Refused(400, f"the header {name} is there twice, or has a control character", close=True)
        found[name] = f"{found[name]}, {value}" if name in found else value
    _check_framing(scope["method"], found)
    return found


def _check_framing(method: str, headers: Mapping[str, str]) -> None:
    length, coding = headers.get("content-length"), headers.get("transfer-encoding")
    if length is not None and coding is not None:
        raise Refused(400, "Content-Length and Transfer-Encoding are both there", close=True)
    if length is not None and not re.fullmatch(r"[0-9]{1,15}", length):
        raise Refused(400, "Content-Length isn't a number", close=True)
    if coding is not None and coding.lower() != "chunked":
        raise Refused(400, "Transfer-Encoding isn't chunked", close=True)
    if method in ("GET", "HEAD") and (coding is not None or int(length or 0)):
        raise Refused(400, f"{method} has a body", close=True)
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "a compressed body isn't read; send it as it is", close=True)


def check_target(scope: Scope, query: bytes) -> None:
    """Raise `Refused` for a method or an address that isn't plain."""
    if scope["method"] not in METHODS:
        raise Refused(405, "this method isn't served", {"Allow": ", ".join(METHODS)}, close=True)
    raw, path = scope.get("raw_path") or scope["path"].encode(), scope["path"]
    if len(raw) > _PATH_MOST or len(query) > _QUERY_MOST:
        raise Refused(414, "the address is too long", close=True)
    # A space is the only one of them that a name has and that can't stand there by itself.
    encoded = {one.upper() for one in _ENCODED_ASCII.findall(raw)} - {b"%20"}
    if not path.startswith("/") or encoded or _ODD.search(path) or not path.isprintable():
        raise Refused(
            400, "the path isn't plain; leave out //, .., ;, \\ and encoded forms of plain characters", close=True
        )


def check_host(scope: Scope, headers: Mapping[str, str], names: Collection[str], loopback: Collection[str]) -> str:
    """The name by which the service was asked for. Raises `Refused` unless it's one of its own.

    A page of somebody else's whose name is made to lead here has that name here, too. Names of `loopback` go with the
    port on which the service listens.
    """
    host = headers.get("host", "").lower()
    port = port_of(scope)
    own = {*names, *(f"{name}:{port}" for name in loopback), *(loopback if port == 80 else ())}
    if host not in own and scope["path"] not in HEALTH:
        raise Refused(421, "the service isn't reached by this name; list it under hosts in [serve]", close=True)
    return host


def port_of(scope: Scope) -> int | None:
    """The port on which the request came."""
    server = scope.get("server")
    return server[1] if server else None


def peer_of(scope: Scope, headers: Mapping[str, str], proxies: Iterable[Network]) -> str:
    """The address of whoever asks; what a proxy says about it counts only if the proxy was named."""
    known = tuple(proxies)
    peer = str(scope["client"][0]) if scope.get("client") else ""
    for said in reversed([one.strip() for one in headers.get("x-forwarded-for", "").split(",")]):
        if not said or not _is_in(peer, known):
            break
        peer = said.removeprefix("[").partition("]")[0][:45] if said.startswith("[") else said[:45]
    return peer


def _is_in(peer: str, networks: tuple[Network, ...]) -> bool:
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    return any(address in one for one in networks)


def cookie(headers: Mapping[str, str], name: str) -> str | None:
    """The cookie of this name; null if it's there twice: another site of the same domain may have set the other."""
    pairs = (one.strip().partition("=") for one in headers.get("cookie", "").split(";"))
    values = [value for key, _, value in pairs if key == name]
    return values[0] if len(values) == 1 else None
