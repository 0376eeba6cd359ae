"""Servers that answer with something else: by a grammar of replies, on recorded incidents and over sockets."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from functools import cache
from pathlib import Path

from agent.answer.diagnosis import Diagnosis
from agent.investigation.embedded import investigate
from agent.investigation.investigation import Investigation
from agent.investigation.sources import Options, Sources
from agent.recordings.replay import on_virtual_time, recorded_target
from agent.report.markdown import markdown
from agent.report.text import text
from agent.runbooks.library import Library, load
from evals.attacks._replies import SERVERS, Twist, of_one_mind
from evals.attacks._server import hostile
from evals.attacks.attempt import Attempt
from tools.connection.connection import Connection, Timed
from tools.connection.protocol import Command, Reply
from tools.connection.target import Target
from tools.errors import Unanswered
from tools.record.load import load as read_recording
from tools.record.replay import Replay, ReplayedConnection
from tools.record.tape import Tape
from tools.record.virtual import VirtualClock

HOLDS = "whatever a server answers: an answer in time, no bug in it, and no all-clear where the server said nothing"
SCENARIOS = Path(__file__).parent.parent / "scenarios"
OVER_SOCKETS = 12
"""Of so many tries one goes over sockets; it takes seconds."""
AT_ONCE = 8
DEADLINE, GUARD = 4.0, 4.0
"""Seconds of an investigation over sockets, and those that a busy machine may take besides."""
CPU_SECONDS = 5.0
"""Of one investigation of a recording: most take a tenth of a second."""


class TwistedConnection(ReplayedConnection):
    """A recorded connection whose replies are made something else."""

    def __init__(self, target: Target, replay: "TwistedReplay") -> None:
        super().__init__(target, replay)
        self._twisted = replay

    async def exchange(self, commands: Sequence[Command], timeout: float) -> list[Reply]:
        return self._twist(commands, await super().exchange(commands, timeout))

    async def timed(self, command: Command, timeout: float) -> Timed:
        timed = await super().timed(command, timeout)
        (reply,) = self._twist([command], [timed.reply])
        return timed._replace(reply=reply)

    def _twist(self, commands: Sequence[Command], right: Sequence[Reply]) -> list[Reply]:
        replies = [self._twisted.twist(self._twisted.rng, *one) for one in zip(commands, right, strict=True)]
        if self._twisted.rng.random() < 0.002:
            raise Unanswered("reset", f"{self.target.node}: closed by the peer")
        return replies


class TwistedReplay(Replay):
    """A recording whose servers answer with something else."""

    def __init__(self, tape: Tape, clock: VirtualClock, twist: Twist, rng: random.Random) -> None:
        super().__init__(tape, clock)
        self.twist = twist
        self.rng = rng

    def connection(self, target: Target) -> Connection:
        return TwistedConnection(target, self)


@cache
def _library() -> Library:
    return load()


@cache
def _tapes() -> tuple[Tape, ...]:
    """One recording in thirty: of all topologies some."""
    return tuple(Tape(read_recording(path)) for path in sorted(SCENARIOS.glob("*.jsonl.gz"))[::30])


async def _on_recording(tape: Tape, twist: Twist, rng: random.Random) -> Diagnosis:
    clock = VirtualClock(tape.began, asyncio.get_running_loop())
    options = Options(window=tape.head.window, one_node=tape.head.one_node, deadline=tape.head.deadline)
    sources = Sources(replay=TwistedReplay(tape, clock, twist, rng))
    incident = Investigation(
        recorded_target(tape), "requests time out", _library(), clock, lambda event: None, options, sources
    )  # fmt: skip
    try:
        await incident.plan(await incident.survey())
        return incident.answer()
    finally:
        await incident.close()


def judged(name: str, answer: Diagnosis, *, says_nothing: bool) -> Attempt:
    """Whether an answer is one: printable in every form, without a bug, and not well of a server that says nothing."""
    answer.to_json(), markdown(answer), text(answer)
    bugs = [line for line in answer.unknown if "a bug of rediagnose" in line]
    if bugs:
        return Attempt(name, held=False, what=bugs[0])
    if says_nothing and answer.outcome == "no-fault":
        return Attempt(name, held=False, what="it was called well")
    return Attempt(name, held=True)


async def attempts(tries: int, rng: random.Random) -> AsyncIterator[Attempt]:
    """Recordings with their replies twisted, and servers on loopback that say the same things in bytes."""
    sockets = min(300, max(1, tries // OVER_SOCKETS))
    for number in range(tries - sockets):
        seed = rng.randrange(2**32)
        yield await asyncio.to_thread(recorded, number, seed)
    waiting = asyncio.Semaphore(AT_ONCE)
    seeds = [rng.randrange(2**32) for _ in range(sockets)]
    for done in asyncio.as_completed([_over_sockets(seed, waiting) for seed in seeds]):
        yield await done


def recorded(number: int, seed: int) -> Attempt:
    """One try on a recording."""
    rng = random.Random(seed)
    kind, tape = rng.choice(SERVERS), _tapes()[number % len(_tapes())]
    name = f"{kind.__name__} seed {seed} number {number}"
    began = time.thread_time()
    try:
        answer = on_virtual_time(_on_recording(tape, kind(rng), rng))
        done = judged(name, answer, says_nothing=kind is of_one_mind)
    except Exception as error:
        return Attempt(name, held=False, what=f"{type(error).__name__}: {error}"[:300])
    took = time.thread_time() - began
    return done if took < CPU_SECONDS else Attempt(name, held=False, what=f"{took:.1f} s of computing")


async def _over_sockets(seed: int, waiting: asyncio.Semaphore) -> Attempt:
    async with waiting:
        rng = random.Random(seed)
        kind = rng.choice(SERVERS)
        name = f"sockets {kind.__name__} seed {seed}"
        async with hostile(kind(rng), rng) as url:
            began = time.monotonic()
            try:
                async with asyncio.timeout(DEADLINE + GUARD):
                    answer = await investigate(url, "timeouts", window=0.2, deadline=DEADLINE)
            except Exception as error:
                return Attempt(name, held=False, what=f"{type(error).__name__}: {error}"[:300])
            took = time.monotonic() - began
        if took > DEADLINE + GUARD:
            return Attempt(name, held=False, what=f"{took:.1f} s at a deadline of {DEADLINE}")
        return judged(name, answer, says_nothing=kind is of_one_mind)
