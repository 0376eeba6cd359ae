"""How far a figure left its earlier band, and when."""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

BAND = 4.0
"""Spreads from the median that are still normal noise."""
ENOUGH = 5
"""Fewest points for a "before" to compare with."""
_SHARE = 0.05
"""A spread is at least this share of the median."""
_ALIKE = 0.8
"""Share of the alert's excursion that an earlier one must reach to count as a recurrence, as with a nightly job."""
Points = Sequence[tuple[float, float]]


class Spans(NamedTuple):
    """The moments that divide a series, in Unix seconds."""

    page: float
    """Where the alert's minutes begin: what comes before is the baseline."""
    after: float
    """Where they end."""


class Shift(NamedTuple):
    """One figure before and at the alert."""

    before: float | None
    """Median of the values before; None without any."""
    at: float | None
    """The value in the alert's minutes that is farthest from it; None if there is none."""
    spreads: float
    """How far that is, in spreads (1.4826 times the median absolute deviation, and never below the floor)."""
    when: float | None
    """When the excursion that `at` belongs to left the band, in Unix seconds; None if it didn't."""
    seconds: float
    """How long it stayed out, up to the last point."""
    seen_before: bool
    """Whether an earlier excursion, already over, went about as far: then it recurs."""

    @property
    def changed(self) -> bool:
        """Whether it left its band in the alert's minutes."""
        return self.when is not None


class Level(NamedTuple):
    """What a figure was when the window began."""

    value: float
    """Median of its first points."""
    until: float
    """When it was last near that, in Unix seconds."""


def left(points: Points, spans: Spans, floor: float) -> Level | None:
    """The level at which a figure began, if the alert's minutes are far from it; None if they aren't, or for too few
    points. What happened long before the alert is part of "before" and no excursion, but seen here."""
    early = [value for at, value in points[:ENOUGH] if at < spans.page]
    paged = [value for at, value in points if spans.page <= at <= spans.after]
    if len(early) < ENOUGH or not paged:
        return None
    first = median(early)
    spread = max(1.4826 * median(abs(value - first) for value in early), _SHARE * abs(first), floor)
    if abs(median(paged) - first) <= BAND * spread:
        return None
    return Level(first, max(at for at, value in points if abs(value - first) <= BAND * spread))


def shift(points: Points, spans: Spans, floor: float) -> Shift:
    """Compare the alert's minutes with what was before; `floor` is the smallest spread that counts."""
    before = [value for at, value in points if at < spans.page]
    paged = [index for index, (at, _) in enumerate(points) if spans.page <= at <= spans.after]
    usual = median(before) if before else None
    if not paged:
        return Shift(usual, None, 0, None, 0, False)
    if usual is None:
        return Shift(None, max(points[index][1] for index in paged), 0, None, 0, False)
    spread = max(1.4826 * median(abs(value - usual) for value in before), _SHARE * abs(usual), floor)
    away = [abs(value - usual) / spread for _, value in points]
    farthest = max(paged, key=lambda index: away[index])
    known = Shift(usual, points[farthest][1], away[farthest], None, 0, False)
    if len(before) < ENOUGH or away[farthest] <= BAND:
        return known
    first = last = farthest
    while first > 0 and away[first - 1] > BAND:
        first -= 1
    while last + 1 < len(points) and away[last + 1] > BAND:
        last += 1
    habit = any(far >= _ALIKE * away[farthest] for far in away[:first])
    return known._replace(when=points[first][0], seconds=points[last][0] - points[first][0], seen_before=habit)
