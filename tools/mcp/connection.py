"""One conversation with a server: begun once, asked within bounds, ended with all that belongs to it."""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Coroutine, Iterator
from typing import Any, NamedTuple, TypeVar

import httpx2
import mcp_types
from mcp import Client, MCPError
from mcp.client.session import ClientSession
from pydantic import TypeAdapter, ValidationError

from tools.errors import Unanswered
from tools.mcp.process import Process
from tools.mcp.server import McpServer
from tools.mcp.web import Web
from tools.records import Kind
from tools.text import one_line

MOST_PAGES, MOST_LISTED = 20, 1000
"""Pages of a server's list of tools that are asked for, and tools of it that are looked at."""
SHOWN = 200
"""Characters of what a server says about an error."""
logging.getLogger("mcp").setLevel(logging.CRITICAL)
for _name in ("mcp", "client"):
    # The SDK's lines hold what servers send; without this they'd go to the terminal.
    logging.getLogger(_name).addHandler(logging.NullHandler())
_RAW: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


T = TypeVar("T")


class Listed(NamedTuple):
    """What a server says of its tools."""

    tools: list[mcp_types.Tool]
    cut: bool
    """Whether it has more than were looked at."""


class Connection:
    """A server that was reached, or is being reached. Every failure is an `Unanswered` with its kind."""

    def __init__(self, server: McpServer) -> None:
        self.server = server
        self._way: Process | Web = Process(server) if server.command else Web(server)
        self._owner: asyncio.Task[None] | None = None
        self._session: asyncio.Future[ClientSession] | None = None
        self._closing = asyncio.Event()

    async def open(self) -> Listed:
        """Reach it, and ask what tools it has. Raises `Unanswered`."""
        self._session = asyncio.get_running_loop().create_future()
        self._owner = asyncio.create_task(self._hold(self._session))
        return await self._within(self._listed(), "answer")

    async def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """What a tool answers, as it was sent. Raises `Unanswered`."""
        return await self._within(self._called(tool, arguments), f"answer of {tool}")

    async def _hold(self, ready: asyncio.Future[ClientSession]) -> None:
        # What is opened in a task is closed in it: the SDK's scopes can't be left from elsewhere.
        async with contextlib.AsyncExitStack() as stack:
            if isinstance(self._way, Web):
                await stack.enter_async_context(self._way.client)
            transport = self._way.streams() if isinstance(self._way, Process) else self._way.transport
            client = await stack.enter_async_context(Client(transport, cache=None))
            ready.set_result(client.session)
            await self._closing.wait()

    async def _listed(self) -> Listed:
        assert self._session
        session = await asyncio.shield(self._session)
        tools: list[mcp_types.Tool] = []
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            page = await session.list_tools(params=mcp_types.PaginatedRequestParams(cursor=cursor))
            tools += page.tools
            cursor = page.next_cursor
            if cursor is None or len(tools) > MOST_LISTED:
                break
        return Listed(tools[:MOST_LISTED], cursor is not None or len(tools) > MOST_LISTED)

    async def _called(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        assert self._session
        session = await asyncio.shield(self._session)
        request = mcp_types.CallToolRequest(params=mcp_types.CallToolRequestParams(name=tool, arguments=arguments))
        # Asked below `call_tool`, which would run a schema of the server's, patterns and all, over the answer.
        return await session.send_request(request, _RAW)  # type: ignore[type-var]

    async def _within(self, asked: Coroutine[Any, Any, T], what: str) -> T:
        """What was asked, unless the server goes or the time is over first."""
        assert self._owner
        name, seconds = self.server.name, self.server.timeout
        task = asyncio.ensure_future(asked)
        try:
            await asyncio.wait({task, self._owner}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if task.done() and task.exception() is None:
                return task.result()
            if self._owner.done() or (task.done() and isinstance(task.exception(), MCPError) and self._is_lost(task)):
                # Whoever holds the conversation knows why it ended.
                await asyncio.wait({self._owner}, timeout=GRACE)
            if self._way.broken is not None:
                raise self._way.broken
            if self._owner.done() and not self._owner.cancelled() and (error := self._owner.exception()):
                raise self._unanswered(error)
            if task.done() and (error := task.exception()):
                raise self._unanswered(error)
            if self._owner.done():
                raise Unanswered("reset", f"{name} ended the conversation{self._last_words}")
            raise Unanswered("timeout", f"{name} gave no whole {what} in {seconds:g} s{self._last_words}")
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=GRACE)

    def _is_lost(self, task: "asyncio.Future[Any]") -> bool:
        error = task.exception()
        return isinstance(error, MCPError) and error.code == mcp_types.CONNECTION_CLOSED

    @property
    def _last_words(self) -> str:
        said = self._way.last_words if isinstance(self._way, Process) else ""
        return f"; it said: {said}" if said else ""

    def _unanswered(self, error: BaseException) -> Unanswered:
        name = self.server.name
        for one in _causes(error):
            if isinstance(one, Unanswered):
                return one
            if isinstance(one, MCPError) and one.code == mcp_types.CONNECTION_CLOSED:
                return Unanswered("reset", f"{name} ended the conversation{self._last_words}")
            if isinstance(one, MCPError) and one.code == mcp_types.REQUEST_TIMEOUT:
                return Unanswered("timeout", f"{name} gave no answer in time{self._last_words}")
            if isinstance(one, MCPError):
                return Unanswered("denied", f"{name} refuses it: {one_line(str(one), SHOWN)}")
            if isinstance(one, ValidationError | RecursionError | httpx2.DecodingError):
                return Unanswered("malformed", f"{name} answers in another form than MCP's")
            if (kind := _network_kind(one)) is not None:
                return Unanswered(kind, f"{name} at {self.server.url} can't be reached or read: {type(one).__name__}")
        return Unanswered("malformed", f"{name}: {type(error).__name__}{self._last_words}")

    async def close(self) -> None:
        """End the conversation, and the process with its group where one was started."""
        self._closing.set()
        if self._owner is not None:
            await asyncio.wait({self._owner}, timeout=2 * GRACE)
            if not self._owner.done():
                self._owner.cancel()
                await asyncio.wait({self._owner}, timeout=2 * GRACE)
            if self._owner.done() and not self._owner.cancelled():
                # It's been told already, or nobody asks any more.
                self._owner.exception()
        self.kill()

    def kill(self) -> None:
        """End a process that was started, at once."""
        if isinstance(self._way, Process):
            self._way.kill()


GRACE = 1.0
"""Seconds for what is broken off to end."""


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception's leaves, and what each came of."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _causes(one)
        return
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _network_kind(error: BaseException) -> Kind | None:
    if isinstance(error, TimeoutError | httpx2.TimeoutException):
        return "timeout"
    if isinstance(error, ssl.SSLError):
        return "tls"
    if isinstance(error, socket.gaierror):
        return "dns"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, httpx2.ReadError) and str(error).startswith("more than"):
        return "malformed"
    return "reset" if isinstance(error, ConnectionError | httpx2.ReadError | httpx2.RemoteProtocolError) else None
