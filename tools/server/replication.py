"""Replication as seen from one end: the link, the offsets, the backlog and what is kept for the replicas."""

from collections.abc import Mapping
from typing import NamedTuple

from tools.connection.node import Node
from tools.connection.protocol import Reply, ServerError
from tools.connection.shapes import whole_number
from tools.connection.target import address
from tools.errors import Unanswered
from tools.patterns import deferred
from tools.records import Kind, Scalar, Values
from tools.server.client_list import MOST_LISTED, fields
from tools.server.config import read_config
from tools.server.info import Pair, Window, pair
from tools.toolbox import reads

SHOWN = 8
"""Replicas that are shown one by one, the worst first."""
FIELDS = (
    "role", "master_port", "master_link_status", "master_link_down_since_seconds", "master_last_io_seconds_ago",
    "master_sync_in_progress", "master_sync_total_bytes", "master_sync_read_bytes", "master_sync_left_bytes",
    "master_sync_last_io_seconds_ago", "slave_read_repl_offset", "slave_repl_offset", "slave_priority",
    "slave_read_only", "replica_announced", "connected_slaves", "min_slaves_good_slaves", "replicas_waiting_psync",
    "master_failover_state", "master_replid", "master_repl_offset", "second_repl_offset",
    "repl_backlog_active", "repl_backlog_size", "repl_backlog_histlen", "replicas_repl_buffer_size",
    "replicas_repl_buffer_peak", "sync_full", "sync_partial_ok", "sync_partial_err", "total_forks",
    "client_output_buffer_limit_disconnections", "mem_clients_slaves", "mem_total_replication_buffers",
    *(f"errorstat_{word}.count" for word in ("NOREPLICAS", "NOAUTH", "WRONGPASS", "NOPERM", "READONLY", "MASTERDOWN")),
)  # fmt: skip
"""Fields taken over from INFO, with their .delta and .rate."""
PARAMETERS = (
    "min-replicas-to-write", "min-replicas-max-lag", "repl-timeout", "repl-ping-replica-period", "repl-backlog-size",
    "repl-diskless-sync", "replica-priority", "replica-read-only", "replica-serve-stale-data",
)  # fmt: skip
LIMIT = "client-output-buffer-limit"
_REPLICA = deferred(r"slave([0-9]{1,9})\.ip")


def peers(info: Mapping[str, Scalar]) -> list[tuple[str, int]]:
    """Host and port of the primary and of each replica that this node tells of, as INFO replication has them parsed.

    The primary comes first, then replicas that aren't online; one that hasn't told its port isn't among them.
    """
    ends = [(info.get("master_host"), info.get("master_port"))] if info.get("role") == "slave" else []
    numbers = sorted(int(match[1]) for field in info if (match := _REPLICA.fullmatch(field)))
    numbers.sort(key=lambda number: info.get(f"slave{number}.state") == "online")
    ends += [(info.get(f"slave{number}.ip"), info.get(f"slave{number}.port")) for number in numbers]
    return [
        (str(host), port)
        for host, port in ends
        if host not in (None, "", "?") and isinstance(port, int) and 0 < port < 65536
    ]


class Attached(NamedTuple):
    """A replica as reported by the node above it."""

    address: str
    state: str
    """wait_bgsave, send_bulk, online and so on."""
    offset: int
    lag: int | None
    """Seconds since its last acknowledgement; null before the first."""
    behind: int | None
    """Bytes it hasn't acknowledged; null while it isn't online."""


def attached(info: Mapping[str, Scalar]) -> list[Attached]:
    """The replicas of a node, as INFO replication has them parsed; the worst first."""
    end = _int(info.get("master_repl_offset")) or 0
    found = []
    for field in info:
        if match := _REPLICA.fullmatch(field):
            at = f"slave{match[1]}"
            offset, state = _int(info.get(f"{at}.offset")) or 0, str(info.get(f"{at}.state"))
            found.append(
                Attached(
                    address=address(str(info[field]), _int(info.get(f"{at}.port")) or 0), state=state, offset=offset,
                    lag=_int(info.get(f"{at}.lag")), behind=max(0, end - offset) if state == "online" else None,
                )
            )  # fmt: skip
    return sorted(found, key=lambda one: (one.behind is not None, -(one.behind or 0), -(one.lag or 0)))


@reads
async def replication(node: Node, window: Window = 2.0) -> Values:
    """Replication from this end: link, offsets, lag, backlog, syncs.

    On a replica `master_link_status` and `link_state` (connect: waits to try again; connecting, handshake, sync,
    connected; a refused replica passes through all but the last) tell of the link up. `replica1` is the replica that is
    worst off: `.lag_bytes` not acknowledged (a healthy one acknowledges once a second), `.lag` in seconds since it last
    did, and `.state`. `master_repl_offset.rate` is what is written, bytes
    a second; `backlog_seconds` is how long an outage the backlog bridges at that rate, null if nothing is written.
    `output.omem_max` is the fullest replica's output buffer in bytes, `output.limit_*` what it's cut off at.
    `master_failover_state.before` is the state of a FAILOVER when the window began. `good_replicas_missing` is how many
    more replicas min-replicas-to-write wants. Sizes in bytes.
    """
    both = await pair(node, window)
    changed = both.changes(frozenset({"replication", "stats", "memory", "errorstats"}))
    values: Values = {"window_seconds": round(both.seconds, 3)}
    if "role" not in changed:
        # Every server has one, unless its command is renamed or a person pasted the rest only.
        kind: Kind = "not-pasted" if node.network.pasted else "unknown-command"
        raise Unanswered(kind, "INFO has no replication section here")
    for name in FIELDS:
        values |= {key: changed[key] for key in (name, f"{name}.delta", f"{name}.rate") if key in changed}
    if changed["role"] == "slave":
        values["master_host"] = node.pseudonyms.plain("address", str(changed.get("master_host")))
    if "master_failover_state" in changed:
        values["master_failover_state.before"] = both.first.flat().get("master_failover_state")
    values |= _written(both) | _replicas(node, both)
    values |= await _limits(node) | await _link(node, changed)
    if values["role"] == "slave":
        return values
    needed, good = values.get("min-replicas-to-write"), values.get("min_slaves_good_slaves")
    if isinstance(needed, int):
        # The count only exists while the limit is set.
        values["good_replicas_missing"] = max(0, needed - (good if isinstance(good, int) else 0)) if needed else 0
    return values


