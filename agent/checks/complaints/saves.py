"""Saves that follow each other without a pause: each forks, copies pages and writes everything again."""

from collections.abc import Iterator

from agent.checks.complaints.complaint import Complaint, complaint
from agent.checks.senders import sender
from agent.checks.types import Limits
from agent.evidence.view import View

LEAST, EACH = 2, 2.0
"""Saves over the window, and seconds from one to the next at most, that make a loop."""
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
    seconds = view.number("info", "window_seconds")
    for field, what, parameter, command in KINDS:
        count = view.number("info", f"{field}.delta") or 0
        if not seconds or count < LEAST or count / seconds < 1 / EACH:
            continue
        asked = view.number("commandstats", f"{command}.calls.delta") or 0
        by = sender(view, command) if asked else ""
        why = (
            f"{command.upper()} was called {asked:.0f} times{f', by {by}' if by else ''}"
            if asked
            else (f"look at {parameter}")
        )
        yield complaint(
            f"{count:.0f} {what} in {seconds:.0f} s, one after the other: {why}",
            ("info", f"{field}.delta"), ("info", "window_seconds"), ("commandstats", f"{command}.calls.delta"),
        )  # fmt: skip
