"""A recording in place of the network and the machines: the same tools, the same code, another day."""

import re
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from tools.clock import Clock
from tools.connection.connection import Connection, Meter, Progress, Timed
from tools.connection.protocol import Command, NotPasted, Reply, ServerError
from tools.connection.stat_name import stat_name
from tools.connection.target import Target
from tools.errors import Unanswered
from tools.record import redaction
from tools.record.answers import Answers, forbidden
from tools.record.refusals import Refusals
from tools.record.schema import Dial, Seen
from tools.record.tape import Key, NodeTape, Outcome, Tape, Turns, key
from tools.records import Values
from tools.toolbox import ToolFunction


class Replay:
    """One listener's path through a recording.

    Nothing is dialled: what isn't in it doesn't exist. `misses` counts what was asked but never recorded.
    """

    def __init__(self, tape: Tape, clock: Clock, refusals: Refusals | None = None) -> None:
        """`refusals` is what this listener isn't allowed, in addition to what was refused when it was recorded."""
        self.tape = tape
        self.refusals = refusals or Refusals()
        self.clock = clock
        self.pasted = tape.head.pasted
        self.misses = 0
        self.asked = 0
        self._began = clock.monotonic()
        self._nodes: dict[str, _Course] = {}
        self._seen: dict[tuple[str, str | None], Turns[Seen]] = {}

    @property
    def now(self) -> float:
        """Seconds into the recording."""
        return self.clock.monotonic() - self._began

    def course(self, node: str) -> "_Course":
        """This listener's place in what a node said."""
        if node not in self._nodes:
            self._nodes[node] = _Course(self.tape.nodes.get(node) or NodeTape())
        return self._nodes[node]

    def connection(self, target: Target) -> Connection:
        return ReplayedConnection(target, self)

    async def addresses(self, host: str, port: int) -> list[str]:
        if not (found := self.tape.names.get(host)):
            raise OSError(f"{host}: not recorded")
        return list(found)

    async def until(self, moment: float) -> None:
        """Wait for a moment of the recording."""
        if (ahead := moment - self.now) > 0:
            await self.clock.sleep(ahead)

    def reading(self, tool: str, node: str | None) -> ToolFunction:
        """A replacement for a tool: the recorded readings of this node or of none, whatever is asked."""

        async def read(**asked: Any) -> Values:
            return await self._read(tool, node)

        return read

    async def _read(self, tool: str, node: str | None) -> Values:
        at = tool, node
        if at not in self._seen:
            self._seen[at] = Turns(self.tape.seen.get(at, ()), lambda seen: seen.t)
        seen = self._seen[at].take(self.now)
        if seen is None and self.pasted:
            raise Unanswered("not-pasted", f"nothing of {tool} was pasted")
        if seen is None:
            self.misses += 1
            raise Unanswered("not-recorded", f"{tool} isn't in the recording")
        await self.until(seen.t)
        await self.clock.sleep((seen.reading.ms or 0) / 1000)
        if (lack := seen.reading.unavailable) is not None:
            raise Unanswered(lack.kind, lack.detail, seen.reading.values or {})
        if (refused := self.refusals.lack(tool, seen.reading.values or {})) is not None:
            raise refused
        return dict(seen.reading.values or {})


class _Course:
    """How far a listener is with one node."""

    def __init__(self, tape: NodeTape) -> None:
        self.tape = tape
        self.answers = Answers(tape)
        self.dials: Turns[Dial] = Turns(tape.dials, lambda dial: dial.t)
        self._turns: dict[tuple[Key, int | None], Turns[Outcome]] = {}

    @cached_property
    def version(self) -> tuple[int, int] | None:
        """The server's major and minor version, if ever reported; Valkey's stays at 7.2 from 7.2 on."""
        found = re.match(r"(\d{1,4})\.(\d{1,4})", self.answers.facts(0.0).get("redis_version", ""))
        return (int(found[1]), int(found[2])) if found else None

    def outcome(self, asked: Key, link: int, now: float) -> Outcome | None:
        """What was recorded for a command: on the same connection, else on any."""
        found = self.tape.outcomes.get(asked, ())
        own = [one for one in found if one.link == link]
        at = asked, link if own else None
        if at not in self._turns:
            self._turns[at] = Turns(own or found, lambda outcome: outcome.t)
        return self._turns[at].take(now)


