"""Lines on stderr for whoever keeps the service's journal."""

import sys
from collections.abc import Callable

from tools.text import one_line

APART, KINDS_MOST = 60.0, 200
"""Seconds between two lines about the same thing, and how many things are kept apart: anybody may cause them."""


def say(line: str) -> None:
    """Print a line; what others wrote in it can't control a terminal."""
    print(one_line(f"rediagnose: {line}"), file=sys.stderr, flush=True)


def why(error: BaseException) -> str:
    """The first line of an error: a database's contains the statement below it."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:300]


class Seldom:
    """Lines that anybody could cause by the thousand: one a minute about the same thing, with a count of the others."""

    def __init__(self, now: Callable[[], float], tell: Callable[[str], None] = say) -> None:
        self._now, self._tell = now, tell
        self._said: dict[str, tuple[float, int]] = {}

    def __call__(self, about: str, line: str) -> None:
        """Print a line, unless one about the same was printed lately."""
        now = self._now()
        if about not in self._said and len(self._said) >= KINDS_MOST:
            del self._said[next(iter(self._said))]
        at, left_out = self._said.get(about, (now - APART, 0))
        if now - at < APART:
            self._said[about] = at, left_out + 1
            return
        more = f" ({left_out} more like this since the last such line)" if left_out else ""
        self._said[about] = now, 0
        self._tell(f"{line}{more}")
