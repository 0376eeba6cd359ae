"""Memory: what uses it, and what part isn't data."""

from tools.connection.node import Node
from tools.connection.protocol import Reply, ServerError
from tools.errors import Unanswered
from tools.records import Values
from tools.server.doctor import answers, doctor, unavailable
from tools.server.info import Window, pair
from tools.toolbox import reads

OWNERS: dict[str, tuple[str, ...]] = {
    "clients_normal": ("mem_clients_normal",),
    "clients_replicas": ("mem_clients_slaves",),
    "replication_backlog": ("mem_replication_backlog",),
    "aof_buffer": ("mem_aof_buffer",),
    "cluster": ("mem_cluster_links", "mem_cluster_slot_import", "mem_cluster_slot_export"),
    "scripts": ("used_memory_scripts_eval", "used_memory_lua"),
    "functions": ("used_memory_functions", "used_memory_vm_functions"),
    "hashtable_main": ("overhead.hashtable.main", "overhead.hashtable.slot-to-keys"),
    "hashtable_expires": ("overhead.hashtable.expires",),
}
"""What uses the memory that isn't data, by the fields that add up to it."""
COUNTED_TWICE = ("_human", "_perc")
"""Suffixes of INFO memory's fields that repeat another field."""
FROM_STATS = ("keys.count", "keys.bytes-per-key", "db.dict.rehashing.count")
"""Fields of MEMORY STATS that INFO doesn't have under another name, except those of the databases."""
NAMES = {
    "peak.allocated": "used_memory_peak", "total.allocated": "used_memory", "startup.allocated": "used_memory_startup",
    "replication.backlog": "mem_replication_backlog", "clients.slaves": "mem_clients_slaves",
    "clients.normal": "mem_clients_normal", "cluster.links": "mem_cluster_links", "aof.buffer": "mem_aof_buffer",
    "overhead.total": "used_memory_overhead", "dataset.bytes": "used_memory_dataset",
}  # fmt: skip
"""INFO's names for what MEMORY STATS has."""
BUFFERS = ("clients_normal", "clients_replicas", "replication_backlog", "aof_buffer", "cluster")
"""Owners that hold memory on its way in or out."""
HASHTABLES = ("overhead.hashtable.main", "overhead.hashtable.expires")
MOVES = frozenset(
    ("used_memory", "used_memory_rss", "used_memory_dataset", "used_memory_overhead", "mem_fragmentation_bytes",
     "allocator_frag_bytes", "mem_clients_normal", "mem_clients_slaves", "mem_replication_backlog", "mem_aof_buffer",
     "mem_not_counted_for_evict", "used_memory_lua", "number_of_cached_scripts", "number_of_functions",
     "lazyfree_pending_objects", "lazyfreed_objects", "maxmemory")
)  # fmt: skip
"""Fields whose change over the window is given; the others move with these."""


@reads
async def memory(node: Node, window: Window = 2.0) -> Values:
    """Memory by owner, fragmentation, use of maxmemory.

    INFO memory and what MEMORY STATS adds, under their own names. `owner.<name>` are bytes that aren't data: clients,
    replication_backlog, aof_buffer, scripts and functions (their Lua memory included, which isn't part of used_memory),
    hash tables; `largest_overhead` is the biggest owner, `largest_overhead_share` its share of used_memory,
    `buffers_share` that of clients, replicas, backlog and AOF together. `fragmentation_bytes` is what the allocator
    holds beyond what it gave out, by `fragmentation_from`: allocator, or rss (an upper bound) where the allocator
    doesn't tell: then allocator_* are null. `maxmemory_used_share` is (used_memory - mem_not_counted_for_evict) /
    maxmemory, null without a maxmemory.
    """
    try:
        both = await pair(node, window)
    except Unanswered as error:
        if error.kind != "not-pasted":
            raise
        return await _without_info(node)
    values: Values = {"window_seconds": round(both.seconds, 3)}
    for field, value in both.changes(frozenset({"memory"})).items():
        name = field.removesuffix(".delta").removesuffix(".rate")
        if (name == field or name in MOVES) and not name.endswith(COUNTED_TWICE):
            values[field] = value
    if str(values.get("mem_allocator", "")).startswith("libc"):
        # With libc they are derived from the RSS, and their ratio is always 1.
        values |= {field: None for field in values if field.startswith("allocator_")}
    values |= _stats(node, both.last.replies["memory"])
    values |= _derived(values) | _owners(values)
    (advice,) = await answers(node, ("MEMORY", "DOCTOR"))
    return values | doctor(node, advice)


