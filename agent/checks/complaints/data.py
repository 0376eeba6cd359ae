"""Data that isn't where it's looked up, or not for long; and connections that became more and rest."""

from collections.abc import Iterator

from agent.checks.complaints.complaint import Complaint, complaint
from agent.checks.databases import missing
from agent.checks.ends import primary_of
from agent.checks.from_history import began
from agent.checks.lifetimes import short_lived
from agent.checks.roles import writers
from agent.checks.types import Limits
from agent.checks.words import GONE
from agent.evidence.report_words import mention
from agent.evidence.view import View

MORE, LEAST_MORE = 1.5, 20
"""Writes for each of its primary's, and beside them, that a replica has only from clients of its own: the two windows
begin at different moments."""
GROWN, RESTING = 3.0, 0.5
"""Times as many connections as at first, and the share of them that one owner never used since it connected."""


def _writes_more(view: View) -> bool:
    """Whether more was written here than its primary passed on; unknown of a primary that wasn't seen."""
    primary = primary_of(view)
    here, above = (one.number("commandstats", "writes.calls.delta") if one else None for one in (view, primary))
    return here is not None and above is not None and here >= MORE * above + LEAST_MORE


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
    if view.number("replication", "slave_read_only") == 0 and (writers(view) or _writes_more(view)):
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
