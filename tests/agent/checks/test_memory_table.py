"""Memory, snapshots and the append-only file: each threshold's two sides."""

from collections.abc import Mapping
from typing import Any

import pytest

from agent.checks.appendonly import always, damaged, emptied, everysec, megabytes, refused_by_aof
from agent.checks.filling import LEAST_BYTES
from agent.checks.footprint import after_peak, fragmentation, oom_killed, swapping
from agent.checks.lasting_keys import ttl_leak
from agent.checks.limits_reached import FULL as REACHED
from agent.checks.limits_reached import out_of_memory
from agent.checks.memory import (
    eviction_churn,
    maxmemory_shrunk,
    nonkey_memory,
    script_cache,
    size,
)
from agent.checks.persistence import copy_on_write, failed_snapshot
from agent.checks.types import Check
from tests.agent.checks.rows import LIMITS, Expected, Given, Row, found, table
from tools.records import Values

ASKED = {"symptom": "Redis uses more and more memory"}
REFUSAL = {"symptom": "redis: OOM command not allowed when used memory > 'maxmemory'."}
MIB = 1 << 20
NOEVICTION, VOLATILE, EVICTED = "oom-noeviction", "oom-volatile-no-ttl", "eviction-churn"
HIT, LOOKUPS, COVERED = LIMITS["eviction_hit_ratio"], LIMITS["eviction_lookups"], LIMITS["volatile_ttl_share"]
SHRUNK, PEAK, RATIO = "maxmemory-shrunk", LIMITS["shrunk_recent_seconds"], LIMITS["shrunk_peak_ratio"]
BUFFERS, PART = LIMITS["nonkey_bytes"], LIMITS["nonkey_share"]
SCRIPTS, KEPT, PASSING = LIMITS["cached_scripts"], LIMITS["ttl_leak_keys_per_second"], LIMITS["ttl_leak_share"]


def full(policy: str, errors: int = 1, **keyspace: float) -> Given:
    return {
        "info": {"errorstat_OOM.count.delta": errors}, "memory": {"maxmemory_policy": policy}, "keyspace": {**keyspace},
    }  # fmt: skip


def lookups(hits: float, misses: float, evicted: float = 100, **more: Values) -> Given:
    values: Values = {
        "evicted_keys.delta": evicted, "keyspace_hits.delta": hits, "keyspace_misses.delta": misses,
        "hit_ratio": hits / (hits + misses),
    }  # fmt: skip
    return {"keyspace": values, **more}


def quiet(policy: str, share: float, errors: int = 0, **keyspace: float) -> Given:
    """A window in which nobody wrote."""
    return {
        "info": {"errorstat_OOM.count": errors, "errorstat_OOM.count.delta": 0, "role": "master"},
        "memory": {"maxmemory_policy": policy, "maxmemory_used_share": share}, "keyspace": {**keyspace},
    }  # fmt: skip


def shrunk(peak: float, share: float = 1.0, evicted: int = 1, policy: str = "", **more: Values) -> Given:
    memory: Values = {
        "maxmemory": 100 * MIB, "used_memory_peak": peak * MIB, "maxmemory_used_share": share, "window_seconds": 2.0,
        "maxmemory_policy": policy,
    }  # fmt: skip
    return {"memory": memory, "keyspace": {"evicted_keys": evicted}, **more}


def resized(before: str, after: str, parameter: str = "maxmemory") -> Values:
    return {
        "config1.parameter": "hz", "config1.before": "10", "config1.after": "20",
        "config1.when": "2026-01-31T01:55:00Z",
        "config2.parameter": parameter, "config2.before": before, "config2.after": after,
        "config2.when": "2026-01-31T01:45:00Z",
    }  # fmt: skip


def logged(age: float | None, limit: int = 100) -> Values:
    aged: Values = {} if age is None else {"maxmemory_below_use.newest_age": age}
    return {"maxmemory_below_use.maxmemory": limit * MIB, "maxmemory_below_use.used": 150 * MIB, **aged}


def buffers(held: float, share: float, used: float = 1.0, limit: float = 0) -> Given:
    return {"memory": {
        "buffers_bytes": held, "buffers_share": share, "maxmemory_used_share": used, "maxmemory": limit,
        "largest_overhead": "clients_normal",
    }}  # fmt: skip


def swelling(held: float, share: float, kept: float) -> Given:
    """Clients' buffers that grew by a share of themselves over two seconds, and what one client still holds then."""
    given = buffers(held, PART, 0)
    memory: Values = {**given["memory"], "mem_clients_normal.delta": share * held, "window_seconds": 2.0}
    return {"memory": memory, "clients": {"omem_max": kept}}


def cached(scripts: float, more: float = 0, held: float = 0, dropped: float = 0) -> Given:
    return {
        "memory": {
            "number_of_cached_scripts": scripts, "number_of_cached_scripts.delta": more, "owner.scripts": held,
        },
        "info": {"evicted_scripts.delta": dropped},
    }  # fmt: skip


def coming(lasting: float, passing: float, coverage: float = 0.1, **more: Values) -> Given:
    """Over one second: keys that stay, and keys with a time to live."""
    keyspace: Values = {
        "keys.delta": lasting + passing, "expires.delta": passing, "ttl_coverage": coverage, "window_seconds": 1.0,
    }  # fmt: skip
    return {"keyspace": {**keyspace, **more.pop("keyspace", {})}, **more}


