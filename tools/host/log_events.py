"""The kinds of lines in a server's log, and how to recognise them."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from tools.host.log_lines import Line
from tools.patterns import certain, deferred
from tools.records import Scalar

Level = Literal["info", "warning", "critical"]


class Pattern(NamedTuple):
    """What one kind of line looks like."""

    name: str
    level: Level
    match: re.Pattern[str]


class Event(NamedTuple):
    """One recognised line."""

    name: str
    level: Level
    at: float | None
    figures: Mapping[str, Scalar]
    pid: int | None = None


def _patterns() -> tuple[Pattern, ...]:
    data = tomllib.loads((Path(__file__).parent / "log_patterns.toml").read_text(encoding="utf-8"))
    return tuple(
        Pattern(name=name, level=one["level"], match=deferred(one["match"], re.MULTILINE)) for name, one in data.items()
    )


LONGEST, USUAL = 2048, 256
"""Characters of a line that are examined, since the server's own are shorter, and of one that is remembered."""
PATTERNS = _patterns()
_STARTED = next(one.match for one in PATTERNS if one.name == "started")


def classify(line: Line) -> Event | None:
    """The event of a line, or None if no pattern matches it."""
    text = line.text[:LONGEST]
    found = _remembered(text) if len(text) <= USUAL else _recognised(text)
    if found is None:
        return None
    pattern, figures = found
    return Event(name=pattern.name, level=pattern.level, at=line.at, figures=figures, pid=line.pid)


def _recognised(text: str) -> tuple[Pattern, Mapping[str, Scalar]] | None:
    for literal, pattern in _by_literal():
        if literal in text and (found := pattern.match.search(text)):
            return pattern, {name: _figure(value) for name, value in found.groupdict().items() if value is not None}
    return None


_remembered = lru_cache(maxsize=1024)(_recognised)
"""The nodes of a cluster say the same of each other."""


@cache
def _by_literal() -> tuple[tuple[str, Pattern], ...]:
    """In their order, the patterns with each text of which a matching line has one."""
    return tuple((literal, one) for one in PATTERNS for literal in certain(one.match) or ("",))


def _figure(text: str) -> Scalar:
    if re.fullmatch(r"[0-9]{1,19}", text):
        return int(text)
    return float(text) if re.fullmatch(r"[0-9]{1,19}\.[0-9]{1,19}", text) else text


def earlier_critical(earlier: Sequence[Line], events: Sequence[Event]) -> tuple[list[Event], float | None]:
    """Critical events in a run's lines before the newest ones, if not among those; and when that run began.

    An hour's chatter mustn't hide what the server complained about once. `events` are those of the newest lines.
    """
    if any(event.name == "started" for event in events):
        return [], None
    known = {event.name for event in events}
    found: list[Event] = []
    for line in reversed(earlier):
        if _STARTED.search(line.text[:LONGEST]):
            return found[::-1], line.at
        if (
            line.loud
            and (event := classify(line)) is not None
            and event.level == "critical"
            and event.name not in known
        ):
            found.append(event)
    return found[::-1], None
