"""Data that isn't where it's looked up, or not for long; and connections that became more and rest."""

from collections.abc import Iterator

from agent.checks.complaints.complaint import Complaint, complaint
from agent.checks.databases import missing
from agent.checks.from_history import began
from agent.checks.lifetimes import short_lived
from agent.checks.types import Limits
from agent.checks.words import GONE
from agent.evidence.report_words import mention
from agent.evidence.view import View

GROWN, RESTING = 3.0, 0.5
"""Times as many connections as at first, and the share of them that one owner never used since it connected."""


def data(view: View, limits: Limits) -> Iterator[Complaint]:
    """What is missed, if the report says so; a replica of its own mind; connections that became more and rest."""
    if mention(GONE, view.symptom) and missing(view, limits):
        if swapped := view.number("commandstats", "swapdb.calls"):
            yield complaint(
                f"SWAPDB exchanged databases {swapped:.0f} times since startup, and most lookups find nothing",
                ("commandstats", "swapdb.calls"), ("keyspace", "hit_ratio"),
            )  # fmt: skip
        if short := short_lived(view, limits):
            yield complaint(short[0][:1].lower() + short[0][1:].rstrip("."), *short[1])
    if view.get("replication", "slave_read_only") in (0, "no") and (view.number("commandstats", "writes.calls.delta")):
        yield complaint(
            "this replica accepts writes, which no other server gets",
            ("replication", "slave_read_only"), ("commandstats", "writes.calls.delta"),
        )  # fmt: skip
    grown, unused = began(view, "connected_clients"), view.number("clients", "o1.unused") or 0
    if grown and grown.now >= GROWN * grown.first and unused >= RESTING * grown.now:
        yield complaint(
            f"{grown.now:.0f} clients are connected, {unused:.0f} of them unused since then, and {grown.first:.0f} were"
            f" until {grown.until}",
            *grown.cited, ("clients", "o1.unused"),
        )  # fmt: skip
