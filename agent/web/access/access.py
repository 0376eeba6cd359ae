"""Who may use a service: its tokens, its names, its identity provider, and who is signed in."""

import hashlib
import hmac
import ipaddress
import os
import secrets
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from pydantic import SecretStr

from agent.service.records import Person, Role
from agent.web.access.attempts import Attempts
from agent.web.access.bodies import SECONDS
from agent.web.access.provider import Provider
from agent.web.access.sessions import Sessions
from agent.web.access.shape import LOOPBACK, Network
from tools.errors import UsageError
from tools.gate.ledger import current_user
from tools.settings.serve_table import TokenTable
from tools.settings.tables import Settings
from tools.settings.work_table import HARMLESS

ALL: frozenset[Role] = frozenset({"reader", "approver", "sender"})


class Token(NamedTuple):
    """Who a token belongs to."""

    person: Person
    digest: bytes
    """Its SHA-256, which is all that is kept of it."""


class Access(NamedTuple):
    """Everything that decides about a request."""

    tokens: tuple[Token, ...]
    hosts: tuple[str, ...]
    loopback: tuple[str, ...]
    """Names of this machine by which it's reached as well; empty if it listens elsewhere."""
    https: bool
    proxies: tuple[Network, ...]
    provider: Provider | None
    sessions: Sessions
    attempts: Attempts
    start: SecretStr | None = None
    """The token that was made at the start, where the settings let no person in."""
    body_seconds: float = SECONDS

    def person(self, token: str) -> Person | None:
        """Whose token this is. It's compared with all of them, in a time that says nothing about any."""
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        found = [one.person for one in self.tokens if hmac.compare_digest(one.digest, digest)]
        return found[0] if found else None

    @property
    def takes_tokens(self) -> bool:
        """Whether a person can sign in by a token."""
        return any(one.person.roles & {"reader", "approver"} for one in self.tokens)

    def base(self, port: int) -> str:
        """The address of the first page, for people."""
        by_name = bool(self.hosts) and self.start is None
        name = self.hosts[0] if by_name else f"{self.loopback[0]}:{port}"
        return f"{'https' if self.https and by_name else 'http'}://{name}/"

    def link(self, port: int) -> str:
        """Where a person goes; with the token of the start, if there is one."""
        return self.base(port) + (f"?token={self.start.get_secret_value()}" if self.start else "")


def access_of(
    settings: Settings,
    listen: str,
    *,
    environ: Mapping[str, str] = os.environ,
    now: Callable[[], float] = time.monotonic,
) -> Access:
    """Who may use a service that listens at an address, `HOST:PORT` or `HOST`.

    On loopback a token is made, unless the settings let somebody in. Raises `UsageError`: anywhere else the settings
    have to name tokens or an identity provider, and the names by which the service is reached.
    """
    table = settings.serve
    table.must_be_trusted(HARMLESS)
    host = _host(listen)
    # First the one that it listens on, which the link has.
    loopback = (*dict.fromkeys((_in_url(host), *LOOPBACK)),) if _is_loopback(host) else ()
    provider = Provider.of(table.oidc, environ, now) if table.oidc else None
    tokens = tuple(_token(one, environ) for one in table.token)
    if not loopback and not (table.hosts and (tokens or provider)):
        missing = [] if table.hosts else ["hosts"]
        missing += [] if tokens or provider else ["[[serve.token]] or [serve.oidc]"]
        raise UsageError(
            f"--listen {listen}: others reach this address, and {table.file or 'rediagnose.toml'} doesn't say who may; "
            f"write {' and '.join(missing)} under [serve] (docs/serve-access.md), or listen on 127.0.0.1"
        )
    let_in = provider is not None or any(one.person.roles & {"reader", "approver"} for one in tokens)
    start = None if let_in or not loopback else SecretStr(secrets.token_urlsafe(32))
    if start:
        tokens += (Token(Person(name=current_user(), roles=ALL), _sha256(start.get_secret_value())),)
    return Access(
        tokens, table.hosts, loopback,
        not loopback if table.https is None else table.https,
        tuple(ipaddress.ip_network(one) for one in table.proxies), provider, Sessions(now), Attempts(now), start,
    )  # fmt: skip


def _token(table: TokenTable, environ: Mapping[str, str]) -> Token:
    secret = table.secret(environ)
    digest = _sha256(secret.get_secret_value()) if secret else bytes.fromhex(table.sha256 or "")
    return Token(Person(name=table.name, roles=frozenset(table.roles)), digest)


def _sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _host(listen: str) -> str:
    if listen.startswith("["):
        return listen[1:].partition("]")[0]
    # Several colons without brackets are an IPv6 address without a port.
    return listen if listen.count(":") > 1 else listen.partition(":")[0]


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host.lower()


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
