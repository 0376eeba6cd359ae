"""Logs of a server after the recording's end: what was logged within the stretch is logged again each time.

A log keeps its length, so that some entries don't become a crowd by being repeated; and what was logged only once isn't
repeated at all.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from tools.record.continuation import Series, Stretch

LATELY = 60.0
"""Seconds before the recording in which what was logged several times is part of what was to be looked at."""
MOST = 1024
"""Entries that are added at most, whatever a recording claims to have."""
MOST_HISTORY = 160
"""Spikes that a server keeps of an event."""


class Again:
    """Entries of a log that were written within the stretch; `zero` is its beginning on the server's clock."""

    def __init__(self, entries: Sequence[Any], when: Callable[[Any], float], stretch: Stretch, zero: float,
                 kind: Callable[[Any], Hashable] = lambda entry: None, *, first_read: float = 0.0) -> None:  # fmt: skip
        """`entries` are in order of time, the oldest first; `when` is an entry's time in seconds since 1970.

        What was logged only once of its `kind` is over. The recorder first looked at `first_read`: whoever comes and
        looks sooner finds what was there then.
        """
        self._first_read = first_read
        often = Counter(map(kind, entries))
        within = [one for one in entries if stretch.begins < when(one) - zero <= stretch.ends]
        self.entries = [one for one in within if often[kind(one)] > 1]
        before = [one for one in entries if stretch.begins - LATELY < when(one) - zero <= stretch.begins]
        self.before = [one for one in before if often[kind(one)] > 1]
        """What was logged shortly before: for whoever comes it's as recent, and it doesn't happen again."""
        self._stretch = stretch
        self._moments = [when(one) - zero for one in self.entries]

    def newest(self, now: float, most: int) -> list[tuple[Any, int, float]]:
        """Those that were added last, the newest first: the entry, its repetition, and how much later it is.

        They are no more than were added within the stretch; and those who have just come find what was there then.
        """
        place, found = self._stretch.place(now), list[tuple[Any, int, float]]()
        phase = max(place.phase, self._first_read) if place.is_first else place.phase
        for back in range(1 if place.is_first else min(2, place.turns)):
            for entry, moment in zip(reversed(self.entries), reversed(self._moments), strict=True):
                if back or moment <= phase:
                    shift = place.shift - back * self._stretch.length
                    # Nothing is logged before it happens.
                    found.append((entry, place.turns - back, min(shift, now - moment)))
        return found[: min(most, len(self.entries))]

    def replaced(self, now: float) -> list[Any]:
        """Those of the recording that gave way to them."""
        place = self._stretch.place(now)
        return self.entries if place.turns and place.is_first else [one for one, _, _ in self.newest(now, MOST)]

    def lately(self, now: float) -> list[tuple[Any, int, float]]:
        """Those from shortly before, in the same form, as recent as they were for the recorder."""
        visited = self._stretch.place(now).visited
        return [(one, *visited) for one in reversed(self.before)] if visited else []


def slow_log(rows: list[Any], again: Again, now: float, most: int) -> list[Any]:
    """SLOWLOG GET or COMMANDLOG GET at a moment, the newest entry first; `rows` is what was recorded last."""
    repeated = again.entries or again.before
    if not repeated:
        return rows[:most]
    # Ids have no gaps, so that a turn takes as many as its entries.
    step = repeated[-1][0] - repeated[0][0] + 1
    lately = again.lately(now)
    added = [[entry[0] + turn * step, int(entry[1] + later), *entry[2:]]
             for entry, turn, later in (*again.newest(now, most), *lately)]  # fmt: skip
    return [*added, *_without(rows, [*again.replaced(now), *(entry for entry, _, _ in lately)])][:most]


def spikes(rows: list[Any], again: Again, now: float) -> list[Any]:
    """LATENCY HISTORY at a moment, the oldest first."""
    newest = again.newest(now, MOST_HISTORY)
    added = [[int(entry[0] + later), *entry[1:]] for entry, _, later in newest]
    return [*_without(rows, again.replaced(now)), *reversed(added)][-MOST_HISTORY:]


def _without(rows: list[Any], again: list[Any]) -> list[Any]:
    """What was logged, besides what was logged again since then."""
    return [row for row in rows if row not in again]


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
