"""Arms let loose on scenarios, several side by side, each result kept as soon as it's there."""

import asyncio
import contextlib
import signal
import sys
from array import array
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import partial
from types import FrameType
from typing import NamedTuple

from rich.progress import Progress

from agent.report.console import Console
from evals.bar import progress_bar
from evals.scoring.answered import Answered, Investigate
from evals.scoring.arm import Arm
from evals.scoring.judge import judge
from evals.scoring.kept import Results
from evals.scoring.result import Anew, Key, Result
from evals.scoring.scenario import Scenario
from tools.errors import UsageError

TRAILS = 500
"""How many results have their trail in the report: of thousands that are wrong nobody reads more."""


class Wanted(NamedTuple):
    """One scenario for one arm, once."""

    scenario: Scenario
    arm: Arm
    epoch: int

    @property
    def key(self) -> Key:
        """What distinguishes it from any other."""
        return self.scenario.id, self.arm.name, self.epoch


Pool = Callable[[Callable[[Wanted], Result], Sequence[Wanted]], Generator[Result, None, None]]
"""Gives the results of a function of a module for all that's wanted, in order and as they come: see `pool`."""


class Runs(NamedTuple):
    """What came of all that was wanted."""

    results: Iterable[Result]
    """In the order in which they were wanted; read from the file whenever they're iterated."""
    interrupted: bool


def plan(scenarios: Sequence[Scenario], arms: Sequence[Arm], epochs: int) -> list[Wanted]:
    """Each scenario once before any comes again, so that an interrupted run has seen all it could."""
    return [Wanted(one, arm, epoch) for epoch in range(epochs) for arm in arms for one in scenarios]


def run(wanted: Sequence[Wanted], investigate: Investigate, pool: Pool, file: Results) -> Runs:
    """The results of all that's wanted; those that are in the file aren't had again unless they're invalid or failed.

    Raises `UsageError` for a recording or a file that can't be read.
    """
    done, stale = file.had({one.key: one.scenario for one in wanted})
    if stale:
        print(f"-o {file.file}: {stale} of its runs are of another recording or version of this program, and are "
              "had again", file=sys.stderr)  # fmt: skip
    left = [one for one in wanted if one.key not in done]
    interrupted = False
    try:
        with (
            _terminable(), _progress(len(wanted), len(wanted) - len(left)) as advance,
            contextlib.closing(pool(partial(examine, investigate=investigate), left)) as results,
        ):  # fmt: skip
            for one, result in zip(left, results, strict=True):
                done[one.key] = file.keep(result, one.scenario)
                advance(_result_line(result))
    except KeyboardInterrupt:
        interrupted = True
    begins = array("q", (done[one.key] for one in wanted if one.key in done))
    return Runs(Anew(partial(_with_few_trails, file, begins)), interrupted)


def _with_few_trails(file: Results, begins: Iterable[int]) -> Iterator[Result]:
    trails = 0
    for one in file.at(begins):
        trails += bool(one.trail)
        yield one if trails <= TRAILS else one.model_copy(update={"trail": ()})


def examine(wanted: Wanted, investigate: Investigate) -> Result:
    """Let an arm answer, and judge it. What the agent fails with counts against it."""
    try:
        done = asyncio.run(_once(wanted, investigate))
    except UsageError:
        raise
    except Exception as error:
        done = Answered(answer=None, error=f"{type(error).__name__}: {error}")
    return judge(wanted.scenario, wanted.arm.name, wanted.epoch, done)


async def _once(wanted: Wanted, investigate: Investigate) -> Answered:
    return await investigate(wanted.scenario, wanted.arm)


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends it as Ctrl-C does: with what was found so far."""

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Advance:
    def __init__(self, bar: Progress, total: int, done: int) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=total, completed=done)

    def __call__(self, line: str) -> None:
        self._bar.update(self._task, advance=1, description=line)


@contextlib.contextmanager
def _progress(total: int, done: int) -> Iterator[_Advance]:
    console = Console(stderr=True)
    with progress_bar(console, "eval") as bar:
        yield _Advance(bar, total, done)


def _result_line(one: Result) -> str:
    if one.invalid:
        return f"{one.arm} {one.scenario}: invalid"
    answer = ", ".join(one.causes) or one.outcome or "failed"
    return f"{one.arm} {one.scenario}: {'right' if one.first else 'WRONG'}, {answer}"
