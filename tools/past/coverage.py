"""How much of a past there is: its gaps, and the restarts in it."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median

from tools.clock import iso_time
from tools.past.changes import Window
from tools.past.figures import STARTED
from tools.past.series import Series
from tools.past.shift import Points
from tools.records import Values

_RESTART = 5.0
"""Seconds by which a server's start may vary: it's a difference of two clocks in whole seconds."""


def usual_interval(series: Iterable[Points]) -> float | None:
    """Seconds between two points, of the fullest series."""
    times = [at for at, _ in max(series, key=len, default=[])]
    steps = [later - earlier for earlier, later in pairwise(times)]
    return median(steps) if steps else None


def gaps(ranges: Sequence[Series], samples: float, interval: float | None, window: Window, step: int) -> Values:
    """How complete the past is: what was asked for, and what is missing."""
    scrapes = next((one.points for one in ranges if one.labels.get("figure") == "redis_up"), [])
    times = [window.start, *(at for at, _ in scrapes), window.end]
    longest = max(later - earlier for earlier, later in pairwise(times))
    expected = round((window.end - window.start) / interval) if interval else None
    return {
        "scrape_seconds": round(interval, 1) if interval else None,
        "samples": int(samples),
        "expected_samples": expected,
        "gap_share": round(max(0.0, 1 - samples / expected), 3) if expected else None,
        "longest_gap_seconds": round(longest) if longest > 2 * step else 0,
        "points_before": sum(at < window.spans.page for at, _ in scrapes),
    }


def restarts(ranges: Sequence[Series]) -> Values:
    """How often the server started within the past, and when last."""
    points = next((one.points for one in ranges if one.labels.get("figure") == STARTED.field), [])
    began = [new for (_, old), (_, new) in pairwise(points) if new - old > _RESTART]
    return {"restarts": len(began) if points else None, "restarted": iso_time(began[-1]) if began else None}
