"""Memory: what the server does when it's full, and what filled it."""

import re

from agent.checks import buffers
from agent.checks.filling import until_full_words
from agent.checks.from_history import set_lately
from agent.checks.holders import PLACEHOLDERS
from agent.checks.limits_reached import FULL, HELD, hardly_written, out_of_memory, over, refused
from agent.checks.replica_own import evicted_here
from agent.checks.types import Family, Found, Limits, Placeholder
from agent.checks.versus_baseline import against
from agent.checks.words import MEMORY
from agent.evidence.report_words import mention
from agent.evidence.view import Cited, View

_UNITS = {"": 1, "k": 1000, "kb": 1 << 10, "m": 10**6, "mb": 1 << 20, "g": 10**9, "gb": 1 << 30}
_MIB = 1 << 20


def size(text: str) -> int | None:
    """Bytes of a size in a configuration, such as 100mb; None for anything else."""
    match = re.fullmatch(r"(\d+)([a-z]*)", text.strip().lower())
    return int(match[1]) * _UNITS[match[2]] if match and match[2] in _UNITS else None


@against("evicted_per_second", falls=("hit_ratio",))
def eviction_churn(view: View, limits: Limits) -> Found:
    """Keys are evicted and requested again. A full cache that nearly always hits is as it should be."""
    evicted, rate = view.number("keyspace", "evicted_keys.delta"), view.number("keyspace", "evicted_keys.rate") or 0
    hits, misses = view.number("keyspace", "keyspace_hits.delta"), view.number("keyspace", "keyspace_misses.delta") or 0
    ratio = view.number("keyspace", "hit_ratio")
    cited = (
        ("keyspace", "evicted_keys.delta"), ("keyspace", "keyspace_misses.delta"), ("keyspace", "hit_ratio"),
        ("memory", "maxmemory_used_share"), ("memory", "maxmemory_policy"), *HELD,
    )  # fmt: skip
    share = over(view)
    if evicted == 0 and (view.number("keyspace", "evicted_keys") or 0) > 0 and share is not None and share < FULL:
        # In a full cache nothing is evicted while nobody writes; the next write evicts again.
        because = f"Keys were evicted since startup, but none over the window; {share:.0%} of maxmemory is in use."
        yield view.not_("eviction-churn", because, cited[0], cited[3])
    if not evicted or hits is None or ratio is None:
        return
    missed = 1 - ratio
    why = f"{rate:.0f} keys a second are evicted, and {missed:.0%} of the lookups miss: the working set doesn't fit."
    enough = hits + misses >= limits["eviction_lookups"] and evicted >= misses / 10
    if view.text("info", "role") == "slave":
        why = (
            f"This replica evicts {rate:.0f} keys a second by itself (replica-ignore-maxmemory is no): they are "
            f"missing here while its primary still has them, and {missed:.0%} of the lookups here miss."
        )
        yield view.cause("eviction-churn", 0.9 if misses else 0.6, why, *cited, ("info", "role"))
    elif enough and ratio <= limits["eviction_hit_ratio"] and hardly_written(view):
        # A full cache also evicts a few for any buffer, including ours.
        why += " But hardly anything is being written: the missing keys were evicted earlier."
        yield view.cause("eviction-churn", 0.4, why, *cited, ("commandstats", "writes.calls.delta"))
    elif enough and ratio <= limits["eviction_hit_ratio"]:
        yield view.cause("eviction-churn", 0.93, why, *cited)
    elif enough and ratio <= (1 + limits["eviction_hit_ratio"]) / 2:
        yield view.cause("eviction-churn", 0.48, why, *cited)
    else:
        because = f"Keys are evicted, but {ratio:.0%} of the lookups hit: a full cache working normally."
        yield view.not_("eviction-churn", because, *cited[:3])


