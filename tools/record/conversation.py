"""One client of a served node: refused, kept waiting or answered, like those in the recording."""

import asyncio
import contextlib
import math
import socket
import struct
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from tools.connection.protocol import Reply, ServerError
from tools.record.playhead import Moment
from tools.record.redaction import decoded
from tools.record.resp import Push, Requests, Wrong, encode
from tools.record.schema import Came
from tools.record.session import Session
from tools.record.state import State
from tools.record.subscriptions import BEGINS, ENDS, Subscriptions
from tools.record.tape import Key, NodeTape, key

GOODBYES = {
    "maxclients": "ERR max number of clients reached",
    "protected": "DENIED Redis is running in protected mode because protected mode is enabled and no password is set "
    "for the default user. In this mode connections are only accepted from the loopback interface.",
}
"""What a server writes before it closes."""
MOST_WAITING = 256
"""Most requests that may wait for their turn; beyond that nothing more is read."""
NOTICED = 0.002
"""Seconds below which a recorded delay isn't repeated: the path here takes as long."""


class Answering(Protocol):
    """A recorded node that clients talk to."""

    tape: NodeTape
    moment: Moment
    state: State
    clients: "set[Conversation]"
    """Those that are connected."""

    def session(self, peer: str, own: str) -> Session:
        """A new client's session, by both ends' addresses."""

    def reply(self, session: Session, words: list[str]) -> tuple[Reply, float]:
        """The reply to a command, and the seconds it takes."""

    def message(self, reply: Reply) -> Reply:
        """A subscriber's message with addresses that can be dialled here."""


class Conversation(asyncio.Protocol):
    """A client's connection."""

    def __init__(self, node: Answering) -> None:
        self.node = node
        self._requests = Requests()
        self._waiting: asyncio.Queue[tuple[list[str], float]] = asyncio.Queue()
        self._room = asyncio.Event()
        self._room.set()
        self._loop = asyncio.get_running_loop()
        self._last_request = self._loop.time()
        self._tasks: list[asyncio.Task[None]] = []
        self._streams = False
        self._subscriptions = Subscriptions(lambda kind, name: self._loop.create_task(self._publish(kind, name)))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        state, now = self.node.state, self.node.moment.now
        row = state.arrivals.at(now)
        kind = row[1] if row else None
        if kind in GOODBYES:
            transport.write(encode(ServerError(GOODBYES[kind]), 2))
            transport.close()
        elif kind in ("reset", "tls", "refused", "dns"):
            self.cut()
        else:
            peer, own = (":".join(map(str, transport.get_extra_info(name)[:2])) for name in ("peername", "sockname"))
            self._session = self.node.session(peer, own)
            self.node.clients.add(self)
            self._tasks.append(self._loop.create_task(self._serve()))
            if state.idle is not None:
                self._tasks.append(self._loop.create_task(self._end_rest(self.node.moment.real(state.idle))))

    def connection_lost(self, exc: Exception | None) -> None:
        self.node.clients.discard(self)
        self._subscriptions.end_all()
        for task in self._tasks:
            task.cancel()

    def data_received(self, data: bytes) -> None:
        self._last_request = self._loop.time()
        try:
            for words in self._requests.feed(data):
                self._waiting.put_nowait((words, self._last_request))
        except Wrong as error:
            self._transport.write(encode(ServerError(str(error)), 2))
            self._transport.close()
        if self._waiting.qsize() > MOST_WAITING:
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def cut(self) -> None:
        """Close with a reset."""
        sock = self._transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    async def _serve(self) -> None:
        while True:
            words, came = await self._waiting.get()
            if self._waiting.qsize() < MOST_WAITING:
                self._transport.resume_reading()
            asked = key(words)
            if not await self._speaks():
                return self.cut()
            reply, after = self.node.reply(self._session, words)
            if after == math.inf:
                # Others are answered, this one isn't.
                await asyncio.Event().wait()
            if (ahead := came + after - self._loop.time()) > NOTICED:
                await asyncio.sleep(ahead)
            await self._room.wait()
            for said in self._said(asked, reply):
                self._transport.write(encode(said, self._session.protocol))
            if asked[0] == "QUIT":
                return self._transport.close()

    async def _speaks(self) -> bool:
        """Wait out a silence; returns whether an answer follows, else the connection is reset."""
        state, moment = self.node.state, self.node.moment
        while (kind := state.voice_at(moment.now)) == "timeout":
            await moment.until(state.speaks_at(moment.now))
        return kind is None

    async def _end_rest(self, after: float) -> None:
        """Close a connection that is idle for too long."""
        while (ahead := self._last_request + after - self._loop.time()) > 0:
            await asyncio.sleep(ahead)
        self._transport.close()

    def _said(self, asked: Key, reply: Reply) -> Iterable[Reply]:
        """The reply, or what a subscriber gets in its place."""
        if (instead := self._subscriptions.instead(asked, self._session.protocol)) is not None:
            return (instead,)
        if asked[0] == "RESET":
            self._subscriptions.end_all()
        if isinstance(reply, ServerError) or asked[0] not in (*BEGINS, *ENDS):
            return (reply,)
        return self._subscriptions.begin(asked) if asked[0] in BEGINS else self._subscriptions.end(asked)

    async def _publish(self, kind: str, name: str) -> None:
        """What was published from now on, as this subscription hears it."""
        moment, last = self.node.moment, -1.0
        for came in _in_turn(self.node.tape.came.values()):
            if came.t <= max(last, moment.now):
                continue
            await moment.until(came.t)
            for message in map(decoded, came.replies):
                if (published := _as_heard(message, kind, name)) is not None:
                    mapped = self.node.message(published)
                    self._transport.write(encode(Push(tuple(mapped)), self._session.protocol))


def _in_turn(links: Any) -> Iterator[Came]:
    """The messages of the subscriber that received most: several received the same."""
    return iter(sorted(max(links, key=len, default=[]), key=lambda came: came.t))


def _as_heard(message: Reply, kind: str, name: str) -> list[Any] | None:
    """A pattern's message for a pattern or for one channel; None if it isn't for this one."""
    if not isinstance(message, list) or len(message) != 4 or message[0] != "pmessage":
        return None
    if kind == "psubscribe":
        return ["pmessage", name, *message[2:]] if name in ("*", message[1]) else None
    return ["message", *message[2:]] if message[2] == name else None
