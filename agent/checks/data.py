"""Missing data: what removed it, whether it is in another database, and queues that are evicted."""

from agent.checks.counted import times
from agent.checks.databases import missing, right_database, wrong_database, wrong_readers_database
from agent.checks.errors import who
from agent.checks.exposure import exposed
from agent.checks.from_history import lost_keys
from agent.checks.lifetimes import lifetime_setter, short_lived
from agent.checks.limits_reached import hardly_written
from agent.checks.types import Family, Found, Limits, Placeholder
from agent.checks.words import GONE, JOBS_LOST
from agent.evidence.report_words import mention
from agent.evidence.view import Cited, View

POPS = (
    "blpop", "brpop", "lpop", "rpop", "blmove", "lmove", "brpoplpush", "rpoplpush", "bzpopmin", "zpopmin", "xreadgroup",
)  # fmt: skip
"""Commands by which work is taken out of a queue."""
FLUSHES = ("flushall", "flushdb")
_TWICE = 2.0
"""Ratio of the peak's data to the current data at which much was removed."""
_NEARLY_ALL = 20.0
"""Expired keys per remaining key: keys that expire one by one leave as many that haven't yet."""
DELETIONS = ("del", "unlink")
"""Commands that remove keys by name."""
UNSAID = 0.45
"""How likely data is missing that nobody mentions."""
_MIB = 1 << 20


def _emptied(view: View, limits: Limits) -> bool:
    """Whether there is much less than before: no keys, a peak far above, or lookups that miss."""
    return view.number("keyspace", "keys") == 0 or bool(missing(view, limits)) or _shrunk(view)


def _shrunk(view: View) -> bool:
    """Whether this run of the server held far more than it does now."""
    peak, used = view.number("memory", "used_memory_peak"), view.number("memory", "used_memory")
    base = view.number("memory", "used_memory_startup") or 0
    return peak is not None and used is not None and peak - used >= _MIB / 2 and peak - base >= _TWICE * (used - base)


def _flushes(view: View, suffix: str = "calls") -> float:
    return sum(view.number("commandstats", f"{name}.{suffix}") or 0 for name in FLUSHES)


def _flushers(view: View) -> tuple[str, tuple[Cited, ...]]:
    for name in FLUSHES:
        by, cited = who(view, name)
        if by:
            return by, cited
    return "", ()


def _unkept(view: View) -> bool:
    """Whether a restart begins empty: neither snapshots nor an append-only file, and no loaded dump."""
    off = view.get("persistence", "config.save") == "" and view.number("persistence", "aof_enabled") == 0
    return off and not (view.number("disk", "rdb_bytes") or 0)


def _lived_before(view: View) -> bool:
    return view.number("log", "previous_pid") is not None or (view.number("log", "started.count") or 0) > 1


def _began_empty(view: View, limits: Limits) -> bool:
    up = view.number("info", "uptime_in_seconds")
    if up is None or up > limits["data_young_seconds"] or not _unkept(view):
        return False
    if (view.number("replication", "second_repl_offset") or 0) > 0:
        # Before it was promoted it was a replica, and copied what its primary had.
        return False
    return view.get("log", "loaded.count") is None and view.number("log", "load_done.keys") in (None, 0)


def _deleted(view: View) -> float:
    return sum(view.number("commandstats", f"{name}.calls") or 0 for name in DELETIONS)


def may_have_begun_empty(view: View, limits: Limits) -> bool:
    """Whether a restart may have lost the data that is reported missing, and no log says whether the server is new."""
    said = mention(GONE, view.symptom) is not None
    unknown = said and not _lived_before(view) and view.number("log", "started_age") is None
    return unknown and _emptied(view, limits) and _began_empty(view, limits)


