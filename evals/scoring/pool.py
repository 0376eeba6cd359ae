"""Where runs are carried out: in this process, or in one process per core."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from typing import Protocol, TypeVar

T = TypeVar("T")
Given = TypeVar("Given")
Result = TypeVar("Result", covariant=True)
ROUNDS = 8
"""Tasks handed out ahead, by process: enough that none waits for a slow one, few enough to be held in memory."""
PRELOADED = ["evals.scoring.answered", "evals.scoring.judge"]
"""What every worker needs: the server that they're forked from imports it once for all of them."""


class Pending(Protocol[Result]):
    """A result that is on its way."""

    def result(self) -> Result: ...


def cores() -> int:
    """How many processes can run at once here."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def here(work: Callable[[Given], T], given: Sequence[Given], /) -> Generator[T, None, None]:
    """One after another, in this process."""
    yield from map(work, given)


def processes(work: Callable[[Given], T], given: Sequence[Given], /, *, count: int) -> Generator[T, None, None]:
    """Several at once, each in a process of its own; those end with this generator."""
    if len(given) < 2:
        yield from here(work, given)
        return
    others = multiprocessing.active_children()
    # A replay keeps a core busy, and a thread would share it. Forking from here would copy loops and locks in use.
    with ProcessPoolExecutor(count, _context(), _bound) as pool:
        try:
            yield from in_order(lambda one: pool.submit(work, one), given, count * ROUNDS)
        except BaseException:
            for child in multiprocessing.active_children():
                if child not in others:
                    child.terminate()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def in_order(
    submit: Callable[[Given], Pending[T]], given: Iterable[Given], ahead: int
) -> Generator[T, None, None]:  # fmt: skip
    """The results in order, with at most so many handed out: nothing is held that isn't being worked on."""
    left = iter(given)
    pending = deque(map(submit, islice(left, ahead)))
    while pending:
        done = pending.popleft().result()
        pending.extend(map(submit, islice(left, 1)))
        yield done


def _context() -> multiprocessing.context.BaseContext:
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def _bound() -> None:
    """Make a worker's life that of the process that it works for.

    Ctrl-C reaches the whole group of processes, and the first of them ends the others. If that is killed, it can't.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_outlive, args=(parent,), daemon=True).start()


def _outlive(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)