def _written(both: Pair) -> Values:
    first, last = both.first.flat(), both.last.flat()
    old, new = _int(first.get("master_repl_offset")), _int(last.get("master_repl_offset"))
    size = _int(last.get("repl_backlog_size"))
    # Offsets of two histories aren't comparable.
    if old is None or new is None or both.seconds <= 0 or first.get("master_replid") != last.get("master_replid"):
        return {"master_repl_offset.delta": None, "master_repl_offset.rate": None, "backlog_seconds": None}
    rate = (new - old) / both.seconds
    return {
        "master_repl_offset.delta": new - old, "master_repl_offset.rate": round(rate, 1),
        "backlog_seconds": round(size / rate, 1) if size and rate > 0 else None,
    }  # fmt: skip


def _replicas(node: Node, both: Pair) -> Values:
    before = {one.address: one for one in attached(both.first.flat())}
    found = attached(both.last.flat())
    behind = [one.behind for one in found if one.behind is not None]
    lags = [one.lag for one in found if one.lag is not None and one.state == "online"]
    values: Values = {
        "replicas_online": len(behind), "lag_bytes_max": max(behind, default=None), "lag_max": max(lags, default=None),
    }  # fmt: skip
    for number, one in enumerate(found[:SHOWN], 1):
        at = f"replica{number}"
        values |= {
            f"{at}.address": node.pseudonyms.plain("address", one.address), f"{at}.state": one.state,
            f"{at}.offset": one.offset, f"{at}.lag": one.lag, f"{at}.lag_bytes": one.behind,
        }  # fmt: skip
        old = before.get(one.address)
        if old and one.behind is not None and old.behind is not None and both.seconds > 0:
            values[f"{at}.lag_bytes.delta"] = one.behind - old.behind
    return values


async def _limits(node: Node) -> Values:
    try:
        config = await read_config(node, [*PARAMETERS, LIMIT])
    except Unanswered as error:
        if error.kind not in ("denied", "unknown-command", "not-pasted"):
            raise
        return {"config.unavailable": error.kind}
    values: Values = {name: _tidy(config.get(name)) for name in PARAMETERS}
    # normal 0 0 0 slave 268435456 67108864 60 pubsub ...
    words = str(config.get(LIMIT)).split()
    named = next((index for index, word in enumerate(words) if word in ("slave", "replica")), None)
    hard, soft, seconds, *_ = (*words[named + 1 : named + 4], None, None, None) if named is not None else (None,) * 3
    values |= {
        "output.limit_hard": _tidy(hard), "output.limit_soft": _tidy(soft), "output.limit_soft_seconds": _tidy(seconds),
    }  # fmt: skip
    return values


async def _link(node: Node, info: Mapping[str, Scalar]) -> Values:
    # To find replicas a server goes through all of its clients, which may be thousands.
    listed: Reply = ""
    if info.get("connected_slaves") != 0:
        (listed,) = await node.ask(("CLIENT", "LIST", "TYPE", "replica"))
    values = _output(listed)
    if info["role"] == "slave":
        (told,) = await node.ask(("ROLE",))
        known = isinstance(told, list) and len(told) > 3
        values["link_state"] = str(told[3]) if known else None
        if isinstance(told, ServerError):
            values["link_state.unavailable"] = told.kind or "unknown-command"
    return values


def _output(listed: Reply) -> Values:
    if isinstance(listed, ServerError):
        return {"output.omem_max": None, "output.unavailable": listed.kind or "unknown-command"}
    lines = [fields(line) for line in str(listed).split("\n", MOST_LISTED)[:MOST_LISTED] if line]
    sizes = {name: [whole_number(line.get(name, "")) or 0 for line in lines] for name in ("omem", "tot-mem", "oll")}
    return {
        "output.clients": len(lines), "output.omem_max": max(sizes["omem"], default=0),
        "output.omem_sum": sum(sizes["omem"]), "output.tot_mem_max": max(sizes["tot-mem"], default=0),
        "output.oll_max": max(sizes["oll"], default=0),
        "output.oldest_age": max((whole_number(line.get("age", "")) or 0 for line in lines), default=None),
    }  # fmt: skip


def _int(value: Scalar) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _tidy(value: Scalar) -> Scalar:
    number = whole_number(value) if isinstance(value, str) else None
    return value if number is None else number
