"""What complaints.toml contains: states, counters and log events that are complaints."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from tools.patterns import deferred
from tools.records import Record, Scalar

_DATA = tomllib.loads((Path(__file__).parent / "complaints.toml").read_text(encoding="utf-8"))


class Event(Record):
    """What a critical log line complains about."""

    what: str
    """For a person, after "the log says that"."""
    over: tuple[tuple[str, str, Scalar], ...] = ()
    """(tool, field, value): if the server says so, it's over."""
    seconds: float = 86_400
    """Seconds after which an event that didn't recur is history."""


STATES: Mapping[str, frozenset[str]] = {field: frozenset(well) for field, well in _DATA["states"].items()}
"""Fields besides `*_status` that hold a state, and their values when nothing is wrong."""
COUNTERS: tuple[re.Pattern[str], ...] = tuple(deferred(pattern) for pattern in _DATA["counters"]["patterns"])
"""Names of counters that don't move on a healthy server."""
EVENTS: Mapping[str, Event] = {name: Event.model_validate(event) for name, event in _DATA["events"].items()}
