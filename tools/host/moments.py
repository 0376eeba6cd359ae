"""Looks at this machine, shared by many targets of one process."""

import threading
import time
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from tools.host.proc import Files

T = TypeVar("T")


class Moment(NamedTuple, Generic[T]):
    """What a look saw, and when it began, in monotonic seconds."""

    seen: T
    at: float


class Moments:
    """The newest look of each kind, reused by whoever asks a moment later.

    A look at all processes takes milliseconds, and each of hundreds of servers on one machine would take its own.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._newest: dict[Callable[[Files], Any], Moment[Any]] = {}
        self._looking = threading.Lock()

    def known(self, look: Callable[[Files], T], age: float) -> Moment[T] | None:
        """A look that is at most this many seconds old, if there is one."""
        newest: Moment[T] | None = self._newest.get(look)
        return newest if newest and self._monotonic() - newest.at <= age else None

    def take(self, look: Callable[[Files], T], files: Files, age: float) -> Moment[T]:
        """The same, taken now if there is none; to be called in a thread."""
        with self._looking:
            if moment := self.known(look, age):
                # Another thread was quicker.
                return moment
            at = self._monotonic()
            self._newest[look] = taken = Moment(look(files), at)
            return taken


THIS_MACHINE = Moments()
"""Of this machine, for all investigations of the process."""
