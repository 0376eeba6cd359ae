"""What complaints.toml says: states, counters and events of the log that are complaints."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from tools.patterns import deferred
from tools.records import Record, Scalar

_DATA = tomllib.loads((Path(__file__).parent / "complaints.toml").read_text(encoding="utf-8"))


class Event(Record):
    """What a critical line of the log complains of."""

    what: str
    """For a person, behind "the log says that"."""
    over: tuple[tuple[str, str, Scalar], ...] = ()
    """(tool, field, value): where the server says so, it's over."""
    seconds: float = 86_400
    """After which an event that didn't come again is the past."""


STATES: Mapping[str, frozenset[str]] = {field: frozenset(well) for field, well in _DATA["states"].items()}
"""Fields besides `*_status` that tell a state, and what they hold where nothing is wrong."""
COUNTERS: tuple[re.Pattern[str], ...] = tuple(deferred(pattern) for pattern in _DATA["counters"]["patterns"])
"""Names of counters that a healthy server doesn't move."""
EVENTS: Mapping[str, Event] = {name: Event.model_validate(event) for name, event in _DATA["events"].items()}
