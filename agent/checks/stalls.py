"""Stalls of the main thread that leave no slow command behind, or one that isn't the client's fault."""

from agent.checks.backlog import stream_backlog
from agent.checks.counted import times
from agent.checks.crowd import all_seen
from agent.checks.field_expiry import fields_expire, mostly_fields
from agent.checks.freeing import DELETES, flushed, frees
from agent.checks.slow_commands import THRESHOLDS
from agent.checks.types import Family, Found, Limits, Placeholder
from agent.evidence.view import Cited, View

FEW = 100
"""Most keys that may disappear over the window and each be big."""


def cpu_throttled(view: View, limits: Limits) -> Found:
    """The kernel throttles the server's control group because it used up its CPU quota."""
    periods, throttled = (view.number("process", f"cgroup_nr_{name}.delta") for name in ("periods", "throttled"))
    if throttled is None:
        return
    held = view.number("process", "cgroup_throttled_seconds.delta") or 0
    cited: tuple[Cited, ...] = (
        ("process", "cgroup_nr_throttled.delta"), ("process", "cgroup_nr_periods.delta"),
        ("process", "cgroup_throttled_seconds.delta"), ("process", "cgroup_cpu_quota"), ("process", "main_cpu_share"),
        ("slowlog", "max_usec"),
    )  # fmt: skip
    if not throttled:
        because = "The control group didn't use up its CPU quota over the window."
        yield view.not_("cpu-throttled", because, *cited[:2])
        return
    share = throttled / max(periods or 0, 1)
    quota = view.number("process", "cgroup_cpu_quota") or 0
    why = (
        f"Its control group may use {quota:.2f} cores and was throttled in "
        f"{throttled:.0f} of {periods or 0:.0f} periods"
    )
    why += f", {held:.1f} s in all: the server waits although the machine's CPU looks idle."
    often = share >= limits["throttled_periods_share"] and throttled >= 2
    yield view.cause("cpu-throttled", 0.96 if often else 0.45, why, *cited)
    main = view.number("process", "main_cpu_share")
    if often and main is not None and main < 0.7:
        because = "The main thread gets far less than a core: its control group is throttled."
        yield view.not_("cpu-saturated", because, ("process", "main_cpu_share"), cited[0])


def mass_expiry(view: View, limits: Limits) -> Found:
    """So many keys expire at once that the expiry cycle runs out of time."""
    expired, capped = (view.number("info", f"expired_{name}.delta") for name in ("keys", "time_cap_reached_count"))
    stale, window = view.number("info", "expired_stale_perc"), view.number("info", "window_seconds") or 2
    if expired is None:
        return
    cited: tuple[Cited, ...] = (
        ("info", "expired_keys.delta"), ("info", "expired_stale_perc"),
        ("info", "expired_time_cap_reached_count.delta"), ("keyspace", "expire_cycle_cpu_milliseconds.delta"),
        ("latency_events", "expire-cycle.max_60s_ms"),
    )  # fmt: skip
    spikes, longest, _ = event(view, "expire-cycle")
    many = expired / window >= limits["expired_keys_per_second"]
    late = (stale or 0) >= limits["expired_stale_percent"]
    spent = view.number("keyspace", "expire_cycle_cpu_milliseconds.delta")
    long = spent is None or spent / window >= limits["expiry_ms_per_second"]
    if many and (capped or 0) >= 2 and late and long:
        why = f"{expired:.0f} keys expired over the window, the expiry cycle ran out of time {capped:.0f} times, and"
        why += f" {stale:.0f} % of the sampled keys are overdue: all clients wait while it catches up."
        yield view.cause("mass-expiry", 0.94 if spent is not None else 0.8, why, *cited)
    elif many and capped and long:
        why = f"{expired:.0f} keys expired over the window, more than the expiry cycle can remove in its time."
        yield view.cause("mass-expiry", 0.65, why, *cited)
    elif spikes >= 2 and longest >= limits["expiry_event_ms"] and not _few_and_big(view, limits):
        why = f"The server recorded {spikes:.0f} expiry cycles of up to {longest:.0f} ms within a minute"
        fields = mostly_fields(view)
        why += ": what expires is hash fields." if fields else "."
        events = [("latency_events", f"expire-cycle.{field}") for field in ("spikes_60s", "max_60s_ms", "age")]
        yield view.cause("mass-expiry", 0.7, why, *events, *cited[:3], *fields)
    elif capped and late:
        why = f"The expiry cycle ran out of time {capped:.0f} times, for {expired:.0f} keys over the window."
        yield view.cause("mass-expiry", 0.4, why, *cited[:4])
    elif found := list(fields_expire(view, limits)):
        yield from found
    elif (not expired or capped is not None) and not view.number("info", "expired_time_cap_reached_count"):
        # If the cycle ever ran out of time, there are waves, and this window may be between two of them.
        because = f"{expired:.0f} keys expired over the window, and the expiry cycle kept up with them."
        yield view.not_("mass-expiry", because, *cited[:3])


