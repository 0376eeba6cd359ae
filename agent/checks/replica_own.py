"""What goes wrong on a replica by its own settings: a link that it gives up itself, and keys that it evicts itself."""

from collections.abc import Iterator

from agent.answer.diagnosis import Cause
from agent.checks.ends import primary_of
from agent.checks.types import Limits
from agent.evidence.view import Cited, View

LEAST_TIMEOUTS, RECENT = 2, 120.0
"""Time-outs in the log, and seconds since the newest, from which on a link that is up breaks again and again."""
FEWER = 0.98
"""Share of the primary's keys at which a replica has lost some: in step, it has all of them."""
LEAST_KEYS = 100


def impatient(view: View) -> str:
    """That the replica's time-out is at most the time between two pings of its primary; empty otherwise."""
    primary = primary_of(view)
    waits, pings = view.number("replication", "repl-timeout"), None
    if primary is not None:
        pings = primary.number("replication", "repl-ping-replica-period")
    if waits is None or pings is None or waits > pings:
        return ""
    return (
        f"repl-timeout is {waits:.0f} s here, but the primary sends a ping only every {pings:.0f} s "
        "(repl-ping-replica-period), so the link breaks whenever nothing is written for that long"
    )


def given_up(view: View) -> tuple[float, float] | None:
    """How often this replica has given up the link to its primary, and seconds since the newest time, if lately."""
    count, age = view.number("log", "primary_timeout.count") or 0, view.number("log", "primary_timeout.newest_age")
    life = view.number("log", "started_age")
    if view.text("replication", "role") != "slave" or count < LEAST_TIMEOUTS or age is None or age > RECENT:
        return None
    return None if life is not None and age > life else (count, age)


def breaks_again(view: View, limits: Limits) -> Iterator[Cause]:
    """A link that is up at the moment, and which the replica has given up several times."""
    if (found := given_up(view)) is None:
        return
    count, age = found
    why = (
        f"The link to the primary breaks again and again: this replica gave it up {count:.0f} times because nothing "
        f"came over it, the newest time {age:.0f} s ago"
    )
    reason = impatient(view)
    cited: tuple[Cited, ...] = (
        ("log", "primary_timeout.count"), ("log", "primary_timeout.newest_age"), ("replication", "repl-timeout"),
        ("replication", "master_link_status"),
    )  # fmt: skip
    cause = view.cause(
        "replica-link-down", 0.93 if reason else 0.7, f"{why}: {reason}." if reason else f"{why}.", *cited
    )
    primary = primary_of(view)
    more = primary.cite(("replication", "repl-ping-replica-period")) if primary and reason else ()
    yield cause.model_copy(update={"evidence": (*cause.evidence, *more)})


def lacks(view: View) -> tuple[float, float, float, View] | None:
    """Keys that this replica evicted, keys here and at its primary, and that primary, which still has them."""
    primary, evicted = primary_of(view), view.number("keyspace", "evicted_keys") or 0
    if view.text("replication", "role") != "slave" or not evicted or primary is None:
        return None
    here, there = view.number("keyspace", "keys"), primary.number("keyspace", "keys")
    up = view.text("replication", "master_link_status") == "up"
    # What it evicted while it was a primary itself, it has got back by its sync.
    if not up or here is None or there is None or there - here < LEAST_KEYS or here > FEWER * there:
        return None
    return evicted, here, there, primary


def evicted_here(view: View, limits: Limits) -> Iterator[Cause]:
    """A replica that evicted keys by itself, which its primary still has."""
    found, share = lacks(view), view.number("memory", "maxmemory_used_share")
    if found is None or share is None:
        return
    evicted, here, there, primary = found
    why = (
        f"This replica has {here:.0f} keys and its primary {there:.0f}: it evicted {evicted:.0f} by itself, because "
        f"replica-ignore-maxmemory is no and it has reached {share:.0%} of its maxmemory. Who reads here misses them."
    )
    cited: tuple[Cited, ...] = (
        ("keyspace", "evicted_keys"), ("keyspace", "keys"), ("memory", "maxmemory"), ("memory", "maxmemory_used_share"),
        ("memory", "maxmemory_policy"), ("info", "role"),
    )  # fmt: skip
    cause = view.cause("eviction-churn", 0.95, why, *cited)
    yield cause.model_copy(update={"evidence": (*cause.evidence, *primary.cite(("keyspace", "keys")))})


def link_patience(view: View) -> tuple[str, ...]:
    """A repl-timeout that bridges the primary's pings, in seconds; empty where it does already."""
    primary = primary_of(view)
    pings = primary.number("replication", "repl-ping-replica-period") if primary and impatient(view) else None
    return (f"{max(60, 6 * pings):.0f}",) if pings else ()
