"""Assistants as the SDK's own client is one, and the person in front of them."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client import ClientRequestContext
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, ElicitRequestParams, ElicitResult, Implementation, TextContent

from tests.program import ROOT, SETTINGS

MODES = ("auto", "legacy")
"""Today's protocol, and the one before it, which asks in the middle of a call."""
PATIENCE = 240.0
ME = Implementation(name="pager-assistant", version="7")


class Human:
    """Answers questions: with a text, with `decline`, or with `cancel`; the last one again and again."""

    def __init__(self, *says: str) -> None:
        self.says = list(says)
        self.asked: list[str] = []

    async def __call__(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        self.asked.append(params.message)
        says = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if says in ("decline", "cancel"):
            return ElicitResult(action="decline" if says == "decline" else "cancel")
        return ElicitResult(action="accept", content={"answer": says})


class Assistant:
    """A client that calls tools."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.progress: list[str] = []

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """What a tool answers, which is the same as text and as JSON."""
        result = await self.raw(tool, **arguments)
        assert not result.is_error, said(result)
        found: dict[str, Any] = result.structured_content or {}
        assert found and said(result).startswith("{")
        return found

    async def fails(self, tool: str, **arguments: Any) -> str:
        """Why it can't be done: one line, with nothing of how the program is made."""
        result = await self.raw(tool, **arguments)
        assert result.is_error, said(result)
        assert "Traceback" not in said(result) and "a bug of" not in said(result)
        return said(result)

    async def raw(self, tool: str, **arguments: Any) -> CallToolResult:
        """The result as it came."""

        async def heard(progress: float, total: float | None, message: str | None) -> None:
            self.progress.append(message or "")

        return await self.client.call_tool(tool, arguments, progress_callback=heard)

    async def read(self, uri: str) -> str:
        """A resource."""
        (content,) = (await self.client.read_resource(uri)).contents
        return str(getattr(content, "text", ""))


def said(result: CallToolResult) -> str:
    """The first text of a result."""
    first = result.content[0]
    assert isinstance(first, TextContent)
    return first.text


def change_of(short: dict[str, Any]) -> dict[str, Any]:
    """The first step of a plan that could be applied."""
    step: dict[str, Any] = next(one for one in short["plan"] if one["kind"] != "outside")
    return step


@asynccontextmanager
async def over_stdio(
    folder: Path, *args: str, human: Human | None = None, mode: str = "auto", errors: Any = None
) -> AsyncIterator[Assistant]:
    """`rediagnose mcp` as an assistant starts it, with the settings in a folder."""
    from mcp.client.stdio import stdio_client

    clean = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    environ = {**clean, "XDG_STATE_HOME": str(folder / "state"), "REDIAGNOSE_CONFIG": str(folder / "rediagnose.toml")}
    command = StdioServerParameters(
        command=sys.executable, args=[str(ROOT / "rediagnose.py"), "mcp", "--window", "0.2", *args], env=environ,
        cwd=folder,
    )  # fmt: skip
    with open(folder / "stderr", "a+") as own:
        transport = stdio_client(command, errlog=errors or own)
        async with Client(
            transport, mode=mode, elicitation_callback=human, client_info=ME, read_timeout_seconds=PATIENCE
        ) as client:
            yield Assistant(client)


@asynccontextmanager
async def over_http(
    base: str, token: str, *, human: Human | None = None, mode: str = "auto", **headers: str
) -> AsyncIterator[Assistant]:
    """A client of the service."""
    given = {"Authorization": f"Bearer {token}", **headers}
    async with httpx2.AsyncClient(headers=given, timeout=PATIENCE, trust_env=False) as http:
        transport = streamable_http_client(f"{base}/mcp", http_client=http)
        async with Client(
            transport, mode=mode, elicitation_callback=human, client_info=ME, read_timeout_seconds=PATIENCE
        ) as client:
            yield Assistant(client)