def maxmemory_shrunk(view: View, limits: Limits) -> Found:
    """maxmemory was set below what was in use, according to the log or a history, or else the file or a peak far above
    the limit."""
    limit, peak = view.number("memory", "maxmemory"), view.number("memory", "used_memory_peak")
    evicted = view.number("keyspace", "evicted_keys") or 0
    stuck = view.text("memory", "maxmemory_policy") == "noeviction" and (over(view) or 0) >= 1
    if not limit or not peak or not (evicted or refused(view) or stuck):
        return
    if view.number("memory", "window_seconds") and (view.number("memory", "maxmemory_used_share") or 0) < FULL / 2:
        return
    logged, before = view.number("log", "maxmemory_below_use.maxmemory"), view.number("log", "maxmemory_below_use.used")
    age = view.number("log", "maxmemory_below_use.newest_age")
    cited: tuple[Cited, ...] = (
        ("log", "maxmemory_below_use.maxmemory"), ("log", "maxmemory_below_use.used"),
        ("log", "maxmemory_below_use.newest_age"), ("memory", "maxmemory"), ("memory", "used_memory_peak"),
        ("keyspace", "evicted_keys"), ("config_drift", "maxmemory.file"), ("config_drift", "maxmemory.running"),
    )  # fmt: skip
    if logged == limit and before is not None:
        recent = age is None or age <= limits["shrunk_recent_seconds"]
        why = f"maxmemory was set to {limit / _MIB:.0f} MiB while {before / _MIB:.0f} MiB was in use"
        if age is not None:
            why += f", {age:.0f} s ago"
        if evicted:
            yield view.cause(
                "maxmemory-shrunk", 0.96 if recent else 0.45, f"{why}: keys that no longer fit were evicted.", *cited
            )
        else:
            # No key was evicted, so what people see is that nothing can be written.
            yield view.cause("maxmemory-shrunk", 0.75 if recent else 0.45, f"{why}; nothing was evicted.", *cited)
    elif (changed := set_lately(view, "maxmemory")) and _lowers(changed.before, changed.after) and peak > limit:
        why = f"maxmemory was set from {changed.before} to {changed.after} at {changed.when}, according to the history"
        why += f"; up to {peak / _MIB:.0f} MiB had been in use."
        yield view.cause("maxmemory-shrunk", 0.95 if evicted else 0.75, why, *changed.cited, *cited[3:6])
    elif peak >= limits["shrunk_peak_ratio"] * limit:
        lowered = _lower_than_file(view, limit)
        why = f"Up to {peak / _MIB:.0f} MiB was in use, but maxmemory is {limit / _MIB:.0f} MiB: it was lowered"
        why += " below the configuration file's value." if lowered else ", or something other than keys used it."
        likely = 0.9 if lowered else 0.55 if logged is None else 0.4
        yield view.cause("maxmemory-shrunk", likely if evicted else min(likely, 0.75), why, *cited[3:])
    else:
        because = f"No more than {peak / _MIB:.0f} MiB was ever in use under the limit of {limit / _MIB:.0f} MiB."
        yield view.not_("maxmemory-shrunk", because, ("memory", "used_memory_peak"), ("memory", "maxmemory"))


def _lowers(before: str, after: str) -> bool:
    """Whether a change of maxmemory lowered it; 0 is no limit."""
    old, new = size(before), size(after)
    return old is not None and bool(new) and (old == 0 or old > (new or 0))


def _lower_than_file(view: View, limit: float) -> bool:
    if view.number("config_drift", "maxmemory.running") is None or view.number("config_drift", "set_calls") == 0:
        # Nobody has set it since the start: it is on the command line.
        return False
    written = size(view.text("config_drift", "maxmemory.file") or "0")
    return written is not None and (written == 0 or written > limit)


GROWS: tuple[Cited, ...] = (
    ("memory", "mem_clients_normal.delta"), ("memory", "mem_clients_slaves.delta"), ("memory", "mem_aof_buffer.delta"),
)  # fmt: skip
"""Buffers without a limit of their own; the replication backlog has one."""
GROWTH_SHARE = 0.01
"""Share of what buffers hold, per second."""


LOGGED = 10_000
"""Entries of the slow log from which on it's worth naming where memory climbs: half a kilobyte each, and more."""


def _kept_by_slow_log(view: View) -> Found:
    """A slow log that keeps every command, and is never full."""
    entries, most = view.number("slowlog", "len") or 0, view.number("config_get", "slowlog-max-len")
    if entries < LOGGED or mention(MEMORY, view.symptom) is None:
        return
    least = view.number("config_get", "slowlog-log-slower-than")
    why = f"The slow log has {entries:.0f} entries"
    why += f" and keeps up to {most:.0f}" if most else ""
    why += f", of every command that takes {least:.0f} us or more" if least is not None else ""
    yield view.cause(
        "nonkey-memory", 0.75, f"{why}: they count as used memory, with all their arguments.", ("slowlog", "len"),
        ("config_get", "slowlog-max-len"), ("config_get", "slowlog-log-slower-than"), ("memory", "used_memory.delta"),
    )  # fmt: skip


