"""The tables of rediagnose.toml that say who may use the service, under which names, and as what."""

import ipaddress
import re
import shlex
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from tools.errors import UsageError
from tools.settings.secret_source import SecretSource
from tools.settings.table import BesideFile, Table, Text, problem
from tools.settings.work_table import WorkTable

LEAST_TOKEN = 32
"""Characters of a token: nobody guesses one of this length, so failed attempts needn't lock anybody out."""
_HOST = r"(?:[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?"
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}"


def _hosts(value: Any) -> object:
    hosts = [value] if isinstance(value, str) else value
    if not isinstance(hosts, list) or not all(
        isinstance(one, str) and len(one) < 256 and re.fullmatch(_HOST, one.lower()) for one in hosts
    ):
        raise problem(
            'not a list of host names, with a port if it isn\'t the usual one; write hosts = ["sre.example.org"]'
        )
    return tuple(one.lower() for one in hosts)


def _networks(value: Any) -> object:
    try:
        return tuple(str(ipaddress.ip_network(one)) for one in ([value] if isinstance(value, str) else value))
    except (ValueError, TypeError):
        raise problem('not a list of addresses or networks; write proxies = ["10.1.0.7"]') from None


def _name(value: Any) -> object:
    if isinstance(value, str) and not re.fullmatch(_NAME, value):
        raise problem('not letters, digits, ".", "_" and "-", 40 at most; write name = "alertmanager"')
    return value


def _roles(value: Any) -> object:
    roles = [value] if isinstance(value, str) else value
    if not isinstance(roles, list) or not roles or not all(one in ("reader", "approver", "sender") for one in roles):
        raise problem('not a list of "reader", "approver" and "sender"; write roles = ["reader"]')
    return tuple(roles)


def _sha256(value: Any) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[0-9a-fA-F]{64}", value):
        raise problem("not 64 hexadecimal digits; write what `printf %s TOKEN | sha256sum` prints")
    return value.lower() if isinstance(value, str) else value


def _groups(value: Any) -> object:
    groups = [value] if isinstance(value, str) else value
    if not isinstance(groups, list) or not all(isinstance(one, str) and one.strip() for one in groups):
        raise problem('not a list of groups; write ["sre"]')
    return tuple(groups)


def _issuer(value: Any) -> object:
    if isinstance(value, str) and (not is_private(value) or "?" in value or "#" in value):
        raise problem('not the https address of an identity provider; write issuer = "https://login.example.org"')
    return value


def is_private(url: str) -> bool:
    """Whether this is a URL, and nobody on the way reads what is sent to it: it's https, or this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    if not host or "@" in parts.netloc:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in ("127.0.0.1", "::1", "localhost"))


class TokenTable(Table):
    """A token, and what whoever has it may do."""

    name: Annotated[str, BeforeValidator(_name)]
    """Of the person or the program that has it; it's what the audit log says."""
    roles: Annotated[tuple[Literal["reader", "approver", "sender"], ...], BeforeValidator(_roles)]
    token_env: Text | None = None
    token_file: BesideFile | None = None
    sha256: Annotated[str, BeforeValidator(_sha256)] | None = None
    """The token's SHA-256, in place of the token."""

    @model_validator(mode="after")
    def _check_token(self) -> Self:
        if bool(self.sha256) == bool(self.token_env or self.token_file):
            why = "given as well as token_env or token_file; keep one" if self.sha256 else "missing"
            raise problem(f'sha256: {why}; write sha256 = "...", token_env = "VARIABLE" or token_file = "FILE"')
        return self

    @property
    def token(self) -> SecretSource | None:
        """Where the token is, unless only its digest is known."""
        return self._source("token")

    def secret(self, environ: Mapping[str, str]) -> SecretStr | None:
        """The token; null if only its digest is known. Raises `UsageError` also for one that could be guessed."""
        if (source := self.token) is None:
            return None
        secret = source.read(environ)
        value = secret.get_secret_value()
        if len(value) < LEAST_TOKEN or not value.isascii() or not value.isprintable() or " " in value:
            raise UsageError(
                f"{source.where}: a token needs at least {LEAST_TOKEN} plain characters without spaces; "
                "`openssl rand -base64 32` makes one"
            )
        return secret


class OidcTable(Table):
    """The identity provider that people sign in with."""

    issuer: Annotated[str, BeforeValidator(_issuer)]
    client_id: Text
    client_secret_env: Text | None = None
    client_secret_file: BesideFile | None = None
    readers: Annotated[tuple[str, ...], BeforeValidator(_groups)] = ()
    """Groups whose members may read."""
    approvers: Annotated[tuple[str, ...], BeforeValidator(_groups)] = ()
    """Groups whose members may read and approve."""
    groups_claim: Text = "groups"
    """The claim with a person's groups, or a path to it such as `realm_access.roles`."""
    name_claim: Text = "email"
    """The claim that the audit log names a person by; an address that wasn't verified doesn't count."""
    scopes: Annotated[tuple[str, ...], BeforeValidator(_groups)] = ("openid", "email", "profile")

    @model_validator(mode="after")
    def _check_groups(self) -> Self:
        if not self.readers and not self.approvers:
            raise problem('readers: nobody could sign in; write readers = ["sre"] or approvers = ["sre-oncall"]')
        if "openid" not in self.scopes:
            raise problem('scopes: "openid" is missing; add it')
        return self

    @property
    def client_secret(self) -> SecretSource | None:
        """Where the client's secret is; null for a public client."""
        return self._source("client_secret")


class ServeTable(WorkTable):
    """The service: its names, who is in front of it, and who may use it."""

    hosts: Annotated[tuple[str, ...], BeforeValidator(_hosts)] = ()
    """The names by which it's reached; a request for any other name is refused."""
    https: bool | None = None
    """Whether people reach it by https; null for yes, unless it listens on loopback."""
    proxies: Annotated[tuple[str, ...], BeforeValidator(_networks)] = ()
    """Proxies whose X-Forwarded-For is believed."""
    token: Annotated[tuple[TokenTable, ...], Field(strict=False)] = ()
    oidc: OidcTable | None = None

    @model_validator(mode="after")
    def _check_tokens(self) -> Self:
        names = [one.name for one in self.token]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise problem(f"token: the name {twice!r} appears {names.count(twice)} times; keep one")
        return self

    def _untrusted(self, what: str) -> UsageError:
        return UsageError(
            f"{self.file}: serve: {what} would decide who may use the service, and this file isn't trusted: look at "
            f"it, then run `rediagnose trust {shlex.quote(str(self.file))}`, or name it by REDIAGNOSE_CONFIG"
        )
