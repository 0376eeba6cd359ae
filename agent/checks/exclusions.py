"""Figures that exclude a cause although the reading that shows it best is missing."""

from collections.abc import Callable, Mapping

from agent.checks.clients import no_leak
from agent.checks.data import may_have_begun_empty
from agent.checks.failover import failed_over_otherwise
from agent.checks.listening import NONE, where, where_it_listens
from agent.checks.settings import speaks_of_settings
from agent.checks.types import Limits
from agent.evidence.view import Cited, View
from tools.records import Reading

Excluded = Callable[[View, Limits], tuple[Cited, ...]]
"""The figures that exclude a cause at a node; empty if it may be present."""
MIB = float(1 << 20)
PROMPT_MS = 50.0
"""Difference of the fastest and the slowest PING: a thread held up for longer shows in the sample."""
LEAST_PINGS = 20
LATE_MS, LATE_SHARE = 10.0, 0.2
"""Milliseconds above which a PING counts as slow, and the share of these that chance produces on a busy machine."""
SOON_MS = 500.0
"""Time of a TCP connect: an overflowing listen queue costs at least a second."""
CALM = 50.0
"""New connections per second for which no listen queue is too short."""
SMALL_FORK_USEC = 50_000
LONG_UP = 86_400.0
"""Seconds after which the end of the previous run doesn't explain anything reported now."""
SHORT_REPLY = 4096
"""Average bytes per reply since the start: if replies are shorter, none is large enough to be shared."""
FREE_SHARE = 0.8
COPIED_SHARE = 0.3
"""Share of the resident memory: huge pages that make a save copy less than this cost nothing noticeable."""
OF_USED = 0.2
"""Share of the memory in use: client buffers that hold less aren't a memory fault."""


def excluding(cause: str, view: View, limits: Limits) -> tuple[Cited, ...]:
    """The figures that exclude this cause at this node; empty if it may be present, as far as is known."""
    return _BY_CAUSE[cause](view, limits) if cause in _BY_CAUSE else NONE


def _below(view: View, tool: str, field: str, bound: float) -> bool:
    value = view.number(tool, field)
    return value is not None and value < bound


def prompt(view: View, limits: Limits) -> tuple[Cited, ...]:
    """In every sample nearly all PINGs took about as long as the fastest, and none much longer."""
    samples = [one for one in view.readings if one.tool == "latency_sample" and not one.asked]
    if samples and all(map(_is_prompt, samples)):
        return ("latency_sample", "max_ms"), ("latency_sample", "min_ms"), ("latency_sample", "over_10ms_share")
    return NONE


def _is_prompt(sample: Reading) -> bool:
    mean, share = sample.get("mean_ms"), sample.get("over_10ms_share")
    if share is None and isinstance(mean, int | float):
        # No larger share can have taken that long with this mean, which is all that is known of a pasted one.
        share = mean / LATE_MS
    figures = [
        value
        for value in (*(sample.get(field) for field in ("answered", "timeouts", "min_ms", "max_ms")), share)
        if isinstance(value, int | float)
    ]
    if len(figures) < 5:
        return False
    answered, lost, fastest, slowest, share = figures
    # On a long path every PING exceeds the limit for slow ones.
    late = share if fastest < LATE_MS else 0.0
    return answered >= LEAST_PINGS and lost == 0 and slowest - fastest < PROMPT_MS and late <= LATE_SHARE


def _backlog(view: View, limits: Limits) -> tuple[Cited, ...]:
    calm = _below(view, "connect", "tcp_ms", SOON_MS) and _below(view, "info", "total_connections_received.rate", CALM)
    return where(calm, ("connect", "tcp_ms"), ("info", "total_connections_received.rate"))


def _file_limit(view: View, limits: Limits) -> tuple[Cited, ...]:
    clients, most = view.number("info", "connected_clients"), view.number("info", "maxclients")
    free = clients is not None and most is not None and clients < FREE_SHARE * most
    none = view.number("info", "rejected_connections.delta") == 0
    return where(free and none, ("info", "connected_clients"), ("info", "rejected_connections.delta"))


def _output(view: View, limits: Limits) -> tuple[Cited, ...]:
    small = _small_buffers(view, "client_recent_max_output_buffer")
    closed = view.number("info", "client_output_buffer_limit_disconnections.delta")
    if closed or not small:
        return NONE
    release = view.text("info", "valkey_version").partition(".")[0]
    if view.text("info", "server_name") != "valkey" or (release.isdecimal() and int(release) < 9):
        return small
    # Valkey 9 counts no large reply in any buffer: there can be one only if replies are large.
    sent, done = view.number("info", "total_net_output_bytes"), view.number("info", "total_commands_processed")
    short = sent is not None and bool(done) and sent / (done or 1) < SHORT_REPLY
    return where(short, *small, ("info", "total_net_output_bytes"), ("info", "total_commands_processed"))


def _input(view: View, limits: Limits) -> tuple[Cited, ...]:
    return _small_buffers(view, "client_recent_max_input_buffer")


