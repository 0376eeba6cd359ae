"""Why a network wouldn't let a connect through: the ICMP error that came back, which errno alone doesn't tell."""

import contextlib
import socket
import struct

from tools.records import Values

IP_RECVERR, IPV6_RECVERR = 11, 25
"""Linux' options of those names; the module `socket` doesn't have them."""
_ORIGINS = {2: "v4", 3: "v6"}
_MEANING: dict[str, dict[tuple[int, int], str]] = {
    "v4": {
        (3, 0): "net-unreachable", (3, 1): "host-unreachable", (3, 3): "port-unreachable", (3, 9): "prohibited",
        (3, 10): "prohibited", (3, 13): "prohibited",
    },
    "v6": {
        (1, 0): "net-unreachable", (1, 1): "prohibited", (1, 3): "host-unreachable", (1, 4): "port-unreachable",
        (1, 5): "prohibited", (1, 6): "prohibited",
    },
}  # fmt: skip
"""Type and code of ICMP, by version."""
_ERROR = struct.Struct("=IBBBBII")


def listen(sock: socket.socket, on: bool) -> None:
    """Have the kernel keep ICMP errors for this socket, or no longer: on an open connection each would end it."""
    if hasattr(socket, "MSG_ERRQUEUE"):
        six = sock.family == socket.AF_INET6
        level, option = (socket.IPPROTO_IPV6, IPV6_RECVERR) if six else (socket.IPPROTO_IP, IP_RECVERR)
        with contextlib.suppress(OSError):
            sock.setsockopt(level, option, int(on))


def last_error(sock: socket.socket) -> Values:
    """`icmp`, what the last ICMP error means, and `icmp_from`, the address that sent it; nothing where none came."""
    values: Values = {}
    while hasattr(socket, "MSG_ERRQUEUE"):
        try:
            _, parts, _, _ = sock.recvmsg(512, 512, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
        except OSError:
            break
        for _, _, data in parts:
            values |= parse(data)
    return values


def parse(data: bytes) -> Values:
    """A struct sock_extended_err and the address behind it."""
    if len(data) < _ERROR.size:
        return {}
    _, origin, kind, code, *_ = _ERROR.unpack_from(data)
    version = _ORIGINS.get(origin)
    if version is None:
        # Of this machine's own making, such as a neighbour that doesn't answer.
        return {}
    at, length, family = (_ERROR.size + 4, 4, socket.AF_INET)
    if version == "v6":
        at, length, family = (_ERROR.size + 8, 16, socket.AF_INET6)
    sender = data[at : at + length]
    meaning = _MEANING[version].get((kind, code), f"type-{kind}-code-{code}")
    return {"icmp": meaning, "icmp_from": socket.inet_ntop(family, sender) if len(sender) == length else None}
