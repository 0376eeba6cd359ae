"""The keyspace in figures: how many keys have a time to live, what expired, and what was evicted."""

import re

from tools.connection.node import Node
from tools.patterns import deferred
from tools.records import Scalar, Values
from tools.server.info import Window, pair
from tools.toolbox import reads

DATABASES = 16
"""Most databases that are shown, those with most keys first; the totals cover all."""
_DB = deferred(r"(db\d+)\.(keys|expires|avg_ttl)(\.delta)?")
_POWERS = ("", "K", "M", "G", "T", "P")
_SIZES = deferred(r"db\d{1,9}_distrib_(strings|lists|sets|zsets|hashes|streams)_(?:sizes|items)\.(\d{1,4})([KMGTP]?)")
_GAUGES = (
    "expired_stale_perc", "expired_keys_with_volatile_items_stale_perc", "evicted_keys", "lazyfree_pending_objects",
    "slave_expires_tracked_keys", "maxmemory_policy",
)  # fmt: skip
_COUNTERS = (
    "expired_keys", "evicted_keys", "keyspace_hits", "keyspace_misses", "expired_time_cap_reached_count",
    "expire_cycle_cpu_milliseconds", "expired_subkeys", "expired_fields", "lazyfreed_objects",
)  # fmt: skip


@reads
async def keyspace(node: Node, window: Window = 2.0) -> Values:
    """Keys and TTLs by database; expired, evicted, hits and misses.

    `ttl_coverage` is expires/keys (null without keys), `avg_ttl` in milliseconds. `expired_keys.delta`,
    `evicted_keys.delta`, `keyspace_hits.delta` and `keyspace_misses.delta` are over the window, `hit_ratio` of the
    window's lookups (null without any). How expiry keeps up: `expired_stale_perc` (percent of the sampled keys with
    a TTL that were overdue), `expired_time_cap_reached_count.delta` (cycles that ran out of time) and
    `expire_cycle_cpu_milliseconds.delta`. Fields of hashes that expired are `expired_subkeys.delta` on Redis (7.4) and
    `expired_fields.delta` on Valkey (9.0). `lazyfree_pending_objects` wait to be freed. Databases beyond the 16 largest
    are in the totals only. Redis 8.0 and later report sizes: `longest.<type>` is a lower bound of the elements in the
    longest list, set, zset or hash, `longest.strings` in bytes.
    """
    both = await pair(node, window)
    read = both.changes(frozenset({"keyspace", "stats", "memory"}))
    before = both.first.flat(frozenset({"keyspace"}))
    databases: dict[str, Values] = {}
    for field, value in read.items():
        if match := _DB.fullmatch(field):
            databases.setdefault(match[1], {})[match[2] + (match[3] or "")] = value
    values: Values = {"window_seconds": round(both.seconds, 3), "databases": len(databases)}
    for total in ("keys", "expires"):
        values[total] = sum(_n(one.get(total)) for one in databases.values())
        # From the samples as a whole: a database that emptied is in the first only.
        old = sum(_n(value) for name, value in before.items() if re.fullmatch(rf"db\d+\.{total}", name))
        values[f"{total}.delta"] = _n(values[total]) - old if both.seconds else None
    if node.network.pasted and not databases and "keyspace" not in both.last.sections:
        # A person pasted other sections: that nothing is said of keys doesn't mean that there are none.
        values |= dict.fromkeys(("databases", "keys", "keys.delta", "expires", "expires.delta"))
    values["ttl_coverage"] = share(_n(values["expires"]), _n(values["keys"]))
    values |= {name: read.get(name) for name in _GAUGES}
    for name in _COUNTERS:
        values[f"{name}.delta"] = read.get(f"{name}.delta", 0) if name in read and both.seconds else None
    for name in ("expired_keys", "evicted_keys"):
        values[f"{name}.rate"] = read.get(f"{name}.rate")
    hits, misses = _n(values["keyspace_hits.delta"]), _n(values["keyspace_misses.delta"])
    values["hit_ratio"] = share(hits, hits + misses)
    for name in sorted(databases, key=lambda name: -_n(databases[name].get("keys")))[:DATABASES]:
        row = databases[name]
        values |= {f"{name}.{field}": value for field, value in row.items()}
        values[f"{name}.ttl_coverage"] = share(_n(row.get("expires")), _n(row.get("keys")))
    return values | _longest(both.last.flat(frozenset({"keysizes"})))


def _longest(sizes: Values) -> Values:
    """For each type, the largest in a distribution by powers of two."""
    found: dict[str, int] = {}
    for name, count in sizes.items():
        if (match := _SIZES.fullmatch(name)) and _n(count):
            least = int(match[2]) << 10 * _POWERS.index(match[3])
            found[match[1]] = max(found.get(match[1], 0), least)
    return {f"longest.{kind}": least for kind, least in found.items()}


def _n(value: Scalar) -> int:
    return int(value) if isinstance(value, int | float) else 0


def share(part: float, whole: float) -> float | None:
    """A part of a whole; null without a whole."""
    return round(part / whole, 4) if whole else None