class ReplayedConnection:
    """A connection of a recording."""

    def __init__(self, target: Target, replay: Replay) -> None:
        self.target = target
        self.progress = Progress()
        self._end: Unanswered | None = None
        self._bytes = 0
        self._replay = replay
        self._course = replay.course(target.node)
        self._number = -1
        self._open = False

    @property
    def usable(self) -> bool:
        return self._open and self._end is None

    async def open(self, timeout: float) -> None:
        dial = self._course.dials.take(self._replay.now)
        if dial is None and self._replay.pasted:
            raise Unanswered("not-pasted", f"nothing of {self.target.node} was pasted", self.progress.stages)
        if dial is None:
            self._replay.misses += 1
            raise Unanswered("not-recorded", f"{self.target.node} isn't in the recording", self.progress.stages)
        await self._replay.until(dial.t)
        self.progress.stages |= dial.stages
        self.progress.stage = dial.stage
        await self._replay.clock.sleep(min(dial.ms / 1000, timeout))
        if dial.end:
            raise Unanswered(dial.end.kind, dial.end.detail, self.progress.stages)
        if dial.ms / 1000 > timeout:
            detail = f"no answer in stage {dial.stage} for {timeout:g} s"
            raise Unanswered("timeout", detail, self.progress.stages)
        self._number, self._open = dial.link, True

    async def exchange(self, commands: Sequence[Command], timeout: float) -> list[Reply]:
        return [one.reply for one in await self._outcomes(commands, timeout)]

    async def timed(self, command: Command, timeout: float) -> Timed:
        clock = self._replay.clock
        began = clock.monotonic()
        (one,) = await self._outcomes([command], timeout)
        own = None if one.own_ms is None else one.own_ms / 1000
        return Timed(one.reply, clock.monotonic() - began, own_seconds=own, is_known=one.own_is_known)

    async def _outcomes(self, commands: Sequence[Command], timeout: float) -> list[Outcome]:
        if self._end is not None:
            raise self._end
        self._bytes += sum(len(str(word)) + 8 for command in commands for word in command)
        found = [self._of(command) for command in commands]
        if any(str(command[0]).upper() != "PING" for command in commands):
            # A PING is timed by its sender, who would mistake waiting for its moment for latency.
            await self._replay.until(max((one.t for one in found), default=0.0))
        slowest = max((one.ms for one in found), default=0.0) / 1000
        if slowest > timeout or any(one.end == "timeout" for one in found):
            await self._replay.clock.sleep(timeout)
            raise Unanswered("timeout", f"{commands[0][0]}: no reply in {timeout:g} s")
        await self._replay.clock.sleep(slowest)
        for one in found:
            if one.end is not None:
                self._end = Unanswered(one.end, one.detail)
                raise self._end
        self._bytes += sum(_size(one.reply) for one in found)
        return found

    def _of(self, command: Command) -> Outcome:
        replay, now = self._replay, self._replay.now
        replay.asked += 1
        asked = key(redaction.command(command))
        outcome = self._course.outcome(asked, self._number, now)
        if (outcome is None or outcome.end is None) and not self._course.answers.state.silent(now):
            refusal = self._refusal(command, outcome)
            if refusal is not None:
                return Outcome(0.0, self._number, 0.1, refusal, None, "")
        if outcome is not None:
            return outcome
        if self._course.answers.state.silent(now):
            return Outcome(now, self._number, 0, None, "timeout", "")
        # A second look at some clients must not be answered from the list of all: it would say that nothing moved.
        again = replay.pasted and asked[:3] == ("CLIENT", "LIST", "ID")
        reply = None if again else self._course.answers.derived(asked, now)
        if reply is None and replay.pasted:
            reply = NotPasted(f"{stat_name(asked).replace('|', ' ').upper()} wasn't pasted")
        elif reply is None:
            replay.misses += 1
            reply = forbidden(asked)
        return Outcome(0.0, self._number, 0.1, reply, None, "")

    def _refusal(self, command: Command, outcome: Outcome | None) -> ServerError | None:
        """Why this listener may not ask that: that nobody is logged in comes first."""
        reply = outcome.reply if outcome else None
        if isinstance(reply, ServerError) and reply.kind in ("noauth", "wrongpass", "protected", "maxclients"):
            return None
        return self._replay.refusals.refuse(command, self._course.version)

    def measure(self, meter: Meter) -> None:
        """Nothing to do: what is in a file can't grow, and `take_bytes` counts it."""

    def take_bytes(self) -> int:
        taken, self._bytes = self._bytes, 0
        return taken

    def take_unasked(self) -> list[Reply]:
        came = self._course.tape.came.get(self._number, ())
        return self._course.answers.messages(came)

    async def closed(self, timeout: float) -> bool:
        gone = self._course.tape.gone.get(self._number)
        if gone is not None and gone <= self._replay.now + timeout:
            await self._replay.until(gone)
            self._end = self._end or Unanswered("reset", f"{self.target.node}: closed by the peer")
            return True
        await self._replay.clock.sleep(timeout)
        return False

    def on_lost(self, callback: Callable[[], None]) -> None:
        """Nothing to do: that a peer closed is in the recording already."""

    def close(self) -> None:
        self._open = False


def _size(reply: Reply) -> int:
    if isinstance(reply, list):
        return 8 + sum(map(_size, reply))
    return len(reply.text if isinstance(reply, ServerError) else str(reply)) + 6