async def _without_info(node: Node) -> Values:
    """What MEMORY STATS and MEMORY DOCTOR say where a person pasted one of them and no INFO."""
    stats, advice = await node.ask(("MEMORY", "STATS"), ("MEMORY", "DOCTOR"))
    if isinstance(stats, ServerError):
        node.value(advice)
    values = _stats(node, stats)
    if not isinstance(stats, ServerError):
        fields = dict(zip(stats[::2], stats[1::2], strict=True))
        values |= {name: size for field, name in NAMES.items() if (size := whole(fields.get(field))) is not None}
        values |= _derived(values) | _owners(values)
    return values | doctor(node, advice)


def _stats(node: Node, reply: Reply) -> Values:
    if isinstance(reply, ServerError):
        return {"stats.unavailable": unavailable(node, reply), **dict.fromkeys((*FROM_STATS, *HASHTABLES))}
    fields = dict(zip(reply[::2], reply[1::2], strict=True))
    values: Values = {name: whole(fields.get(name)) for name in FROM_STATS}
    tables: dict[str, int] = dict.fromkeys(HASHTABLES, 0)
    for name, value in fields.items():
        if name.startswith("db.") and isinstance(value, list):
            for key, size in zip(value[::2], value[1::2], strict=True):
                tables[key] = tables.get(key, 0) + int(size)
    return values | tables


def _derived(values: Values) -> Values:
    used, rss, limit = (whole(values.get(name)) for name in ("used_memory", "used_memory_rss", "maxmemory"))
    counted = None if used is None else used - (whole(values.get("mem_not_counted_for_evict")) or 0)
    active, given = whole(values.get("allocator_active")), whole(values.get("allocator_allocated"))
    beyond = None if rss is None or used is None else max(0, rss - used)
    by_allocator = active is not None and given is not None
    return {
        "maxmemory_used_share": share(counted, limit),
        "dataset_share": share(whole(values.get("used_memory_dataset")), used),
        "used_of_peak_share": share(used, whole(values.get("used_memory_peak"))),
        "rss_of_system_share": share(rss, whole(values.get("total_system_memory"))),
        "fragmentation_bytes": active - given if active is not None and given is not None else beyond,
        "fragmentation_from": "allocator" if by_allocator else "rss",
    }


def _owners(values: Values) -> Values:
    owners: dict[str, int] = {}
    # Before 7.0 there were no functions beside the scripts.
    values = {"used_memory_scripts_eval": values.get("used_memory_scripts"), **values}
    for owner, fields in OWNERS.items():
        known = [size for field in fields if (size := whole(values.get(field))) is not None]
        if known:
            owners[owner] = sum(known)
    found: Values = {f"owner.{owner}": size for owner, size in owners.items()}
    if owners:
        buffers = sum(owners.get(owner, 0) for owner in BUFFERS)
        found |= {"buffers_bytes": buffers, "buffers_share": share(buffers, whole(values.get("used_memory")))}
        largest = max(owners, key=lambda owner: owners[owner])
        found |= {
            "largest_overhead": largest, "largest_overhead_bytes": owners[largest],
            "largest_overhead_share": share(owners[largest], whole(values.get("used_memory"))),
        }  # fmt: skip
    return found


def share(part: int | None, of: int | None) -> float | None:
    """A part of a whole, 0 to 1; null if either is unknown or the whole is 0."""
    return round(part / of, 4) if part is not None and of else None


def whole(value: object) -> int | None:
    """The value if it's a whole number."""
    return value if isinstance(value, int) else None
