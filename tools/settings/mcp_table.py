"""The tables of rediagnose.toml that name a team's own MCP servers, and what may be asked of each."""

import os
import re
import shlex
from collections.abc import Mapping
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from tools.errors import UsageError
from tools.mcp.server import LEAST_TIMEOUT, MOST_TIMEOUT, NAME, TIMEOUT, McpServer
from tools.settings.secret_source import SecretSource
from tools.settings.table import BesideFile, Table, Text, problem

MOST_SERVERS, MOST_TOOLS = 8, 16
_HEADER = r"[A-Za-z][A-Za-z0-9-]{0,63}"
_OURS = ("host", "content-length", "content-type", "accept", "transfer-encoding", "connection", "mcp-session-id")


def _name(value: Any) -> object:
    if isinstance(value, str) and not re.fullmatch(NAME, value):
        raise problem('not lower-case letters, digits and "-", 20 at most; write name = "deploys"')
    return value


def _texts(value: Any) -> object:
    if not isinstance(value, list) or not all(isinstance(one, str) and "\0" not in one for one in value):
        raise problem('not a list of texts; write ["...", "..."]')
    return tuple(value)


def _tools(value: Any) -> object:
    names = _texts(value)
    if not names or len(value) > MOST_TOOLS:
        raise problem(f'name 1 to {MOST_TOOLS} of its tools that only read; write tools = ["list_deploys"]')
    return names


def _url(value: Any) -> object:
    if not isinstance(value, str):
        return value
    try:
        url = urlsplit(value)
        good = url.scheme in ("http", "https") and url.hostname and "@" not in url.netloc
    except ValueError:
        good = False
    if not good:
        raise problem('not the address of a server, without credentials; write url = "https://HOST/mcp"')
    return value


def _header(value: Any) -> object:
    if isinstance(value, str) and (not re.fullmatch(_HEADER, value) or value.lower() in _OURS):
        raise problem('no header for a token; write header = "X-Api-Key"')
    return value


def _timeout(value: Any) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float) or not LEAST_TIMEOUT <= value <= MOST_TIMEOUT:
        raise problem(f"not a number of seconds from {LEAST_TIMEOUT:g} to {MOST_TIMEOUT:g}; write timeout = 10")
    return float(value)


class McpTable(Table):
    """A server, started by a command or reached by a URL."""

    name: Annotated[str, BeforeValidator(_name)]
    tools: Annotated[tuple[str, ...], BeforeValidator(_tools)]
    """Those that may be called."""
    command: Text | None = None
    args: Annotated[tuple[str, ...], BeforeValidator(_texts)] = ()
    environment: Annotated[tuple[str, ...], BeforeValidator(_texts)] = ()
    """Variables of this program's environment that its process gets; else it has PATH, HOME and the like."""
    url: Annotated[str, BeforeValidator(_url)] | None = None
    token_env: Text | None = None
    token_file: BesideFile | None = None
    header: Annotated[str, BeforeValidator(_header)] | None = None
    """What the token is sent in; null for `Authorization: Bearer`."""
    timeout: Annotated[float, BeforeValidator(_timeout), Field(strict=False)] = TIMEOUT

    @model_validator(mode="after")
    def _check_place(self) -> Self:
        if (self.command is None) == (self.url is None):
            why = "missing" if self.url is None else "both there; leave one"
            raise problem(f'command or url: {why}; write command = "..." or url = "https://HOST/mcp"')
        foreign = ("token_env", "token_file", "header") if self.command else ("args", "environment")
        if odd := next((key for key in foreign if getattr(self, key)), None):
            of = "command" if self.command else "url"
            raise problem(f"{odd}: it means nothing beside {of}; leave it out")
        return self

    @property
    def token(self) -> SecretSource | None:
        """Where the token for it is."""
        return self._source("token")

    @property
    def place(self) -> str:
        """What is started or reached, as it may be shown."""
        return self.url.partition("?")[0] if self.url else shlex.join((self.command or "", *self.args))

    def server(self, environ: Mapping[str, str] = os.environ) -> McpServer:
        """The server with what it's given. Raises `UsageError`: an untrusted file, a missing secret."""
        self.must_be_trusted()
        if missing := next((one for one in self.environment if one not in environ), None):
            raise UsageError(f"{self.file}: mcp {self.name}: environment: {missing} isn't set; set it, or leave it out")
        headers = {}
        if self.token:
            token = self.token.read(environ).get_secret_value()
            if not token.isascii() or not token.isprintable():
                raise UsageError(f"{self.token.where}: it can't be sent in a header; use a token of plain characters")
            headers = {self.header: token} if self.header else {"Authorization": f"Bearer {token}"}
        return McpServer(
            name=self.name, tools=self.tools, command=self.command, args=self.args, url=self.url, timeout=self.timeout,
            environment={one: SecretStr(environ[one]) for one in self.environment},
            headers={key: SecretStr(value) for key, value in headers.items()},
            folder=self.file.absolute().parent if self.file else None,
        )  # fmt: skip

    def _untrusted(self, what: str) -> UsageError:
        return UsageError(
            f"{self.file}: mcp {self.name}: {what} would start a program or send it what is asked, and this file isn't "
            f"trusted: look at it, then run `rediagnose trust {shlex.quote(str(self.file))}`, or name it by "
            "REDIAGNOSE_CONFIG"
        )