MEMORY: list[Row] = [
    ("refused, and nothing is evicted", out_of_memory, full("noeviction"), {NOEVICTION: "sure", VOLATILE: "not"}),
    ("refused before, and how full it is wasn't read", out_of_memory,
     {"info": {"errorstat_OOM.count": 5, "errorstat_OOM.count.delta": 0}}, {}),
    ("refused before, and there is room again", out_of_memory, quiet("noeviction", REACHED - 0.01, 5),
     {NOEVICTION: "not"}),
    ("refused before, and nearly full", out_of_memory, quiet("noeviction", REACHED, 5),
     {NOEVICTION: "likely", VOLATILE: "not"}),
    ("full, and nobody writes", out_of_memory, quiet("noeviction", 1.0), {NOEVICTION: "sure", VOLATILE: "not"}),
    ("far over the limit, and nobody writes", out_of_memory, quiet("noeviction", 2.16),
     {NOEVICTION: "sure", VOLATILE: "not"}),
    ("nearly full, by figures alone", out_of_memory, quiet("noeviction", 0.99), {}),
    ("nearly full, and a client quotes the refusal", out_of_memory, quiet("noeviction", 0.99),
     {NOEVICTION: "likely", VOLATILE: "not"}, REFUSAL),
    ("room, whatever a client quotes", out_of_memory, quiet("noeviction", 0.5), {}, REFUSAL),
    ("a replica over its limit", out_of_memory,
     {"memory": {"maxmemory_policy": "noeviction", "maxmemory_used_share": 1.2}, "info": {"role": "slave"}}, {}),
    ("full without a key that expires, and nobody writes", out_of_memory,
     quiet("volatile-lru", 1.0, ttl_coverage=0.0, keys=10, expires=0), {VOLATILE: "sure", NOEVICTION: "not"}),
    ("full with a few that expire, and nobody writes", out_of_memory,
     quiet("volatile-lru", 1.0, ttl_coverage=COVERED, keys=1000, expires=10), {VOLATILE: "maybe", NOEVICTION: "not"}),
    ("full with some that expire, and nobody writes", out_of_memory,
     quiet("volatile-lru", 1.0, ttl_coverage=COVERED * 2, keys=1000, expires=20), {}),
    ("full with a keyspace unread, and nobody writes", out_of_memory, quiet("volatile-lru", 1.0), {VOLATILE: "hint"}),
    ("a full cache that nobody writes to", out_of_memory, quiet("allkeys-lru", 1.0), {}),
    ("never refused", out_of_memory, {"info": {"errorstat_OOM.count": 0}}, {}),
    ("no key expires", out_of_memory, full("volatile-lru", ttl_coverage=COVERED, keys=10),
     {VOLATILE: "sure", NOEVICTION: "not"}),
    ("no key at all", out_of_memory, full("volatile-lru", keys=0), {VOLATILE: "sure", NOEVICTION: "not"}),
    ("the keyspace unread", out_of_memory, full("volatile-lru"), {VOLATILE: "maybe"}),
    ("what expires unread", out_of_memory, full("volatile-lru", keys=10), {VOLATILE: "maybe"}),
    ("some keys expire", out_of_memory, full("volatile-lru", ttl_coverage=COVERED * 1.1, keys=10), {VOLATILE: "maybe"}),
    ("every key may go", out_of_memory, full("allkeys-lru"), {NOEVICTION: "hint"}),
    ("every key may go, and some do", out_of_memory, full("allkeys-lru", **{"evicted_keys.delta": 5}),
     {NOEVICTION: "hint", VOLATILE: "not"}),
    ("the policy isn't known", out_of_memory, {"info": {"errorstat_OOM.count.delta": 1}}, {NOEVICTION: "hint"}),
    # eviction_churn
    ("evicted and missed", eviction_churn, lookups(HIT * 100, 100 - HIT * 100), {EVICTED: "sure"}),
    ("evicted by a replica itself, where nobody writes", eviction_churn,
     lookups(40, 60, info={"role": "slave"}, commandstats={"writes.calls.delta": 0}), {EVICTED: "sure"}),
    ("missed a little less", eviction_churn, lookups(HIT * 100 + 1, 99 - HIT * 100), {EVICTED: "hint"}),
    ("missed half as much", eviction_churn, lookups(90, 10), {EVICTED: "hint"}),
    ("a full cache at work", eviction_churn, lookups(91, 9), {EVICTED: "not"}),
    ("just enough lookups", eviction_churn, lookups(LOOKUPS / 2, LOOKUPS / 2), {EVICTED: "sure"}),
    ("too few lookups", eviction_churn, lookups(LOOKUPS / 2 - 1, LOOKUPS / 2), {EVICTED: "not"}),
    ("misses of what never was there", eviction_churn, lookups(10, 100, 10), {EVICTED: "sure"}),
    ("far more misses than evictions", eviction_churn, lookups(10, 101, 10), {EVICTED: "not"}),
    ("evicted before", eviction_churn, {"keyspace": {"evicted_keys": 9, "evicted_keys.delta": 0}}, {}),
    ("evicted before, and there is room again", eviction_churn,
     {"keyspace": {"evicted_keys": 9, "evicted_keys.delta": 0}, "memory": {"maxmemory_used_share": REACHED - 0.01}},
     {EVICTED: "not"}),
    ("evicted before, and still full", eviction_churn,
     {"keyspace": {"evicted_keys": 9, "evicted_keys.delta": 0}, "memory": {"maxmemory_used_share": REACHED}}, {}),
    ("never evicted", eviction_churn, {"keyspace": {"evicted_keys": 0, "evicted_keys.delta": 0}}, {}),
    ("evicted, and nobody looks", eviction_churn, {"keyspace": {"evicted_keys.delta": 9}}, {}),
    ("misses that nobody writes back", eviction_churn,
     lookups(0, 100, commandstats={"writes.calls.delta": 9}), {EVICTED: "hint"}),
    ("misses that some write back", eviction_churn, lookups(0, 100, commandstats={"writes.calls.delta": 10}),
     {EVICTED: "sure"}),
    ("missed more than on the good day", eviction_churn,
     lookups(90, 10, baseline={"hit_ratio.before": 0.99, "hit_ratio.now": 0.3}), {EVICTED: "likely"}),
    # maxmemory_shrunk
    ("set lower by the log", maxmemory_shrunk, shrunk(160, log=logged(PEAK)), {SHRUNK: "sure"}),
    ("set lower long ago", maxmemory_shrunk, shrunk(160, log=logged(PEAK + 1)), {SHRUNK: "hint"}),
    ("set lower at a time that isn't told", maxmemory_shrunk, shrunk(160, log=logged(None)), {SHRUNK: "sure"}),
    ("the log tells of another limit", maxmemory_shrunk, shrunk(160, log=logged(5, 90)), {SHRUNK: "hint"}),
    ("a peak above the limit", maxmemory_shrunk, shrunk(100 * RATIO), {SHRUNK: "maybe"}),
    ("a peak not as far above", maxmemory_shrunk, shrunk(100 * RATIO - 1), {SHRUNK: "not"}),
    ("lower than the file", maxmemory_shrunk,
     shrunk(160, config_drift={"maxmemory.running": 1, "maxmemory.file": "200mb"}), {SHRUNK: "sure"}),
    ("lowered in the history", maxmemory_shrunk, shrunk(101, history=resized("200", "100")), {SHRUNK: "sure"}),
    ("lowered from no limit", maxmemory_shrunk, shrunk(101, history=resized("0", "100")), {SHRUNK: "sure"}),
    ("lowered, and nothing went", maxmemory_shrunk,
     shrunk(101, evicted=0, share=1.0, policy="noeviction", history=resized("200", "100")), {SHRUNK: "likely"}),
    ("raised in the history", maxmemory_shrunk, shrunk(101, history=resized("50", "100")), {SHRUNK: "not"}),
    ("lowered to what was never used", maxmemory_shrunk,
     shrunk(100, history=resized("200", "100")), {SHRUNK: "not"}),
    ("another parameter in the history", maxmemory_shrunk,
     shrunk(101, history=resized("200", "100", "maxclients")), {SHRUNK: "not"}),
    ("none in the file", maxmemory_shrunk,
     shrunk(160, config_drift={"maxmemory.running": 1, "maxmemory.file": "0"}), {SHRUNK: "sure"}),
    ("as the file", maxmemory_shrunk,
     shrunk(160, config_drift={"maxmemory.running": 1, "maxmemory.file": "100mb"}), {SHRUNK: "maybe"}),
    ("a file that makes no sense", maxmemory_shrunk,
     shrunk(160, config_drift={"maxmemory.running": 1, "maxmemory.file": "lots"}), {SHRUNK: "maybe"}),
    ("nothing evicted and nothing refused", maxmemory_shrunk, shrunk(160, evicted=0), {}),
    ("set lower by the log, and nobody writes", maxmemory_shrunk,
     shrunk(160, 1.6, evicted=0, policy="noeviction", log=logged(5)), {SHRUNK: "likely"}),
    ("lower than the file, and nobody writes", maxmemory_shrunk,
     shrunk(160, 1.6, evicted=0, policy="noeviction",
            config_drift={"maxmemory.running": 1, "maxmemory.file": "200mb"}), {SHRUNK: "likely"}),
    ("refused, not evicted", maxmemory_shrunk, shrunk(160, evicted=0, info={"errorstat_OOM.count.delta": 1}),
     {SHRUNK: "maybe"}),
    ("half empty", maxmemory_shrunk, shrunk(160, 0.47), {}),
    ("half full", maxmemory_shrunk, shrunk(160, 0.475), {SHRUNK: "maybe"}),
    ("no limit", maxmemory_shrunk,
     {"memory": {"maxmemory": 0, "used_memory_peak": 9}, "keyspace": {"evicted_keys": 1}}, {}),
    # nonkey_memory
    ("buffers fill it", nonkey_memory, buffers(BUFFERS, PART), {"nonkey-memory": "sure"}),
    ("smaller buffers fill it", nonkey_memory, buffers(BUFFERS - 1, PART), {}),
    ("a smaller part", nonkey_memory, buffers(BUFFERS, PART - 0.01), {"nonkey-memory": "not"}),
    ("nearly full", nonkey_memory, buffers(BUFFERS, PART, 0.95), {"nonkey-memory": "sure"}),
    ("not full", nonkey_memory, buffers(BUFFERS, PART, 0.94), {}),
    ("not full, a smaller part", nonkey_memory, buffers(BUFFERS, PART - 0.01, 0.94), {}),
    ("half of the limit", nonkey_memory, buffers(BUFFERS, PART, limit=BUFFERS / PART), {"nonkey-memory": "sure"}),
    ("less than half of the limit", nonkey_memory, buffers(BUFFERS, PART, limit=BUFFERS / PART + 2), {}),
    ("very large ones, no limit", nonkey_memory, buffers(10 * BUFFERS, PART, 0), {"nonkey-memory": "hint"}),
    ("large ones, no limit", nonkey_memory, buffers(10 * BUFFERS - 1, PART, 0), {}),
    ("very large ones, and memory is reported", nonkey_memory, buffers(10 * BUFFERS, PART, 0),
     {"nonkey-memory": "likely"}, ASKED),
    ("a buffer that grows and stays", nonkey_memory, swelling(BUFFERS, 0.02, BUFFERS / 2), {"nonkey-memory": "likely"}),
    ("a buffer that grows and stays, and memory is reported", nonkey_memory, swelling(BUFFERS, 0.02, BUFFERS / 2),
     {"nonkey-memory": "sure"}, ASKED),
    ("a buffer that grew for a moment", nonkey_memory, swelling(BUFFERS, 0.02, BUFFERS / 2 - 1), {}),
    ("a buffer that hardly grows", nonkey_memory, swelling(BUFFERS, 0.019, BUFFERS), {}),
    ("half of the limit before it's full", nonkey_memory, buffers(BUFFERS, PART, 0.6, limit=BUFFERS / PART),
     {"nonkey-memory": "hint"}),
    ("half of the limit before it's full, and memory is reported", nonkey_memory,
     buffers(BUFFERS, PART, 0.6, limit=BUFFERS / PART), {"nonkey-memory": "likely"}, ASKED),
    ("buffers unread", nonkey_memory, {"memory": {"buffers_bytes": BUFFERS}}, {}),
    # script_cache
    ("many, and more come", script_cache, cached(SCRIPTS + 1, 1), {"script-cache-bloat": "sure"}),
    ("not too many", script_cache, cached(SCRIPTS, 1), {}),
    ("not too many, and memory is reported", script_cache, cached(SCRIPTS, 1), {"script-cache-bloat": "not"}, ASKED),
    ("many large ones", script_cache, cached(SCRIPTS + 1, 0, LIMITS["script_bytes"]), {"script-cache-bloat": "likely"}),
    ("many small ones", script_cache, cached(SCRIPTS + 1, 0, LIMITS["script_bytes"] - 1),
     {"script-cache-bloat": "hint"}),
    ("dropped for new ones", script_cache, cached(500, dropped=SCRIPTS / 100), {"script-cache-bloat": "maybe"}),
    ("fewer dropped", script_cache, cached(500, dropped=SCRIPTS / 100 - 1), {}),
    ("scripts unread", script_cache, {}, {}, ASKED),
    # ttl_leak
    ("more come to stay than used to", ttl_leak, coming(KEPT, 0, PASSING + 0.01), {"ttl-leak": "maybe"}),
    ("the same, and memory is reported", ttl_leak, coming(KEPT, 0, PASSING + 0.01), {"ttl-leak": "sure"}, ASKED),
    ("as it used to be", ttl_leak, coming(KEPT, 0, PASSING), {"ttl-leak": "hint"}),
    ("as it used to be, and memory is reported", ttl_leak, coming(KEPT, 0, PASSING), {"ttl-leak": "maybe"}, ASKED),
    ("as it used to be, and keys should have expired", ttl_leak, coming(KEPT, 0, PASSING), {"ttl-leak": "likely"},
     {"symptom": "Sessions never expire although we set a TTL"}),
    ("as it used to be, and keys expire too early", ttl_leak, coming(KEPT, 0, PASSING), {"ttl-leak": "hint"},
     {"symptom": "Sessions expire far too early"}),
    ("beside others that expire, and memory is reported", ttl_leak,
     {"keyspace": {"keys.delta": 20 * KEPT, "expires.delta": 6 * KEPT, "ttl_coverage": 0.9, "window_seconds": 1.0}},
     {"ttl-leak": "likely"}, ASKED),
    ("beside others that expire", ttl_leak,
     {"keyspace": {"keys.delta": 20 * KEPT, "expires.delta": 6 * KEPT, "ttl_coverage": 0.9, "window_seconds": 1.0}},
     {}),
    ("fewer come", ttl_leak, coming(KEPT - 1, 0, 0.5), {}),
    ("fewer come, and memory is reported", ttl_leak, coming(KEPT - 1, 0, 0.5), {"ttl-leak": "not"}, ASKED),
    ("few of them pass", ttl_leak, coming(85, 15, 0.5), {"ttl-leak": "maybe"}),
    ("more of them pass", ttl_leak, coming(84, 16, 0.5), {}),
    ("those that expired passed as well", ttl_leak, coming(85, 14, 0.5, keyspace={"expired_keys.delta": 2}), {}),
    ("room is made", ttl_leak, coming(KEPT, 0, 0.5, keyspace={"evicted_keys.delta": 1}), {}),
    ("memory falls", ttl_leak, coming(KEPT, 0, 0.5, memory={"used_memory.delta": -LEAST_BYTES - 1}), {}),
    ("a buffer went", ttl_leak, coming(KEPT, 0, 0.5, memory={"used_memory.delta": -LEAST_BYTES}),
     {"ttl-leak": "maybe"}),
    ("keys go", ttl_leak, coming(-5, 0, 0.5), {}),
    ("keys unread", ttl_leak, {"keyspace": {"keys.delta": 100.0}}, {}),
]  # fmt: skip

