"""Ctrl-C, a lost terminal and a termination: each ends what runs, with what was found so far."""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)  # fmt: skip
PATIENCE = 3
"""The number of the signal that ends the process at once, whatever it is doing."""
AFTER_THE_SECOND = 3.0
"""Seconds after a second signal within which what runs has to finish; then the process ends without it."""


class Interruption:
    """Cancels a task on a signal: the first ends the work, the second what is still done after it."""

    def __init__(self, task: "asyncio.Future[Any]") -> None:
        self.came = 0
        """How many signals came."""
        self.closing = False
        """Whether what runs must no longer be cancelled: files are being closed."""
        self._task, self._loop = task, asyncio.get_running_loop()
        self._last: threading.Timer | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.came += 1
        if self.came >= PATIENCE:
            # Even a write that waits for a reader ends here.
            _leave()
        if self.came == PATIENCE - 1:
            # A thread, so that the main thread's computation can't delay it.
            self._last = threading.Timer(AFTER_THE_SECOND, _leave)
            self._last.daemon = True
            self._last.start()
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._cancel)

    def has_come(self) -> bool:
        """Whether any signal came."""
        return self.came > 0

    def over(self) -> None:
        """What was interrupted has finished: a cancellation still pending would hit what follows."""
        self.closing = True
        if self._last is not None:
            self._last.cancel()

    def _cancel(self) -> None:
        if not self.closing:
            self._task.cancel()


@contextlib.contextmanager
def interruptible(
    task: "asyncio.Future[Any] | None" = None, numbers: Sequence[int] = SIGNALS
) -> Iterator[Interruption]:
    """Within this context signals cancel a task, by default this one; ignored signals stay ignored, as under nohup."""
    task = task or asyncio.current_task()
    assert task is not None
    interruption, before = Interruption(task), {}
    # Outside the main thread there are no signals.
    with contextlib.suppress(ValueError):
        for number in numbers:
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, interruption)
    try:
        yield interruption
    finally:
        interruption.over()
        for number, handler in before.items():
            if signal.getsignal(number) is interruption:
                signal.signal(number, handler)


def _leave() -> None:
    os._exit(128 + signal.SIGINT)
