"""A recording served on loopback: a port for each node, and for each moment what the node said then."""

import asyncio
import contextlib
import functools
import math
import socket
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any

from tools.connection.protocol import Reply, ServerError
from tools.connection.stat_name import stat_name
from tools.connection.target import parse_target
from tools.errors import UsageError
from tools.host.listener import STAND_IN
from tools.record.answers import Answers
from tools.record.continuation import Visit
from tools.record.continued import continued, stretch_of
from tools.record.conversation import Conversation
from tools.record.mapping import LOOPBACK, Places
from tools.record.playhead import Moment
from tools.record.resp import encode
from tools.record.session import Session
from tools.record.shapes import shaped
from tools.record.state import LEAST_SILENCE
from tools.record.subscriptions import BEGINS, ENDS
from tools.record.tape import Key, Tape, key

MOST_SPARE = 256
"""Ports for addresses that were named but never dialled; further ones share the last."""
QUIET = 120.0
"""Seconds without a command after which the next one is somebody new: what scrapes comes more often."""
MOST_NAMES = 64
"""Commands that were never recorded: the others are counted together."""


class Served:
    """A recording that is being served."""

    def __init__(self, tape: Tape, moment: Moment) -> None:
        self.tape = tape
        self.moment = moment
        self.asked = 0
        self.misses: Counter[str] = Counter()
        """How often something unrecorded was requested, by command."""
        self._visits: list[Visit] = []
        self._visited = -math.inf
        self.stretch = stretch_of(tape)._replace(visits=self._visits)
        # At a moment at which time stands still everything is as it was recorded.
        self.continued = continued(tape, self.stretch) if moment.runs else {}
        self.nodes = [ServedNode(name, self) for name in _in_order(tape)]
        self._spare: list[socket.socket] = []
        self.places = Places(tape, {}, self._spare_port)

    @property
    def ports(self) -> dict[str, int]:
        """Each recorded node's port."""
        return {node.name: node.port for node in self.nodes}

    def visit(self) -> None:
        """Note that somebody is here: whoever comes after a while finds the steady part at its beginning."""
        now = self.moment.now
        if now > self.stretch.ends and now - self._visited >= QUIET and self.moment.runs:
            before = self._visits[-1].away if self._visits else 0.0
            self._visits.append(Visit(now, before + now - max(self._visited, self.stretch.ends)))
        self._visited = now

    def miss(self, asked: Key, answers: Answers, now: float) -> ServerError:
        """Count what was never recorded, and refuse it."""
        name = stat_name(asked)[:64]
        self.misses[name if name in self.misses or len(self.misses) < MOST_NAMES else "..."] += 1
        return answers.unrecorded(asked, now)

    def open(self, port: int | None) -> None:
        """Take a port for each node, the first one's as given. Raises `UsageError` if that isn't free."""
        for number, node in enumerate(self.nodes):
            try:
                node.socket = _bound(port or 0 if number == 0 else 0)
            except OSError as error:
                raise UsageError(f"--port {port}: {error.strerror}; give a free port") from None
            node.port = node.socket.getsockname()[1]
        self.places = Places(self.tape, self.ports, self._spare_port)

    def _spare_port(self) -> int:
        if len(self._spare) < MOST_SPARE:
            self._spare.append(_bound(0))
        port: int = self._spare[-1].getsockname()[1]
        return port

    def close(self) -> None:
        """Release the ports."""
        for one in (*self._spare, *(node.socket for node in self.nodes if node.socket)):
            one.close()