WASTED, HOLES = LIMITS["fragmentation_bytes"], LIMITS["fragmentation_ratio"]
SWAP, FAULTS, RESIDENT = LIMITS["swap_bytes"], LIMITS["swap_faults"], LIMITS["swapped_rss_share"]
KILL, FRESH, REMEMBERED = "oom-killed", LIMITS["oom_fresh_seconds"], LIMITS["oom_recent_seconds"]


def peak(kept: float | None, peak: float, used: float = 1000 * MIB, **more: Any) -> Given:
    memory: Values = {"used_memory": used, "used_memory_peak": peak, "used_memory_rss": 2000 * MIB, **more}
    return {"memory": memory if kept is None else memory | {"allocator_rss_bytes": kept}}


def gone(
    age: float | None, log: Values | None = None, pids: str = "", reaches: float | None = None, **process: Any
) -> Given:
    """A server that is down, and what the kernel and its own log tell of its end."""
    kernel: Values = {} if age is None else {"oom_kill.newest_age": age, "oom_kill.pids": pids}
    kernel |= {} if reaches is None else {"reaches_back": reaches}
    more: Given = {} if log is None else {"log": log}
    return {"connect": "refused", "process": {"listening": False, **process}, "kernel_log": kernel, **more}


def again(
    uptime: float, kills: int = 0, age: float | None = None, pids: str = "", reaches: float | None = None, **log: Any
) -> Given:
    """A server that is up, and whose life before just stopped."""
    kernel: Values = {"oom_kill.pids": pids} | ({} if age is None else {"oom_kill.newest_age": age})
    kernel |= {} if reaches is None else {"reaches_back": reaches}
    return {
        "info": {"uptime_in_seconds": uptime}, "process": {"cgroup_oom_kills": kills}, "kernel_log": kernel,
        "log": {"previous_end": "stops", "started_age": 100.0, "previous_pid": 77, **log},
    }  # fmt: skip


