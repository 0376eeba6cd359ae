"""The server's log: its tail, each line reduced to a kind of event. No line is passed on as written."""

import os.path
import re
from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import Field

from tools.errors import Unanswered
from tools.host.config_file import configuration
from tools.host.listener import Place
from tools.host.local import Host, offload
from tools.host.log_events import classify, earlier_critical
from tools.host.log_lines import Line, log_lines
from tools.host.log_lives import lives
from tools.host.proc import Files
from tools.host.process import plain_path
from tools.host.process_files import Opened, ProcessFiles, process_numbers, same_root
from tools.host.role_switches import switch_values
from tools.host.start_failure import start_failure
from tools.records import Values
from tools.toolbox import reads

TAIL = 256 * 1024
"""Bytes that are read from the end of the log."""
NEWEST = 5
"""How many events are shown individually: the newest ones that aren't routine."""
ZONE = 900
"""Seconds: time zones differ by a multiple of this."""
_DESTINATIONS = (("pipe:", "pipe"), ("socket:", "socket"), ("/dev/null", "null"), ("/dev/", "terminal"))


@reads
async def log(host: Host, lines: Annotated[int, Field(ge=1, le=2000)] = 200) -> Values:
    """The tail of the server's log, as counted events.

    `<event>.count` and `<event>.newest_age` (seconds) of what the last `lines` say, and of what is critical in this
    life and stands only before them (`earlier_critical` counts those lines), with figures inside them such as
    `maxclients_reduced.to`; an event that isn't there wasn't in them. `critical` and `warnings` count those events,
    `last1` is the newest of them. `unclassified` counts lines that no pattern knows. `started_age` is of the newest
    start, `previous_end` how the life before it ended, and `end` how this one did if it's over: shutdown, crash, failed
    (it gave up by itself) or stops (the log just stops: killed from outside, by the oom killer too); `clean_shutdown`
    is true for a shutdown; `previous_pid` and `end_pid` are of those lives, and `previous_served` says whether the one
    before ever took connections, `end_served` the same of the one that is over. `stops.count` is how many of the newest
    runs in a row ended in a shutdown, or just stop, some minutes after their start at most; `stops.longest` is the
    longest of them in seconds, `stops.newest_age` when the last one ended, `stops.served` how many of them took
    connections, and `stops.asked` how many were told to shut down. `log_age` is of the last line.
    `switch.*` is the newest change of the primary that the log tells, however old: `event` (switched, as a sentinel
    sees it, promoted or demoted), `by`, `age`, `old`, `new`, and `down_age` of the old one's being called dead before.
    `start_failed.*` says why a server that is gone gave up at its start (`reason`, and what it names: `line`,
    `directive`, `file`, `format` of a dump, `errno`, the server's `version`) and how often in a row (`count`). Where
    the log isn't a file, `destination` says what it is.
    """
    named = _is_named(host)
    place, found = await located(host)
    now = host.facts.taken if host.facts else host.clock.now().timestamp()
    every = list(log_lines(found.text))
    read = every[-lines:]
    ended = place.pid is None or (named and not {line.pid for line in read} & _numbers(host, place))
    return {
        **host.provenance(place), "destination": "file", "file": plain_path(found.path), "file_bytes": found.size,
        **log_values(read, found.modified, now, ended=ended, earlier=every[:-lines]),
    }  # fmt: skip


async def located(host: Host) -> tuple[Place, Opened]:
    """Where the server is, and the tail of its log. Raises `Unanswered` if that isn't available from here."""
    # A person who names a log knows whose it is, even if something else listens at the address by now.
    place = await (host.place() if _is_named(host) else host.local_place())
    found = await offload(_find_log, host, place)
    if isinstance(found, dict):
        raise Unanswered(
            "not-local", _WHY.get(str(found.get("destination")), _WHY["other"]), host.provenance(place) | found
        )
    return place, found


def _is_named(host: Host) -> bool:
    """Whether a person said where the log is."""
    return host.log_path is not None and host.log_user is None


def _numbers(host: Host, place: Place) -> set[int]:
    own = process_numbers(host.files, place.pid) if place.pid else set[int]()
    return own | ({host.reported} if host.reported is not None else set())


_WHY = {
    "pipe": "the server writes its log to a pipe: look at its runtime (docker logs, kubectl logs, a supervisor)",
    "socket": "the server writes its log to a socket, such as systemd's journal: use journalctl -u with its unit",
    "null": "the server's log goes to /dev/null: set logfile",
    "terminal": "the server's log goes to a terminal",
    "other": "the log file isn't known, or this user may not read it: name it with --server-log, or run as root",
}


def _find_log(host: Host, place: Place) -> Opened | Values:
    """The log's tail, or where it goes instead."""
    if host.facts is not None:
        found = _printed(host.files, host.facts.log)
    elif place.pid is None or (host.log_path and host.log_user is None):
        found = _known(host, host.log_path) if host.log_path else _configured(host, place)
    else:
        found = _of_process(host, place, place.pid)
    if found is not None:
        return found
    files, config = host.files, configuration(host, place)
    out = files.link(f"/proc/{place.pid}/fd/1") if place.pid else None
    logfile = host.logfile if host.logfile is not None else config.values.get("logfile")
    goes = next((name for start, name in _DESTINATIONS if out and out.startswith(start)), None)
    syslog = config.values.get("syslog-enabled") == "yes" or None
    return {"destination": goes if not logfile else None, **({"syslog": True} if syslog else {})}