class ServedNode:
    """One node, as its clients meet it."""

    def __init__(self, name: str, served: Served) -> None:
        self.name = name
        self.tape = served.tape.nodes[name]
        self.moment = served.moment
        self.answers = Answers(self.tape, served.continued.get(name))
        self.state = self.answers.state
        self.clients: set[Conversation] = set()
        self.port = 0
        self.socket: socket.socket | None = None
        """The socket that holds the port; it listens while the node took connections."""
        self._served = served
        self._met = 0

    def session(self, peer: str, own: str) -> Session:
        """The state of one more connection."""
        self._met += 1
        self._served.visit()
        return Session(self._met - 1, self.tape, self.answers, self._served.tape.began, peer, own)

    @property
    def _publishes(self) -> bool:
        """Whether it takes subscribers: a Sentinel to which nobody listened says nothing as long as nothing happens."""
        return self.tape.subscribed or self.tape.is_sentinel

    def message(self, reply: Reply) -> Reply:
        """What was published, its addresses on loopback."""
        return self._served.places.message(reply, self.name)

    def reply(self, session: Session, words: list[str]) -> tuple[Reply, float]:
        """The reply to a command at this moment, and the seconds it took."""
        self._served.asked += 1
        now = self.moment.now
        asked = key(words)
        pace = self.answers.ping_ms(now)
        if (own := session.transaction.reply(asked, lambda one: self._shaped(session, one, now)[0])) is not None:
            return own[0], self.moment.real(pace / 1000)
        reply, ms = self._shaped(session, asked, now)
        return reply, self.moment.real(ms / 1000)

    def _shaped(self, session: Session, asked: Key, now: float) -> tuple[Reply, float]:
        reply, ms = self.unmapped(session, asked, now)
        return shaped(asked, self._served.places.mapped(asked, reply, self.name)), ms

    def encoded(self, session: Session, words: list[str]) -> tuple[bytes, float]:
        """The same as bytes."""
        reply, seconds = self.reply(session, words)
        return encode(reply, session.protocol), seconds

    def unmapped(self, session: Session, asked: Key, now: float) -> tuple[Reply, float]:
        """The reply and its milliseconds, its addresses as recorded."""
        self._served.visit()
        answers = self.answers
        pace = answers.ping_ms(now)
        recorded = answers.newest(asked, now)
        refrain = self.state.refrain(asked, now)
        if refrain is not None and (recorded is None or recorded.t < refrain[0]):
            return refrain[1], pace
        if (own := session.reply(asked, now)) is not None:
            return own[0], recorded.ms if recorded else pace
        if asked == ("PING",) and recorded is not None:
            session.pings += 1
            return recorded.reply, answers.ping_ms(now, session.pings - 1)
        if recorded is None and answers.unheard(asked):
            return None, math.inf
        if recorded is not None and not (asked[0] == "INFO" and answers.is_newer(recorded, now)):
            # A silence that it was part of is waited for before it's answered.
            return recorded.reply, recorded.ms if recorded.ms < LEAST_SILENCE or not self.moment.runs else pace
        if asked[0] in ENDS or (asked[0] in BEGINS and len(asked) > 1 and self._publishes):
            return None, 0.0
        derived = answers.derived(asked, now)
        if derived is None and (there := answers.elsewhere(asked, now)) is not None:
            return ServerError("MOVED {} {}:{}".format(*there)), pace
        return (self._served.miss(asked, answers, now) if derived is None else derived), pace

    async def keep(self) -> None:
        """Listen while the recorded node took connections, and refuse them while it didn't."""
        while True:
            now = self.moment.now
            listens = self.state.listens(now)
            change = next((t for t, _ in self.state.arrivals.after(now) if self.state.listens(t) != listens), None)
            if not listens:
                with _stand_in(self.port):
                    await self.moment.until(change)
                continue
            assert self.socket is not None
            server = await asyncio.get_running_loop().create_server(
                functools.partial(Conversation, self), sock=self.socket, backlog=512
            )
            try:
                await self.moment.until(change)
            finally:
                server.close()
                for client in list(self.clients):
                    client.cut()
                # The port stays ours, and closed.
                self.socket = _bound(self.port)


@asynccontextmanager
async def serving(tape: Tape, moment: Moment, port: int | None = None) -> AsyncIterator[Served]:
    """A recording served while the block runs. Raises `UsageError` if the port isn't free."""
    served = Served(tape, moment)
    try:
        served.open(port)
        async with _background(node.keep() for node in served.nodes):
            # Once each has had its turn, it listens.
            for _ in range(3):
                await asyncio.sleep(0)
            yield served
    finally:
        served.close()


@asynccontextmanager
async def _background(work: Iterable[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Work that continues while the block runs; exceptions of the block are raised unchanged."""
    failure: Exception | None = None
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in work]
        try:
            yield
        except Exception as error:
            failure = error
        for task in tasks:
            task.cancel()
    if failure is not None:
        raise failure


@contextlib.contextmanager
def _stand_in(port: int) -> Iterator[None]:
    """A sign for a reading of this machine that wants to know why the port is closed."""
    try:
        sock = _bound(port, STAND_IN)
        sock.listen()
    except OSError:
        # Not every system has more than one loopback address.
        yield
        return
    with sock:
        yield


def _bound(port: int, host: str = LOOPBACK) -> socket.socket:
    sock = socket.socket()
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
    except BaseException:
        sock.close()
        raise
    return sock


def _in_order(tape: Tape) -> list[str]:
    """The nodes, the one that the recorded URL names first."""
    target = parse_target(tape.head.url, environ={})
    first = target.at(*target.sentinels[0]).node if target.sentinels else target.node
    return sorted(tape.nodes, key=lambda node: node != first)
