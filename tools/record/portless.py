"""A served recording in place of the network: what any client of its ports would get, without the ports.

A `Replay` keeps step with its one listener, who has to ask what was asked then. This one says what each node says at
the moment, also after the recording's end.
"""

from collections.abc import Sequence
from typing import Any

from tools.clock import Clock
from tools.connection.connection import Connection, Meter, Progress, Timed
from tools.connection.protocol import Command, Reply, ServerError
from tools.connection.target import Target
from tools.errors import Unanswered
from tools.record import redaction
from tools.record.continued_readings import continued_reading
from tools.record.conversation import GOODBYES
from tools.record.playhead import Moment
from tools.record.refusals import Refusals
from tools.record.replay import Replay
from tools.record.resp import Map
from tools.record.serve import Served, ServedNode
from tools.record.tape import Tape, key
from tools.records import Values


class Portless(Replay):
    """A recording as its endpoints are, asked without them."""

    def __init__(self, tape: Tape, clock: Clock, moment: Moment, refusals: Refusals | None = None) -> None:
        super().__init__(tape, clock, refusals)
        self.served = Served(tape, moment)
        self._moment = moment
        self._by_name = {node.name: node for node in self.served.nodes}

    @property
    def now(self) -> float:
        return self._moment.now

    def connection(self, target: Target) -> Connection:
        return PortlessConnection(target, self, self._by_name.get(target.node))

    async def _read(self, tool: str, node: str | None) -> Values:
        readings = self.tape.seen.get((tool, node), ())
        if not readings:
            self.misses += 1
            raise Unanswered("not-recorded", f"{tool} isn't in the recording")
        self.served.visit()
        reading = continued_reading(readings, self.served.stretch, self.now)
        await self.clock.sleep((reading.ms or 0) / 1000)
        if (lack := reading.unavailable) is not None:
            raise Unanswered(lack.kind, lack.detail, reading.values or {})
        if (refused := self.refusals.lack(tool, reading.values or {})) is not None:
            raise refused
        return dict(reading.values or {})


class PortlessConnection:
    """A client's connection to one node, or to none."""

    def __init__(self, target: Target, replay: Portless, node: ServedNode | None) -> None:
        self.target = target
        self.progress = Progress()
        self._replay = replay
        self._node = node
        self._bytes = 0
        self._end: Unanswered | None = None
        self._open = False
        self._since = replay.now
        self._unasked: float | None = None

    @property
    def usable(self) -> bool:
        return self._open and self._end is None

    async def open(self, timeout: float) -> None:
        replay, node, now = self._replay, self._node, self._replay.now
        if node is None or not node.tape.dials:
            replay.misses += 1
            raise Unanswered("not-recorded", f"{self.target.node} isn't in the recording", self.progress.stages)
        dial = node.state.newest_dial(now)
        self.progress.stages |= dial.stages
        self.progress.stage = dial.stage
        await replay.clock.sleep(min(dial.ms / 1000, timeout))
        if dial.end:
            raise Unanswered(dial.end.kind, dial.end.detail, self.progress.stages)
        self._session = node.session("127.0.0.1:50000", "127.0.0.1:6379")
        self._open, self._since = True, replay.now

    async def exchange(self, commands: Sequence[Command], timeout: float) -> list[Reply]:
        return [reply for reply, _ in await self._asked(commands, timeout)]

    async def timed(self, command: Command, timeout: float) -> Timed:
        began = self._replay.clock.monotonic()
        ((reply, _),) = await self._asked([command], timeout)
        return Timed(reply, self._replay.clock.monotonic() - began, own_seconds=0.0, is_known=True)

    async def _asked(self, commands: Sequence[Command], timeout: float) -> list[tuple[Reply, float]]:
        node, clock, began = self._node, self._replay.clock, self._replay.clock.monotonic()
        if self._end is not None or node is None:
            raise self._end or Unanswered("reset", "closed")
        self._bytes += sum(len(str(word)) + 8 for command in commands for word in command)
        row = node.state.arrivals.at(self._replay.now)
        if row and row[1] is not None and (row[1] in GOODBYES or row[1] in ("reset", "tls")):
            self._end = Unanswered(row[1], GOODBYES.get(row[1], "closed by the peer"))
            raise self._end
        speaks = node.state.speaks_at(self._replay.now)
        if speaks is None or speaks - self._replay.now > timeout:
            await clock.sleep(timeout)
            raise Unanswered("timeout", f"{commands[0][0]}: no reply in {timeout:g} s")
        await clock.sleep(speaks - self._replay.now)
        if node.state.voice_at(self._replay.now) == "reset":
            self._end = Unanswered("reset", "closed by the peer")
            raise self._end
        found = [self._one(node, command) for command in commands]
        left = timeout - (clock.monotonic() - began)
        slowest = max(ms for _, ms in found) / 1000
        await clock.sleep(min(slowest, max(0.0, left)))
        if slowest > left:
            raise Unanswered("timeout", f"{commands[0][0]}: no reply in {timeout:g} s")
        self._bytes += sum(len(str(reply)) + 6 for reply, _ in found)
        return found

    def _one(self, node: ServedNode, command: Command) -> tuple[Reply, float]:
        self._replay.asked += 1
        if (refused := self._replay.refusals.refuse(command, self._replay.course(node.name).version)) is not None:
            return refused, 0.1
        asked = key(redaction.command(command))
        before = self._replay.served.misses.total()
        reply, ms = node.unmapped(self._session, asked, self._replay.now)
        self._replay.misses += self._replay.served.misses.total() - before
        if asked[0] == "PSUBSCRIBE" and not isinstance(reply, ServerError):
            self._unasked = self._replay.now
            return ["psubscribe", *asked[1:2], 1], ms
        return _flat(reply), ms

    def measure(self, meter: Meter) -> None:
        """Nothing to do: what is in a file can't grow, and `take_bytes` counts it."""

    def take_bytes(self) -> int:
        taken, self._bytes = self._bytes, 0
        return taken

    def take_unasked(self) -> list[Reply]:
        if self._unasked is None or self._node is None:
            return []
        since, self._unasked = self._unasked, self._replay.now
        every = max(self._node.tape.came.values(), key=len, default=[])
        return self._node.answers.messages(one for one in every if since < one.t <= self._unasked)

    async def closed(self, timeout: float) -> bool:
        idle = self._node.state.idle if self._node else None
        if idle is not None and idle <= timeout:
            await self._replay.clock.sleep(idle)
            self._end = self._end or Unanswered("reset", f"{self.target.node}: closed by the peer")
            return True
        await self._replay.clock.sleep(timeout)
        return False

    def on_lost(self, callback: Any) -> None:
        """Nothing to do: nobody closes it before it's asked again."""

    def close(self) -> None:
        self._open = False


def _flat(reply: Reply) -> Reply:
    """A reply as version 2 of the protocol has it."""
    if isinstance(reply, Map):
        return [_flat(one) for pair in reply.pairs for one in pair]
    if isinstance(reply, list | tuple):
        return [_flat(one) for one in reply]
    return str(reply) if isinstance(reply, str) else reply