def _printed(files: Files, path: str | None) -> Opened | None:
    text = files.tail(path, TAIL) if path else None
    if path is None or text is None:
        return None
    real = files.link(path) or re.sub(r"^/proc/\d+/root(?=/)", "", path)
    if found := re.fullmatch(r"(/proc/\d+/cwd)/(.*)", path):
        real = f"{files.link(found[1]) or found[1]}/{found[2]}"
    return Opened(text, files.size(path) or 0, files.modified(path) or 0.0, real)


def _of_process(host: Host, place: Place, pid: int) -> Opened | None:
    """The log of a running server: a file it has open, or one it names that contains its own lines."""
    if place.locality != "local":
        return None
    its, config = ProcessFiles(host.files, pid), configuration(host, place)
    logfile = host.logfile if host.logfile is not None else config.values.get("logfile")
    # A server reopens its log for each line. A server that names someone else's file hasn't written any line into it.
    own = process_numbers(host.files, pid)
    found = _tail_of(its, its.absolute(logfile)) if logfile else None
    if found is not None and found.text.strip() and not own & {line.pid for line in log_lines(found.text)}:
        found = None
    opened = _opened(host.files, pid) if found is None else ()
    found = found or next((one for path in opened if (one := _tail_of(its, path))), None)
    if found is not None and same_root(pid):
        host.log_path, host.log_user = found.path, its.user
    return found


def _opened(files: Files, pid: int) -> Iterator[str]:
    """The paths of the process' open files that could be its log."""
    for number in files.names(f"/proc/{pid}/fd", 64) or []:
        target = files.link(f"/proc/{pid}/fd/{number}") or ""
        if target.startswith("/") and (target.endswith(".log") or number == "1"):
            yield target


def _configured(host: Host, place: Place) -> Opened | None:
    """The log of a server that is gone, according to the configuration in a usual place, which no server named."""
    config = configuration(host, place)
    logfile, folder = config.values.get("logfile"), config.values.get("dir", "")
    if not config.files or not logfile or not (logfile.startswith("/") or folder.startswith("/")):
        return None
    return _tail_of(ProcessFiles(host.files, None), os.path.join(folder, logfile))


def _known(host: Host, path: str) -> Opened | None:
    """Where it was when its server was verified, as that server's user; or where a person says it is."""
    its = ProcessFiles(host.files, None, host.log_user)
    return its.read(its.absolute(path), TAIL, within=None if host.log_user else "/", tail=True)


def _tail_of(files: ProcessFiles, path: str) -> Opened | None:
    return files.read(files.absolute(path), TAIL, tail=True)


def zone_shift(lines: Sequence[Line], modified: float | None) -> int | None:
    """Seconds from the lines' times to UTC; None if unknown."""
    last = next((line.at for line in reversed(lines) if line.at is not None), None)
    return round((modified - last) / ZONE) * ZONE if modified is not None and last is not None else None


def log_values(
    lines: list[Line], modified: float | None, now: float, *, ended: bool, earlier: Sequence[Line] = ()
) -> Values:
    """The lines as fields; `modified` is when the file was last written, which shows the zone of the lines' times.

    Of the `earlier` lines, only changes of the primary count, and critical ones of this run that aren't in the others.
    """
    moments = [line.at for line in lines if line.at is not None]
    shift = zone_shift(lines, modified)

    def age(at: float | None) -> float | None:
        return round(max(0.0, now - at - shift), 1) if at is not None and shift is not None else None

    classified = [classify(line) for line in lines]
    events = [event for event in classified if event is not None]
    older, started = earlier_critical(earlier, events)
    failure = start_failure(
        [(line, event.name if event else None) for line, event in zip(lines, classified, strict=True)]
    )
    values: Values = {
        "lines": len(lines), "log_age": age(moments[-1]) if moments else None,
        "critical": sum(event.level == "critical" for event in events) + len(older), "earlier_critical": len(older),
        "warnings": sum(event.level == "warning" for event in events), "unclassified": classified.count(None),
        **lives(events, age, ended), **switch_values((*earlier, *lines), age),
    }  # fmt: skip
    if failure and ended:
        # Nothing else in a run that never served says how it ended.
        values |= {**failure, "end": "failed", "clean_shutdown": False}
    if values["started_age"] is None and started is not None:
        values["started_age"] = age(started)
    for name in dict.fromkeys(event.name for event in (*older, *events)):
        same = [event for event in (*older, *events) if event.name == name]
        values |= {f"{name}.count": len(same), f"{name}.newest_age": age(same[-1].at)}
        values |= {f"{name}.{figure}": value for figure, value in same[-1].figures.items()}
    notable = [event for event in events if event.level != "info"][::-1]
    for rank, event in enumerate(notable[:NEWEST], 1):
        values |= {f"last{rank}.event": event.name, f"last{rank}.age": age(event.at), f"last{rank}.level": event.level}
    return values
