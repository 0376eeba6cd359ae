"""The server's log: its tail, line by line as the kind of event that it is. No line leaves as it was written."""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from tools.errors import Unanswered
from tools.host.config_file import Configuration, configuration
from tools.host.listener import Place
from tools.host.local import Host, offload
from tools.host.process import plain_path
from tools.records import Record, Scalar, Values
from tools.toolbox import reads

Level = Literal["info", "warning", "critical"]
TAIL = 256 * 1024
"""Bytes that are read from the end of the log."""
NEWEST = 5
"""Events that are shown one by one: the newest that aren't the course of things."""
ZONE = 900
"""Seconds: time zones differ by a multiple of it."""
_HEAD = re.compile(
    r"(?P<pid>\d+):(?P<role>[A-Z]) (?P<at>\d{1,2} \w{3} \d{4} [\d:]{8}|\d{4}-\d\d-\d\dT[\d:]{8}|\d{13})\S* "
    r"[.*#-] "
)
_LOGFMT = re.compile(
    r'pid=(?P<pid>\d+) role=(?P<role>[\w/]+) timestamp="(?P<at>[^"]{19,20})[^"]*" level=\w+ message="?'
)
"""The two forms of a line's head: the usual one, and Valkey's log-format logfmt."""
_CHILDREN = ("C", "RDB/AOF")
"""Roles of a forked child, in the two forms."""
_FORMS = ("%d %b %Y %H:%M:%S", "%Y-%m-%dT%H:%M:%S")
_DESTINATIONS = (("pipe:", "pipe"), ("socket:", "socket"), ("/dev/null", "null"), ("/dev/", "terminal"))


class Pattern(Record):
    """What one kind of line looks like."""

    name: str
    level: Level
    match: re.Pattern[str]


class Line(Record):
    """One line that was written with a head; what follows it without one belongs to it."""

    at: float | None
    """Seconds since the epoch, if the log's zone were UTC."""
    text: str
    pid: int | None = None
    """Of the server's process; null for a line of a child, or one without a head."""


class Event(Record):
    """One line that is known."""

    name: str
    level: Level
    at: float | None
    figures: Mapping[str, Scalar]
    pid: int | None = None


def _patterns() -> tuple[Pattern, ...]:
    data = tomllib.loads((Path(__file__).parent / "log_patterns.toml").read_text(encoding="utf-8"))
    return tuple(
        Pattern(name=name, level=one["level"], match=re.compile(one["match"], re.MULTILINE))
        for name, one in data.items()
    )


LONGEST = 2048
"""Characters of a line that are looked at: the server's own are shorter."""
PATTERNS = _patterns()


@reads
async def log(host: Host, lines: Annotated[int, Field(ge=1, le=2000)] = 200) -> Values:
    """The tail of the server's log as counted events (restarts, fork, disk, replication, limits).

    `<event>.count` and `<event>.newest_age` (seconds) of what the last `lines` say, with figures inside them such as
    `maxclients_reduced.to`; an event that isn't there wasn't in them. `critical` and `warnings` count those events,
    `last1` is the newest of them. `unclassified` counts lines that no pattern knows. `started_age` is of the newest
    start, `previous_end` how the life before it ended, and `end` how this one did if it's over: shutdown, crash, failed
    (it gave up by itself) or stops (the log just stops: killed from outside, by the oom killer too); `clean_shutdown`
    is true for a shutdown; `previous_pid` and `end_pid` are of those lives. `log_age` is of the last line. Where the
    log isn't a file, `destination` says what it is.
    """
    place = await host.local_place()
    found = await offload(_find_log, host, place)
    if isinstance(found, dict):
        raise Unanswered(
            "not-local", _WHY.get(str(found.get("destination")), _WHY["other"]), host.provenance(place) | found
        )
    path, text = found
    host.log_path = _real_path(host, path)
    now = host.facts.taken if host.facts else host.clock.now().timestamp()
    read = list(log_lines(text))[-lines:]
    modified = host.files.modified(path)
    return {
        **host.provenance(place), "destination": "file", "file": plain_path(_real_path(host, path)),
        "file_bytes": host.files.size(path), **log_values(read, modified, now, ended=place.pid is None),
    }  # fmt: skip


_WHY = {
    "pipe": "the server writes its log to a pipe: look at what runs it (docker logs, kubectl logs, a supervisor)",
    "socket": "the server writes its log to a socket, as systemd's journal is: journalctl -u with its unit",
    "null": "the server's log goes to /dev/null: set logfile",
    "terminal": "the server's log goes to a terminal",
    "other": "the log's file isn't known, or may not be read by this user: give CONFIG GET logfile, or run as root",
}


def _find_log(host: Host, place: Place) -> tuple[str, str] | Values:
    """The log's path as it's opened and its tail, or where it goes instead."""
    files, config = host.files, configuration(host, place)
    for path in _candidates(host, place, config):
        text = files.tail(path, TAIL)
        if text is not None:
            return path, text
    out = files.link(f"/proc/{place.pid}/fd/1") if place.pid else None
    logfile = host.logfile if host.logfile is not None else config.values.get("logfile")
    goes = next((name for start, name in _DESTINATIONS if out and out.startswith(start)), None)
    syslog = config.values.get("syslog-enabled") == "yes" or None
    return {"destination": goes if not logfile else None, **({"syslog": True} if syslog else {})}