def _each_is_slow(view: View, limits: Limits) -> bool:
    """Whether the expiry cycle's time went into few keys, which are then big."""
    expired = view.number("keyspace", "expired_keys.delta") or 0
    spent = (view.number("keyspace", "expire_cycle_cpu_milliseconds.delta") or 0) * 1000
    return 0 < expired <= FEW and spent >= limits["delete_usec"] and spent / expired >= limits["delete_usec"] / 4


def _few_and_big(view: View, limits: Limits) -> bool:
    """Whether the recorded expiry cycles were long because of single keys."""
    return _each_is_slow(view, limits) or event(view, "expire-del")[1] >= event(view, "expire-cycle")[1] / 2


def fork_stall(view: View, limits: Limits) -> Found:
    """A fork for a snapshot, a rewrite or a replica holds everything up while the page tables are copied."""
    took, forks = view.number("info", "latest_fork_usec"), view.number("info", "total_forks.delta") or 0
    if took is None:
        return
    spikes, longest, _ = event(view, "fork")
    age = view.number("persistence", "rdb_last_save_age")
    saved = age is not None and view.get("persistence", "rdb_saved_since_start") is True
    cited: tuple[Cited, ...] = (
        ("info", "latest_fork_usec"), ("info", "total_forks.delta"), ("persistence", "fork_usec_per_gb"),
        ("persistence", "rdb_last_save_age"), ("persistence", "config.save"), ("latency_events", "fork.max_60s_ms"),
    )  # fmt: skip
    long = f"The last fork took {took / 1000:.0f} ms, during which nobody was served"
    if took < limits["fork_usec"]:
        if took:
            yield view.not_("fork-stall", f"The last fork took {took / 1000:.1f} ms.", *cited[:2])
    elif forks:
        yield view.cause("fork-stall", 0.94, f"{long}, and there were {forks:.0f} forks within the window.", *cited)
    elif spikes >= 2 and longest * 1000 >= limits["fork_usec"]:
        why = f"{long}; {spikes:.0f} such forks were recorded within a minute."
        yield view.cause("fork-stall", 0.88, why, *cited, ("latency_events", "fork.spikes_60s"))
    elif saved and age is not None and age <= limits["fork_recent_seconds"]:
        yield view.cause("fork-stall", 0.6, f"{long}, and a snapshot was completed {age:.0f} s ago.", *cited)
    else:
        yield view.cause("fork-stall", 0.35, f"{long}; there was none within the window.", *cited)


def monitor_attached(view: View, limits: Limits) -> Found:
    """Somebody watches every command with MONITOR, and the server writes each one again for each watcher."""
    monitors = view.number("clients", "monitors")
    if monitors is None:
        return
    cited: tuple[Cited, ...] = (
        ("clients", "monitors"), ("info", "total_commands_processed.rate"), ("info", "total_net_output_bytes.rate"),
    )  # fmt: skip
    if not monitors:
        if all_seen(view):
            yield view.not_("monitor-attached", "No client has flags O.", cited[0])
        return
    rate = view.number("info", "total_commands_processed.rate")
    who = "1 client runs" if monitors == 1 else f"{monitors:.0f} clients run"
    why = (
        f"{who} MONITOR: each {'command' if rate is None else f'of {rate:.0f} commands a second'} is also sent to "
        f"{'it' if monitors == 1 else 'each of them'}."
    )
    waiting = view.number("clients", "omem_max") or 0
    if rate is None and waiting >= limits["output_buffer_bytes"]:
        why += f" {waiting / 2**20:,.0f} MiB wait in the server for the client that reads slowest."
        cited = *cited, ("clients", "omem_max")
    shown = [field.removesuffix("cmd") for field in view.fields("clients") if view.get("clients", field) == "monitor"]
    groups = [("clients", f"{at}{name}") for at in shown[:1] if at[0] == "g" for name in ("flags", "cmd", "address")]
    busy = (rate or 0) >= limits["monitored_commands_per_second"]
    cited = *cited, ("clients", "monitor.ids")
    yield view.cause("monitor-attached", 0.95 if busy else 0.75, why, *cited, *groups)


