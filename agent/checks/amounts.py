"""Figures for remedies, as read, or else where to see them."""

import re
from collections.abc import Callable

from agent.checks.clients import DEFAULT_MAXCLIENTS, RESERVED_FDS
from agent.checks.elections import lost_primaries
from agent.checks.holders import main_writer
from agent.checks.joined import is_alone, lone_node
from agent.checks.types import Placeholder
from agent.evidence.view import View

Values = Callable[[View], tuple[str, ...]]
_MIB, _GIB = 1 << 20, 1 << 30
QUEUE = 1024
"""The accept queue that is proposed."""
SPARE = 1
"""Processes short of a control group's maximum at which forks fail: short-lived threads count too."""
_OVERHEADS = {
    "cluster": "the cluster's links and migrations (slots that move, peers that don't read from the bus)",
    "scripts": "cached scripts (pass values as ARGV, so that there are few)",
    "functions": "loaded functions (FUNCTION LIST shows them)",
    "hashtable_main": "the table of the keys itself (fewer and larger keys, such as hashes, need less)",
    "hashtable_expires": "the table of the keys' TTLs",
    "replication_backlog": "the replication backlog", "clients_replicas": "the replicas' output buffers",
    "clients_normal": "the clients' buffers", "aof_buffer": "the append-only file's buffer",
}  # fmt: skip


LEFTOVER = 1 << 20
"""Bytes of temporary files from which on it's worth removing them."""


def size(held: float) -> str:
    """Bytes as people read them."""
    return f"{held / _GIB:.3g} GiB" if held >= _GIB else f"{held / _MIB:.3g} MiB" if held >= _MIB else f"{held:.0f} B"


def _first(view: View, *fields: tuple[str, str]) -> float | None:
    return next((value for tool, field in fields if (value := view.number(tool, field))), None)


def _used(view: View) -> tuple[str, ...]:
    used = _first(view, ("memory", "used_memory"), ("info", "used_memory"))
    return (size(used) if used else "memory (used_memory_human in INFO memory)",)


def _twice(view: View) -> tuple[str, ...]:
    rss = _first(view, ("process", "rss_bytes"), ("memory", "used_memory_rss"), ("info", "used_memory_rss"))
    limit = view.number("process", "cgroup_memory_limit")
    now = f"; it's {size(limit)} now" if limit else ""
    return (f"{size(2 * rss)} (twice what the server uses{now})" if rss else "twice used_memory_rss in INFO memory",)


def _memory_limit(view: View) -> tuple[str, ...]:
    limit = _first(
        view, ("process", "cgroup_memory_limit"), ("pod", "limits.memory"), ("machine", "memory_total_bytes")
    )  # fmt: skip
    if limit is None:
        return ("free -h or the container's limit shows how much that is",)
    return (f"{size(0.6 * limit)} to {size(0.75 * limit)} of {size(limit)}",)


def _nofile(view: View) -> tuple[str, ...]:
    wanted = [DEFAULT_MAXCLIENTS, *(view.number("log", f"maxclients_asked.{name}") or 0 for name in ("asked",))]
    wanted.append(view.number("process", "argument_maxclients") or 0)
    wanted.append(view.number("config_drift", "maxclients.file") or 0)
    return (f"{max(wanted) + RESERVED_FDS:.0f}",)


def _queue(view: View) -> tuple[str, ...]:
    length = view.number("sockets", "send_q")
    return (f"{length:.0f}" if length else "its current length (Send-Q in ss -ltn)",)


def _queue_settings(view: View) -> tuple[str, ...]:
    most = view.number("sockets", "somaxconn")
    if most and most >= QUEUE:
        return (f"set tcp-backlog to {QUEUE} in the configuration file (net.core.somaxconn is {most:.0f} already)",)
    return (f"set net.core.somaxconn and, in the configuration file, tcp-backlog to {QUEUE} (the smaller of the two"
            " counts)",)  # fmt: skip


def _somaxconn(view: View) -> tuple[str, ...]:
    most = view.number("sockets", "somaxconn")
    return (f"{QUEUE}",) if most and most < QUEUE else ()