def _candidates(host: Host, place: Place, config: Configuration) -> Iterator[str]:
    logfile = host.logfile if host.logfile is not None else config.values.get("logfile")
    if host.facts and host.facts.log:
        yield host.facts.log
    if logfile and logfile.startswith("/"):
        # The path is that of the process's own root, which differs in a container.
        yield from ((f"/proc/{place.pid}/root{logfile}",) if place.pid else ())
        yield logfile
    elif logfile:
        yield from ((f"/proc/{place.pid}/cwd/{logfile}",) if place.pid else ())
        if folder := config.values.get("dir"):
            yield f"{folder}/{logfile}"
    if place.pid:
        for number in (host.files.names(f"/proc/{place.pid}/fd") or [])[:64]:
            target = host.files.link(f"/proc/{place.pid}/fd/{number}") or ""
            if target.endswith(".log") or number == "1":
                yield f"/proc/{place.pid}/fd/{number}"
    elif host.log_path:
        yield host.log_path


def _real_path(host: Host, path: str) -> str:
    """The path without its way through /proc, which ends with the process."""
    if found := re.fullmatch(r"(/proc/\d+/cwd)/(.*)", path):
        return f"{host.files.link(found[1]) or found[1]}/{found[2]}"
    return host.files.link(path) or re.sub(r"^/proc/\d+/root(?=/)", "", path)


def log_lines(text: str) -> Iterator[Line]:
    """The lines of a log, each with those that follow it without a head of their own (a crash report)."""
    head: re.Match[str] | None = None
    body: list[str] = []
    for line in text.splitlines():
        if found := _HEAD.match(line) or _LOGFMT.match(line):
            if head:
                yield _line(head, body)
            head, body = found, [line[found.end() :]]
        else:
            body.append(line)
    if head:
        yield _line(head, body)


def _line(head: re.Match[str], body: list[str]) -> Line:
    text = "\n".join(part[:500] for part in body[:50])
    child = head["role"] in _CHILDREN
    return Line(at=_timestamp(head["at"]), text=text, pid=None if child else int(head["pid"]))


def _timestamp(written: str) -> float | None:
    if written.isdecimal():
        return int(written) / 1000
    for form in _FORMS:
        try:
            return datetime.strptime(written.rstrip(".Z"), form).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    return None


def classify(line: Line) -> Event | None:
    """The event of a line, or None if no pattern matches it."""
    for pattern in PATTERNS:
        if found := pattern.match.search(line.text[:LONGEST]):
            figures = {name: _figure(value) for name, value in found.groupdict().items() if value is not None}
            return Event(name=pattern.name, level=pattern.level, at=line.at, figures=figures, pid=line.pid)
    return None


def _figure(text: str) -> Scalar:
    if re.fullmatch(r"[0-9]{1,19}", text):
        return int(text)
    return float(text) if re.fullmatch(r"[0-9]{1,19}\.[0-9]{1,19}", text) else text


def log_values(lines: list[Line], modified: float | None, now: float, *, ended: bool) -> Values:
    """The lines as fields; `modified` is when the file was last written, which shows the zone of the lines' times."""
    moments = [line.at for line in lines if line.at is not None]
    shift = round((modified - moments[-1]) / ZONE) * ZONE if modified is not None and moments else None

    def age(at: float | None) -> float | None:
        return round(max(0.0, now - at - shift), 1) if at is not None and shift is not None else None

    classified = [classify(line) for line in lines]
    events = [event for event in classified if event is not None]
    values: Values = {
        "lines": len(lines), "log_age": age(moments[-1]) if moments else None,
        "critical": sum(event.level == "critical" for event in events),
        "warnings": sum(event.level == "warning" for event in events), "unclassified": classified.count(None),
        **_lives(events, age, ended),
    }  # fmt: skip
    for name in dict.fromkeys(event.name for event in events):
        same = [event for event in events if event.name == name]
        values |= {f"{name}.count": len(same), f"{name}.newest_age": age(same[-1].at)}
        values |= {f"{name}.{figure}": value for figure, value in same[-1].figures.items()}
    notable = [event for event in events if event.level != "info"][::-1]
    for rank, event in enumerate(notable[:NEWEST], 1):
        values |= {f"last{rank}.event": event.name, f"last{rank}.age": age(event.at), f"last{rank}.level": event.level}
    return values


_FATAL = frozenset(
    {"config_bad", "bind_failed", "nofile_too_low", "load_failed", "aof_bad_format", "rdb_short_read",
     "aof_manifest_failed", "acl_load_failed", "module_failed", "tls_config_failed", "aof_write_error"}
)  # fmt: skip
"""Events after which a server ends by itself, if nothing follows."""
_BEFORE_START = frozenset({"starting", "overcommit", "thp", "config_loaded"})
"""What a server may log before it logs that it started."""


def _lives(events: list[Event], age: Callable[[float | None], float | None], ended: bool) -> Values:
    starts = [at for at, event in enumerate(events) if event.name == "started"]
    values: Values = {"started_age": None, "previous_end": None, "end": None, "clean_shutdown": None,
                      "previous_pid": None, "end_pid": None}  # fmt: skip
    if starts:
        values["started_age"] = age(events[starts[-1]].at)
        before = events[starts[-2] + 1 if len(starts) > 1 else 0 : starts[-1]]
        while before and before[-1].name in _BEFORE_START:
            before.pop()
        values["previous_end"] = _ending(before)
        values["previous_pid"] = _pid(before)
    if ended:
        last = events[starts[-1] if starts else 0 :]
        values |= {"end": _ending(last), "end_pid": _pid(last)}
    how = values["end"] or values["previous_end"]
    values["clean_shutdown"] = how == "shutdown" if how else None
    return values


def _pid(life: list[Event]) -> int | None:
    return next((event.pid for event in reversed(life) if event.pid), None)


def _ending(life: list[Event]) -> str | None:
    """How a life ended, by the last of its events that could end it."""
    if not life:
        return None
    names = {event.name for event in life}
    if "crash" in names:
        return "crash"
    if "bye" in names:
        return "shutdown"
    return "failed" if life[-1].name in _FATAL or (len(life) > 1 and life[-2].name in _FATAL) else "stops"
