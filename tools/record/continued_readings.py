"""Readings of a machine after the recording's end: they repeat, and what ages or adds up goes on."""

import re
from collections.abc import Sequence
from typing import Any

from tools.record.continuation import Stretch
from tools.record.schema import Seen
from tools.records import Reading

_AGES = re.compile(r"(?:[\w.]*[._])?(?:age|uptime_seconds|child_seconds)")
_ADDED = (".delta", ".rate")


def continued_reading(readings: Sequence[Seen], stretch: Stretch, now: float) -> Reading:
    """The reading at a moment; `readings` are those of one tool and node in order, at least one."""
    place = stretch.place(now)
    past = [one for one in readings if one.t <= place.phase]
    base = past[-1] if past else readings[-1] if place.turns else readings[0]
    if place.turns and base.t < stretch.begins:
        base = readings[-1]
    values = base.reading.values
    if not place.turns or not values:
        return base.reading
    later = now - base.t
    return base.reading.model_copy(update={"values": {name: _value(values, name, later) for name in values}})


def _value(values: dict[str, Any], name: str, later: float) -> Any:
    value = values[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if _AGES.fullmatch(name) and value >= 0:
        return type(value)(round(value + later, 3))
    window = values.get("window_seconds")
    delta = values.get(f"{name}.delta")
    if isinstance(delta, int | float) and isinstance(window, int | float) and window > 0:
        return type(value)(value + delta / window * later)
    return value
