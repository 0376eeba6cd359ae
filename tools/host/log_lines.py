"""The lines of a server's log, in the formats servers write."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from tools.patterns import deferred

_HEAD = re.compile(
    r"(?:(?P<pid>\d+):(?P<role>[A-Z]) (?P<at>\d{1,2} \w{3} (?:\d{4} )?[\d:]{8}|\d{4}-\d\d-\d\dT[\d:]{8}|\d{13})|"
    r"\[(?P<old_pid>\d{1,10})\] (?P<old_at>\d{1,2} \w{3} [\d:]{8}))"
    r"(?:\.(?P<ms>\d{3}))?\S* "
    r"\\?(?P<mark>[.*#-]) "
)
_LOGFMT = re.compile(
    r'pid=(?P<pid>\d+) role=(?P<role>[\w/]+) timestamp="(?P<at>[^"]{19,20})[^"]*" level=(?P<mark>\w+) message="?'
)
"""The two forms of a line's head: the usual one, and Valkey's log-format logfmt. Redis 3 and 4 wrote no year, 2 put
the number of the process in brackets; in web pages a backslash is before a mark that Markdown takes for emphasis."""
NO_YEAR = 1972
"""The leap year in which times without one are put: what is asked of them is how far apart they are."""
_WRAPPED = 183 * 86400
"""Seconds by which a time without a year goes back where a new year began."""
_PREFIX = deferred(
    r"(?:[\w.-]{1,64}\s{1,40}\| )?"
    r"(?:\d{4}-\d\d-\d\d[T ][\d:.,]{8,20}(?:Z|[+-]\d\d:?\d\d)? (?:std(?:out|err) [FP] )?|"
    r"\w{3} [ \d]\d [\d:]{8}(?:\.\d{1,9})? [\w.-]{1,64} [\w.@/-]{1,64}(?:\[\d{1,10}\])?: )?"
)
"""What containers and the journal put before a line."""
_REFUSED = re.compile(
    r"\*\*\* FATAL CONFIG FILE ERROR|"
    r"[`'\"\s]{0,4}Client (?:id|addr)=.{1,1500}?closed ASAP for overcoming of output buffer limits"
)
"""A line without a head: what a server writes about its configuration before it has a log, and what only a server
writes where people quote the rest of a line alone."""
_LOUD = ("#", "warning")
_CHILDREN = ("C", "RDB/AOF")
"""Roles of a forked child, in the two forms."""
_FORMS = ("%d %b %Y %H:%M:%S", "%Y-%m-%dT%H:%M:%S")


class Line(NamedTuple):
    """One line that was written with a head; what follows it without one belongs to it."""

    at: float | None
    """Seconds since the epoch, if the log's zone were UTC; from `NO_YEAR` on if no year was written."""
    text: str
    pid: int | None = None
    """Of the server's process; null for a line of a child, or one without a head."""
    loud: bool = False
    """Whether the server wrote it as a warning; assumed if it has no head."""


def log_lines(text: str) -> Iterator[Line]:
    """The lines of a log, each with those that follow it without a head of their own (a crash report)."""
    before: float | None = None
    for line in _log_lines(text):
        if line.at is not None and before is not None and not is_dated(line.at):
            # Times without a year begin anew when one does.
            while line.at < before - _WRAPPED:
                line = line._replace(at=line.at + 366 * 86400)
        before = line.at if line.at is not None else before
        yield line


def is_dated(at: float) -> bool:
    """Whether a line's time had its year."""
    return at >= _DATED


_DATED = datetime(NO_YEAR + 8, 1, 1, tzinfo=UTC).timestamp()


def _log_lines(text: str) -> Iterator[Line]:
    head: re.Match[str] | None = None
    body: list[str] = []
    for whole in text.splitlines():
        line = whole[_end(_PREFIX.match(whole)) :]
        if found := _HEAD.match(line) or _LOGFMT.match(line):
            if head:
                yield _line(head, body)
            head, body = found, [line[found.end() :]]
        elif found := _REFUSED.match(line):
            if head:
                yield _line(head, body)
            head, body = found, [line]
        else:
            body.append(line)
    if head:
        yield _line(head, body)


def _end(found: re.Match[str] | None) -> int:
    return found.end() if found else 0


def _line(head: re.Match[str], body: list[str]) -> Line:
    text = "\n".join(part[:500] for part in body[:50])
    if head.re is _REFUSED:
        return Line(at=None, text=text, loud=True)
    written = head["at"] or head.group("old_at") if head.re is _HEAD else head["at"]
    number = head["pid"] or head.group("old_pid") if head.re is _HEAD else head["pid"]
    child = head["role"] in _CHILDREN
    at = _timestamp(written)
    if at is not None and head.re is _HEAD and head["ms"]:
        # The end of one run and the start of the next may be in the same second.
        at += int(head["ms"]) / 1000
    return Line(at=at, text=text, pid=None if child else int(number), loud=head["mark"] in _LOUD)


def _timestamp(written: str) -> float | None:
    if written.isdecimal():
        return int(written) / 1000
    if not written[:4].isdecimal() and written.count(" ") == 2:
        day, month, clock = written.split(" ")
        written = f"{day} {month} {NO_YEAR} {clock}"
    for form in _FORMS:
        try:
            return datetime.strptime(written.rstrip(".Z"), form).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    return None
