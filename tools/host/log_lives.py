"""The runs of a server in its log: how each ended, and whether it's ended again and again."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from tools.host.log_events import Event
from tools.records import Values

Age = Callable[[float | None], float | None]
SHORT = 600.0
"""Seconds from its start within which a run that was ended counts as short."""
_FATAL = frozenset(
    {"config_bad", "bind_failed", "nofile_too_low", "load_failed", "aof_bad_format", "rdb_short_read",
     "aof_manifest_failed", "aof_part_missing", "acl_load_failed", "module_failed", "tls_config_failed",
     "aof_write_error", "aof_open_error", "start_refused"}
)  # fmt: skip
"""Events after which a server ends by itself, if nothing follows."""
_BEFORE_START = frozenset({"starting", "overcommit", "thp", "config_loaded"})
"""What a server may log before it logs that it started."""


def lives(events: Sequence[Event], age: Age, ended: bool) -> Values:
    """How the runs in a log's events began and ended; `ended` says whether the newest one is over."""
    starts = [at for at, event in enumerate(events) if event.name == "started"]
    values: Values = {"started_age": None, "previous_end": None, "end": None, "clean_shutdown": None,
                      "previous_pid": None, "end_pid": None, "previous_served": None, "end_served": None}  # fmt: skip
    if starts:
        values["started_age"] = age(events[starts[-1]].at)
        before = list(events[starts[-2] + 1 if len(starts) > 1 else 0 : starts[-1]])
        while before and before[-1].name in _BEFORE_START:
            before.pop()
        values["previous_end"] = _ending(before)
        values["previous_pid"] = _pid(before)
        values["previous_served"] = _served(before) if before else None
    if ended:
        last = events[starts[-1] if starts else 0 :]
        values |= {"end": _ending(last), "end_pid": _pid(last)}
        values["end_served"] = _served(last) if starts else None
    how = values["end"] or values["previous_end"]
    values["clean_shutdown"] = how == "shutdown" if how else None
    return values | _stops(events, starts, age, ended)


def _stops(events: Sequence[Event], starts: Sequence[int], age: Age, ended: bool) -> Values:
    """The newest runs in a row that were ended soon after their start, as `stops.*`; empty if there is none."""
    bounds = [*pairwise(starts), *([(starts[-1], len(events))] if ended and starts else [])]
    longest, count, served, asked, newest = 0.0, 0, 0, 0, None
    for first, after in reversed(bounds):
        life = _without_next_start(events[first:after])
        began, over = events[first].at, life[-1].at
        if began is None or over is None or over - began > SHORT or _ending(life) not in ("shutdown", "stops"):
            break
        newest = over if newest is None else newest
        longest, count = max(longest, over - began), count + 1
        served += _served(life)
        # The line of the signal itself isn't always one: a handler writes no time.
        asked += _ending(life) == "shutdown" or any(event.name == "sigterm" for event in life)
    if not count:
        return {}
    return {
        "stops.count": count, "stops.longest": round(longest, 1), "stops.newest_age": age(newest),
        "stops.served": served, "stops.asked": asked,
    }  # fmt: skip


def _without_next_start(life: Sequence[Event]) -> Sequence[Event]:
    end = len(life)
    while end > 1 and life[end - 1].name in _BEFORE_START:
        end -= 1
    return life[:end]


def _served(life: Sequence[Event]) -> bool:
    return any(event.name == "ready" for event in life)


def _pid(life: Sequence[Event]) -> int | None:
    return next((event.pid for event in reversed(life) if event.pid), None)


def _ending(life: Sequence[Event]) -> str | None:
    """How a run ended, by the last of its events that could end it."""
    if not life:
        return None
    names = {event.name for event in life}
    if "crash" in names:
        return "crash"
    if "bye" in names:
        return "shutdown"
    return "failed" if life[-1].name in _FATAL or (len(life) > 1 and life[-2].name in _FATAL) else "stops"
