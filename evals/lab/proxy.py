"""A TCP proxy on loopback that is a bad network: slow, forgetful or silent."""

import asyncio
import itertools
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Literal
from urllib.parse import urlsplit

from tools.records import Record

Item = tuple[float, bytes]
Forward = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""What is done with a connection that was accepted, until either end is closed."""


class Route(Record):
    """How the network between the two ends behaves."""

    delay: float = 0.0
    """Seconds that a round trip takes longer, half in each direction; connecting takes no longer."""
    idle: float | None = None
    """Seconds without traffic after which a flow is forgotten, or null for never."""
    forgotten: Literal["silent", "reset"] = "silent"
    """What becomes of a forgotten flow's next packet; the server isn't told in either case."""
    blackhole: bool = False
    """Accept, and forward nothing."""


class _Flow:
    def __init__(self, route: Route) -> None:
        self.route = route
        self.last = time.monotonic()
        self.gone = route.blackhole

    def carries(self) -> bool:
        """Whether a packet that comes now is forwarded."""
        now = time.monotonic()
        if self.route.idle is not None and now - self.last > self.route.idle:
            self.gone = True
        self.last = now
        return not self.gone


async def _read(
    flow: _Flow, reader: asyncio.StreamReader, queue: asyncio.Queue[Item], back: asyncio.StreamWriter | None
) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            if flow.carries():
                await queue.put((time.monotonic() + flow.route.delay / 2, data))
            elif back and flow.route.forgotten == "reset":
                sock: socket.socket = back.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                back.transport.abort()
    if not flow.gone:
        await queue.put((time.monotonic() + flow.route.delay / 2, b""))


async def _write(writer: asyncio.StreamWriter, queue: asyncio.Queue[Item]) -> None:
    with suppress(OSError):
        while True:
            due, data = await queue.get()
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if not data:
                return writer.close()
            writer.write(data)
            await writer.drain()


async def _forward(url: str, route: Route, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    parts = urlsplit(url)
    try:
        onward_reader, onward = await asyncio.open_connection(parts.hostname, parts.port)
    except OSError:
        return
    flow = _Flow(route)
    there: asyncio.Queue[Item] = asyncio.Queue(256)
    back: asyncio.Queue[Item] = asyncio.Queue(256)
    try:
        # Of a flow that is forgotten the server's side stays as it was, until the server closes it.
        await asyncio.gather(
            _read(flow, reader, there, writer), _read(flow, onward_reader, back, None),
            _write(onward, there), _write(writer, back),
        )  # fmt: skip
    finally:
        onward.transport.abort()


@asynccontextmanager
async def proxy(url: str, route: Route, *others: str) -> AsyncIterator[str]:
    """The URL by which a redis:// URL is reached over such a route, for as long as the block runs.

    With further URLs it's a balancer: connections go to each of them in turn.
    """
    targets = itertools.cycle((url, *others))
    async with accepting(lambda reader, writer: _forward(next(targets), route, reader, writer)) as port:
        yield f"redis://{credentials(url)}127.0.0.1:{port}"


@asynccontextmanager
async def accepting(
    forward: Forward, host: str = "127.0.0.1", port: int = 0, encrypted: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """A port on loopback each of whose connections is forwarded, for as long as the block runs; 0 is any free one."""
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        # Cancelled at the end of the block, which `start_server` would report as a failure.
        with suppress(asyncio.CancelledError):
            await forward(reader, writer)
        serving.discard(task)
        writer.transport.abort()

    server = await asyncio.start_server(serve, host, port, ssl=encrypted)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        left = list(serving)
        for task in left:
            task.cancel()
        await asyncio.gather(*left)
        await server.wait_closed()
        # Lets the transports finish closing.
        await asyncio.sleep(0)


def credentials(url: str) -> str:
    """What stands before the host, its @ included."""
    before, at, _ = urlsplit(url).netloc.rpartition("@")
    return before + at
