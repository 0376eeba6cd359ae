"""Arms let loose on scenarios, several side by side, each result kept as soon as it's there."""

import asyncio
import contextlib
import multiprocessing
import signal
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from rich.progress import Progress

from agent.report.console import Console
from evals.bar import progress_bar
from evals.scoring.answered import Answered, Investigate
from evals.scoring.arm import Arm
from evals.scoring.judge import judge
from evals.scoring.result import Key, Result, keep, read
from evals.scoring.scenario import Scenario
from tools.errors import UsageError


class Wanted(NamedTuple):
    """One scenario for one arm, once."""

    scenario: Scenario
    arm: Arm
    epoch: int

    @property
    def key(self) -> Key:
        """What distinguishes it from any other."""
        return self.scenario.id, self.arm.name, self.epoch


class Runs(NamedTuple):
    """What came of all that was wanted."""

    results: list[Result]
    """In the order in which they were wanted."""
    interrupted: bool


def plan(scenarios: Sequence[Scenario], arms: Sequence[Arm], epochs: int) -> list[Wanted]:
    """Each scenario once before any comes again, so that an interrupted run has seen all it could."""
    return [Wanted(one, arm, epoch) for epoch in range(epochs) for arm in arms for one in scenarios]


def run(wanted: Sequence[Wanted], investigate: Investigate, jobs: int, file: Path | None) -> Runs:
    """The results of all that's wanted; those that are in the file aren't had again unless they're invalid or failed.

    Raises `UsageError` for a recording or a file that can't be read.
    """
    done = {one.key: one for one in (read(file) if file else []) if one.invalid is None and one.error is None}
    left = [one for one in wanted if one.key not in done]
    interrupted = False
    try:
        with (
            _terminable(), _progress(len(wanted), len(wanted) - len(left)) as advance,
            contextlib.closing(_results(left, investigate, min(jobs, len(left)))) as results,
        ):  # fmt: skip
            for result in results:
                done[result.key] = result
                keep(file, result)
                advance(_result_line(result))
    except KeyboardInterrupt:
        interrupted = True
    return Runs([done[one.key] for one in wanted if one.key in done], interrupted)


def _results(wanted: Sequence[Wanted], investigate: Investigate, jobs: int) -> Generator[Result, None, None]:
    """In the order in which they're wanted, however many are had at once."""
    if jobs <= 1:
        for one in wanted:
            yield examine(one, investigate)
        return
    others = multiprocessing.active_children()
    # A replay keeps a core busy, and a thread would share it. Forking would copy loops and locks that are in use.
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _deaf) as pool:
        futures: list[Future[Result]] = []
        try:
            futures = [pool.submit(examine, one, investigate) for one in wanted]
            for future in futures:
                yield future.result()
        except BaseException:
            for child in multiprocessing.active_children():
                if child not in others:
                    child.terminate()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


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


def _deaf() -> None:
    """Ctrl-C reaches the whole group of processes; the first of them ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


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
