"""Who is a replica, and who mistakes it for a primary: READONLY and MASTERDOWN."""

import re

from agent.checks.errors import who
from agent.checks.types import Found, Limits, Placeholder
from agent.checks.watched import masters
from agent.checks.words import READONLY
from agent.evidence.managed import service_of
from agent.evidence.report_words import mention
from agent.evidence.view import Cited, View
from tools.connection.target import address
from tools.patterns import deferred

PRIMARY_WORDS = deferred(
    r"\b(on the (primary|master)|(the|our) (primary|master) (is|became|turned|says|refuses)|only redis|standalone|"
    r"single (redis|server)|nobody (changed|made|set)|keys (are|have) (missing|gone))\b",
    re.IGNORECASE,
)
"""Words of people who think this server isn't a replica."""

WRITES = (
    "set",
    "setex",
    "psetex",
    "setnx",
    "mset",
    "getset",
    "getdel",
    "append",
    "incr",
    "incrby",
    "decr",
    "hset",
    "hmset",
    "hdel",
    "hincrby",
    "lpush",
    "rpush",
    "lpop",
    "rpop",
    "sadd",
    "srem",
    "zadd",
    "zincrby",
    "zrem",
    "xadd",
    "del",
    "unlink",
    "expire",
)
"""Commands with which applications write."""
SENTINELS: tuple[Cited, ...] = (("topology", "sentinels"),)


def by_hand(view: View) -> Cited | None:
    """The field that shows that it's a replica at run time but not by its file, or None."""
    if view.number("config_drift", "replicaof_calls") == 0:
        # It was started as one, by a command-line argument.
        return None
    # Both names of the parameter are listed; either may be the one that was read.
    names = ("replicaof.running", "slaveof.running")
    return next((("config_drift", name) for name in names if view.text("config_drift", name)), None)


def promoted(primary: View | None) -> bool:
    """Whether the node above used to be a replica itself: then there was a failover."""
    return primary is not None and (primary.number("replication", "second_repl_offset") or -1) > 0


def arranged(view: View) -> bool:
    """Whether a cluster, or the sentinels that name the same primary, made this server the replica that it is."""
    if "cluster" in (view.text("info", "redis_mode"), view.text("info", "server_mode")):
        # REPLICAOF is refused in a cluster.
        return True
    named = f"{view.text('replication', 'master_host')}:{view.text('replication', 'master_port')}"
    return any(
        sentinel.text("sentinel", f"{at}.address") == named for sentinel in view.peers for at in masters(sentinel)
    )


def turned(view: View) -> tuple[bool, float | None]:
    """Whether it was made a replica while running, and how many seconds after its start, if known."""
    logged, started = view.number("log", "role_changed.newest_age"), view.number("log", "started_age")
    calls = sum(view.number("commandstats", f"{name}.calls") or 0 for name in ("replicaof", "slaveof"))
    after = started - logged if logged is not None and started is not None else None
    return by_hand(view) is not None or logged is not None or calls > 0, after


def followed_by(view: View) -> str:
    """The nodes that follow each other in a circle, including this one; empty if there is a primary."""
    host, port = view.text("replication", "master_host"), view.number("replication", "master_port")
    above = address(host, int(port)) if host and port else ""
    own = view.node or ""
    if above == own:
        return own
    primary = view.peer(above)
    if primary is None or primary.text("replication", "role") != "slave":
        return ""
    host, port = primary.text("replication", "master_host"), primary.number("replication", "master_port")
    return above if host and port and address(host, int(port)) == own else ""


def _looped(view: View) -> tuple[str, ...]:
    """The servers that follow each other."""
    other = followed_by(view)
    return (f"{view.node} and {other}" if other != view.node else other,) if other else ()


def writers(view: View) -> tuple[str, tuple[Cited, ...]] | None:
    """Who writes to a writable replica, by its last command."""
    if view.text("replication", "replica-read-only") != "no":
        return None
    return next(((by, fields) for by, fields in (who(view, one) for one in WRITES) if by), None)


def _left_alone(view: View) -> bool:
    """Whether only its primary is connected to a replica that wasn't named by the URL: nobody writes here any
    longer."""
    rows = view.rows("clients", "g")
    links = bool(rows) and all("M" in str(row.get("flags")) for row in rows.values())
    whole = view.number("clients", "share_seen") == 1 and view.number("clients", "g_groups") == len(rows)
    newcomers = view.number("info", "total_connections_received.delta")
    return links and whole and newcomers == 0 and view.node != next(iter(view.deployment.nodes), None)