FOOTPRINT: list[Row] = [
    ("wasteful pages, memory reported", fragmentation,
     {"memory": {"allocator_frag_bytes": WASTED, "allocator_frag_ratio": HOLES}}, {"allocator-fragmentation": "sure"},
     ASKED),
    ("wasteful pages", fragmentation, {"memory": {"allocator_frag_bytes": WASTED, "allocator_frag_ratio": HOLES}},
     {"allocator-fragmentation": "maybe"}),
    ("less waste", fragmentation, {"memory": {"allocator_frag_bytes": WASTED - 1, "allocator_frag_ratio": HOLES}},
     {"allocator-fragmentation": "not"}),
    ("a smaller ratio", fragmentation,
     {"memory": {"allocator_frag_bytes": WASTED, "allocator_frag_ratio": HOLES - 0.01}},
     {"allocator-fragmentation": "not"}),
    ("an allocator that doesn't tell", fragmentation, {"memory": {"allocator_frag_ratio": 9.0}}, {}),
    ("kept after a peak, memory reported", after_peak, peak(WASTED, 1500 * MIB), {"rss-after-peak": "sure"}, ASKED),
    ("kept after a peak", after_peak, peak(WASTED, 1500 * MIB), {"rss-after-peak": "hint"}),
    ("less kept", after_peak, peak(WASTED - 1, 1500 * MIB), {}, ASKED),
    ("a lower peak", after_peak, peak(WASTED, 1500 * MIB - 1), {}, ASKED),
    ("kept by what is resident", after_peak, peak(None, 1500 * MIB, fragmentation_from="rss"),
     {"rss-after-peak": "hint"}),
    ("too little was in use at the peak", after_peak, peak(None, 1090 * MIB, fragmentation_from="rss"), {}, ASKED),
    ("kept, by nobody's word", after_peak, peak(None, 1500 * MIB), {}, ASKED),
    ("peak unread", after_peak, {"memory": {"used_memory": 5}}, {}, ASKED),
    # swapping
    ("in swap and fetched back", swapping, {"process": {"swap_bytes": SWAP, "major_faults.delta": FAULTS}},
     {"swapping": "sure"}),
    ("in swap and hardly fetched", swapping, {"process": {"swap_bytes": SWAP, "major_faults.delta": FAULTS - 1}},
     {"swapping": "hint"}),
    ("little in swap", swapping, {"process": {"swap_bytes": SWAP - 1, "major_faults.delta": FAULTS}}, {}),
    ("nothing in swap", swapping, {"process": {"swap_bytes": 0, "major_faults.delta": 50}}, {"swapping": "not"}),
    ("less resident than used", swapping,
     {"memory": {"used_memory": 2 * WASTED, "used_memory_rss": 2 * WASTED * RESIDENT - 1}}, {"swapping": "maybe"}),
    ("nearly all resident", swapping,
     {"memory": {"used_memory": 2 * WASTED, "used_memory_rss": 2 * WASTED * RESIDENT}}, {}),
    ("at the least size that tells", swapping, {"memory": {"used_memory": WASTED, "used_memory_rss": 1}},
     {"swapping": "maybe"}),
    ("a small server's says nothing", swapping, {"memory": {"used_memory": WASTED - 1, "used_memory_rss": 1}}, {}),
    # oom_killed, gone
    ("killed, and the log stops", oom_killed, gone(60, {"log_age": 58.0, "end": "stops"}), {KILL: "sure"}),
    ("killed before the log's last line", oom_killed, gone(61, {"log_age": 58.0, "end": "stops"}), {KILL: "hint"}),
    ("killed, and the log has no age", oom_killed, gone(60, {"end": "stops"}), {KILL: "sure"}),
    ("killed, and the log ends by itself", oom_killed, gone(60, {"log_age": 60.0, "end": "shutdown"}), {KILL: "not"}),
    ("killed another process", oom_killed,
     gone(60, {"log_age": 60.0, "end": "stops", "end_pid": 5}, "7"),
     {KILL: "hint"}),
    ("killed this process among others", oom_killed,
     gone(60, {"log_age": 60.0, "end": "stops", "end_pid": 5}, "7 5"),
     {KILL: "sure"}),
    ("killed the first process of a container", oom_killed,
     gone(60, {"log_age": 60.0, "end": "stops", "end_pid": 1}, "7"),
     {KILL: "sure"}),
    ("killed just now, no log, no other server", oom_killed, gone(FRESH, redis_processes=0), {KILL: "maybe"}),
    ("killed a while ago, no log, no other server", oom_killed, gone(FRESH + 1, redis_processes=0), {KILL: "hint"}),
    ("killed just now, no log, another server lives", oom_killed, gone(FRESH, redis_processes=1), {KILL: "hint"}),
    ("killed long ago, no log", oom_killed, gone(REMEMBERED + 1, redis_processes=0), {}),
    ("killed at the edge, no log", oom_killed, gone(REMEMBERED, redis_processes=0), {KILL: "hint"}),
    ("killed another server earlier, the kernel's log covers the end", oom_killed,
     gone(90, {"log_age": 58.0, "end": "stops"}, reaches=118), {KILL: "not"}),
    ("the same, and it may not cover the end", oom_killed,
     gone(90, {"log_age": 58.0, "end": "stops"}, reaches=117), {KILL: "hint"}),
    ("the log stops, and the kernel killed no server", oom_killed,
     gone(None, {"log_age": 5.0, "end": "stops"}, reaches=9000), {KILL: "not"}),
    ("the log stops, and the kernel names another", oom_killed,
     gone(60, {"log_age": 58.0, "end": "stops", "end_pid": 77}, pids="5 6", reaches=9000), {KILL: "not"}),
    ("the log stops, no kill seen", oom_killed, gone(None, {"end": "stops", "log_age": 5.0}), {KILL: "hint"}),
    ("gone, nothing known", oom_killed, gone(None), {}),
    ("gone, and something listens", oom_killed, gone(60, {"end": "stops"}, listening=True), {}),
    ("a sentinel's machine", oom_killed,
     {**gone(60, {"end": "stops"}), "topology": {"n1.node": "n", "n1.role": "sentinel"}}, {}),
    # oom_killed, back again
    ("back, and its group counts a kill", oom_killed, again(100, kills=1), {KILL: "sure"}),
    ("back, and the kernel killed before its start", oom_killed, again(100, age=98), {KILL: "sure"}),
    ("back, and the kernel killed after its start", oom_killed, again(100, age=97), {KILL: "hint"}),
    ("back, killed within two minutes before", oom_killed, again(100, age=220), {KILL: "sure"}),
    ("back, killed earlier", oom_killed, again(100, age=221), {KILL: "hint"}),
    ("back, the kernel killed another", oom_killed, again(100, kills=1, age=100, pids="5"), {KILL: "hint"}),
    ("back, the kernel killed another, and its log covers it", oom_killed, again(100, age=100, pids="5", reaches=160),
     {KILL: "not"}),
    ("back, the kernel killed none, and its log covers it", oom_killed, again(100, reaches=160), {KILL: "not"}),
    ("back, and the kernel's log is shorter", oom_killed, again(100, reaches=159), {KILL: "hint"}),
    ("back, killed earlier by a kernel that doesn't say whom", oom_killed, again(100, age=221, reaches=9000),
     {KILL: "hint"}),
    ("back, nothing seen", oom_killed, again(100), {KILL: "hint"}),
    ("back for long", oom_killed, again(REMEMBERED + 1, kills=1), {}),
    ("back just so long", oom_killed, again(REMEMBERED, kills=1), {KILL: "sure"}),
    ("back after a shutdown", oom_killed, again(100, kills=1, previous_end="shutdown"), {}),
]  # fmt: skip