def _loading_left(view: View) -> tuple[str, ...]:
    left = _first(view, ("persistence", "loading_eta_seconds"), ("info", "loading_eta_seconds"))
    if left is None:
        return ("until INFO persistence shows loading:0",)
    return (f"about {left:.0f} s more" if left < 120 else f"about {left / 60:.0f} min more",)


def _leftovers(view: View) -> tuple[str, ...]:
    count, held = view.number("disk", "temp_count"), view.number("disk", "temp_bytes") or 0
    saves = any(view.number("persistence", f"{what}_in_progress") for what in ("rdb_bgsave", "aof_rewrite"))
    return (f"{count:.0f} of them, {size(held)}",) if count and held >= LEFTOVER and not saves else ()


def _lost_of(view: View) -> tuple[str, ...]:
    gone, left = len(list(lost_primaries(view))), view.number("cluster", "primaries_ok")
    return (f"{gone} of {gone + left:.0f} primaries" if gone and left is not None else "most of the primaries",)


def _unassigned(view: View) -> tuple[str, ...]:
    if is_alone(view):
        # They are another node's, once it joins.
        return ()
    slots = view.number("cluster", "slots_unassigned")
    return (f"{slots:.0f}" if slots else "some",)


def _open_slot(view: View) -> tuple[str, ...]:
    for one in (view, *view.peers_with("cluster")):
        slot, peer = one.text("cluster", "open1.slot"), one.text("cluster", "open1.peer")
        if slot and peer:
            to = "to" if one.text("cluster", "open1.direction") == "migrating" else "from"
            keys = one.number("cluster", "open1.keys")
            return (f"slot {slot} {to} {peer}" + (f" ({keys:.0f} keys are at {one.node})" if keys is not None else ""),)
    return ("the slots that CLUSTER NODES shows in square brackets",)


def _migration(view: View) -> tuple[str, ...]:
    get = {name: view.text("cluster", f"migration1.{name}") for name in ("operation", "slots", "peer", "reason")}
    if not get["slots"]:
        return ("the log says which slots and why",)
    way = "from" if get["operation"] == "import" else "to"
    reasons = {"memory": "the importing node has run out of memory", "connection": "the connection between them broke"}
    why = reasons.get(get["reason"], get["reason"])
    return (f"slots {get['slots']} {way} {get['peer']}" + (f", {why}" if why else ""),)


def _hot_slot(view: View) -> tuple[str, ...]:
    slot = view.text("cluster", "hot1.slot")
    if slot:
        return (f"it's in slot {slot}, and CLUSTER GETKEYSINSLOT {slot} 10 lists keys of that slot",)
    return (
        "HOTKEYS on Redis from 8.6, redis-cli --hotkeys where the policy is an LFU one, otherwise a sample in the"
        " application",
    )


def drifted(view: View) -> dict[str, tuple[str, str]]:
    """The parameters whose running value differs from the file's, with both values."""
    names = [field.removesuffix(".running") for field in view.fields("config_drift") if field.endswith(".running")]
    return {
        name: (view.text("config_drift", f"{name}.file"), view.text("config_drift", f"{name}.running"))
        for name in names
    }


def _drifted(view: View) -> tuple[str, ...]:
    told = [f"{name} ({file or 'not'} in the file, {running or 'nothing'} running)"
            for name, (file, running) in list(drifted(view).items())[:5]]  # fmt: skip
    return (", ".join(told) or "CONFIG GET shows the running values, to compare with the file",)


def _other_process(view: View) -> tuple[str, ...]:
    free = view.number("machine", "memory_available_bytes")
    limit = view.number("process", "cgroup_memory_limit")
    if limit:
        return (f"the group's limit is {size(limit)}",)
    return (f"{size(free)} is available" if free is not None else "ps shows what uses it",)


def _overhead(view: View) -> tuple[str, ...]:
    name, held = view.text("memory", "largest_overhead"), view.number("memory", "largest_overhead_bytes")
    what = _OVERHEADS.get(name, name or "the largest owner in MEMORY STATS")
    return (f"{what}, {size(held)}" if held else what,)


def _client_limit(view: View) -> tuple[str, ...]:
    now = view.text("config_get", "maxmemory-clients")
    return (f"{size(int(now)) if now.isdecimal() else now} now" if now else "CONFIG GET shows it",)


