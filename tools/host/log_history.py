"""The server's log as a list of events with their times, the newest first."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from tools.clock import iso_time
from tools.errors import ToolError, Unanswered
from tools.host.local import Host
from tools.host.log import located, zone_shift
from tools.host.log_events import PATTERNS, Event, classify
from tools.host.log_lines import log_lines
from tools.records import Scalar, Values
from tools.toolbox import ToolFunction, reads

MOST = 40
"""Events that are shown."""
FIGURES = 4
"""Figures of one event that are shown."""
ALL = "all"
LEVELS = {ALL: ("info", "warning", "critical"), "warning": ("warning", "critical"), "critical": ("critical",)}
"""The levels that a word means in place of an event's name."""
EventName = Annotated[str, Field(description="A name as in log, warning or critical.")]


@reads
async def log_events(host: Host, event: EventName = ALL, count: int = 20) -> Values:
    """The log's events with their times, newest first, up to 40.

    `e1` is the newest: `.event`, `.level` (warning takes critical ones in), `.at` (UTC) and `.age` in seconds, null
    where the log's time zone isn't known, and the figures in the line. `events` of the kind that was asked for are in
    the last `log_bytes` of the file, which begin `begins_age` seconds ago; what was logged before isn't seen.
    """
    place, found = await located(host)
    now = host.facts.taken if host.facts else host.clock.now().timestamp()
    lines = list(log_lines(found.text))
    known = [one for one in map(classify, lines) if one is not None]
    if event not in LEVELS and event not in {one.name for one in PATTERNS}:
        there = ", ".join(dict.fromkeys(one.name for one in reversed(known)))
        raise ToolError(f"log_events: there is no such event; this log has {there or 'none'}")
    shift = zone_shift(lines, found.modified)
    chosen = [one for one in reversed(known) if _fits(event, one.name, one.level)]
    values: Values = {
        **host.provenance(place), "of": event, "events": len(chosen), "log_bytes": len(found.text),
        "begins_age": next((_age(line.at, shift, now) for line in lines if line.at is not None), None),
    }  # fmt: skip
    for number, one in enumerate(chosen[: max(1, min(count, MOST))], 1):
        values |= {f"e{number}.{field}": value for field, value in _described(one, shift, now).items()}
    return values


def _fits(asked: str, name: str, level: Scalar) -> bool:
    return level in LEVELS[asked] if asked in LEVELS else name == asked


def _age(at: float | None, shift: int | None, now: float) -> float | None:
    return round(max(0.0, now - at - shift), 1) if at is not None and shift is not None else None


def _described(event: Event, shift: int | None, now: float) -> Values:
    at = None if event.at is None or shift is None else iso_time(event.at + shift)
    figures = list(event.figures.items())[:FIGURES]
    return {
        "event": event.name, "level": event.level, "at": at, "age": _age(event.at, shift, now), **dict(figures),
    }  # fmt: skip


def recorded(read: ToolFunction) -> ToolFunction:
    """The tool over a recorded reading: of one that holds all events those that are asked for, as far as it shows them.

    Raises `Unanswered` where the recording was asked for other ones.
    """

    async def log_events(event: EventName = ALL, count: int = 20) -> Values:
        values = await read()
        asked_then = str(values.get("of"))
        if asked_then == event:
            return values
        if asked_then != ALL:
            raise Unanswered("not-recorded", "only other events of the log are in the recording")
        return _narrowed(values, event)

    return log_events


def _narrowed(values: Values, event: str) -> Values:
    rows: dict[str, Values] = {}
    others: dict[str, Any] = {}
    for field, value in values.items():
        row, dot, name = field.partition(".")
        if dot and row[:1] == "e" and row[1:].isdecimal():
            rows.setdefault(row, {})[name] = value
        else:
            others[field] = value
    kept: Sequence[Values] = [row for row in rows.values() if _fits(event, str(row["event"]), row["level"])]
    # It's unknown how many there are beyond what was shown then.
    whole = len(rows) == others["events"]
    shown = {f"e{number}.{name}": value for number, row in enumerate(kept, 1) for name, value in row.items()}
    return {**others, "of": event, "events": len(kept) if whole else None, **shown}
