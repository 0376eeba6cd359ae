"""The deadline held from outside: what is known is printed although nothing in the program comes to an end.

A busy event loop hears nothing. A timer's signal interrupts whatever Python runs, so the answer is
given from there, and the process ends with it. A program that embeds this one has its own signals: none is touched.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from agent.cli.interruption import SIGNALS

GRACE = 1.9
"""Seconds behind the deadline after which nothing is waited for any more."""
AFTER_A_SIGNAL = 2.0
"""Seconds after Ctrl-C, SIGTERM or a lost terminal, the same."""
LAST_WORDS = 5.0
"""Seconds for what is printed then; after that the process ends without it."""
Give = Callable[[bool], int]
"""Prints what is known, told whether a person ended it; the exit status."""


@contextlib.contextmanager
def hard_stop(seconds: float, give: Give) -> Iterator[None]:
    """End the process after so many seconds, or soon after a signal that isn't heeded, with what `give` prints."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return
    ended = False

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGALRM, lambda *_: os._exit(3))
        signal.setitimer(signal.ITIMER_REAL, LAST_WORDS)
        status = 3
        try:
            status = give(ended)
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    before: dict[int, Any] = {}

    def hurry(number: int, frame: FrameType | None) -> None:
        nonlocal ended
        ended = True
        signal.setitimer(signal.ITIMER_REAL, AFTER_A_SIGNAL)
        if callable(own := before[number]):
            own(number, frame)

    for number in SIGNALS:
        before[number] = signal.getsignal(number)
        if callable(before[number]):
            signal.signal(number, hurry)
    alarm = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, alarm)
        for number, own in before.items():
            if callable(own):
                signal.signal(number, own)
