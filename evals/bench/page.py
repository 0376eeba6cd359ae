"""Where a part of the bench writes what it has measured so far, so that what fails later takes none of it away."""

import sys
import time
from collections.abc import Callable

from evals.bench.records import Gate, Part, Row

Say = Callable[[str], None]
"""Hears what is being done, for whoever waits."""


class Page:
    """What one part has measured so far."""

    def __init__(self, name: str, say: Say, ends: float) -> None:
        """`ends` is when the bench has to be over, in seconds of `time.monotonic`."""
        self.name = name
        self.say = say
        self._ends = ends
        self._began = self._step = time.monotonic()
        self._gates: list[Gate] = []
        self._rows: list[Row] = []
        self._notes: list[str] = []

    def gate(self, gate: Gate) -> None:
        """Note a figure against its limit."""
        self._gates.append(gate)

    def row(self, row: Row) -> None:
        """Note what one way of looking cost at one size."""
        self._rows.append(row)

    def note(self, text: str) -> None:
        """Note what a reader has to know beside the figures."""
        self._notes.append(text)

    def has_time(self, seconds: float, what: str) -> bool:
        """Whether so many seconds are left, and as many as the step before took; what isn't measured is noted."""
        now = time.monotonic()
        took, self._step = now - self._step, now
        if self._ends - now >= max(seconds, took):
            return True
        self.note(f"{what}: not measured: the bench's time is used up")
        return False

    @property
    def left(self) -> float:
        """Seconds until the bench has to be over."""
        return self._ends - time.monotonic()

    @property
    def part(self) -> Part:
        """What was measured so far."""
        return Part(
            name=self.name, gates=tuple(self._gates), rows=tuple(self._rows), notes=tuple(self._notes),
            seconds=round(time.monotonic() - self._began, 1),
        )  # fmt: skip


def progress(began: float) -> Say:
    """Lines on stderr with the seconds since `began`, in seconds of `time.monotonic`."""

    def say(text: str) -> None:
        sys.stderr.write(f"[{time.monotonic() - began:4.0f} s] {text}\n")
        sys.stderr.flush()

    return say