def huge_exec(view: View, limits: Limits) -> Found:
    """A transaction of very many fast commands: EXEC runs them in one go and isn't in the slow log."""
    calls, each = (
        view.number("commandstats", "exec.calls.delta") or 0,
        view.number("commandstats", "exec.usec_per_call.delta") or 0,
    )
    ever, longest = (
        view.number("commandstats", "exec.usec_per_call") or 0,
        view.number("latencystats", "exec.window_max_usec") or 0,
    )
    limit = limits["exec_usec"]
    cited: tuple[Cited, ...] = (
        ("commandstats", "exec.usec_per_call.delta"), ("commandstats", "exec.calls.delta"),
        ("commandstats", "exec.usec_per_call"), ("latencystats", "exec.window_max_usec"), ("slowlog", "max_usec"),
        ("latency_events", "command.max_60s_ms"),
    )  # fmt: skip
    if not ever:
        return
    spikes, spike, _ = event(view, "command")
    inner = max(_recent(view, limits), default=0)
    nothing = "the slow log doesn't explain it, since it skips EXEC"
    # One slow command inside a transaction is in the slow log under its own name.
    if calls and each >= limit:
        why = f"EXEC took {each / 1000:.0f} ms on average over the window; {nothing}."
        yield view.cause("huge-exec", 0.94 if inner < each / 2 else 0.45, why, *cited)
    elif calls and longest >= 2 * limit:
        why = f"The longest EXEC of the window took up to {longest / 1000:.0f} ms; {nothing}."
        yield view.cause("huge-exec", 0.85 if inner < limit else 0.4, why, *cited)
    elif ever >= limit and spikes >= 2 and spike * 1000 >= limit and inner < spike * 500:
        why = f"EXEC takes {ever / 1000:.0f} ms on average since startup; commands of up to {spike:.0f} ms were"
        yield view.cause("huge-exec", 0.8, f"{why} recorded {spikes:.0f} times within a minute, and {nothing}.", *cited)
    elif ever >= limit:
        why = f"EXEC has taken {ever / 1000:.0f} ms on average since startup, but there was none within the window."
        yield view.cause("huge-exec", 0.45 if inner < limit else 0.3, why, *cited[1:])
    else:
        yield view.not_("huge-exec", f"EXEC takes {ever / 1000:.1f} ms on average.", *cited[:3])


def _recent(view: View, limits: Limits) -> list[float]:
    """The longest times in the slow log in the last minute, of commands that aren't otherwise cheap."""
    names = [field.removesuffix(".newest_age") for field in view.fields("slowlog") if field.endswith(".newest_age")]
    young = [name for name in names if name and (view.number("slowlog", f"{name}.newest_age") or 0) <= 60]
    cheap = 5 * limits["cheap_command_usec"]
    means = {name: view.number("commandstats", f"{name.lower()}.usec_per_call") or 0 for name in young}
    return [view.number("slowlog", f"{name}.max_usec") or 0 for name in young if not 0 < means[name] < cheap]


LONG = 4
"""This multiple of the limit is long for something that happened once."""


def big_delete(view: View, limits: Limits) -> Found:
    """A big key is freed by the main thread: by a command, by its time to live, or by eviction."""
    yield from _deleted(view, limits)
    cycle = ("keyspace", "expire_cycle_cpu_milliseconds.delta")
    if _each_is_slow(view, limits):
        spent, expired = view.number(*cycle) or 0, view.number("keyspace", "expired_keys.delta") or 0
        why = f"{expired:.0f} keys expired over the window and cost the expiry cycle {spent:.0f} ms: they are big, and"
        yield view.cause(
            "big-key-delete", 0.93, f"{why} are freed by the thread that runs the commands.", cycle,
            ("keyspace", "expired_keys.delta"), ("config_get", "lazyfree-lazy-expire"),
            ("latency_events", "expire-del.max_60s_ms"),
        )  # fmt: skip
        because = "Few keys expired over the window; the cost comes from the size of each."
        yield view.not_("mass-expiry", because, ("keyspace", "expired_keys.delta"), cycle)
    for name in ("expire-del", "eviction-del"):
        spikes, longest, new = event(view, name)
        # Among very many deletions one may be long for another reason: the key table shrinks.
        among = view.number("info", f"{'expired' if name == 'expire-del' else 'evicted'}_keys.delta") or 0
        if longest * 1000 >= limits["delete_usec"] and (new or spikes >= 2) and among <= FEW:
            why = f"The server recorded {name} of up to {longest:.0f} ms, {spikes:.0f} times within a minute."
            cited = [("latency_events", f"{name}.{field}") for field in ("max_60s_ms", "spikes_60s", "age", "new")]
            yield view.cause("big-key-delete", 0.9, why, *cited)