def data_gone(view: View, limits: Limits) -> Found:
    """What removed the data, one of six: flushed, deleted, evicted, expired, restarted empty, synced from an empty
    primary."""
    if view.number("keyspace", "keys") is None or view.last("commandstats") is None:
        return
    said, emptied = mention(GONE, view.symptom) is not None, _emptied(view, limits)
    flushed, now = _flushes(view), _flushes(view, "calls.delta")
    evicted, expired = view.number("keyspace", "evicted_keys"), view.number("info", "expired_keys")
    keys = view.number("keyspace", "keys") or 0
    cited: tuple[Cited, ...] = (
        ("commandstats", "flushall.calls"), ("commandstats", "flushdb.calls"), ("keyspace", "keys"),
        ("keyspace", "hit_ratio"), ("keyspace", "evicted_keys"), ("info", "expired_keys"),
        ("info", "uptime_in_seconds"), ("memory", "used_memory_peak"), ("memory", "used_memory"),
    )  # fmt: skip
    others = _others(view, flushed, evicted, expired)
    by, clients = _flushers(view)
    if (now and (view.number("keyspace", "keys.delta") or 0) < 0) or (flushed and said):
        names = " and ".join(name.upper() for name in FLUSHES if view.number("commandstats", f"{name}.calls"))
        why = f"Flushed: {names} was called {times(flushed)} since startup"
        why += f", {now:.0f} of them within the window" if now else ""
        why += f", by {by}" if by else "; the client that did it is no longer connected"
        probability = 0.94 if said and (emptied or now) else 0.6 if now else 0.4
        yield view.cause("data-gone", probability, f"{why}; {keys:.0f} keys are here now. {others}", *cited, *clients)
        return
    lived = _lived_before(view)
    if not said:
        yield from _unsaid(view, limits, flushed, lived, others, cited)
        return
    up = view.number("info", "uptime_in_seconds") or 0
    # A log that begins with this very start indicates a new server, not a restarted one.
    new = not lived and view.number("log", "started_age") is not None
    removed = not lived and (evicted or (expired and expired >= _NEARLY_ALL * max(keys, 1)))
    short = short_lived(view, limits) if missing(view, limits) else None
    lost = lost_keys(view)
    if (
        lost and lost.first - lost.now >= limits["data_lost_share"] * lost.first
        and (evicted or 0) + (expired or 0) < (lost.first - lost.now) / 2
    ):  # fmt: skip
        # Neither evicted nor expired, so somebody deleted them.
        why = f"Deleted: {lost.first:.0f} keys were here until {lost.until}, {lost.now:.0f} are here now, according to "
        why += f"the history, and DEL and UNLINK were called {times(_deleted(view))} since startup. {others}"
        by_del = tuple(("commandstats", f"{name}.calls") for name in DELETIONS)
        yield view.cause("data-gone", 0.88, why, *lost.cited, *by_del, *cited)
    elif view.text("info", "role") == "slave" and _synced_empty(view, limits):
        why = f"Synced from an empty primary: this replica copied it and now has {keys:.0f} keys. {others}"
        yield view.cause("data-gone", 0.85, why, *cited, *_SYNCED)
    elif short and not (lived and _began_empty(view, limits)):
        yield view.cause("data-gone", 0.7, f"Expired: {short[0]} {others}", *short[1], *cited)
    elif emptied and _shrunk(view) and (deleted := _deleted(view)) and not (evicted or expired or lived):
        why = "Deleted: it has held far more since it started than it does now, and DEL and UNLINK were called"
        why += f" {times(deleted)}; nothing was evicted or expired. {others}"
        yield view.cause("data-gone", 0.6, why, *(("commandstats", f"{name}.calls") for name in DELETIONS), *cited)
    elif _began_empty(view, limits) and not (removed and missing(view, limits)):
        # Without a log, a server that holds keys may as well be new.
        likely = 0.93 if lived else 0.3 if new else 0.75 if emptied and not keys else 0.45
        why = f"Restarted empty: it started {up:.0f} s ago, keeps neither snapshots nor an append-only file, and loaded"
        why += f" nothing; {keys:.0f} keys have been added since. {others}"
        more = (("persistence", "config.save"), ("persistence", "aof_enabled"), ("log", "previous_pid"),
                ("log", "started_age"), ("log", "previous_end"), ("disk", "rdb_bytes"),
                ("info", "connected_slaves"))  # fmt: skip
        yield view.cause("data-gone", likely, why, ("info", "uptime_in_seconds"), *more, *cited)
    elif evicted and missing(view, limits) and evicted >= limits["data_removed_share"] * (keys + evicted):
        policy = view.text("memory", "maxmemory_policy")
        why = f"Evicted: {evicted:.0f} keys have been removed since startup to make room ({policy}). {others}"
        likely = 0.85 if hardly_written(view) else 0.7
        yield view.cause("data-gone", likely, why, ("keyspace", "evicted_keys"), ("memory", "maxmemory_policy"), *cited)
    elif expired and emptied and missing(view, limits) and expired >= _NEARLY_ALL * max(keys, 1):
        why = (
            f"Expired: the time to live of {expired:.0f} keys has ended since startup; {keys:.0f} keys remain. {others}"
        )
        yield view.cause("data-gone", 0.75, why, ("info", "expired_keys"), ("commandstats", "expire.calls"), *cited)


def _unsaid(view: View, limits: Limits, flushed: float, lived: bool, others: str, cited: tuple[Cited, ...]) -> Found:
    """Missing data that nobody mentions: clients look it up in vain, and it's known what removed it."""
    synced = view.text("info", "role") == "slave" and _synced_empty(view, limits)
    restarted = lived and _began_empty(view, limits)
    if not (missing(view, limits) and (restarted or (_shrunk(view) and (synced or flushed)))):
        return
    up = view.number("info", "uptime_in_seconds") or 0
    why = (
        "Synced from an empty primary: this replica had data since its last "
        "start and then copied a primary without any" if synced
        else f"Restarted empty: it started {up:.0f} s ago without snapshots or an append-only file" if restarted
        else f"Flushed: FLUSHALL or FLUSHDB was called {times(flushed)} since startup"
    )  # fmt: skip
    # A cache emptied on purpose is refilled by clients that miss.
    empty = view.number("keyspace", "keys") == 0
    why += (
        f", and clients look up keys that don't exist{'' if empty else ', which can be normal for a cache'}. {others}"
    )
    yield view.cause("data-gone", 0.6 if empty else UNSAID, why, ("log", "previous_pid"), *_SYNCED,
                     ("persistence", "config.save"), ("persistence", "aof_enabled"), *cited)  # fmt: skip


