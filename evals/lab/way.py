"""The way from a replica to its primary: one that can be slow, silent, closed, or cut now and then."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from evals.lab.servers import Server

CHUNK = 16 * 1024


class Way:
    """A TCP forwarder on loopback whose behaviour may change while it runs."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.port = 0
        self.rate: float | None = None
        """Bytes a second towards the replica, of all flows together, or null for as fast as it goes."""
        self.silent = False
        """Accept and carry nothing."""
        self.closed = False
        """Close whoever connects."""
        self._ends: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        """Break every flow."""
        for end in list(self._ends):
            end.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one flow until either end closes."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        onward: asyncio.StreamWriter | None = None
        try:
            if not self.closed:
                back, onward = await asyncio.open_connection(self.server.host, self.server.port)
                self._ends |= {writer, onward}
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._carry(reader, onward, slowly=False))
                    group.create_task(self._carry(back, writer, slowly=True))
        except* (OSError, asyncio.CancelledError):
            pass
        finally:
            for end in (writer, onward):
                if end is not None:
                    self._ends.discard(end)
                    end.transport.abort()
            self._tasks.discard(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, slowly: bool) -> None:
        while data := await reader.read(CHUNK):
            while self.silent:
                await asyncio.sleep(0.1)
            if slowly and self.rate:
                await asyncio.sleep(len(data) / self.rate)
            writer.write(data)
            await writer.drain()
        # The other direction has nothing to live for.
        raise ConnectionResetError("closed")

    async def close(self) -> None:
        """End every flow."""
        self.cut()
        left = list(self._tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


@asynccontextmanager
async def way(server: Server) -> AsyncIterator[Way]:
    """A way to a server, for as long as the block runs."""
    way = Way(server)
    listening = await asyncio.start_server(way.serve, "127.0.0.1", 0)
    way.port = listening.sockets[0].getsockname()[1]
    try:
        yield way
    finally:
        listening.close()
        await way.close()
        with suppress(OSError):
            await listening.wait_closed()