def _deleted(view: View, limits: Limits) -> Found:
    for command in sorted(DELETES | {"RENAME"}):
        if not frees(view, command):
            continue
        low, limit = command.lower(), limits["delete_usec"]
        usec, age = view.number("slowlog", f"{command}.max_usec") or 0, view.number("slowlog", f"{command}.newest_age")
        count = view.number("slowlog", f"{command}.count") or 0
        each = view.number("commandstats", f"{low}.usec_per_call.delta") or 0
        now = bool(view.number("commandstats", f"{low}.calls.delta")) and each >= limit
        young = usec >= limit and age is not None and age <= limits["slow_recent_seconds"]
        if not (now or young):
            continue
        chance = 0.95 if now else 0.4
        if not now and age is not None and age <= 60:
            # Nobody reports a single short stall.
            once = age <= limits["slow_once_seconds"] and usec >= LONG * limit
            # Among very many that only set a time to live one may be long because the thread waited for a core.
            once = once and not ("EXPIRE" in command and (view.number("commandstats", f"{low}.calls.delta") or 0) > FEW)
            chance = 0.92 if count >= 2 else 0.6 if once else 0.4
        what = "overwrites" if command == "RENAME" else "deletes"
        why = f"{command} took up to {max(usec, each) / 1000:.0f} ms to free what it {what}"
        why += f", {times(count)} in the slow log." if count else "."
        yield view.cause(
            "big-key-delete", chance, why, ("slowlog", f"{command}.max_usec"), ("slowlog", f"{command}.count"),
            ("slowlog", f"{command}.newest_age"), ("commandstats", f"{low}.usec_per_call.delta"),
            ("commandstats", f"{low}.calls.delta"), ("config_get", "lazyfree-lazy-user-del"),
        )  # fmt: skip


def _overwritten(view: View) -> tuple[str, ...]:
    """The value of lazyfree-lazy-server-del that helps if a large key is overwritten."""
    limit, each = THRESHOLDS["slow_command_usec"], view.number("commandstats", "rename.usec_per_call.delta") or 0
    slow = max(each, view.number("slowlog", "RENAME.max_usec") or 0) >= limit
    return ("yes",) if slow and frees(view, "RENAME") else ()


def event(view: View, name: str) -> tuple[float, float, bool]:
    """An event of the latency monitor: spikes of the last 60 s, the longest of them in ms, one within the window."""
    spikes, longest = (view.number("latency_events", f"{name}.{field}") or 0 for field in ("spikes_60s", "max_60s_ms"))
    return spikes, longest, view.get("latency_events", f"{name}.new") is True


FAMILY = Family(
    checks=(cpu_throttled, mass_expiry, fork_stall, monitor_attached, huge_exec, big_delete, stream_backlog),
    needs={
        "cpu-throttled": ("process",), "mass-expiry": ("info", "keyspace"), "fork-stall": ("latency_events",),
        "monitor-attached": ("clients",), "huge-exec": ("latency_events",), "big-key-delete": ("slowlog",),
        "stream-backlog": (),
    },
    consequences={
        "cpu-throttled": {
            "slow-on-command": 0.4, "cpu-saturated": 0.4, "path-latency": 0.3, "fork-stall": 0.5, "huge-exec": 0.5,
            "big-key-delete": 0.5, "mass-expiry": 0.5, "outside-redis": 0.4,
        },
        "mass-expiry": {"cpu-saturated": 0.5, "big-key-delete": 0.5},
        "fork-stall": {"slow-on-command": 0.6, "path-latency": 0.5},
        "monitor-attached": {"cpu-saturated": 0.7, "slow-consumer-output": 0.5},
        "huge-exec": {"cpu-saturated": 0.5, "slow-on-command": 0.5, "query-buffer-hog": 0.5},
        "big-key-delete": {"cpu-saturated": 0.5},
    },
    placeholders=(
        Placeholder(name="overwritten", example="yes", values=_overwritten),
        Placeholder(name="flushed", example="yes", values=flushed),
    ),
)  # fmt: skip
