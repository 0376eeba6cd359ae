"""Logs of a server after the recording's end: what was logged within the stretch is logged again each time."""

from collections.abc import Callable, Sequence
from typing import Any

from tools.record.continuation import Series, Stretch

MOST_HISTORY = 160
"""Spikes that a server keeps of an event."""


class Again:
    """Entries of a log that were written within the stretch; `zero` is its beginning on the server's clock."""

    def __init__(self, entries: Sequence[Any], when: Callable[[Any], float], stretch: Stretch, zero: float) -> None:
        """`entries` are in order of time, the oldest first; `when` is an entry's time in seconds since 1970."""
        self.entries = [one for one in entries if stretch.begins < when(one) - zero <= stretch.ends]
        self._stretch = stretch
        self._moments = [when(one) - zero for one in self.entries]

    def count(self, now: float) -> int:
        """How many were added by a moment."""
        place = self._stretch.place(now)
        if not place.turns:
            return 0
        return (place.turns - 1) * len(self.entries) + sum(moment <= place.phase for moment in self._moments)

    def newest(self, now: float, most: int) -> list[tuple[Any, int, float]]:
        """Those that were added last, the newest first: the entry, its repetition, and how much later it is."""
        place, found = self._stretch.place(now), list[tuple[Any, int, float]]()
        for turn in range(place.turns, 0, -1):
            for entry, moment in zip(reversed(self.entries), reversed(self._moments), strict=True):
                if turn < place.turns or moment <= place.phase:
                    found.append((entry, turn, turn * self._stretch.length))
                    if len(found) >= most:
                        return found
            if not self.entries:
                break
        return found


def slow_log(rows: list[Any], again: Again, now: float, most: int) -> list[Any]:
    """SLOWLOG GET or COMMANDLOG GET at a moment, the newest entry first; `rows` is what was recorded last."""
    if not again.entries:
        return rows[:most]
    # Ids have no gaps, so that a turn takes as many as its entries.
    step = again.entries[-1][0] - again.entries[0][0] + 1
    added = [
        [entry[0] + turn * step, int(entry[1] + later), *entry[2:]] for entry, turn, later in again.newest(now, most)
    ]
    return [*added, *rows][:most]


def spikes(rows: list[Any], again: Again, now: float) -> list[Any]:
    """LATENCY HISTORY at a moment, the oldest first."""
    added = [[int(entry[0] + later), *entry[1:]] for entry, _, later in again.newest(now, MOST_HISTORY)]
    return [*rows, *reversed(added)][-MOST_HISTORY:]


def latest(rows: list[Any], samples: Callable[[str, int], Series | None], now: float, zero: float) -> list[Any]:
    """LATENCY LATEST at a moment; `samples` are those of a row's column, by its event."""
    made = []
    for row in rows:
        done = list(row)
        for column in range(1, len(row)):
            series = samples(str(row[0]), column)
            if series is None or column in (2, 3):
                continue
            done[column] = int(series.moved(now, 1, zero) if column == 1 else series.gained(now))
        made.append(done)
    return made
