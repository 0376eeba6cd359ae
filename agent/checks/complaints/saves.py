"""Saves that follow each other without a pause: each forks, copies pages and writes everything again."""

from collections.abc import Iterator

from agent.checks.complaints.complaint import Complaint, complaint
from agent.checks.types import Limits
from agent.evidence.view import View

LEAST, EACH = 2, 2.0
"""Saves over the window, and seconds from one to the next at most, that make a loop."""
KINDS = (
    ("rdb_saves", "snapshots", "save"),
    ("aof_rewrites", "rewrites of the append-only file", "auto-aof-rewrite-percentage and auto-aof-rewrite-min-size"),
)
"""The counter, what it counts, and what decides when one begins."""


def saves(view: View, thresholds: Limits) -> Iterator[Complaint]:
    """Snapshots or rewrites one after the other."""
    seconds = view.number("info", "window_seconds")
    for field, what, parameter in KINDS:
        count = view.number("info", f"{field}.delta") or 0
        if not seconds or count < LEAST or count / seconds < 1 / EACH:
            continue
        yield complaint(
            f"{count:.0f} {what} in {seconds:.0f} s, one after the other: look at {parameter}",
            ("info", f"{field}.delta"), ("info", "window_seconds"),
        )  # fmt: skip