SNAPSHOT, FORK, COW = "bgsave-disk-full", "fork-denied", "cow-blowup"
SPACE: Values = {"no_space.count": 1}
COPIED, COPY, LEFT, LATELY = (LIMITS[f"cow_{name}"] for name in ("bytes", "share", "headroom_share", "recent_seconds"))
USED = LIMITS["disk_used_share"]


def failed(log: Values | None = None, disk: Values | None = None, process: Values | None = None, **more: Any) -> Given:
    given: dict[str, Any] = {"persistence": {"rdb_last_bgsave_status": "err", "rdb_saves": 1, "total_forks": 1, **more}}
    given |= {name: of for name, of in (("log", log), ("disk", disk), ("process", process)) if of is not None}
    return given


def copied(size: float, share: float = 1.0, saving: int = 0, age: float = 1, **more: Values) -> Given:
    values: Values = {
        "rdb_last_cow_size": size, "rdb_last_cow_size_share": share, "rdb_bgsave_in_progress": saving,
        "rdb_last_save_age": age,
    }  # fmt: skip
    return {"persistence": values, **more}


def group(limit: float, rss: float) -> Values:
    return {"cgroup_memory_limit": limit, "rss_bytes": rss}


SAVES: list[Row] = [
    ("the last one went well", failed_snapshot, {"persistence": {"rdb_last_bgsave_status": "ok"}},
     {SNAPSHOT: "not", FORK: "not"}),
    ("it went well, and a rewrite didn't", failed_snapshot,
     {"persistence": {"rdb_last_bgsave_status": "ok", "aof_last_bgrewrite_status": "err"}},
     {SNAPSHOT: "not", FORK: "not"}),
    ("not read", failed_snapshot, {"persistence": "denied"}, {}),
    ("the log says no space", failed_snapshot,
     failed({**SPACE, "no_space.newest_age": 5.0}), {SNAPSHOT: "sure", FORK: "not"}),
    ("it said so in a life before", failed_snapshot, failed({"no_space.newest_age": 5.0, "started_age": 4.0}),
     {SNAPSHOT: "hint"}),
    ("it said so in this life", failed_snapshot, failed({**SPACE, "no_space.newest_age": 5.0, "started_age": 5.0}),
     {SNAPSHOT: "sure", FORK: "not"}),
    ("the log names nothing, and writes are refused", failed_snapshot, failed({}, writes_refused=True),
     {SNAPSHOT: "maybe"}),
    ("no log", failed_snapshot, failed(), {SNAPSHOT: "maybe"}),
    ("the disk is full", failed_snapshot, failed(disk={"dir_used_share": USED, "dir_free_bytes": 5}),
     {SNAPSHOT: "sure"}),
    ("the disk is nearly full", failed_snapshot, failed(disk={"dir_used_share": USED - 0.01, "dir_free_bytes": 5}),
     {SNAPSHOT: "maybe"}),
    ("no inodes", failed_snapshot, failed(disk={"dir_inodes_free": 0}), {SNAPSHOT: "sure"}),
    ("no room for half of the data", failed_snapshot,
     {**failed(disk={"dir_free_bytes": 49}), "info": {"used_memory": 100}}, {SNAPSHOT: "sure"}),
    ("room for half of the data", failed_snapshot,
     {**failed(disk={"dir_free_bytes": 50}), "info": {"used_memory": 100}}, {SNAPSHOT: "maybe"}),
    ("a full disk with room for the data", failed_snapshot,
     {**failed(disk={"dir_free_bytes": 100, "dir_used_share": 1.0}), "info": {"used_memory": 100}},
     {SNAPSHOT: "maybe"}),
    ("a full disk with less room than the data", failed_snapshot,
     {**failed(disk={"dir_free_bytes": 99, "dir_used_share": 1.0}), "info": {"used_memory": 100}}, {SNAPSHOT: "sure"}),
    ("the log says that fork failed", failed_snapshot, failed({"fork_failed.newest_age": 5.0}, {"dir_free_bytes": 9}),
     {FORK: "sure", SNAPSHOT: "not"}),
    ("fork failed, by a rewrite", failed_snapshot,
     {"persistence": {"aof_last_bgrewrite_status": "err"}, "log": {"fork_failed.newest_age": 5.0}}, {FORK: "sure"}),
    ("the newest reason counts", failed_snapshot,
     failed({**SPACE, "fork_failed.newest_age": 5.0, "no_space.newest_age": 4.0}),
     {SNAPSHOT: "sure", FORK: "not"}),
    ("more attempts than forks", failed_snapshot, failed(rdb_saves=2), {FORK: "likely"}),
    ("a group that is full", failed_snapshot,
     failed(process={"cgroup_pids_current": 5, "cgroup_pids_max": 5}, rdb_saves=2), {FORK: "sure"}),
    ("a group with one left", failed_snapshot,
     failed(process={"cgroup_pids_current": 4, "cgroup_pids_max": 5}, rdb_saves=2), {FORK: "likely"}),
    ("an old server whose child never ended", failed_snapshot,
     {"persistence": {"rdb_last_bgsave_status": "err", "rdb_last_bgsave_time_sec": -1, "rdb_bgsave_in_progress": 0}},
     {FORK: "likely"}),
    ("an old server whose child is at work", failed_snapshot,
     {"persistence": {"rdb_last_bgsave_status": "err", "rdb_last_bgsave_time_sec": -1, "rdb_bgsave_in_progress": 1}},
     {SNAPSHOT: "maybe"}),
    ("an old server whose child ended", failed_snapshot,
     {"persistence": {"rdb_last_bgsave_status": "err", "rdb_last_bgsave_time_sec": 3, "rdb_bgsave_in_progress": 0}},
     {SNAPSHOT: "maybe"}),
    ("a rewrite that failed for no known reason", failed_snapshot,
     {"persistence": {"aof_last_bgrewrite_status": "err", "rdb_saves": 0, "total_forks": 1}}, {}),
    ("the child was killed for memory", failed_snapshot,
     failed({"bgsave_error.signal": 9, "bgsave_error.newest_age": 5.0}, process={"cgroup_oom_kills": 1}),
     {COW: "sure", SNAPSHOT: "not"}),
    ("the child was killed, the group is full", failed_snapshot,
     failed({"bgsave_error.signal": 9, "bgsave_error.newest_age": 5.0}, process=group(20, 10)),
     {COW: "sure", SNAPSHOT: "not"}),
    ("the child was killed, the group isn't full", failed_snapshot,
     failed({"bgsave_error.signal": 9, "bgsave_error.newest_age": 5.0}, process=group(21, 10)),
     {COW: "likely", SNAPSHOT: "not"}),
    ("the machine killed", failed_snapshot,
     {**failed({"bgsave_error.signal": 9, "bgsave_error.newest_age": 5.0}), "machine": {"oom_kill.delta": 1}},
     {COW: "sure", SNAPSHOT: "not"}),
    ("the child crashed", failed_snapshot, failed({"bgsave_error.signal": 11, "bgsave_error.newest_age": 5.0}),
     {COW: "not", SNAPSHOT: "not"}),
    # copy_on_write
    ("much is copied, no room", copy_on_write, copied(COPIED, COPY, process=group(100 * COPIED, 80 * COPIED)),
     {COW: "sure"}),
    ("much is copied, just room", copy_on_write, copied(COPIED, COPY, process=group(100 * COPIED, 78 * COPIED)),
     {COW: "hint"}),
    ("just room, and memory is reported", copy_on_write, copied(COPIED, COPY, process=group(100 * COPIED, 78 * COPIED)),
     {COW: "maybe"}, ASKED),
    ("no limit known", copy_on_write, copied(COPIED, COPY), {COW: "hint"}),
    ("less is copied", copy_on_write, copied(COPIED - 1, COPY), {COW: "not"}),
    ("a smaller part is copied", copy_on_write, copied(COPIED, COPY - 0.01), {COW: "not"}),
    ("the machine has no room", copy_on_write,
     copied(COPIED, COPY, machine={"memory_total_bytes": 100 * COPIED, "memory_available_bytes": 20 * COPIED}),
     {COW: "sure"}),
    ("the machine has room", copy_on_write,
     copied(COPIED, COPY, machine={"memory_total_bytes": 100 * COPIED, "memory_available_bytes": 21 * COPIED}),
     {COW: "hint"}),
    ("what is copied already isn't taken twice", copy_on_write,
     copied(COPIED, COPY, 1, machine={"memory_total_bytes": 100 * COPIED, "memory_available_bytes": 20 * COPIED}),
     {COW: "hint"}),
    ("a save of an hour ago", copy_on_write, copied(COPIED, COPY, age=LATELY), {COW: "hint"}),
    ("a save before that", copy_on_write, copied(COPIED, COPY, age=LATELY + 1), {}),
    ("an old save, and one at work", copy_on_write, copied(COPIED, COPY, 1, LATELY + 1), {COW: "hint"}),
    ("what the child at work has copied", copy_on_write,
     {"persistence": {"aof_rewrite_in_progress": 1, "current_cow_size": COPIED, "current_cow_size_share": COPY}},
     {COW: "hint"}),
    ("what it had copied isn't looked at", copy_on_write,
     {"persistence": {"current_cow_size": COPIED, "current_cow_size_share": COPY, "rdb_last_save_age": 1}}, {}),
    ("nothing of persistence", copy_on_write, {}, {}),
    ("persistence denied", copy_on_write, {"persistence": "denied"}, {}),
    ("a size without its age", copy_on_write, {"persistence": {"rdb_last_cow_size": 0}}, {}),
    ("much copied, of unknown memory", copy_on_write,
     {"persistence": {"rdb_last_cow_size": COPIED, "rdb_last_save_age": 1}}, {}),
    ("little copied, of unknown memory", copy_on_write,
     {"persistence": {"rdb_last_cow_size": COPIED - 1, "rdb_last_save_age": 1}}, {COW: "not"}),
]  # fmt: skip

