"""What a server or its clients keep doing: ends soon after a start, links given up, what nobody fetches or hears."""

from collections.abc import Iterator

from agent.checks.complaints.complaint import MIB, Complaint, complaint
from agent.checks.ends import primary_of
from agent.checks.growth import PUSHES
from agent.checks.replica_own import impatient
from agent.checks.short_lives import LEAST, RECENT, STOPS
from agent.checks.subscriptions import EACH
from agent.checks.types import Limits
from agent.checks.unread_lists import may_be_unread
from agent.evidence.view import View

GIVEN_UP, LATELY = 2, 120.0
"""Time-outs of a link to the primary, and seconds since the newest, at which it isn't over."""
EVICTED, IN_STEP = 100, 0.98
"""Fewest keys that a replica lacks because it evicted them, and the share of its primary's keys that it has less of."""
CHANNELS, OF_USED = 10_000, 0.1
"""Channels, and the share of the memory that their names take, at which they are no longer a few."""
LONG = 1000
"""Elements of a list that only gets longer."""
FSYNCS, NEWEST = 2, 60.0
"""Times that the log says that the disk was waited for, and seconds since the newest."""


def own_ways(view: View, limits: Limits) -> Iterator[Complaint]:
    """All of them."""
    yield from _stops(view)
    yield from _replica(view)
    yield from _unheard(view)
    yield from _unread(view)
    count, age = view.number("log", "aof_fsync_slow.count") or 0, view.number("log", "aof_fsync_slow.newest_age")
    if count >= FSYNCS and age is not None and age <= NEWEST:
        yield complaint(
            f"the log says {count:.0f} times that writes waited for the disk, last {age:.0f} s ago",
            ("log", "aof_fsync_slow.count"), ("log", "aof_fsync_slow.newest_age"),
        )  # fmt: skip


def _stops(view: View) -> Iterator[Complaint]:
    count, age = view.number("log", "stops.count") or 0, view.number("log", "stops.newest_age")
    if count >= LEAST and (view.number("log", "stops.asked") or 0) >= LEAST and age is not None and age <= RECENT:
        yield complaint(
            f"its last {count:.0f} runs were ended soon after their start, the last {age:.0f} s ago", *STOPS
        )


def _replica(view: View) -> Iterator[Complaint]:
    """A link that the replica gives up itself, and keys that it evicts itself."""
    if view.text("replication", "role") != "slave":
        return
    count, age = view.number("log", "primary_timeout.count") or 0, view.number("log", "primary_timeout.newest_age")
    life = view.number("log", "started_age")
    if count >= GIVEN_UP and age is not None and age <= LATELY and (life is None or age <= life):
        yield complaint(
            f"it gave up the link to its primary {count:.0f} times, last {age:.0f} s ago",
            ("log", "primary_timeout.count"), ("log", "primary_timeout.newest_age"),
        )  # fmt: skip
    if reason := impatient(view):
        yield complaint(reason, ("replication", "repl-timeout"))
    primary, evicted = primary_of(view), view.number("keyspace", "evicted_keys") or 0
    if primary is None or not evicted or view.text("replication", "master_link_status") != "up":
        return
    here, there = view.number("keyspace", "keys"), primary.number("keyspace", "keys")
    if here is not None and there is not None and there - here >= EVICTED and here <= IN_STEP * there:
        yield complaint(
            f"this replica has {here:.0f} of its primary's {there:.0f} keys, and evicted {evicted:.0f} by itself",
            ("keyspace", "evicted_keys"), ("keyspace", "keys"),
        )  # fmt: skip


def _unheard(view: View) -> Iterator[Complaint]:
    channels, used = view.number("info", "pubsub_channels") or 0, view.number("info", "used_memory") or 0
    most = view.number("clients", "sub_max")
    # Where the clients can't be seen, nobody knows whether they are many.
    if channels >= CHANNELS and channels * EACH >= OF_USED * used and (most is None or most >= CHANNELS):
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
                f"the list {row.get('key')} has {length:,} elements, and nothing was taken out of it while it was "
                "looked at",
                ("lists", f"l{number}.length"), ("lists", f"l{number}.length.delta"), ("lists", f"l{number}.key"),
            )  # fmt: skip
            return
