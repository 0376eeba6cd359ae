"""Saves that follow each other without a pause: each forks, copies pages and writes everything again."""

from collections.abc import Iterator

from agent.checks.complaints.complaint import HOUR, Complaint, complaint
from agent.checks.counted import times
from agent.checks.persistence import CRASHES
from agent.checks.senders import sender
from agent.checks.types import Limits
from agent.evidence.view import Cited, View

LEAST, EACH = 2, 2.0
"""Saves over the window, and seconds from one to the next at most, that make a loop."""
OFTEN, SEVERAL, LIFE = 15.0, 4, 3600.0
"""Seconds from one save to the next on average since the start, saves, and seconds since the start, likewise."""
KINDS = (
    ("rdb_saves", "snapshots", "save", "bgsave"),
    (
        "aof_rewrites", "rewrites of the append-only file",
        "auto-aof-rewrite-percentage and auto-aof-rewrite-min-size", "bgrewriteaof",
    ),
)  # fmt: skip
"""The counter, what it counts, what decides when one begins, and the command by which somebody begins one."""


def saves(view: View, thresholds: Limits) -> Iterator[Complaint]:
    """Snapshots or rewrites one after the other."""
    for field, what, parameter, command in KINDS:
        if (found := _often(view, field)) is None:
            continue
        count, seconds, cited = found
        asked = view.number("commandstats", f"{command}.calls.delta") or 0
        by = sender(view, command) if asked else ""
        set_to = (
            f" ({view.text('config_get', 'save')})" if parameter == "save" and view.text("config_get", "save") else ""
        )
        why = (
            f"{command.upper()} was called {asked:.0f} times{f', by {by}' if by else ''}"
            if asked
            else f"look at {parameter}{set_to}"
        )
        remedy = (
            f"Have {by or 'whoever calls it'} call {command.upper()} less often."
            if asked
            else f"Set {parameter} so that one begins every few minutes at most (by default `save` is "
            "3600 1 300 100 60 10000, the percentage is 100 and the size 64mb), at runtime and in the file."
        )
        yield complaint(
            f"{count:.0f} {what} in {seconds:.0f} s, one after the other, and each writes everything anew: {why}",
            *cited, ("commandstats", f"{command}.calls.delta"), ("config_get", "save"), remedy=remedy,
        )  # fmt: skip


def crashes(view: View, thresholds: Limits) -> Iterator[Complaint]:
    """A child that crashes while it saves, in a server that itself serves."""
    signal, age = view.number("log", "bgsave_error.signal"), view.number("log", "bgsave_error.newest_age")
    if (
        signal not in CRASHES
        or age is None
        or age > HOUR
        or view.text("persistence", "rdb_last_bgsave_status") != "err"
    ):
        return
    count = view.number("log", "bgsave_error.count") or 1
    yield complaint(
        f"the child that writes the snapshot crashed (signal {signal:.0f}) {times(count)}, last {age:.0f} s ago: "
        "a defect of the server or of a module, damaged data, or bad memory of the machine, but not the disk",
        ("log", "bgsave_error.signal"),
        ("log", "bgsave_error.count"),
        ("persistence", "rdb_last_bgsave_status"),
        remedy="If a replica is in step it has the data: fail over to it. Otherwise copy it key by key (SCAN, DUMP), "
        "since a new replica and redis-cli --rdb need such a child too. Keep the crash report in the log, and test the "
        "machine's memory. Don't restart it before: what came after the last good snapshot exists only in its memory.",
    )


def _often(view: View, field: str) -> tuple[float, float, tuple[Cited, ...]] | None:
    """Saves and the seconds in which they were made, if they follow each other too closely: lately, or all along."""
    seconds, count = view.number("info", "window_seconds"), view.number("info", f"{field}.delta") or 0
    if seconds and count >= LEAST and count / seconds >= 1 / EACH:
        return count, seconds, (("info", f"{field}.delta"), ("info", "window_seconds"))
    every, up = view.number("info", field) or 0, view.number("info", "uptime_in_seconds") or 0
    # A young server's figure is what goes on now; an old one's may be of last week.
    if every >= SEVERAL and 0 < up <= LIFE and up / every <= OFTEN:
        return every, up, (("info", field), ("info", "uptime_in_seconds"))
    return None