def nonkey_memory(view: View, limits: Limits) -> Found:
    """Something other than data takes much of the memory, and the server is full or growing because of it."""
    owner, held = view.text("memory", "largest_overhead"), view.number("memory", "buffers_bytes")
    limit, share = view.number("memory", "maxmemory") or 0, view.number("memory", "buffers_share")
    data = view.number("memory", "dataset_share")
    yield from _kept_by_slow_log(view)
    if held is None or share is None:
        return
    cited = (
        ("memory", "largest_overhead"), ("memory", "largest_overhead_bytes"), ("memory", "buffers_share"),
        ("memory", "dataset_share"), ("memory", "maxmemory_used_share"), ("memory", f"owner.{owner}"),
    )  # fmt: skip
    full = (view.number("memory", "maxmemory_used_share") or 0) >= FULL
    why = f"{held / _MIB:.0f} MiB, {share:.0%} of the used memory, is buffers, most of them {owner}'s; "
    why += f"the data takes {data:.0%}." if data is not None else "the data takes the rest."
    takes = held >= limits["nonkey_bytes"] and share >= limits["nonkey_share"]
    if takes and full and held >= limits["nonkey_share"] * limit:
        yield view.cause("nonkey-memory", 0.94, f"{why} maxmemory is reached.", *cited)
    elif takes and (rate := _buffers_grow(view, held)):
        why += f" They grow by {rate / _MIB:.1f} MiB a second.{until_full_words(view)}"
        yield view.cause("nonkey-memory", 0.9 if mention(MEMORY, view.symptom) else 0.8, why, *cited, *GROWS)
    elif takes and limit and held >= limits["nonkey_share"] * limit:
        # It isn't full yet, but half of what it may use is gone.
        asked = mention(MEMORY, view.symptom) is not None
        yield view.cause("nonkey-memory", 0.7 if asked else 0.45, why, *cited, ("memory", "maxmemory"))
    elif takes and held >= 10 * limits["nonkey_bytes"]:
        yield view.cause("nonkey-memory", 0.7 if mention(MEMORY, view.symptom) else 0.45, why, *cited)
    elif share < limits["nonkey_share"] and full:
        because = f"Buffers of clients, replicas and the AOF take {share:.0%} of the used memory."
        yield view.not_("nonkey-memory", because, ("memory", "buffers_share"), ("memory", "dataset_share"))


def _buffers_grow(view: View, held: float) -> float | None:
    """Bytes per second by which buffers without a limit of their own grow; None if they don't, or only briefly."""
    seconds = view.number("memory", "window_seconds")
    if not seconds:
        return None
    grown = {field: view.number("memory", field) or 0 for _, field in GROWS}
    field = max(grown, key=lambda name: grown[name])
    rate = grown[field] / seconds
    if rate < GROWTH_SHARE * held:
        return None
    if field == "mem_clients_normal.delta":
        # A reply or a request on its way is gone at the second look.
        kept = sum(view.number("clients", name) or 0 for name in ("omem_max", "qbuf_max", "argv_mem_max"))
        return rate if kept >= held / 2 else None
    if field == "mem_clients_slaves.delta":
        # During a replica's full sync, what is written meanwhile waits for it.
        online, all_of_them = (view.number("replication", name) for name in ("replicas_online", "connected_slaves"))
        return rate if online is not None and online == all_of_them else None
    return rate


def script_cache(view: View, limits: Limits) -> Found:
    """Every call brings another script, and the server keeps them or is busy dropping them."""
    scripts, more = view.number("memory", "number_of_cached_scripts"), view.number(
        "memory", "number_of_cached_scripts.delta")  # fmt: skip
    dropped, held = view.number("info", "evicted_scripts.delta") or 0, view.number("memory", "owner.scripts") or 0
    if scripts is None:
        return
    cited = (
        ("memory", "number_of_cached_scripts"), ("memory", "number_of_cached_scripts.delta"),
        ("memory", "owner.scripts"), ("memory", "largest_overhead"), ("info", "evicted_scripts.delta"),
        ("commandstats", "eval.calls.delta"),
    )  # fmt: skip
    many, grows = scripts > limits["cached_scripts"], (more or 0) > 0
    why = f"{scripts:.0f} scripts are cached, {held / _MIB:.1f} MiB"
    large = held >= limits["script_bytes"]
    if many and grows:
        why += f", {more:.0f} more over the window: the same code keeps arriving with different values written into it."
        yield view.cause("script-cache-bloat", 0.94, why, *cited)
    elif many:
        yield view.cause("script-cache-bloat", 0.7 if large else 0.4, f"{why}, none new over the window.", *cited)
    elif dropped >= limits["cached_scripts"] / 100:
        why = f"{dropped:.0f} scripts were dropped over the window to make room for new ones: each call brings another."
        yield view.cause("script-cache-bloat", 0.6, why, *cited)
    elif mention(MEMORY, view.symptom):
        yield view.not_("script-cache-bloat", f"{scripts:.0f} scripts are cached.", cited[0])


