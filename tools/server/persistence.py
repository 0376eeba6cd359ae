"""Persistence: the results of RDB and AOF, the cost of a fork, and whether writes are refused because of it."""

from tools.connection.node import Node
from tools.errors import ToolError, Unanswered
from tools.patterns import deferred
from tools.records import Scalar, Values
from tools.server.config import read_config
from tools.server.info import Pair, Window, pair
from tools.server.latency_events import server_time
from tools.server.memory import share, whole
from tools.toolbox import reads

CONFIG = (
    "save", "appendonly", "appendfsync", "no-appendfsync-on-rewrite", "stop-writes-on-bgsave-error", "dir",
    "dbfilename", "repl-diskless-sync",
)  # fmt: skip
"""Settings on which the meaning of the figures depends."""
FORK_RATE_FROM = 64 * 2**20
"""Least bytes of used_memory for which a fork's time per GB means anything."""
COW = ("rdb_last_cow_size", "aof_last_cow_size", "current_cow_size", "current_cow_peak")
_PATH = deferred(r"[A-Za-z0-9_./:-]{1,128}")


@reads
async def persistence(node: Node, window: Window = 2.0) -> Values:
    """RDB and AOF: status, ages, forks, refused writes.

    INFO persistence with deltas, ages and times in seconds, sizes in bytes. `rdb_last_save_age` counts from the start
    where nothing was saved since (`rdb_saved_since_start`). `fork_usec_per_gb` is latest_fork_usec per GB of
    used_memory, null below 64 MB; `<cow field>_share` is of used_memory_rss. `config.<name>` are running values.
    `writes_refused` tells whether a write gets MISCONF, `writes_refused_by` for which (rdb, aof); null where the
    settings can't be read.
    """
    both = await pair(node, window)
    values: Values = {"window_seconds": round(both.seconds, 3), **both.changes(frozenset({"persistence"}))}
    values |= _forks(both) | _ages(node, both)
    try:
        config = await read_config(node, list(CONFIG))
        values |= {f"config.{name}": _shown(node, name, config.get(name)) for name in CONFIG}
    except ToolError as error:
        config = {}
        values |= {f"config.{name}": None for name in CONFIG}
        values["config.unavailable"] = error.kind if isinstance(error, Unanswered) else str(error)
    return values | _refused(both, config)


def _forks(both: Pair) -> Values:
    stats = both.changes(frozenset({"stats"}))
    last = both.last.flat(frozenset({"memory", "persistence"}))
    fork = stats.get("latest_fork_usec")
    used, rss = whole(last.get("used_memory")) or 0, last.get("used_memory_rss")
    values: Values = {name: stats.get(name) for name in ("latest_fork_usec", "total_forks", "total_forks.delta")}
    known = isinstance(fork, int) and fork > 0 and used >= FORK_RATE_FROM
    values["fork_usec_per_gb"] = round(int(fork or 0) / (used / 2**30)) if known else None
    return values | {f"{field}_share": share(whole(last.get(field)), whole(rss)) for field in COW}


def _ages(node: Node, both: Pair) -> Values:
    last = both.last.flat(frozenset({"persistence", "server"}))
    saved, uptime = last.get("rdb_last_save_time"), last.get("uptime_in_seconds")
    if not isinstance(saved, int):
        return {"rdb_last_save_age": None, "rdb_saved_since_start": None}
    age = max(0, server_time(node, both.last) - saved)
    return {
        "rdb_last_save_age": age,
        # A server counts its start as a save.
        "rdb_saved_since_start": age < uptime - 1 if isinstance(uptime, int) else None,
    }  # fmt: skip


def _shown(node: Node, name: str, value: Scalar) -> Scalar:
    if name in ("dir", "dbfilename") and isinstance(value, str) and not _PATH.fullmatch(value):
        return node.pseudonyms.plain("path", value)
    return value


def _refused(both: Pair, config: dict[str, Scalar]) -> Values:
    """As the server decides before each client's write to a master."""
    last = both.changes(frozenset({"persistence", "replication", "errorstats"}))
    values: Values = {
        "role": last.get("role"), "errorstat_MISCONF.count": last.get("errorstat_MISCONF.count", 0),
        "errorstat_MISCONF.count.delta": last.get("errorstat_MISCONF.count.delta", 0),
    }  # fmt: skip
    aof = last.get("aof_enabled") == 1 and last.get("aof_last_write_status") == "err"
    failed = last.get("rdb_last_bgsave_status") == "err"
    stops: bool | None = config.get("stop-writes-on-bgsave-error") == "yes" and bool(config.get("save"))
    if failed and not config:
        # Without the settings only an error reply shows it.
        stops = True if values["errorstat_MISCONF.count.delta"] else None
    if last.get("role") == "slave":
        return values | {"writes_refused": False, "writes_refused_by": None}
    if failed and stops:
        return values | {"writes_refused": True, "writes_refused_by": "rdb"}
    if aof:
        return values | {"writes_refused": True, "writes_refused_by": "aof"}
    return values | {"writes_refused": None if failed and stops is None else False, "writes_refused_by": None}