def _processes(view: View) -> tuple[str, ...]:
    now, most = view.number("process", "cgroup_pids_current"), view.number("process", "cgroup_pids_max")
    if now is None or not most:
        return ("",)
    return (f" ({now:.0f} of {most:.0f} allowed)",) if now + SPARE >= most else ()


def _fork_memory(view: View) -> tuple[str, ...]:
    """Nothing to add if a fork may lack memory; no value if it lacks processes."""
    now, most = view.number("process", "cgroup_pids_current"), view.number("process", "cgroup_pids_max")
    return () if now is not None and most and now + SPARE >= most else ("",)


def _dual_channel(view: View) -> tuple[str, ...]:
    """The release, if it uses two channels for a full sync."""
    release = re.match(r"[0-9]+", view.text("info", "valkey_version"))
    return (f"Valkey {view.text('info', 'valkey_version')}",) if release and int(release[0]) >= 8 else ()


def _policy(view: View) -> tuple[str, ...]:
    policy = view.text("memory", "maxmemory_policy") or view.text("config_get", "maxmemory-policy")
    return (policy,) if policy else ()


def _quota(view: View) -> tuple[str, ...]:
    quota = view.number("process", "cgroup_cpu_quota")
    return (f"{quota:.2g} cores now" if quota else "the group's cpu.max shows it",)


def _fork_speed(view: View) -> tuple[str, ...]:
    each = view.number("persistence", "fork_usec_per_gb")
    return (f" ({each / 1000:.0f} ms for each GiB here)" if each else "",)


def _write_rate(view: View) -> tuple[str, ...]:
    rate = view.number("replication", "master_repl_offset.rate")
    return (f"{size(rate)} a second is being written." if rate and rate > 1 else "INFO replication shows the offset.",)


def _top_writer(view: View) -> tuple[str, ...]:
    return (main_writer(view) or "INFO commandstats shows the command, CLIENT LIST who sends it",)


def _one(name: str, example: str, values: Values) -> Placeholder:
    return Placeholder(name=name, example=example, values=values)


PLACEHOLDERS = (
    _one("used_size", "25 MiB", _used),
    _one("memory_twice", "5.6 GiB (twice what the server uses; it's 4 GiB now)", _twice),
    _one("memory_limit", "4.8 GiB to 6 GiB of 8 GiB", _memory_limit),
    _one("nofile_target", "10032", _nofile),
    _one("accept_queue", "511", _queue),
    _one("queue_settings", "set tcp-backlog to 1024 in the configuration file", _queue_settings),
    _one("somaxconn_target", "1024", _somaxconn),
    _one("loading_left", "about 3 min more", _loading_left),
    _one("lost_of", "2 of 3 primaries", _lost_of),
    Placeholder(name="lone_node", example="10.0.0.7:6379", values=lone_node),
    _one("leftovers", "12 of them, 3 GiB", _leftovers),
    _one("unassigned_slots", "5461", _unassigned),
    _one("open_slot", "slot 7 to 10.0.0.2:6379", _open_slot),
    _one("migration", "slots 0-200 from 10.0.0.2:6379, the importing node has run out of memory", _migration),
    _one("hot_slot", "it's in slot 7", _hot_slot),
    _one("drifted", "maxclients (343 in the file, 4330 running)", _drifted),
    _one("drifted_name", "maxclients", lambda view: tuple(drifted(view))),
    _one("other_process", "112 MiB is available", _other_process),
    _one("overhead", "cached scripts, 30 MiB", _overhead),
    _one("client_limit", "1048576 now", _client_limit),
    _one("processes_now", " (60 of 64 allowed)", _processes),
    _one("fork_memory", "", _fork_memory),
    _one("dual_channel", "Valkey 8.1.8", _dual_channel),
    _one("policy_now", "noeviction", _policy),
    _one("cpu_quota", "0.2 cores now", _quota),
    _one("fork_speed", " (160 ms for each GiB here)", _fork_speed),
    _one("write_rate", "1.2 MiB a second is being written.", _write_rate),
    _one("top_writer", "SET, 300 times a second (orders)", _top_writer),
)
