"""A live connection: its bytes counted and bounded as they arrive, its late replies kept apart."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence

from tools.connection.arrival import Lateness, Stamps
from tools.connection.connection import Meter, Progress, Timed
from tools.connection.dial import Stream, dial, reason
from tools.connection.parser import NotTheProtocol, TooLarge
from tools.connection.protocol import GOODBYES, Command, Reply, ServerError
from tools.connection.redis_py import Streams, Wire
from tools.connection.shapes import most_bytes
from tools.connection.target import Target
from tools.errors import Unanswered
from tools.records import Kind

MOST_UNASKED = 4096
"""Replies that nobody asked for which are held at most; one more ends the connection."""
MOST_UNASKED_BYTES = 2**20
"""Bytes of them."""
OWN_SHARE = 0.1
"""Of a time-out: if the event loop ran later than this, a reply may lie here unread."""
_Arrived = tuple[Reply, float | None]
"""A reply, and when it had arrived, in monotonic seconds."""


class LiveConnection:
    """A `Connection` over this machine's network.

    What arrives is counted where it arrives and parsed a piece of the socket at a time: nothing between the network and
    the bounds can grow.
    """

    def __init__(self, target: Target, lateness: Lateness | None = None) -> None:
        """`lateness` is shared by the connections of one event loop."""
        self.target = target
        self.progress = Progress()
        self._lateness = lateness or Lateness()
        self._stamps = Stamps()
        self._wire = Wire(self._dial, self._most)
        self._reading: asyncio.Task[None] | None = None
        self._waiting: deque[tuple[asyncio.Future[_Arrived], Command]] = deque()
        """Whoever waits for a reply, or did until it was late, with what was asked."""
        self._unasked: deque[Reply] = deque()
        self._end: Unanswered | None = None
        self._ended = asyncio.Event()
        self._let_go = False
        self._on_lost: list[Callable[[], None]] = []
        self._why_lost = "closed by the peer"
        self._newest = b""
        self._meter: Meter | None = None
        self._bytes = 0
        self._bytes_unasked = 0

    @property
    def usable(self) -> bool:
        return self._reading is not None and self._end is None and not self._let_go

    async def open(self, timeout: float) -> None:
        progress = self.progress
        opening = asyncio.ensure_future(self._wire.open())
        try:
            with self._lateness as lateness:
                late = lateness.seconds
                await asyncio.wait({opening}, timeout=timeout)
                if not opening.done() and lateness.seconds - late > timeout * OWN_SHARE:
                    # It may have been let in while this program was at something else.
                    await asyncio.wait({opening}, timeout=min(timeout, lateness.seconds - late))
            if not opening.done():
                detail = f"no answer in stage {progress.stage} for {timeout:g} s"
                raise Unanswered("tls" if progress.stage == "tls" else "timeout", detail, progress.stages)
            opening.result()
        except BaseException:
            # What a dial opened is closed before anything else is done.
            opening.cancel()
            await asyncio.wait({opening})
            if not opening.cancelled():
                opening.exception()  # seen: what else it failed of isn't a warning
            self.close()
            raise
        progress.stage = "open"
        # It lives as long as the connection: a peer may write or close at any time.
        self._reading = asyncio.create_task(self._read())

    async def _dial(self) -> Streams:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(loop=loop)
        transport, stream = await dial(
            self.target, self.progress, lambda: Stream(reader, arrived=self._arrived, lost=self._lost), self._stamps
        )
        return reader, asyncio.StreamWriter(transport, stream, reader, loop)

    def _most(self) -> int:
        return most_bytes(self._waiting[0][1]) if self._waiting else MOST_UNASKED_BYTES

    async def exchange(self, commands: Sequence[Command], timeout: float) -> list[Reply]:
        if not commands:
            return []
        return [reply for reply, _ in await self._replies(commands, timeout)]

    async def timed(self, command: Command, timeout: float) -> Timed:
        began, late = time.monotonic(), self._lateness.seconds
        ((reply, arrived),) = await self._replies([command], timeout)
        took = time.monotonic() - began
        sent = max(began, self._stamps.sent or began)
        if arrived is None or arrived < sent:
            return Timed(reply, took, own_seconds=min(took, self._lateness.seconds - late), is_known=False)
        return Timed(reply, arrived - sent, own_seconds=took - (arrived - sent), is_known=True)

    async def _replies(self, commands: Sequence[Command], timeout: float) -> list["_Arrived"]:
        with self._lateness as lateness:
            late, futures = lateness.seconds, self._send(commands)
            try:
                _, missing = await asyncio.wait(futures, timeout=timeout)
                if missing and lateness.seconds - late > timeout * OWN_SHARE:
                    # It was this program that hadn't come to read: the server gets its time back.
                    _, missing = await asyncio.wait(missing, timeout=min(timeout, lateness.seconds - late))
                if missing:
                    raise Unanswered("timeout", f"{commands[0][0]}: no reply in {timeout:g} s")
                return [future.result() for future in futures]
            finally:
                for future in futures:
                    future.cancel()

    def _send(self, commands: Sequence[Command]) -> list["asyncio.Future[_Arrived]"]:
        if self._end is not None:
            raise self._end
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[_Arrived]] = [loop.create_future() for _ in commands]
        self._waiting.extend(zip(futures, commands, strict=True))
        self._count(self._wire.write(commands))
        # What a server says before it's asked is its answer: it may close with it.
        while self._unasked and self._waiting:
            self._deliver(self._unasked.popleft())
        if self._unasked:
            self._refuse(f"{len(self._unasked)} more replies than commands")
        self._bytes_unasked = 0
        return futures

    def measure(self, meter: Meter) -> None:
        self._meter = meter

    def _count(self, more: int) -> bool:
        """Count bytes, by whoever measures them as they come or for `take_bytes`; whether they're still allowed."""
        if self._meter is not None:
            return self._meter(more)
        self._bytes += more
        return True

    def take_bytes(self) -> int:
        taken, self._bytes = self._bytes, 0
        return taken

    def take_unasked(self) -> list[Reply]:
        taken = list(self._unasked)
        self._unasked.clear()
        self._bytes_unasked = 0
        return taken

    def on_lost(self, callback: Callable[[], None]) -> None:
        self._on_lost.append(callback)

    def _arrived(self, data: bytes) -> None:
        self._newest = data[:1]
        self._bytes_unasked += 0 if self._waiting else len(data)
        if not self._count(len(data)):
            self._refuse(
                "the limit of bytes that all nodes together may send in one investigation is used up", "malformed"
            )
        elif self._bytes_unasked > MOST_UNASKED_BYTES:
            self._refuse(f"more than {MOST_UNASKED_BYTES >> 20} MiB that nobody asked for")

    def _lost(self, error: Exception | None) -> None:
        if error is not None:
            self._why_lost = f"closed by the peer ({reason(error)})"

    async def _read(self) -> None:
        while True:
            try:
                reply = await self._wire.reply()
            except EOFError:
                break
            except NotTheProtocol as error:
                # TLS records, HTTP, anything that isn't RESP: what came instead of a reply is the reading.
                self.progress.stages["speaks_resp"] = False
                is_tls = self._newest in (b"\x15", b"\x16")
                self._refuse(f"not the Redis protocol: {error}", "tls" if is_tls else "reset")
                return
            except TooLarge as error:
                if self._waiting:
                    words = self._waiting[0][1][:1]
                    self._refuse(f"a reply to {' '.join(map(str, words))} of {error}", "malformed")
                else:
                    self._refuse(f"{error} that nobody asked for")
                return
            self._deliver(reply)
        if not self._let_go:
            for callback in self._on_lost:
                callback()
        self._finish(Unanswered("reset", f"{self.target.node}: {self._why_lost}"))
        self._wire.abort()

    def _deliver(self, reply: Reply) -> None:
        if isinstance(reply, ServerError) and reply.kind in ("maxclients", "protected"):
            self._finish(Unanswered(reply.kind, GOODBYES[reply.kind]))
        elif self._waiting:
            future, _ = self._waiting.popleft()
            if not future.done():
                future.set_result((reply, self._stamps.arrived))
        elif len(self._unasked) < MOST_UNASKED:
            self._unasked.append(reply)
        else:
            self._refuse(f"more than {MOST_UNASKED} replies that nobody asked for")

    def _refuse(self, why: str, kind: Kind = "reset") -> None:
        """End a connection whose peer doesn't keep to the protocol."""
        self._finish(Unanswered(kind, f"{self.target.node}: {why}"))
        self.close()

    def _finish(self, end: Unanswered) -> None:
        if self._end is None:
            self._end = end
        self._ended.set()
        while self._waiting:
            future, _ = self._waiting.popleft()
            if not future.done():
                future.set_exception(self._end)
                future.exception()  # seen: a reply that nobody waits for any more isn't a warning

    async def closed(self, timeout: float) -> bool:
        try:
            async with asyncio.timeout(timeout):
                await self._ended.wait()
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        self._let_go = True
        self._wire.abort()
