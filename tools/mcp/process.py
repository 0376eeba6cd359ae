"""A server that is started here, and spoken to over its pipes: bounded, and ended with its group."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import mcp_types
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage

from tools.errors import Unanswered
from tools.mcp.server import McpServer
from tools.text import one_line

MOST_LINE, MOST_BYTES = 2 * 2**20, 16 * 2**20
"""Bytes of one message, and of all that a server says."""
LAST_WORDS = 300
"""Bytes of its error output that are kept."""
GRACE = 0.5
"""Seconds in which it may end by itself once nobody listens, and again after it's told to."""
_LOOK = 0.02
Heard = SessionMessage | Exception


class Process:
    """A server's process; it leads a group of its own."""

    def __init__(self, server: McpServer) -> None:
        self._server = server
        self._process: asyncio.subprocess.Process | None = None
        self.said = b""
        """The end of its error output."""
        self.broken: Unanswered | None = None
        """Why nothing more is read from it."""

    @asynccontextmanager
    async def streams(
        self,
    ) -> AsyncIterator[tuple[MemoryObjectReceiveStream[Heard], MemoryObjectSendStream[SessionMessage]]]:
        """Start it. Raises `Unanswered` where it can't be."""
        process = self._process = await self._start()
        heard, hears = anyio.create_memory_object_stream[Heard](0)
        says, said = anyio.create_memory_object_stream[SessionMessage](0)
        try:
            async with anyio.create_task_group() as group, heard, hears, says, said:
                group.start_soon(self._listen, process, heard)
                group.start_soon(self._speak, process, said)
                group.start_soon(self._overhear, process)
                try:
                    yield hears, says
                finally:
                    with anyio.CancelScope(shield=True):
                        await self._end(process)
                    group.cancel_scope.cancel()
        finally:
            self.kill()

    async def _start(self) -> asyncio.subprocess.Process:
        server = self._server
        given = {name: value.get_secret_value() for name, value in server.environment.items()}
        try:
            return await asyncio.create_subprocess_exec(
                server.command or "", *server.args, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE, env=get_default_environment() | given, cwd=server.folder,
                start_new_session=True, limit=MOST_LINE,
            )  # fmt: skip
        except (OSError, ValueError) as error:
            why = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise Unanswered("refused", f"{server.name}: {server.command} can't be started: {why}") from None

    async def _listen(self, process: asyncio.subprocess.Process, heard: MemoryObjectSendStream[Heard]) -> None:
        assert process.stdout
        name, came = self._server.name, 0
        async with heard:
            try:
                while line := await process.stdout.readline():
                    came += len(line)
                    if came > MOST_BYTES:
                        self.broken = Unanswered("malformed", f"{name} said more than {MOST_BYTES} bytes")
                        return
                    try:
                        message: Heard = SessionMessage(
                            mcp_types.jsonrpc_message_adapter.validate_json(line, by_name=False)
                        )
                    except ValueError:
                        # What servers print by mistake stands between their messages.
                        continue
                    await heard.send(message)
            except ValueError:
                self.broken = Unanswered("malformed", f"{name} sent a line of more than {MOST_LINE} bytes")
            except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
                return

    async def _speak(
        self, process: asyncio.subprocess.Process, said: MemoryObjectReceiveStream[SessionMessage]
    ) -> None:
        assert process.stdin
        with contextlib.suppress(OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            async for message in said:
                line = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                process.stdin.write(line.encode() + b"\n")
                await process.stdin.drain()

    async def _overhear(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr
        with contextlib.suppress(OSError):
            while words := await process.stderr.read(4096):
                self.said = (self.said + words)[-LAST_WORDS:]

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        if process.stdin:
            process.stdin.close()
        if not await self._is_gone(process):
            self._signal(signal.SIGTERM)
            await self._is_gone(process)
        self.kill()
        # A child that left the group may hold the pipes open, and they're none of its any more.
        process._transport.close()  # type: ignore[attr-defined]
        await asyncio.sleep(0)

    async def _is_gone(self, process: asyncio.subprocess.Process) -> bool:
        for _ in range(round(GRACE / _LOOK)):
            if process.returncode is not None:
                return True
            await asyncio.sleep(_LOOK)
        return False

    def kill(self) -> None:
        """End it, and whatever it started in its group, at once."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    @property
    def last_words(self) -> str:
        """The last line of its error output."""
        lines = [line for line in self.said.decode(errors="replace").splitlines() if line.strip()]
        return one_line(lines[-1].strip(), 160) if lines else ""