def _small_buffers(view: View, field: str) -> tuple[Cited, ...]:
    held, used = view.number("info", "mem_clients_normal"), view.number("info", "used_memory")
    little = held is not None and used is not None and held < max(MIB, OF_USED * used)
    return where(little and _below(view, "info", field, MIB), ("info", field), ("info", "mem_clients_normal"))


def _nobody_blocked(view: View, limits: Limits) -> tuple[Cited, ...]:
    return where(view.number("info", "blocked_clients") == 0, ("info", "blocked_clients"))


def _nobody_watches(view: View, limits: Limits) -> tuple[Cited, ...]:
    commands = view.number("commandstats", "commands")
    return where(
        bool(commands) and view.number("commandstats", "monitor.calls") is None, ("commandstats", "commands")
    )  # fmt: skip


def _small_forks(view: View, limits: Limits) -> tuple[Cited, ...]:
    return where(_below(view, "info", "latest_fork_usec", SMALL_FORK_USEC), ("info", "latest_fork_usec"))


def _no_slow_call(view: View, limits: Limits) -> tuple[Cited, ...]:
    """By the server's own histograms of all commands since they were reset; or no command took that long in total."""
    slow = limits["slow_command_usec"]
    sums = {field: view.number("commandstats", field) for field in view.fields("commandstats")
            if field.endswith(".usec") and field != "total.usec"}  # fmt: skip
    commands = view.number("commandstats", "commands")
    if commands and commands <= len(sums) and all(usec is not None and usec < slow for usec in sums.values()):
        return (("commandstats", max(sums, key=lambda field: sums[field] or 0)),)
    if view.unavailable("latencystats") or view.get("latencystats", "tracking") is not True:
        return NONE
    tails = {field: view.number("latencystats", field) for field in view.fields("latencystats")
             if field.endswith((".p99.9_usec", ".window_max_usec"))}  # fmt: skip
    if not tails or any(usec is None or usec >= slow for usec in tails.values()):
        return NONE
    return (("latencystats", max(tails, key=lambda field: tails[field] or 0)),)


def _no_transaction(view: View, limits: Limits) -> tuple[Cited, ...]:
    called = any(field.startswith("exec.calls.delta") for field in view.fields("commandstats"))
    read = view.number("commandstats", "total.calls.delta") is not None
    return prompt(view, limits) or where(read and not called, ("commandstats", "total.calls.delta"))


def _no_fsync(view: View, limits: Limits) -> tuple[Cited, ...]:
    return where(view.number("persistence", "aof_enabled") == 0, ("persistence", "aof_enabled")) or prompt(
        view, limits
    )  # fmt: skip


def _no_streams(view: View, limits: Limits) -> tuple[Cited, ...]:
    read = bool(view.number("commandstats", "commands"))
    used = any(field.startswith("xreadgroup.") for field in view.fields("commandstats"))
    return where(read and not used, ("commandstats", "commands"))


def _resident(view: View, limits: Limits) -> tuple[Cited, ...]:
    used, resident = view.number("info", "used_memory"), view.number("info", "used_memory_rss")
    whole = used is not None and resident is not None and resident >= used
    return where(whole, ("info", "used_memory_rss"), ("info", "used_memory")) or prompt(view, limits)


def _long_up(view: View, limits: Limits) -> tuple[Cited, ...]:
    up = view.number("info", "uptime_in_seconds")
    return where(up is not None and up > LONG_UP, ("info", "uptime_in_seconds"))


def _no_recent_end(view: View, limits: Limits) -> tuple[Cited, ...]:
    up = view.number("info", "uptime_in_seconds")
    return where(up is not None and up > limits["oom_recent_seconds"], ("info", "uptime_in_seconds"))


def _no_aof(view: View, limits: Limits) -> tuple[Cited, ...]:
    return where(view.number("persistence", "aof_enabled") == 0, ("persistence", "aof_enabled"))


def _few_copies(view: View, limits: Limits) -> tuple[Cited, ...]:
    """Forks are short, and either nobody is held up or the last save copied little of the memory."""
    copied, resident = view.number("persistence", "rdb_last_cow_size"), view.number("info", "used_memory_rss")
    if not (small := _small_forks(view, limits)):
        return NONE
    little = copied is not None and resident is not None and copied < COPIED_SHARE * resident
    return prompt(view, limits) or where(little, *small, ("persistence", "rdb_last_cow_size"))


def _no_misses(view: View, limits: Limits) -> tuple[Cited, ...]:
    return where(view.number("keyspace", "keyspace_misses.delta") == 0, ("keyspace", "keyspace_misses.delta"))


def _no_traces(view: View, limits: Limits) -> tuple[Cited, ...]:
    read = bool(view.number("commandstats", "commands"))
    traces = ("flushall.calls", "flushdb.calls", "config|set.calls", "config.failed_calls", "config|set.failed_calls")
    left = any(view.number("commandstats", field) for field in traces)
    return where(read and not left, ("commandstats", "commands"))


def _linked(view: View, limits: Limits) -> tuple[Cited, ...]:
    role, link = view.text("replication", "role"), view.text("replication", "master_link_status")
    if link:
        return where(link == "up", ("replication", "master_link_status"))
    return where(role == "master", ("replication", "role"))


