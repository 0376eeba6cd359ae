"""Log lines in a report: if a log can't be read from here, a person often could."""

from tools.host.log import TAIL, log_values
from tools.host.log_events import LONGEST, classify
from tools.host.log_lines import Line, is_dated, log_lines
from tools.host.start_failure import start_failure
from tools.patterns import deferred
from tools.records import Values

ZONES = 14 * 3600
"""Seconds that the farthest zone is from UTC."""
_HEAD_WITHIN = deferred(
    r"(?<![\d:.])[ \t]?(?=(?:\d{1,10}:[A-Z]|\[\d{1,10}\]) \d{1,2} [A-Z][a-z]{2} (?:\d{4} )?\d\d:\d\d:\d\d)|"
    r"(?<=\S) (?=\*\*\* FATAL CONFIG)"
)
"""Where a line begins in a report that was joined into one line."""
PASTED = 200
"""Lines that are taken of a report."""


def pasted_log(text: str, now: float) -> Values | None:
    """The log's lines in what somebody reported, as `log` has them; None where none are in it.

    Whose they are nobody knows, and of the zone of their times only that they're of the past: where the newest may be
    of this moment it counts as such.
    """
    whole = _HEAD_WITHIN.sub("\n", text[-TAIL:])
    lines = list(log_lines("\n".join(line.strip(" \t`").removeprefix("> ") for line in whole.splitlines())))[-PASTED:]
    if not lines:
        # The line without the head that a server gives it: nobody else would write its ending.
        lines = [Line(at=None, text=text.strip()[:LONGEST])]
        if not start_failure([(line, _event_name(line)) for line in lines]):
            return None
    last = next((line.at for line in reversed(lines) if line.at is not None), None)
    written = None if last is None else last if is_dated(last) and now - last > ZONES else now
    return {"destination": "pasted", **log_values(lines, written, now, ended=True)}


def _event_name(line: Line) -> str | None:
    event = classify(line)
    return event.name if event else None