def readonly(view: View, limits: Limits) -> Found:
    """Clients write to a replica: because they were given its address, kept it, or because it isn't meant to be one."""
    if view.text("replication", "role") != "slave":
        return
    errors = view.number("replication", "errorstat_READONLY.count.delta") or 0
    named = view.text("replication", "master_host"), view.text("replication", "master_port")
    primary = view.peer(f"{named[0]}:{named[1]}")
    cited: tuple[Cited, ...] = (
        ("replication", "role"), ("replication", "errorstat_READONLY.count.delta"), ("replication", "master_host"),
        ("replication", "master_port"), ("replication", "replica-read-only"), ("log", "role_changed.newest_age"),
        by_hand(view) or ("config_drift", "replicaof.running"), ("log", "started_age"),
    )  # fmt: skip
    if named[0] and (loop := followed_by(view)):
        what = "itself" if loop == view.node else f"{loop}, which in turn replicates from this server"
        why = f"This server is a replica of {what}: there is no primary, and every write is refused"
        why += f" ({errors:.0f} over the window)." if errors else "."
        cause = view.cause("unexpected-replica", 0.97, why, *cited[:5])
        more = primary.cite(("replication", "master_host"), ("replication", "master_port")) if primary else ()
        yield cause.model_copy(update={"evidence": (*cause.evidence, *more)})
        return
    if not errors and (found := writers(view)):
        by, fields = found
        why = (
            f"This replica accepts writes (replica-read-only is no), and {by} "
            "writes here: the primary and all other nodes"
        )
        why += " never see those writes, and the next full sync deletes them."
        yield view.cause("replica-write-or-stale", 0.92, why, *cited[:1], *cited[2:5], *fields)
    changed, after = turned(view)
    runs = service_of(view)
    if errors > 0 and runs is not None and runs.is_reader(view.node):
        why = f"{errors:.0f} writes were refused over the window: {view.node} is a reader endpoint of {runs.name}, "
        yield view.cause("replica-write-or-stale", 0.95, f"{why}which leads to replicas only.", *cited[:5])
        return
    if errors > 0:
        why = f"{errors:.0f} writes were refused over the window: this is a replica of {named[0]}:{named[1]}"
        yield view.cause("replica-write-or-stale", 0.95, f"{why}, and clients write to it.", *cited[:5])
        if changed and promoted(primary):
            why += ", which was promoted in its place; its clients still have the old address."
            cause = view.cause("stale-endpoint", 0.96, why, *cited)
            more = primary.cite(("replication", "role"), ("replication", "second_repl_offset")) if primary else ()
            yield cause.model_copy(update={"evidence": (*cause.evidence, *more)})
            return
    elif view.text("replication", "role") == "slave" and view.text("replication", "replica-read-only") != "no":
        # A replica refuses each write, whether or not one came within the window.
        before = view.number("replication", "errorstat_READONLY.count") or 0
        if before and mention(READONLY, view.symptom) and not _left_alone(view):
            why = f"This is a replica of {named[0]}:{named[1]}, and refused {before:.0f} writes since startup, none of"
            why += " them within the window: clients that still write to it are refused."
            counted = ("replication", "errorstat_READONLY.count")
            yield view.cause("replica-write-or-stale", 0.75, why, counted, *cited[:5], ("symptom", "text"))
    drift = view.last("config_drift")
    # Whatever made it a replica also wrote that to the file, as sentinels do.
    rewritten = drift is not None and not drift.unavailable and by_hand(view) is None
    if changed and not rewritten and not promoted(primary) and not arranged(view):
        words = PRIMARY_WORDS.search(view.symptom) is not None
        served = after is not None and after >= limits["served_as_primary_seconds"]
        why = (
            f"This server was made a replica of {named[0]}:{named[1]} at runtime; "
            "its configuration doesn't name that server"
        )
        why += f", after it had run standalone for {after:.0f} s" if served else ""
        why += "; clients still write to it." if errors > 0 else "."
        likely = (0.98 if served else 0.85 if words else 0.6) if errors > 0 else 0.7 if words and served else 0.4
        if watched := view.text("topology", "sentinels") in ("announced", "silent"):
            likely = min(likely, 0.4)
        who = "A sentinel watches this server and does this during a failover; ask the sentinel" if watched else ""
        who = who or "If nobody did this on purpose, an intruder may have"
        yield view.cause("unexpected-replica", likely, f"{why} {who}.", *cited, *SENTINELS[not watched :])


def masterdown(view: View, limits: Limits) -> Found:
    """A replica that doesn't answer while its link is down."""
    errors = view.number("replication", "errorstat_MASTERDOWN.count.delta") or 0
    mute = view.text("replication", "replica-serve-stale-data") == "no"
    down = view.text("replication", "master_link_status") == "down"
    cited: tuple[Cited, ...] = (
        ("replication", "errorstat_MASTERDOWN.count.delta"), ("replication", "replica-serve-stale-data"),
        ("replication", "master_link_status"), ("replication", "role"),
    )  # fmt: skip
    if errors > 0:
        why = f"The replica's link is down and it isn't allowed to serve old data: {errors:.0f} commands were refused."
        yield view.cause("replica-write-or-stale", 0.96, why, *cited)
    elif mute and down:
        why = "The replica's link is down and replica-serve-stale-data is no: reads here are refused."
        yield view.cause("replica-write-or-stale", 0.75, why, *cited)


def _taken_over(view: View) -> tuple[str, ...]:
    """This server, if another one is above it: a circle of our own servers isn't an intrusion."""
    return () if _looped(view) or view.node is None else (view.node,)


PLACEHOLDERS = (
    Placeholder(name="looped", example="10.0.0.5:6379 and 10.0.0.6:6379", values=_looped),
    Placeholder(name="taken_over", example="10.0.0.5:6379", values=_taken_over),
)