_SYNCED: tuple[Cited, ...] = ("info", "role"), ("log", "full_resync.count"), ("log", "load_done.keys")


def _synced_empty(view: View, limits: Limits) -> bool:
    if _shrunk(view) and view.number("log", "load_done.keys") == 0 and (view.number("log", "load_done.count") or 0) > 0:
        # What it last loaded was empty, after it had held data in this run.
        return True
    primaries = [peer for peer in view.peers if peer.text("info", "role") == "master"]
    # A primary as new as its replica never had what is missing.
    return any(
        _began_empty(peer, limits) and (_lived_before(peer) or peer.number("keyspace", "keys") == 0)
        for peer in primaries
    )


def _others(view: View, flushed: float, evicted: float | None, expired: float | None) -> str:
    """The five as they were read, whichever it was."""
    up, role = view.number("info", "uptime_in_seconds") or 0, view.text("info", "role")
    loaded = view.get("log", "loaded.count") is not None or view.get("log", "load_done.count") is not None
    parts = [
        f"flushes {flushed:.0f}", f"evicted {evicted:.0f}" if evicted is not None else "evictions not read",
        f"expired {expired:.0f}" if expired is not None else "expiries not read",
        f"up {up:.0f} s{' and data was loaded at startup' if loaded else ''}",
        "a replica of another server" if role == "slave" else "not a replica now",
    ]  # fmt: skip
    return f"Counters since startup: {', '.join(parts)}."


def queue_evicted(view: View, limits: Limits) -> Found:
    """Any key may be evicted, keys are being evicted, and queues are consumed here: jobs are evicted with the rest."""
    policy, evicted = view.text("memory", "maxmemory_policy"), view.number("keyspace", "evicted_keys")
    now = view.number("keyspace", "evicted_keys.delta") or 0
    pops = {name: count for name in POPS if (count := view.number("commandstats", f"{name}.calls"))}
    if not policy.startswith("allkeys") or not evicted or not pops:
        if policy and not policy.startswith("allkeys") and pops and evicted:
            because = f"The policy is {policy}: a queue without a time to live isn't evicted."
            yield view.not_("queue-evicted", because, ("memory", "maxmemory_policy"))
        return
    command = max(pops, key=pops.__getitem__)
    by, clients = who(view, command)
    cited = (
        ("memory", "maxmemory_policy"), ("keyspace", "evicted_keys"), ("keyspace", "evicted_keys.delta"),
        ("commandstats", f"{command}.calls"), ("memory", "maxmemory_used_share"), *clients,
    )  # fmt: skip
    why = (
        f"{evicted:.0f} keys were evicted since startup, {now:.0f} over the "
        f"window, under {policy}, and there are queues"
    )
    why += (
        f" here ({command.upper()} by {by or 'clients'}): a queue is a single "
        "key, and can be evicted without any error."
    )
    said = mention(JOBS_LOST, view.symptom) is not None
    if said:
        yield view.cause("queue-evicted", 0.94 if now else 0.85, why, *cited)
    else:
        yield view.cause("queue-evicted", 0.85 if now else 0.3, why, *cited)


def flushed_by(view: View) -> tuple[str, ...]:
    """Who flushed, if that's the reason."""
    if not _flushes(view):
        return ()
    by, _ = _flushers(view)
    return (f"({by}) " if by else "",)


def flush_rights(view: View) -> tuple[str, ...]:
    """The user for the ACL rule, if data was flushed and the server isn't open to all."""
    return ("the applications' users",) if _flushes(view) and not exposed(view) else ()


FAMILY = Family(
    checks=(data_gone, wrong_database, queue_evicted),
    needs={
        "data-gone": ("info", "commandstats", "keyspace"), "wrong-database": ("clients", "keyspace"),
        "queue-evicted": ("info", "commandstats"),
    },
    consequences={
        "queue-evicted": {"eviction-churn": 0.5, "data-gone": 0.5},
        "wrong-database": {"data-gone": 0.4},
        "eviction-churn": {"data-gone": 0.6},
        "maxmemory-shrunk": {"data-gone": 0.5, "queue-evicted": 0.7},
        "aof-enabled-by-restart": {"data-gone": 0.4},
        "mass-expiry": {"data-gone": 0.6},
        "oom-killed": {"data-gone": 0.7},
    },
    placeholders=(
        Placeholder(name="flushed_by", example="(batch at 10.0.0.5) ", values=flushed_by),
        Placeholder(name="flush_rights", example="the applications' users", values=flush_rights),
        Placeholder(name="ttl_setter", example="session-store (PEXPIREAT)", values=lifetime_setter),
        Placeholder(name="right_database", example="0", values=right_database),
        Placeholder(name="emptied_database", example="1", values=wrong_readers_database),
    ),
)  # fmt: skip