def _room(view: View) -> float | None:
    """The highest maxmemory in bytes that the machine and its control group have room for; None if unknown."""
    limit, free = view.number("memory", "maxmemory"), view.number("machine", "memory_available_bytes")
    # Half of what is free is left for a fork's copies and for buffers; of a control group's limit, 30 %.
    bounds = [limit + free / 2] if limit and free is not None else []
    if (group := view.number("process", "cgroup_memory_limit")) is not None:
        bounds.append(0.7 * group)
    return min(bounds, default=None)


def maxmemory_target(view: View) -> tuple[str, ...]:
    """A higher maxmemory, in bytes, if there is room for one."""
    limit, room = view.number("memory", "maxmemory"), _room(view)
    if not limit or room is None:
        return ()
    # With less than a tenth above what is in use, it would be full again at once.
    held = limit * max(1.0, view.number("memory", "maxmemory_used_share") or 0)
    target = min(max(2 * limit, 1.25 * held), room)
    return (f"{target:.0f}",) if target >= 1.1 * held else ()


def maxmemory_before(view: View) -> tuple[str, ...]:
    """The maxmemory before it was lowered, in bytes, if known and there is room for it."""
    limit, room = view.number("memory", "maxmemory"), _room(view)
    before = size(view.text("config_drift", "maxmemory.file")) or view.number("log", "maxmemory_below_use.used")
    if not limit or room is None or not before or before <= limit:
        return ()
    # The log only says what was in use then; what is in use now has to fit too, or the step would be refused.
    before = max(before, 1.1 * limit * (view.number("memory", "maxmemory_used_share") or 0))
    return (f"{before:.0f}",) if before <= room else ()


FAMILY = Family(
    checks=(out_of_memory, eviction_churn, evicted_here, maxmemory_shrunk, nonkey_memory, script_cache),
    needs={
        "oom-noeviction": ("info",), "oom-volatile-no-ttl": ("keyspace",), "eviction-churn": ("info",),
        "maxmemory-shrunk": (), "nonkey-memory": ("memory",), "script-cache-bloat": ("memory",),
    },
    consequences={
        # Refused applications reconnect and try again.
        "oom-noeviction": {"connection-churn": 0.4},
        # The few keys that do expire are evicted first, and are then missed.
        "oom-volatile-no-ttl": {"connection-churn": 0.4, "eviction-churn": 0.5},
        "maxmemory-shrunk": {
            "eviction-churn": 0.6, "config-drift": 0.6, "oom-noeviction": 0.8, "oom-volatile-no-ttl": 0.8,
            "connection-churn": 0.4,
        },
        "nonkey-memory": {
            "oom-noeviction": 0.7, "oom-volatile-no-ttl": 0.7, "eviction-churn": 0.7, "connection-churn": 0.4,
        },
        "slow-consumer-output": {"nonkey-memory": 0.5, "eviction-churn": 0.6, "oom-noeviction": 0.7},
        "query-buffer-hog": {"nonkey-memory": 0.5, "eviction-churn": 0.6, "oom-noeviction": 0.7},
        "replica-output-loop": {"nonkey-memory": 0.5},
        "replica-lag": {"nonkey-memory": 0.6},
        "aof-disk-full": {"nonkey-memory": 0.5},
    },
    placeholders=(
        Placeholder(name="maxmemory_target", example="2147483648", values=maxmemory_target),
        *PLACEHOLDERS,
        *buffers.PLACEHOLDERS,
        Placeholder(name="maxmemory_before", example="2147483648", values=maxmemory_before),
    ),
)  # fmt: skip
