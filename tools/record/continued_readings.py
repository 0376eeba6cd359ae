"""Readings of a machine after the recording's end: they repeat, and what ages or adds up goes on."""

import re
from collections.abc import Sequence
from typing import Any

from tools.record.continuation import Place, Stretch
from tools.record.schema import Seen
from tools.records import Reading

_AGES = re.compile(r"(?:[\w.]*[._])?(?:age|child_seconds)")
_NEWEST, _UPTIME = ("newest_age", "log_age"), "uptime_seconds"
_LOGS = ("log", "log_events", "kernel_log")
"""Tools whose newest reading has what the earlier ones had."""


def continued_reading(readings: Sequence[Seen], stretch: Stretch, now: float) -> Reading:
    """The reading at a moment; `readings` are those of one tool and node in order, at least one."""
    place = stretch.place(now)
    past = [one for one in readings if one.t <= place.phase]
    base = past[-1] if past else readings[-1] if place.wraps else readings[0]
    if place.turns and (base.t < stretch.begins or base.reading.tool in _LOGS):
        base = readings[-1]
    values = base.reading.values
    # One that took long may have waited for the machine, or watched it between the recorder's two samples.
    took = min((one.reading.ms for one in readings if one.reading.ms is not None), default=None)
    if not place.turns or not values:
        return base.reading.model_copy(update={"ms": took})
    later = now - base.t
    done = {name: _value(values, name, later, _again(readings, base, name, stretch, place)) for name in values}
    return base.reading.model_copy(update={"values": done, "ms": took})


def _again(readings: Sequence[Seen], base: Seen, name: str, stretch: Stretch, place: Place) -> float | None:
    """The age of something that happens once more in each turn; None if it didn't happen within the stretch."""
    if not _AGES.fullmatch(name):
        return None
    # A place in a list isn't the same event in each reading.
    same = readings if name.endswith(_NEWEST) else [base]
    ages = [(one.t, (one.reading.values or {}).get(name)) for one in same]
    moments = [t - age for t, age in ages if isinstance(age, int | float) and age >= 0]
    within = [moment for moment in moments if stretch.begins < moment <= stretch.ends]
    if not within:
        return None
    if not name.endswith(_NEWEST):
        return base.t - within[0] + (place.phase - base.t) % stretch.length
    past = [moment for moment in within if moment <= place.phase]
    return place.phase - max(past) if past else place.phase + stretch.length - max(within)


def _value(values: dict[str, Any], name: str, later: float, again: float | None) -> Any:
    value = values[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if (_AGES.fullmatch(name) or name == _UPTIME) and value >= 0:
        return type(value)(round(value + later if again is None else again, 3))
    window = values.get("window_seconds")
    delta = values.get(f"{name}.delta")
    if isinstance(delta, int | float) and isinstance(window, int | float) and window > 0:
        return type(value)(value + delta / window * later)
    return value
