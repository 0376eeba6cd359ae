"""The way from a replica to its primary: one that can be slow, silent, closed, or cut now and then."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from evals.lab.servers import Server

CHUNK = 16 * 1024


class Way:
    """A TCP forwarder on loopback whose behaviour may change while it runs."""

    def __init__(self, server: Server, receive_buffer: int = 0) -> None:
        self.server = server
        self.port = 0
        self.receive_buffer = receive_buffer
        """Bytes that wait at most in the kernel's buffer on the primary's side, or 0 for as many as it likes."""
        self.rate: float | None = None
        """Bytes a second towards the replica, of all flows together, or null for as fast as it goes."""
        self.most: int | None = None
        """Bytes of each flow that reach the replica, after which nothing more does; null for all of them."""
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
                back, onward = await self._dial()
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

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        sock = socket.socket()
        try:
            sock.setblocking(False)
            if self.receive_buffer:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
            await asyncio.get_running_loop().sock_connect(sock, (self.server.host, self.server.port))
            return await asyncio.open_connection(sock=sock)
        except BaseException:
            sock.close()
            raise

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, slowly: bool) -> None:
        carried = 0
        while data := await reader.read(CHUNK):
            while self.silent or (slowly and self.most is not None and carried >= self.most):
                await asyncio.sleep(0.1)
            carried += len(data)
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
async def way(server: Server, receive_buffer: int = 0) -> AsyncIterator[Way]:
    """A way to a server, for as long as the block runs."""
    way = Way(server, receive_buffer)
    listening = await asyncio.start_server(way.serve, "127.0.0.1", 0)
    way.port = listening.sockets[0].getsockname()[1]
    try:
        yield way
    finally:
        listening.close()
        await way.close()
        with suppress(OSError):
            await listening.wait_closed()