FULL, CORRUPT, EMPTY = "aof-disk-full", "aof-corrupt-start", "aof-enabled-by-restart"
ALWAYS, EVERYSEC = "fsync-always-slow", "fsync-everysec-slow"
SLOW, STALLED, RECENT = LIMITS["fsync_always_ms"], LIMITS["fsync_stalled_share"], LIMITS["fsync_recent_seconds"]
YOUNG, DUMP = LIMITS["empty_start_seconds"], LIMITS["dump_bytes"]


def ended(log: Values | str, connect: Any = "refused", listening: bool = False) -> Given:
    return {"connect": connect, "log": log, "process": {"listening": listening}}


def aof(status: str, enabled: int = 1, **more: Values) -> Given:
    return {"persistence": {"aof_last_write_status": status, "aof_enabled": enabled}, **more}


def started(uptime: float = 5, log: Values | None = None, dump: float | None = None, **more: Any) -> Given:
    given: dict[str, Any] = {"info": {"uptime_in_seconds": uptime}, "persistence": {"aof_enabled": 1, **more}}
    given |= {} if log is None else {"log": log}
    return given | ({} if dump is None else {"disk": {"rdb_bytes": dump}})


def flushed(*, max_ms: float = 1, mean: float = 1, outside: float | None = None, ran: float | None = 0.1,
            writes: int = 1, event: float = 0, **more: Any) -> dict[str, Any]:  # fmt: skip
    """Two seconds with appendfsync always: a hundred PINGs, and the event loop's time outside of commands."""
    info: Values = {} if outside is None else {
        "eventloop_duration_sum.delta": outside * 2e6 + 100, "eventloop_duration_cmd_sum.delta": 100,
    }  # fmt: skip
    return {
        "persistence": {"config.appendfsync": "always", "aof_enabled": 1, "window_seconds": 2.0,
                        "aof_current_size.delta": writes},
        "latency_sample": {"max_ms": max_ms, "mean_ms": mean, "answered": 100},
        "latency_events": {"aof-fsync-always.max_60s_ms": event}, "info": info,
        "process": {} if ran is None else {"main_run_share": ran}, **more,
    }  # fmt: skip


