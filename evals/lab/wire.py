"""Bare connections for what a client library would not do, and the crew that ends all of them."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Coroutine
from typing import Any
from urllib.parse import unquote, urlsplit

import hiredis

LIFETIME = 3000.0
"""Seconds after which background work ends by itself."""
LOST = (OSError, EOFError, hiredis.ReplyError)
"""What an application has to expect of a connection."""
Argument = str | int | bytes


def packed(*command: Argument) -> bytes:
    """A command as it goes over the wire."""
    # The stub types the argument as a tuple of one; any length is right.
    data: bytes = hiredis.pack_command(command)  # type: ignore[arg-type]
    return data


class Wire:
    """One connection, without a library's manners."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._parser = hiredis.Reader(encoding="utf-8", errors="replace")

    async def ask(self, *command: Argument, timeout: float | None = 2.0) -> Any:
        """One command's reply, within `timeout` seconds. Raises one of `LOST`."""
        self.writer.write(packed(*command))
        return await self.reply(timeout)

    async def reply(self, timeout: float | None = 2.0) -> Any:
        """The next reply, within `timeout` seconds. Raises one of `LOST`."""
        async with asyncio.timeout(timeout):
            while (reply := self._parser.gets()) is False:
                data = await self.reader.read(1 << 16)
                if not data:
                    raise EOFError("closed by the server")
                self._parser.feed(data)
        if isinstance(reply, hiredis.ReplyError):
            raise reply
        return reply

    async def send(self, data: bytes) -> None:
        """Write bytes as they are, and wait until the peer takes them."""
        self.writer.write(data)
        await self.writer.drain()

    async def pipeline(self, data: bytes, ends: int) -> None:
        """Write many commands at once and throw their `ends` line ends of replies away."""
        self.writer.write(data)
        while ends > 0:
            chunk = await self.reader.read(1 << 18)
            if not chunk:
                raise EOFError("closed by the server")
            ends -= chunk.count(b"\n")

    async def discard(self) -> None:
        """Read and throw away, until the server closes."""
        while await self.reader.read(1 << 20):
            pass

    async def close(self) -> None:
        """Close at once."""
        self.writer.close()
        self.writer.transport.abort()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


async def dial(url: str, *, name: str = "", receive_buffer: int = 0, timeout: float = 2.0) -> Wire:
    """A connection to a redis:// URL, let in and named, within `timeout` seconds. Raises one of `LOST`.

    A small `receive_buffer`, in bytes, lets output pile up in the server rather than in the kernel.
    """
    parts = urlsplit(url)
    sock = socket.socket()
    try:
        sock.setblocking(False)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        async with asyncio.timeout(timeout):
            await asyncio.get_running_loop().sock_connect(sock, (parts.hostname, parts.port))
            wire = Wire(*await asyncio.open_connection(sock=sock, limit=1 << 16))
    except BaseException:
        sock.close()
        raise
    try:
        if parts.password:
            await wire.ask("AUTH", *([parts.username] if parts.username else []), unquote(parts.password))
        if name:
            await wire.ask("CLIENT", "SETNAME", name, timeout=timeout)
    except BaseException:
        await wire.close()
        raise
    return wire


class Crew:
    """Background tasks and held connections of one incident."""

    def __init__(self) -> None:
        self.held: set[Wire] = set()
        self._tasks: list[asyncio.Task[None]] = []

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work in the background, for at most `LIFETIME`."""
        self._tasks.append(asyncio.create_task(_bounded(work)))

    async def dial(self, url: str, *, name: str = "", receive_buffer: int = 0, timeout: float = 2.0) -> Wire:
        """A connection that is closed at the end, or by `drop`. Raises one of `LOST`."""
        wire = await dial(url, name=name, receive_buffer=receive_buffer, timeout=timeout)
        self.held.add(wire)
        return wire

    async def drop(self, wire: Wire) -> None:
        """Close a held connection."""
        self.held.discard(wire)
        await wire.close()

    async def dismiss(self) -> None:
        """End all. Raises what a background task failed with: that is a bug of the lab."""
        # A task that hasn't begun yet would leave its work unawaited.
        await asyncio.sleep(0)
        left = set(self._tasks)
        while left:
            # Again and again, because redis-py turns a cancellation that comes while it connects into an error.
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=0.1)
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(wire.close() for wire in self.held))
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
                raise result


async def _bounded(work: Coroutine[Any, Any, None]) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LIFETIME):
            await work


@contextlib.asynccontextmanager
async def crew() -> AsyncIterator[Crew]:
    """A crew that ends with the block."""
    hands = Crew()
    try:
        yield hands
    finally:
        await hands.dismiss()
