"""The deadline enforced from outside: what is known is printed even if nothing in the program finishes.

A busy event loop notices nothing. A timer signal interrupts whatever Python runs, so the answer is given from there and
the process ends with it. A program that embeds this one has its own signals: none are touched.
"""

import asyncio
import contextlib
import os
import signal
import sys
import termios
import threading
import time
from asyncio.events import Handle
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from agent.cli.interruption import SIGNALS

TICK = 0.25
"""Seconds between checks of whether the event loop still turns and whether the time is up."""
GRACE = 1.9 - TICK
"""Seconds after the deadline at which waiting ends."""
AFTER_A_SIGNAL = 2.0 - TICK
"""The same after Ctrl-C, SIGTERM or a lost terminal."""
STANDS_STILL = 5.0
"""Seconds without a turn of the loop after which a person can no longer be asked anything."""
BROKEN_OFF = 0.2
"""Seconds after the deadline, or after a signal, at which a computation is aborted if something can continue."""
ROUNDS_OFF = 1.0
"""Extra seconds for what continues afterwards, as long as the loop turns."""
LAST_WORDS = 3.0
"""Seconds for printing then; after that the process ends without it."""
FOREVER = float("inf")
PASSED = "the deadline passed during a computation"
Give = Callable[[bool], int]
"""Prints what is known, given whether a person ended it; returns the exit status."""


class BrokenOff(Exception):
    """Raised within a computation that exceeds its time, so that the rest can continue."""


class HardStop:
    """Watches the time and the event loop, and ends what exceeds its time with what is known."""

    def __init__(self, give: Give, *, survives: bool) -> None:
        self._give, self._survives = give, survives
        self._ends = self._breaks = FOREVER
        self._ended = self._turned = False
        self._still = 0.0
        self._persons = 0
        self._told: list[Callable[[str], None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        with contextlib.suppress(RuntimeError):
            self._loop = asyncio.get_running_loop()
        self._terminal: tuple[int, list[Any]] | None = None
        with contextlib.suppress(OSError, ValueError, AttributeError, termios.error):
            self._terminal = sys.stdin.fileno(), termios.tcgetattr(sys.stdin.fileno())

    def begin(self, seconds: float) -> None:
        """Start something that may take this many seconds, whatever came before it."""
        self._ended = False
        self._end_in(seconds, seconds - GRACE)

    def _end_in(self, seconds: float, breaks: float) -> None:
        now = time.monotonic()
        self._ends, self._breaks = now + seconds, now + breaks + BROKEN_OFF

    @contextlib.contextmanager
    def person(self, seconds: float) -> Iterator[None]:
        """For while a person is asked, who may take any time; what follows has this many seconds."""
        self._persons += 1
        try:
            yield
        finally:
            self._persons -= 1
            if not self._ended:
                self.begin(seconds)

    @contextlib.contextmanager
    def telling(self, tell: Callable[[str], None]) -> Iterator[None]:
        """Within this context `tell` is called first with why the process ends."""
        self._told.append(tell)
        try:
            yield
        finally:
            self._told.remove(tell)

    @contextlib.contextmanager
    def hearing(self) -> Iterator[None]:
        """Within this context whoever receives a signal has to heed it within seconds."""
        before: dict[int, Any] = {}

        def hurry(number: int, frame: FrameType | None) -> None:
            if not self._ended:
                self._ended = True
                self._end_in(AFTER_A_SIGNAL, 0)
            before[number](number, frame)

        for number in SIGNALS:
            if callable(own := signal.getsignal(number)):
                before[number] = own
                signal.signal(number, hurry)
        try:
            yield
        finally:
            for number, own in before.items():
                if signal.getsignal(number) is hurry:
                    signal.signal(number, own)

    def look(self, number: int, frame: FrameType | None) -> None:
        """Look at the time and the loop: the timer's own."""
        self._still = 0.0 if self._turned else self._still + TICK
        self._turned, now = False, time.monotonic()
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._turn)
        # If more is to come, what is just finishing is left alone.
        late = self._ends + (ROUNDS_OFF if self._survives and self._still <= TICK else 0.0)
        if now >= late and (self._ended or not self._persons):
            self._end()
        if self._persons and self._still >= STANDS_STILL:
            self._end()
        if self._survives and now >= self._breaks and self._still > TICK and _in_a_callback(frame):
            self._breaks = FOREVER
            raise BrokenOff("it took longer than the time available")

    def _turn(self) -> None:
        self._turned = True

    def _end(self) -> None:
        signal.signal(signal.SIGALRM, lambda *_: os._exit(3))
        signal.setitimer(signal.ITIMER_REAL, LAST_WORDS)
        if self._terminal is not None:
            with contextlib.suppress(OSError, termios.error):
                termios.tcsetattr(self._terminal[0], termios.TCSANOW, self._terminal[1])
        status = 3
        try:
            for tell in self._told:
                tell("interrupted" if self._ended else PASSED)
            status = self._give(self._ended)
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)


@contextlib.contextmanager
def hard_stop(seconds: float, give: Give, *, survives: bool = False) -> Iterator[HardStop]:
    """End the process after this many seconds, or soon after an unheeded signal, with what `give` prints.

    With `survives`, a computation that exceeds its time is first aborted by an exception within it.
    """
    stop = HardStop(give, survives=survives)
    stop.begin(seconds)
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield stop
        return
    alarm = signal.signal(signal.SIGALRM, stop.look)
    signal.setitimer(signal.ITIMER_REAL, TICK, TICK)
    try:
        with stop.hearing():
            yield stop
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, alarm)


def _in_a_callback(frame: FrameType | None) -> bool:
    """Whether a frame is within something that the event loop called: only there is an exception handled."""
    outer = frame.f_back if frame else None
    while outer is not None and outer.f_code is not Handle._run.__code__:
        outer = outer.f_back
    return outer is not None