def cpu(user: float, system: float) -> dict[str, Any]:
    return {"info": {"used_cpu_user.rate": user, "used_cpu_sys.rate": system}}


def each_second(**values: Any) -> Given:
    return {"persistence": {"aof_enabled": 1, **{name.replace("__", "."): value for name, value in values.items()}}}


LOST = {"symptom": "all keys are gone after the restart"}
APPENDONLY: list[Row] = [
    ("writes go well", refused_by_aof, aof("ok"), {FULL: "not"}),
    ("writes go well, without an append-only file", refused_by_aof, aof("ok", 0), {}),
    ("writes fail", refused_by_aof, aof("err"), {FULL: "likely"}),
    ("writes failed before it was switched off", refused_by_aof, aof("err", 0), {}),
    ("writes fail for space", refused_by_aof, aof("err", log={"no_space.newest_age": 5.0}), {FULL: "sure"}),
    ("writes fail, and the disk is full", refused_by_aof, aof("err", disk={"dir_inodes_free": 0}), {FULL: "sure"}),
    ("it ended itself for space", refused_by_aof,
     ended({"end": "failed", "aof_write_error.newest_age": 5.0, "no_space.newest_age": 5.0}), {FULL: "sure"}),
    ("it ended itself", refused_by_aof, ended({"end": "failed", "aof_write_error.newest_age": 5.0}), {FULL: "sure"}),
    ("it ended in another way", refused_by_aof, ended({"end": "shutdown", "aof_write_error.newest_age": 5.0}), {}),
    ("it ended itself, and something listens", refused_by_aof,
     ended({"end": "failed", "aof_write_error.newest_age": 5.0}, listening=True), {}),
    ("it ended itself over something else", refused_by_aof, ended({"end": "failed"}), {}),
    ("it ended in a life before", refused_by_aof,
     ended({"end": "failed", "aof_write_error.newest_age": 5.0, "started_age": 4.0}), {}),
    # damaged
    ("a bad format", damaged, ended({"end": "failed", "aof_bad_format.newest_age": 5.0}), {CORRUPT: "sure"}),
    ("a bad format, and it was shut down", damaged, ended({"end": "shutdown", "aof_bad_format.newest_age": 5.0}), {}),
    ("cut off", damaged, ended({"end": "failed", "aof_truncated.newest_age": 5.0}), {CORRUPT: "sure"}),
    ("cut off, and it served", damaged, ended({"aof_truncated.newest_age": 5.0, "ready.newest_age": 4.0}), {}),
    ("a bad format, and it's up", damaged,
     ended({"end": "failed", "aof_bad_format.newest_age": 5.0}, {"stage": "ping"}), {}),
    ("its base file is gone", damaged,
     ended({"end": "failed", "aof_part_missing.newest_age": 5.0, "aof_part_missing.part": "base"}), {CORRUPT: "sure"}),
    ("a part of no known kind is gone", damaged,
     ended({"end": "failed", "aof_part_missing.newest_age": 5.0, "aof_part_missing.part": "x"}), {CORRUPT: "sure"}),
    ("a part is gone in a life before", damaged,
     ended({"end": "stops", "aof_part_missing.newest_age": 9.0, "started_age": 4.0}), {}),
    ("a part may not be read", damaged,
     ended({"aof_part_missing.newest_age": 5.0, "aof_part_missing.errno": "Permission denied"}), {}),
    ("the manifest names a base that isn't there", damaged, {**ended("not-local"), "disk": {"aof_missing_base": 1}},
     {CORRUPT: "likely"}),
    ("all that the manifest names is there", damaged,
     {**ended("not-local"), "disk": {"aof_missing_base": 0, "aof_missing_incr": 0}}, {}),
    ("from the report alone", damaged, ended("not-local"), {CORRUPT: "hint"},
     {"symptom": "Redis won't start since the disk was cleaned up; appendonlydir has only the manifest"}),
    ("the report is of another thing", damaged, ended("not-local"), {},
     {"symptom": "Redis won't start since appendonly was switched on"}),
    ("nothing damaged", damaged, ended({"end": "failed"}), {}),
    # emptied
    ("a snapshot left out, the file created", emptied,
     started(log={"started_age": 5.0, "aof_created.newest_age": 5.0}, dump=DUMP), {EMPTY: "sure"}),
    ("a snapshot left out", emptied, started(log={"started_age": 5.0}, dump=DUMP), {EMPTY: "sure"}),
    ("a snapshot of nothing left out", emptied, started(log={"started_age": 5.0}, dump=DUMP - 1), {}),
    ("a snapshot left out and written over", emptied,
     started(log={"started_age": 5.0}, dump=DUMP, rdb_saved_since_start=True), {EMPTY: "hint"}),
    ("loaded", emptied, started(log={"started_age": 5.0, "loaded.count": 1, "loaded.newest_age": 5.0}, dump=DUMP),
     {EMPTY: "not"}),
    ("loaded, by the other words", emptied,
     started(log={"started_age": 5.0, "load_done.count": 1, "load_done.newest_age": 5.0}, dump=DUMP),
     {EMPTY: "not"}),
    ("no snapshot", emptied, started(log={"started_age": 5.0}, dump=0), {EMPTY: "not"}),
    ("started yesterday", emptied, started(YOUNG, log={"started_age": 5.0}, dump=DUMP), {EMPTY: "sure"}),
    ("started before that", emptied, started(YOUNG + 1, log={"started_age": 5.0}, dump=DUMP), {}),
    ("no log, and data is missed", emptied, started(dump=DUMP, aof_base_size=200), {EMPTY: "likely"}, LOST),
    ("no log, and the file began with data", emptied, started(dump=DUMP, aof_base_size=201), {}, LOST),
    ("no log, and nothing is missed", emptied, started(dump=DUMP, aof_base_size=200), {}),
    ("no log, a small snapshot, data is missed", emptied, started(dump=DUMP - 1, aof_base_size=200), {}, LOST),
    ("no log, and saved since", emptied, started(dump=DUMP, aof_base_size=200, rdb_saved_since_start=True), {}, LOST),
    ("no log, no disk, data is missed", emptied, started(), {EMPTY: "hint"}, LOST),
    ("no log, no disk, saved since", emptied, started(rdb_saved_since_start=True), {}, LOST),
    ("no log, no disk", emptied, started(), {}),
    ("without an append-only file", emptied, {"info": {"uptime_in_seconds": 5}, "persistence": {"aof_enabled": 0}},
     {}, LOST),
    # always
    ("a slow flush is recorded", always, flushed(event=SLOW), {ALWAYS: "sure"}),
    ("a quicker flush is recorded", always, flushed(event=SLOW - 1), {ALWAYS: "not"}),
    ("the loop waits, and so do the clients", always, flushed(outside=STALLED, max_ms=SLOW, mean=STALLED * 20),
     {ALWAYS: "sure"}),
    ("the loop waits", always, flushed(outside=STALLED), {ALWAYS: "likely"}),
    ("the loop waits less", always, flushed(outside=STALLED - 0.01), {ALWAYS: "not"}),
    ("the loop waits, and nothing is written", always, flushed(outside=STALLED, writes=0), {}),
    ("the loop works", always, flushed(outside=STALLED, ran=0.3), {ALWAYS: "not"}),
    ("the loop waits for a core", always,
     flushed(outside=STALLED, process={"main_run_share": 0.1, "main_wait_share": 0.3}),
     {ALWAYS: "not"}),
    ("the loop is held by its group", always,
     flushed(outside=STALLED, process={"main_run_share": 0.1, "cgroup_nr_throttled.delta": 1}), {ALWAYS: "not"}),
    ("the loop is swapped", always, flushed(outside=STALLED, process={"main_run_share": 0.1, "swap_bytes": 1}),
     {ALWAYS: "not"}),
    ("the loop fetches pages", always,
     flushed(outside=STALLED, process={"main_run_share": 0.1, "major_faults.delta": 101}), {ALWAYS: "not"}),
    ("the loop fetches some pages", always,
     flushed(outside=STALLED, process={"main_run_share": 0.1, "major_faults.delta": 100}), {ALWAYS: "likely"}),
    ("an old server is silent", always, flushed(max_ms=SLOW, mean=STALLED * 20), {ALWAYS: "sure"}),
    ("it's silent, and nothing is written", always, flushed(max_ms=SLOW, mean=STALLED * 20, writes=0), {}),
    ("it's silent, and busy with commands", always,
     flushed(max_ms=SLOW, mean=STALLED * 20, commandstats={"busy_share": 0.2}), {}),
    ("it's silent, and hardly busy", always,
     flushed(max_ms=SLOW, mean=STALLED * 20, commandstats={"busy_share": 0.19}), {ALWAYS: "sure"}),
    ("it's silent for less", always, flushed(max_ms=SLOW, mean=STALLED * 20 - 1), {ALWAYS: "not"}),
    ("it's silent for short times", always, flushed(max_ms=SLOW - 1, mean=STALLED * 20), {ALWAYS: "not"}),
    ("time-outs are silence", always,
     {**flushed(), "latency_sample": {"max_ms": SLOW, "mean_ms": 1, "answered": 1, "timeouts": 1}}, {ALWAYS: "sure"}),
    ("silent, and the process isn't ours to see", always,
     flushed(max_ms=SLOW, mean=STALLED * 20, process="not-local") | cpu(0.1, 0.19),
     {ALWAYS: "maybe"}),
    ("silent, and by INFO it uses its CPU", always,
     flushed(max_ms=SLOW, mean=STALLED * 20, process="not-local") | cpu(0.1, 0.2), {}),
    ("silent, and nothing tells of its CPU", always, flushed(max_ms=SLOW, mean=STALLED * 20, ran=None), {}),
    ("not sampled", always, {**flushed(), "latency_sample": "timeout"}, {}),
    ("another policy", always, {"persistence": {"config.appendfsync": "everysec", "aof_enabled": 1}}, {}),
    ("always, and switched off", always, {"persistence": {"config.appendfsync": "always", "aof_enabled": 0}}, {}),
    # everysec
    ("delayed now", everysec, each_second(aof_delayed_fsync=5, aof_delayed_fsync__delta=1), {EVERYSEC: "sure"}),
    ("never delayed", everysec, each_second(aof_delayed_fsync=0), {EVERYSEC: "not"}),
    ("delayed before", everysec, each_second(aof_delayed_fsync=5), {EVERYSEC: "hint"}),
    ("delayed before, a flush under way", everysec, each_second(aof_delayed_fsync=5, aof_pending_bio_fsync=1),
     {EVERYSEC: "maybe"}),
    ("the log says so", everysec, {**each_second(), "log": {"aof_fsync_slow.newest_age": RECENT}}, {EVERYSEC: "sure"}),
    ("the log said so", everysec,
     {**each_second(aof_delayed_fsync=5, aof_pending_bio_fsync=1), "log": {"aof_fsync_slow.newest_age": RECENT + 1}},
     {EVERYSEC: "hint"}),
    ("a wait is recorded", everysec,
     {**each_second(), "latency_events": {"aof-write-pending-fsync.max_60s_ms": SLOW}}, {EVERYSEC: "sure"}),
    ("a shorter wait is recorded", everysec,
     {**each_second(), "latency_events": {"aof-write-pending-fsync.max_60s_ms": SLOW - 1}}, {}),
    ("switched off", everysec, {"persistence": {"aof_enabled": 0, "aof_delayed_fsync.delta": 5}}, {}),
]  # fmt: skip


@table([*MEMORY, *FOOTPRINT, *SAVES, *APPENDONLY])
def test_what_is_found(check: Check, given: Given, expected: Expected, more: Mapping[str, Any]) -> None:
    assert found(check, given, **more) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("100mb", 100 * MIB), ("100M", 10**8), (" 1gb ", 1 << 30), ("5", 5), ("2k", 2000), ("2kb", 2048), ("1tb", None),
     ("", None), ("-1", None), ("1g", 10**9)],
)  # fmt: skip
def test_sizes_of_a_configuration(text: str, expected: int | None) -> None:
    assert size(text) == expected


def test_sizes_as_people_say_them() -> None:
    assert [megabytes(size * MIB) for size in (0.04, 9.94, 10, 10.6)] == ["0.0 MiB", "9.9 MiB", "10 MiB", "11 MiB"]
