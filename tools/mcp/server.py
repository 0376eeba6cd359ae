"""A team's own MCP server, as the settings name it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr

from tools.patterns import deferred
from tools.records import Record

NAME = r"[a-z][a-z0-9-]{0,19}"
"""What a server may be called: a tool's name begins with it."""
_SECRET = deferred(r"token|secret|passw|pwd|key|cred|auth", re.IGNORECASE)
_LEAST_SECRET = 6
TIMEOUT, LEAST_TIMEOUT, MOST_TIMEOUT = 10.0, 0.5, 15.0


class McpServer(Record):
    """Where it is, what it's reached with, and what may be asked of it."""

    name: Annotated[str, Field(pattern=f"^{NAME}$")]
    tools: tuple[str, ...]
    """Those that may be called, by the server's own names for them."""
    command: str | None = None
    """What is started, and spoken to over its standard input and output; or `url`."""
    args: tuple[str, ...] = ()
    environment: Mapping[str, SecretStr] = {}
    """What its process gets beside the usual variables."""
    folder: Path | None = None
    """Where it's started; null for this one."""
    url: str | None = None
    """Where it's reached over HTTP."""
    headers: Mapping[str, SecretStr] = {}
    """What each request to it says beside the message."""
    timeout: float = TIMEOUT
    """Seconds for reaching it, and for one call."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What it's given and nobody else may see.

        Of variables those that are named like one: to hide a region or a `1` would spoil what others say.
        """
        given = [value for name, value in self.environment.items() if _SECRET.search(name)]
        values = (one.get_secret_value().removeprefix("Bearer ") for one in (*given, *self.headers.values()))
        return tuple(one for one in values if len(one) >= _LEAST_SECRET)
