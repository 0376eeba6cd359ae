"""What a server or its clients keep doing: ends soon after a start, links given up, what nobody fetches or hears."""

from collections.abc import Iterator

from agent.checks.complaints.complaint import MIB, Complaint, complaint
from agent.checks.growth import PUSHES
from agent.checks.replica_own import given_up, impatient, lacks
from agent.checks.short_lives import STOPS, ended_again
from agent.checks.subscriptions import EACH, crowded
from agent.checks.types import Limits
from agent.checks.unread_lists import may_be_unread
from agent.evidence.view import View

LONG = 1000
"""Elements of a list that only gets longer."""
FSYNCS, NEWEST = 2, 60.0
"""Times that the log says that the disk was waited for, and seconds since the newest."""


def own_ways(view: View, limits: Limits) -> Iterator[Complaint]:
    """All of them."""
    yield from _stops(view)
    yield from _replica(view)
    yield from _unheard(view, limits)
    yield from _unread(view)
    count, age = view.number("log", "aof_fsync_slow.count") or 0, view.number("log", "aof_fsync_slow.newest_age")
    if count >= FSYNCS and age is not None and age <= NEWEST:
        yield complaint(
            f"the log says {count:.0f} times that writes waited for the disk, last {age:.0f} s ago",
            ("log", "aof_fsync_slow.count"), ("log", "aof_fsync_slow.newest_age"),
        )  # fmt: skip


def _stops(view: View) -> Iterator[Complaint]:
    if found := ended_again(view):
        yield complaint(found[0][:1].lower() + found[0][1:].rstrip("."), *STOPS)


def _replica(view: View) -> Iterator[Complaint]:
    """A link that the replica gives up itself, and keys that it evicts itself."""
    if times := given_up(view):
        yield complaint(
            f"it gave up the link to its primary {times[0]:.0f} times, last {times[1]:.0f} s ago",
            ("log", "primary_timeout.count"), ("log", "primary_timeout.newest_age"),
        )  # fmt: skip
    if view.text("replication", "role") == "slave" and (reason := impatient(view)):
        yield complaint(reason, ("replication", "repl-timeout"))
    if found := lacks(view):
        evicted, here, there, _ = found
        yield complaint(
            f"this replica has {here:.0f} of its primary's {there:.0f} keys, and evicted {evicted:.0f} by itself",
            ("keyspace", "evicted_keys"), ("keyspace", "keys"),
        )  # fmt: skip


def _unheard(view: View, limits: Limits) -> Iterator[Complaint]:
    channels, most = crowded(view, limits), view.number("clients", "sub_max")
    # Where the clients can't be seen, nobody knows whether they are many.
    if channels and (most is None or most >= limits["subscribed_by_one"]):
        by = ", most of them by one client," if most else ""
        yield complaint(
            f"{channels:,.0f} channels are subscribed to{by} and take some {channels * EACH / MIB:.0f} MiB",
            ("info", "pubsub_channels"), ("clients", "sub_max"),
        )  # fmt: skip


def _unread(view: View) -> Iterator[Complaint]:
    """Lists that only get longer, where a report is about memory or lost jobs."""
    if not may_be_unread(view):
        return
    if view.unavailable("lists"):
        most = max(PUSHES, key=lambda name: view.number("commandstats", f"{name}.calls.delta") or 0)
        yield complaint(
            "more is pushed to lists than taken out of them, and how long they are couldn't be read",
            ("commandstats", f"{most}.calls.delta"),
        )
    for number, row in view.rows("lists", "l").items():
        length, more = row.get("length"), row.get("length.delta")
        if isinstance(length, int) and length >= LONG and isinstance(more, int) and more >= 0:
            yield complaint(
                f"the list {row.get('key')} has {length:,} elements, and didn't get shorter while it was looked at",
                ("lists", f"l{number}.length"), ("lists", f"l{number}.length.delta"), ("lists", f"l{number}.key"),
            )  # fmt: skip
            return