def _nobody_refused(view: View, limits: Limits) -> tuple[Cited, ...]:
    refusals = [f"errorstat_{name}.count.delta" for name in ("NOAUTH", "WRONGPASS", "NOPERM")]
    read = view.number("info", "total_error_replies.delta") is not None
    refused = any(view.number("info", field) for field in refusals)
    return where(read and not refused, ("info", "total_error_replies.delta"))


def _no_cluster(view: View, limits: Limits) -> tuple[Cited, ...]:
    mode = view.text("info", "server_mode") or view.text("info", "redis_mode")
    field = "server_mode" if view.text("info", "server_mode") else "redis_mode"
    return where(mode not in ("", "cluster"), ("info", field))


def _sentinels_read(view: View, limits: Limits) -> tuple[Cited, ...]:
    """The sentinels that watch it were asked themselves, so they needn't be found through its clients."""
    asked = any(not peer.unavailable("sentinel") for peer in view.peers_with("sentinel"))
    return where(asked, ("topology", "topology"))


def _listens(view: View, limits: Limits) -> tuple[Cited, ...]:
    return where_it_listens(view)


def _others_get_in(view: View, limits: Limits) -> tuple[Cited, ...]:
    """Others are connected: no firewall stands before all of them."""
    return where((view.number("info", "connected_clients") or 0) > 2, ("info", "connected_clients"))


def _no_tls(view: View, limits: Limits) -> tuple[Cited, ...]:
    """It listens without TLS only."""
    doors = [view.text("info", f"listener{number}") for number in range(8)]
    return where(any(doors) and not any("name=tls" in door for door in doors), ("info", "listener0"))


def _no_empty_start(view: View, limits: Limits) -> tuple[Cited, ...]:
    kept = ("persistence", "config.save"), ("persistence", "aof_enabled"), ("info", "uptime_in_seconds")
    return where(not may_have_begun_empty(view, limits), *kept)


def _never_set(view: View, limits: Limits) -> tuple[Cited, ...]:
    """Nothing was set since the start: the file could only have been edited, which a report about the file would
    say."""
    if speaks_of_settings(view.symptom):
        return NONE
    counted = view.number("config_drift", "set_calls") == 0
    setting = "config|set.calls", "config.calls", "config|resetstat.calls"
    listed = bool(view.number("commandstats", "commands"))
    never = listed and not any(view.number("commandstats", field) for field in setting)
    return where(counted, ("config_drift", "set_calls")) or where(never, ("commandstats", "commands"))


def _no_slow_failover(view: View, limits: Limits) -> tuple[Cited, ...]:
    """Without Sentinel there is no failover of this kind, and one that followed a death had another reason."""
    if view.peers_with("sentinel"):
        return _long_up(view, limits) or failed_over_otherwise(view, limits)
    if view.text("topology", "topology") == "cluster":
        return (("topology", "topology"),)
    listed = view.last("clients") is not None and not view.unavailable("clients")
    return where(listed and view.get("topology", "topology") is not None, ("topology", "topology"))


def _no_child(view: View, limits: Limits) -> tuple[Cited, ...]:
    fields = "rdb_bgsave_in_progress", "aof_rewrite_in_progress"
    none = all(view.number("persistence", field) == 0 for field in fields)
    on = (view.number("persistence", "current_save_keys_processed.delta") or 0) > 0
    return where(none, *(("persistence", field) for field in fields)) or where(
        on, ("persistence", "current_save_keys_processed.delta")
    )  # fmt: skip


_BY_CAUSE: Mapping[str, Excluded] = {
    "listen-backlog-overflow": _backlog, "fd-limit-clamp": _file_limit, "connection-leak": no_leak,
    "slow-consumer-output": _output, "query-buffer-hog": _input, "client-paused": _nobody_blocked,
    "blocking-in-pool": _nobody_blocked, "cpu-throttled": prompt, "fork-stall": _small_forks,
    "monitor-attached": _nobody_watches, "slow-on-command": _no_slow_call, "big-key-delete": _no_slow_call,
    "huge-exec": _no_transaction, "fsync-always-slow": _no_fsync, "stream-backlog": _no_streams,
    "stream-consumer-leak": _no_streams, "swapping": _resident, "oom-killed": _no_recent_end, "thp": _few_copies,
    "wrong-database": _no_misses, "exposed-instance": _no_traces, "masterauth-mismatch": _linked,
    "cluster-slots-down": _no_cluster, "open-slot": _no_cluster, "auth-failure": _nobody_refused,
    "bound-elsewhere": _listens, "config-drift": _never_set, "aof-enabled-by-restart": _no_aof,
    "save-stuck": _no_child, "sentinel-noquorum": _sentinels_read, "sentinel-no-good-replica": _sentinels_read,
    "firewall-drop": _others_get_in, "tls-mismatch": _no_tls, "slowness-failover": _no_slow_failover,
    "data-gone": _no_empty_start,
}  # fmt: skip
