"""What holds the one thread up: commands, scripts, deletions, forks, expiry, streams: each threshold's two sides."""

from collections.abc import Mapping
from typing import Any

from agent.answer.diagnosis import Cause
from agent.checks.backlog import stream_backlog
from agent.checks.cpu import cpu_saturated, diagnostics, lua_busy
from agent.checks.field_expiry import fields_expire
from agent.checks.slow_commands import slow_command
from agent.checks.stalls import big_delete, cpu_throttled, fork_stall, huge_exec, mass_expiry, monitor_attached
from agent.checks.types import Check
from tests.agent.checks.rows import LIMITS, Expected, Given, Row, found, table, view
from tools.records import Values

BUSY, UNKILLABLE, SLOW, CPU = "lua-busy", "lua-unkillable", "slow-on-command", "cpu-saturated"
USEC, RECENT, ONCE = LIMITS["slow_command_usec"], LIMITS["slow_recent_seconds"], LIMITS["slow_once_seconds"]
WALK, CHEAP, CORE = LIMITS["walk_usec"], LIMITS["cheap_command_usec"], LIMITS["cpu_main_thread_share"]


GONE, SPENT, EXPIRY = LIMITS["expired_keys_per_second"], LIMITS["expiry_ms_per_second"], "mass-expiry"
SLOWNESS = {"symptom": "calls are slow now and then"}


def between(gone: float, capped: int) -> Given:
    """A minute of a server in which so many fields expired, none of them within the window."""
    info: Values = {
        "expired_fields": gone, "expired_fields.delta": 0, "expired_time_cap_reached_count": capped,
        "uptime_in_seconds": 60, "window_seconds": 2.0,
    }  # fmt: skip
    return {"info": info, "keyspace": {"expire_cycle_cpu_milliseconds.delta": 0}}


def expiring(fields: float, milliseconds: float, **more: Values) -> Given:
    """Fields of hashes that expire each second, and what the expiry cycle takes of it."""
    return {
        "info": {"expired_subkeys.delta": 2 * fields, "window_seconds": 2.0},
        "keyspace": {"expire_cycle_cpu_milliseconds.delta": 2 * milliseconds}, **more,
    }  # fmt: skip


def log(command: str, usec: float, age: float, count: int = 1, **stats: Any) -> dict[str, Any]:
    """A slow log of one command, and its commandstats over two seconds."""
    slowlog: Values = {f"{command}.max_usec": usec, f"{command}.newest_age": age, f"{command}.count": count}
    top: Values = {name: stats.pop(name) for name in ("top", "top_share") if name in stats}
    return {"slowlog": slowlog, "commandstats": stat(command.lower(), **stats) | top}


def stat(command: str, **stats: float) -> Values:
    names = {
        "each": "usec_per_call.delta",
        "calls": "calls.delta",
        "usec": "usec.delta",
        "mean": "usec_per_call",
        "module": "module",
    }
    return {"window_seconds": 2.0, **{f"{command}.{names[name]}": value for name, value in stats.items()}}


def aggregates(command: str = "FT.AGGREGATE", spent: float = 400_000) -> dict[str, Any]:
    """A module's command that takes long each time, `spent` microseconds of two seconds in all."""
    given = log(command, USEC, 5, 3, calls=8, each=USEC)
    stats: Values = {f"{command.lower()}.usec.delta": spent, f"{command.lower()}.module": True}
    return {**given, "commandstats": {**given["commandstats"], **stats}}


def pings(longest: float, answered: int = 60) -> dict[str, Any]:
    return {"latency_sample": {"max_ms": longest, "answered": answered}}


def rests(run: float, wait: float) -> dict[str, Any]:
    return {"process": {"main_run_share": run, "main_wait_share": wait}}


def from_afar(p95_ms: float, ran: float) -> dict[str, Any]:
    """What a server tells of its main thread, and PINGs of which only the longest took a call's time."""
    info = {"used_cpu_user_main_thread.rate": ran, "used_cpu_sys_main_thread.rate": 0.01}
    return {"info": info, "latency_sample": {"p95_ms": p95_ms, "max_ms": USEC / 1000, "answered": 60}}


def thread(user: float, system: float = 0.0, **process: float) -> Given:
    info: Values = {"used_cpu_user_main_thread.rate": user, "used_cpu_sys_main_thread.rate": system}
    return {"info": info, **({"process": dict(process)} if process else {})}


def script(**values: Any) -> Given:
    return {"info": "busy", "script": dict(values)}


SCRIPTS: list[Row] = [
    ("busy with something", lua_busy, {"info": "busy"}, {BUSY: "maybe", UNKILLABLE: "hint"}),
    ("busy with a script", lua_busy, script(running="script"), {BUSY: "maybe", UNKILLABLE: "hint"}),
    ("a function that can't write", lua_busy, script(running="function", command="FCALL_RO"),
     {BUSY: "sure", UNKILLABLE: "not"}),
    ("on a replica", lua_busy, script(role="replica"), {BUSY: "sure", UNKILLABLE: "not"}),
    ("on a primary", lua_busy, script(role="master"), {BUSY: "maybe", UNKILLABLE: "hint"}),
    ("by the report unkillable", lua_busy, {"info": "busy"}, {BUSY: "not", UNKILLABLE: "likely"},
     {"symptom": "it says UNKILLABLE Sorry the script already executed write commands"}),
    ("by the report a kill failed", lua_busy, script(running="script"), {BUSY: "hint", UNKILLABLE: "likely"},
     {"symptom": "SCRIPT KILL failed"}),
    ("a kill of the wrong kind failed", lua_busy, script(running="function"), {BUSY: "maybe", UNKILLABLE: "hint"},
     {"symptom": "SCRIPT KILL failed"}),
    ("a kill of the right kind failed", lua_busy, script(running="function"), {BUSY: "hint", UNKILLABLE: "likely"},
     {"symptom": "FUNCTION KILL failed"}),
    ("the error's own words aren't a report of a kill", lua_busy, {"info": "busy"}, {BUSY: "maybe", UNKILLABLE: "hint"},
     {"symptom": "BUSY Redis is busy. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."}),
    ("not busy", lua_busy, {"info": {"loading": 0}, "script": {"running": "script"}}, {}),
]  # fmt: skip
SLOWEST: list[Row] = [
    ("slow in each call", slow_command, {"commandstats": stat("keys", calls=1, each=USEC)}, {SLOW: "sure"}),
    ("cheap, and slow in each call", slow_command, {"commandstats": stat("set", calls=1, each=USEC)},
     {SLOW: "maybe"}),
    ("a module's, its name with a dot", slow_command,
     aggregates(), {SLOW: "sure"}),
    ("a module's in threads", slow_command,
     aggregates() | pings(USEC / 4000 - 0.1), {SLOW: "hint"}),
    ("a module's in threads, asked about", slow_command,
     aggregates() | pings(1), {SLOW: "likely"},
     {"symptom": "product search takes half a second"}),
    ("a module's in threads, denied", slow_command,
     aggregates() | pings(1), {SLOW: "hint"},
     {"symptom": "checkout times out, no search involved"}),
    ("a module's that PINGs wait for", slow_command,
     aggregates() | pings(USEC / 4000), {SLOW: "sure"}),
    ("a module's, too few PINGs to tell", slow_command,
     aggregates() | pings(1, 19), {SLOW: "sure"}),
    ("a module's, and the main thread rests", slow_command,
     aggregates("VSIM", 600_000) | rests(0.1, 0.1), {SLOW: "hint"}),
    ("a module's, and the main thread rests by the server's own count", slow_command,
     aggregates("VSIM", 600_000) | from_afar(USEC / 2001, 0.1), {SLOW: "hint"}),
    ("a module's, and PINGs wait by the server's own count", slow_command,
     aggregates("VSIM", 600_000) | from_afar(USEC / 2000, 0.1), {SLOW: "sure"}),
    ("a module's, and the main thread works by the server's own count", slow_command,
     aggregates("VSIM", 600_000) | from_afar(USEC / 2001, 0.15), {SLOW: "sure"}),
    ("a module's, and the main thread waits for a core", slow_command,
     aggregates("VSIM", 600_000) | rests(0.1, 0.12), {SLOW: "sure"}),
    ("cheap, again and again, on a core of its own", slow_command,
     log("ZADD", USEC, 5, 3, calls=8, each=USEC / 5) | rests(0.3, 0.05), {SLOW: "sure"}),
    ("cheap, while the thread waits for a core", slow_command,
     log("ZADD", USEC, 5, 3, calls=8, each=USEC / 5) | rests(0.3, 0.7), {SLOW: "hint"}),
    ("long by itself, while the thread waits", slow_command,
     log("SORT", 10 * USEC, 5, 3, calls=8, each=10 * USEC) | rests(0.3, 0.7), {SLOW: "sure"}),
    ("the core's has no threads", slow_command, log("SORT", USEC, 5, 3, calls=8, each=USEC) | pings(1),
     {SLOW: "sure"}),
    ("a write whose notification is compared with patterns", slow_command,
     {"commandstats": stat("set", calls=170, each=USEC / 5, usec=1_900_000), "info": {"pubsub_patterns": 20_000},
      "config_get": {"notify-keyspace-events": "KEA"}}, {"slow-on-command": "sure"}),
    ("a write that notifies nobody", slow_command,
     {"commandstats": stat("set", calls=170, each=USEC / 5, usec=1_900_000), "info": {"pubsub_patterns": 20_000},
      "config_get": {"notify-keyspace-events": ""}}, {"slow-on-command": "maybe"}),
    ("a message that is compared with patterns", slow_command,
     {"commandstats": stat("publish", calls=170, each=USEC / 5, usec=1_900_000), "info": {"pubsub_patterns": 20_000}},
     {SLOW: "sure"}),
    ("a message that is compared with few", slow_command,
     {"commandstats": stat("publish", calls=170, each=USEC / 5, usec=1_900_000), "info": {"pubsub_patterns": 9}},
     {SLOW: "maybe"}),
    ("a walk that is much although the thread waits", slow_command,
     {"commandstats": stat("hvals", calls=40, each=USEC, usec=2_000_000)} | rests(0.3, 0.7), {SLOW: "sure"}),
    ("what RENAME overwrites is freed", slow_command, log("RENAME", 4 * USEC, 1, 4, calls=1, each=2 * USEC), {}),
    ("but not on Valkey", slow_command,
     {**log("RENAME", 4 * USEC, 1, 4, calls=1, each=2 * USEC), "info": {"valkey_version": "8.1.8"}}, {SLOW: "maybe"}),
    ("not as slow in each call", slow_command, {"commandstats": stat("keys", calls=1, each=USEC - 1)}, {}),
    ("slow, and not called", slow_command, {"commandstats": stat("get", calls=0, each=USEC)}, {}),
    ("a fifth of the window in long calls", slow_command,
     {"commandstats": stat("mget", calls=80, each=USEC / 10, usec=400_000)}, {SLOW: "sure"}),
    ("less than a fifth", slow_command, {"commandstats": stat("hget", calls=80, each=USEC / 10, usec=399_000)}, {}),
    ("a fifth in shorter calls", slow_command,
     {"commandstats": stat("hget", calls=80, each=USEC / 10 - 1, usec=400_000)}, {}),
    ("again and again, not as slow", slow_command,
     {"commandstats": stat("vsim", calls=6, each=2 * WALK, usec=60_000)}, {SLOW: "hint"}),
    ("again and again, and slowness is reported", slow_command,
     {"commandstats": stat("vsim", calls=6, each=2 * WALK, usec=60_000)}, {SLOW: "maybe"}, {"symptom": "slow calls"}),
    ("now and then, and slowness is reported", slow_command,
     {"commandstats": stat("vsim", calls=5, each=2 * WALK, usec=59_000)}, {}, {"symptom": "slow calls"}),
    ("in a shorter time, and slowness is reported", slow_command,
     {"commandstats": stat("vsim", calls=7, each=2 * WALK - 1, usec=70_000)}, {}, {"symptom": "slow calls"}),
    ("held up while it ran", slow_command, log("APPEND", USEC, 5, calls=10, each=5 * CHEAP - 1), {SLOW: "hint"}),
    ("not cheap enough for that", slow_command, log("APPEND", USEC, 5, 2, calls=10, each=5 * CHEAP), {SLOW: "sure"}),
    ("a walk is never held up", slow_command, log("KEYS", USEC, 5, 2, calls=10, each=5 * CHEAP - 1), {SLOW: "sure"}),
    ("a script is never held up", slow_command, log("EVAL", USEC, 5, 2, calls=10, each=5 * CHEAP - 1), {SLOW: "sure"}),
    ("a quick command", slow_command, log("GET", USEC, 5), {SLOW: "hint"}),
    ("again and again", slow_command, log("APPEND", USEC, RECENT, 2, calls=1, each=USEC / 2), {SLOW: "sure"}),
    ("once, and called", slow_command, log("APPEND", USEC, 5, 1, calls=1, each=USEC / 2), {SLOW: "hint"}),
    ("too long ago", slow_command, log("APPEND", USEC, RECENT + 1, 2, calls=1, each=USEC / 2), {}),
    ("too short for the slow log to tell", slow_command, log("APPEND", USEC - 1, 5, 2, calls=1, each=USEC / 2), {}),
    ("a walk that leads", slow_command,
     log("KEYS", USEC - 1, 5, calls=3, each=WALK, top="keys", top_share=0.51), {SLOW: "likely"}),
    ("a walk that leads in quick steps", slow_command,
     log("KEYS", USEC - 1, 5, calls=3, each=WALK - 1, top="keys", top_share=0.51), {}),
    ("a walk with half of the time", slow_command,
     log("KEYS", USEC - 1, 5, calls=3, each=WALK, top="keys", top_share=0.5), {}),
    ("a walk behind another", slow_command,
     log("KEYS", USEC - 1, 5, calls=3, each=WALK, top="get", top_share=0.9), {}),
    ("a walk that leads, and whose entry is old", slow_command,
     log("KEYS", USEC - 1, RECENT + 1, calls=3, each=WALK, top="keys", top_share=0.9), {}),
    ("no walk that leads", slow_command,
     log("APPEND", USEC - 1, 5, calls=3, each=WALK, top="append", top_share=0.9), {}),
    ("twice in the last minute", slow_command, log("APPEND", USEC, 60, 2), {SLOW: "likely"}),
    ("twice, a little earlier", slow_command, log("APPEND", USEC, 61, 2), {SLOW: "hint"}),
    ("a walk just now, once", slow_command, log("KEYS", USEC, ONCE), {SLOW: "maybe"}),
    ("a walk a while ago, once", slow_command, log("KEYS", USEC, ONCE + 1), {SLOW: "hint"}),
    ("another once", slow_command, log("APPEND", USEC, 5), {SLOW: "hint"}),
    ("a second just now, once, where calls time out", slow_command, log("EVAL", 1_000_000, ONCE), {SLOW: "maybe"},
     {"symptom": "checkout times out on Redis"}),
    ("less than a second, where calls time out", slow_command, log("EVAL", 999_999, ONCE), {SLOW: "hint"},
     {"symptom": "checkout times out on Redis"}),
    ("a second a while ago, where calls time out", slow_command, log("EVAL", 1_000_000, ONCE + 1), {SLOW: "hint"},
     {"symptom": "checkout times out on Redis"}),
    ("a second just now, where something else is reported", slow_command, log("EVAL", 1_000_000, ONCE),
     {SLOW: "hint"}, {"symptom": "memory grows"}),
    ("a fork isn't the command's", slow_command, log("BGSAVE", USEC, 5, 3), {}),
    ("a subcommand of one that isn't work", slow_command, log("CONFIG|SET", USEC, 5, 3), {}),
    ("a deletion is another cause", slow_command, log("DEL", USEC, 5, 3), {}),
    ("the likeliest of two", slow_command,
     {"slowlog": {"GET.max_usec": USEC, "GET.newest_age": 1.0, "KEYS.max_usec": USEC, "KEYS.newest_age": 1.0}},
     {SLOW: "maybe"}),
    ("the slowest entry is quick", slow_command,
     {"slowlog": {"max_usec": USEC - 1, "entries": 3}, "config_get": {"slowlog-log-slower-than": "10000"}},
     {SLOW: "not"}),
    ("the slowest entry is slow, of no command that counts", slow_command, {"slowlog": {"max_usec": USEC}}, {}),
    ("a slow log that is off says nothing", slow_command,
     {"slowlog": {"max_usec": 0}, "config_get": {"slowlog-log-slower-than": "-1"}}, {}),
    ("nothing read of slow commands", slow_command, {}, {}),
    ("the slow log is off", diagnostics, {"config_get": {"slowlog-log-slower-than": "-1"}},
     {"diagnostics-disabled": "sure"}),
    ("the slow log has no room", diagnostics, {"config_get": {"slowlog-max-len": "0"}},
     {"diagnostics-disabled": "sure"}),
    ("the slow log takes everything", diagnostics,
     {"config_get": {"slowlog-log-slower-than": "0", "slowlog-max-len": "1"}}, {}),
    ("the slow log's settings unread", diagnostics, {}, {}),
]  # fmt: skip
CORES: list[Row] = [
    ("a whole core", cpu_saturated, thread(CORE - 0.1, 0.1), {CPU: "sure"}),
    ("less than a core", cpu_saturated, thread(CORE - 0.11, 0.1), {CPU: "not"}),
    ("of the process, where no thread is known", cpu_saturated,
     {"info": {"used_cpu_user.rate": CORE, "used_cpu_sys.rate": 0.0}}, {CPU: "sure"}),
    ("of a process with I/O threads", cpu_saturated,
     {"info": {"used_cpu_user.rate": 2.5, "used_cpu_sys.rate": 0.5, "io_threads_active": 1}}, {}),
    ("a thread that waits for its I/O threads", cpu_saturated,
     {"info": {**thread(CORE, 0.1)["info"], "io_threads_active": 1, "used_active_time_main_thread.rate": 0.3}},
     {CPU: "not"}),
    ("a thread that is busy beside its I/O threads", cpu_saturated,
     {"info": {**thread(CORE, 0.1)["info"], "io_threads_active": 1, "used_active_time_main_thread.rate": CORE}},
     {CPU: "sure"}),
    ("not told", cpu_saturated, {"info": {"used_cpu_user.rate": CORE}}, {}),
    ("ready to run and waiting", cpu_saturated, thread(0.6, main_run_share=0.5, main_wait_share=0.4), {CPU: "likely"}),
    ("hardly waiting", cpu_saturated, thread(0.6, main_run_share=0.5, main_wait_share=0.39), {CPU: "not"}),
    ("a wave of fields", fields_expire, expiring(10 * GONE, SPENT), {EXPIRY: "likely"}),
    ("less than a wave", fields_expire, expiring(10 * GONE - 1, 2 * SPENT), {EXPIRY: "not"}),
    ("a small wave, and slowness is reported", fields_expire, expiring(3 * GONE, SPENT / 2), {EXPIRY: "maybe"},
     SLOWNESS),
    ("a small wave that costs little", fields_expire, expiring(3 * GONE, SPENT / 2 - 1), {EXPIRY: "not"}, SLOWNESS),
    ("less than a small wave", fields_expire, expiring(3 * GONE - 1, 2 * SPENT), {EXPIRY: "not"}, SLOWNESS),
    ("a cycle that ran out of time", fields_expire,
     expiring(GONE, SPENT, latency_events={"expire-cycle.max_60s_ms": LIMITS["expiry_event_ms"]}), {EXPIRY: "sure"}),
    ("between two waves", fields_expire, between(GONE * 60, 2), {EXPIRY: "maybe"}, SLOWNESS),
    ("between two waves, and nobody is held up", fields_expire, between(GONE * 60, 2), {}),
    ("few fields since the start", fields_expire, between(GONE * 60 - 1, 2), {}, SLOWNESS),
    ("the cycle always had the time", fields_expire, between(GONE * 60, 1), {}, SLOWNESS),
    ("few fields", fields_expire, expiring(GONE - 1, 2 * SPENT), {}, SLOWNESS),
    ("never idle, without a core of its own", cpu_saturated, thread(0.5, main_run_share=0.25, main_wait_share=0.7),
     {CPU: "maybe"}),
    ("sometimes idle", cpu_saturated, thread(0.5, main_run_share=0.25, main_wait_share=0.69), {CPU: "not"}),
    ("hardly running", cpu_saturated, thread(0.5, main_run_share=0.24, main_wait_share=0.72), {CPU: "not"}),
    ("never idle, with a command that was held up", cpu_saturated,
     {**thread(0.5, main_run_share=0.3, main_wait_share=0.68), **log("RPOP", USEC, 2, 8, calls=9000, each=1)},
     {CPU: "maybe"}),
    ("never idle, with a slow command", cpu_saturated,
     {**thread(0.5, main_run_share=0.25, main_wait_share=0.7), "commandstats": stat("sort", calls=9, each=9 * USEC)},
     {CPU: "not"}),
    ("hardly using", cpu_saturated, thread(0.59, main_run_share=0.5, main_wait_share=0.4), {CPU: "not"}),
    ("as on the good day", cpu_saturated,
     {**thread(0.95), "baseline": {"cpu_share.before": 0.95, "cpu_share.now": 0.95}}, {CPU: "hint"}),
    ("far above the good day", cpu_saturated,
     {**thread(0.95), "baseline": {"cpu_share.before": 0.1, "cpu_share.now": 0.95}}, {CPU: "sure"}),
]  # fmt: skip


def throttled(periods: int, held: float, **more: float) -> Given:
    return {"process": {"cgroup_nr_periods.delta": periods, "cgroup_nr_throttled.delta": held, **more}}


PART = LIMITS["throttled_periods_share"]
EXPIRED, STALE = LIMITS["expired_keys_per_second"], LIMITS["expired_stale_percent"]
SPENT, CYCLE = LIMITS["expiry_ms_per_second"], LIMITS["expiry_event_ms"]
FORK, SAVED = LIMITS["fork_usec"], LIMITS["fork_recent_seconds"]
WATCHED, EXEC, DELETE = LIMITS["monitored_commands_per_second"], LIMITS["exec_usec"], LIMITS["delete_usec"]


def expiry(
    per_second: float, capped: int, stale: float = 0, spent: float | None = None, **events: Any
) -> Given:  # fmt: skip
    info: Values = {
        "window_seconds": 2.0, "expired_keys.delta": 2 * per_second, "expired_time_cap_reached_count.delta": capped,
        "expired_stale_perc": stale,
    }  # fmt: skip
    keyspace: Values = {} if spent is None else {"expire_cycle_cpu_milliseconds.delta": 2 * spent}
    return {"info": info, "keyspace": keyspace, "latency_events": events}


def fields(count: float, milliseconds: float, capped: int = 0, **events: Any) -> Given:
    info: Values = {
        "expired_keys.delta": 0, "expired_fields.delta": count, "expired_time_cap_reached_count.delta": capped,
        "window_seconds": 2.0,
    }  # fmt: skip
    return {
        "info": info, "keyspace": {"expire_cycle_cpu_milliseconds.delta": milliseconds}, "latency_events": events,
    }  # fmt: skip


def cycles(spikes: int, longest: float, deletion: float = 0) -> dict[str, Any]:
    return {
        "expire-cycle.spikes_60s": spikes, "expire-cycle.max_60s_ms": longest, "expire-del.max_60s_ms": deletion,
    }  # fmt: skip


def fork(usec: float, forks: int = 0, **more: Any) -> Given:
    return {"info": {"latest_fork_usec": usec, "total_forks.delta": forks}, **more}


def transaction(calls: int = 0, each: float = 0, ever: float = 0, longest: float = 0, **more: Given) -> Given:
    commands: Values = {"exec.calls.delta": calls, "exec.usec_per_call.delta": each, "exec.usec_per_call": ever}
    return {"commandstats": commands, "latencystats": {"exec.window_max_usec": longest}, **more}


def inner(usec: float, age: float = 60.0) -> Values:
    return {"HGETALL.max_usec": usec, "HGETALL.newest_age": age, "newest_age": age}


def spent(keys: int, milliseconds: float) -> Given:
    return {"keyspace": {"expired_keys.delta": keys, "expire_cycle_cpu_milliseconds.delta": milliseconds}}


HUGE, BIG, FEW = "huge-exec", "big-key-delete", 100
STALLS: list[Row] = [
    ("held in a tenth of its periods", cpu_throttled, throttled(20, 20 * PART), {"cpu-throttled": "sure"}),
    ("held in fewer", cpu_throttled, throttled(21, 20 * PART), {"cpu-throttled": "hint"}),
    ("held once", cpu_throttled, throttled(2, 1), {"cpu-throttled": "hint"}),
    ("never held", cpu_throttled, throttled(20, 0), {"cpu-throttled": "not"}),
    ("no control group", cpu_throttled, {"process": {"main_cpu_share": 0.1}}, {}),
    ("held, and far from a core", cpu_throttled, throttled(20, 20, main_cpu_share=0.69),
     {"cpu-throttled": "sure", CPU: "not"}),
    ("held, and near a core", cpu_throttled, throttled(20, 20, main_cpu_share=0.7), {"cpu-throttled": "sure"}),
    ("held seldom, and far from a core", cpu_throttled, throttled(20, 1, main_cpu_share=0.1),
     {"cpu-throttled": "hint"}),
    # mass_expiry
    ("many, capped twice, late, and long", mass_expiry, expiry(EXPIRED, 2, STALE, SPENT), {"mass-expiry": "sure"}),
    ("the same where the cycle's time isn't told", mass_expiry, expiry(EXPIRED, 2, STALE), {"mass-expiry": "likely"}),
    ("capped once", mass_expiry, expiry(EXPIRED, 1, STALE, SPENT), {"mass-expiry": "maybe"}),
    ("hardly late", mass_expiry, expiry(EXPIRED, 2, STALE - 1, SPENT), {"mass-expiry": "maybe"}),
    ("short cycles", mass_expiry, expiry(EXPIRED, 2, STALE - 1, SPENT - 1), {"mass-expiry": "not"}),
    ("short cycles, and late", mass_expiry, expiry(EXPIRED, 2, STALE, SPENT - 1), {"mass-expiry": "hint"}),
    ("not so many, late", mass_expiry, expiry(EXPIRED - 1, 2, STALE), {"mass-expiry": "hint"}),
    ("not so many, in time", mass_expiry, expiry(EXPIRED - 1, 2, STALE - 1), {"mass-expiry": "not"}),
    ("never capped", mass_expiry, expiry(EXPIRED, 0, STALE), {"mass-expiry": "not"}),
    ("two long cycles recorded", mass_expiry, expiry(1, 0, **cycles(2, CYCLE)), {"mass-expiry": "likely"}),
    ("one long cycle recorded", mass_expiry, expiry(1, 0, **cycles(1, CYCLE)), {"mass-expiry": "not"}),
    ("two shorter cycles", mass_expiry, expiry(1, 0, **cycles(2, CYCLE - 1)), {"mass-expiry": "not"}),
    ("two long cycles of single big keys", mass_expiry, expiry(1, 0, **cycles(2, CYCLE, CYCLE / 2)),
     {"mass-expiry": "not"}),
    ("two long cycles, hardly of single keys", mass_expiry, expiry(1, 0, **cycles(2, CYCLE, CYCLE / 2 - 1)),
     {"mass-expiry": "likely"}),
    ("INFO unread", mass_expiry, {"info": "denied"}, {}),
    ("hash fields, and capped", mass_expiry, fields(2 * EXPIRED, 60, 2), {"mass-expiry": "sure"}),
    ("hash fields, and long cycles", mass_expiry, fields(2 * EXPIRED, 60, **cycles(1, CYCLE)),
     {"mass-expiry": "sure"}),
    ("hash fields, in a wave", mass_expiry, fields(20 * EXPIRED, 60), {"mass-expiry": "likely"}),
    ("hash fields, evenly", mass_expiry, fields(20 * EXPIRED - 2, 6 * SPENT), {"mass-expiry": "not"}),
    ("hash fields, in no time", mass_expiry, fields(2 * EXPIRED, SPENT - 1), {"mass-expiry": "not"}),
    ("a few hash fields", mass_expiry, fields(2 * EXPIRED - 2, 60), {"mass-expiry": "not"}),
    # fork_stall
    ("a fork now", fork_stall, fork(FORK, 1), {"fork-stall": "sure"}),
    ("a shorter fork now", fork_stall, fork(FORK - 1, 1), {"fork-stall": "not"}),
    ("no fork ever", fork_stall, fork(0), {}),
    ("two recorded", fork_stall,
     fork(FORK, latency_events={"fork.spikes_60s": 2, "fork.max_60s_ms": FORK / 1000}), {"fork-stall": "likely"}),
    ("one recorded", fork_stall,
     fork(FORK, latency_events={"fork.spikes_60s": 1, "fork.max_60s_ms": FORK / 1000}), {"fork-stall": "hint"}),
    ("two shorter recorded", fork_stall,
     fork(FORK, latency_events={"fork.spikes_60s": 2, "fork.max_60s_ms": FORK / 1000 - 1}), {"fork-stall": "hint"}),
    ("a snapshot a minute ago", fork_stall,
     fork(FORK, persistence={"rdb_last_save_age": SAVED, "rdb_saved_since_start": True}), {"fork-stall": "maybe"}),
    ("a snapshot before that", fork_stall,
     fork(FORK, persistence={"rdb_last_save_age": SAVED + 1, "rdb_saved_since_start": True}), {"fork-stall": "hint"}),
    ("a snapshot of another life", fork_stall,
     fork(FORK, persistence={"rdb_last_save_age": 1, "rdb_saved_since_start": False}), {"fork-stall": "hint"}),
    ("forks unread", fork_stall, {}, {}),
    # monitor_attached
    ("a monitor on a busy server", monitor_attached,
     {"clients": {"monitors": 1, "g1.cmd": "monitor"}, "info": {"total_commands_processed.rate": WATCHED}},
     {"monitor-attached": "sure"}),
    ("two on a quiet one", monitor_attached,
     {"clients": {"monitors": 2}, "info": {"total_commands_processed.rate": WATCHED - 1}},
     {"monitor-attached": "likely"}),
    ("no monitor", monitor_attached, {"clients": {"monitors": 0}}, {"monitor-attached": "not"}),
    ("clients unread", monitor_attached, {}, {}),
    # huge_exec
    ("EXEC long now", huge_exec, transaction(1, EXEC, EXEC), {HUGE: "sure"}),
    ("EXEC shorter now", huge_exec, transaction(1, EXEC - 1, EXEC - 1), {HUGE: "not"}),
    ("EXEC long now, of a command nearly half as long", huge_exec,
     transaction(1, EXEC, EXEC, slowlog=inner(EXEC / 2 - 1)), {HUGE: "sure"}),
    ("EXEC long now, of a command half as long", huge_exec,
     transaction(1, EXEC, EXEC, slowlog=inner(EXEC / 2)), {HUGE: "hint"}),
    ("that command ran a while ago", huge_exec,
     transaction(1, EXEC, EXEC, slowlog=inner(EXEC / 2, 61)), {HUGE: "sure"}),
    ("the longest of the window", huge_exec, transaction(5, 1, 1, 2 * EXEC), {HUGE: "likely"}),
    ("a shorter longest", huge_exec, transaction(5, 1, 1, 2 * EXEC - 1), {HUGE: "not"}),
    ("the longest, of a long command", huge_exec, transaction(5, 1, 1, 2 * EXEC, slowlog=inner(EXEC)), {HUGE: "hint"}),
    ("long since the start, and recorded", huge_exec,
     transaction(0, 0, EXEC, latency_events={"command.spikes_60s": 2, "command.max_60s_ms": EXEC / 1000}),
     {HUGE: "likely"}),
    ("long since the start, recorded once", huge_exec,
     transaction(0, 0, EXEC, latency_events={"command.spikes_60s": 1, "command.max_60s_ms": EXEC / 1000}),
     {HUGE: "hint"}),
    ("long since the start, recorded shorter", huge_exec,
     transaction(0, 0, EXEC, latency_events={"command.spikes_60s": 2, "command.max_60s_ms": EXEC / 1000 - 1}),
     {HUGE: "hint"}),
    ("long since the start, recorded, and a command explains it", huge_exec,
     transaction(0, 0, EXEC, slowlog=inner(EXEC / 2),
                 latency_events={"command.spikes_60s": 2, "command.max_60s_ms": EXEC / 1000}), {HUGE: "hint"}),
    ("long since the start", huge_exec, transaction(0, 0, EXEC), {HUGE: "hint"}),
    ("never called", huge_exec, transaction(), {}),
    # big_delete
    ("a deletion now", big_delete, {"commandstats": stat("del", calls=1, each=DELETE)}, {BIG: "sure"}),
    ("a shorter one now", big_delete, {"commandstats": stat("del", calls=1, each=DELETE - 1)}, {}),
    ("none now", big_delete, {"commandstats": stat("del", calls=0, each=DELETE)}, {}),
    ("two in the last minute", big_delete, log("DEL", DELETE, 60, 2), {BIG: "sure"}),
    ("two a little earlier", big_delete, log("DEL", DELETE, 61, 2), {BIG: "hint"}),
    ("a long one just now", big_delete, log("UNLINK", 4 * DELETE, ONCE), {BIG: "maybe"}),
    ("a long one a while ago", big_delete, log("UNLINK", 4 * DELETE, ONCE + 1), {BIG: "hint"}),
    ("one just now, not that long", big_delete, log("UNLINK", 4 * DELETE - 1, ONCE), {BIG: "hint"}),
    ("one EXPIRE among a hundred", big_delete,
     {**log("EXPIRE", 4 * DELETE, 1), "commandstats": stat("expire", calls=FEW, each=1)}, {BIG: "maybe"}),
    ("one EXPIRE among very many", big_delete,
     {**log("EXPIRE", 4 * DELETE, 1), "commandstats": stat("expire", calls=FEW + 1, each=1)}, {BIG: "hint"}),
    ("too long ago to count", big_delete, log("DEL", DELETE, RECENT + 1, 2), {}),
    ("a short one in the log", big_delete, log("DEL", DELETE - 1, 1, 2), {}),
    ("at the edge of what counts", big_delete, log("DEL", DELETE, RECENT), {BIG: "hint"}),
    ("few keys expired, each costs", big_delete, spent(4, DELETE / 1000), {BIG: "sure", "mass-expiry": "not"}),
    ("few keys, that cost less", big_delete, spent(4, DELETE / 1000 - 1), {}),
    ("more keys for the same", big_delete, spent(5, DELETE / 1000), {}),
    ("a hundred keys that each cost", big_delete, spent(FEW, FEW * DELETE / 4000), {BIG: "sure", "mass-expiry": "not"}),
    ("a hundred and one", big_delete, spent(FEW + 1, 10 * FEW * DELETE / 4000), {}),
    ("none expired", big_delete, spent(0, DELETE), {}),
    ("a deletion by expiry is recorded", big_delete,
     {"latency_events": {"expire-del.max_60s_ms": DELETE / 1000, "expire-del.new": True}}, {BIG: "sure"}),
    ("by eviction, twice", big_delete,
     {"latency_events": {"eviction-del.max_60s_ms": DELETE / 1000, "eviction-del.spikes_60s": 2}}, {BIG: "sure"}),
    ("by eviction, once", big_delete,
     {"latency_events": {"eviction-del.max_60s_ms": DELETE / 1000, "eviction-del.spikes_60s": 1}}, {}),
    ("a shorter one is recorded", big_delete,
     {"latency_events": {"expire-del.max_60s_ms": DELETE / 1000 - 1, "expire-del.new": True}}, {}),
    ("one among a hundred", big_delete,
     {"latency_events": {"expire-del.max_60s_ms": DELETE / 1000, "expire-del.new": True},
      "info": {"expired_keys.delta": FEW, "evicted_keys.delta": FEW + 1}}, {BIG: "sure"}),
    ("one among very many", big_delete,
     {"latency_events": {"expire-del.max_60s_ms": DELETE / 1000, "expire-del.new": True},
      "info": {"expired_keys.delta": FEW + 1, "evicted_keys.delta": 0}}, {}),
    ("one evicted among very many", big_delete,
     {"latency_events": {"eviction-del.max_60s_ms": DELETE / 1000, "eviction-del.new": True},
      "info": {"expired_keys.delta": 0, "evicted_keys.delta": FEW + 1}}, {}),
    ("nothing deleted", big_delete, {}, {}),
]  # fmt: skip

ENTRIES, BEHIND, SILENT = LIMITS["backlog_entries"], LIMITS["behind_seconds"], LIMITS["consumer_silent_seconds"]
NOW = 1_770_000_000


def group(added: int = 0, **values: Any) -> Given:
    at = {
        f"s1.g1.{name.replace('__', '.').replace('last_', 'last-delivered-id')}": value
        for name, value in values.items()
    }
    streams: Values = {"s1.key": "orders", "s1.g1.group": "mailer", "s1.g1.pending": 0, "s1.length.delta": added, **at}
    return {"streams": streams, "info": {"server_time_usec": NOW * 1_000_000}}


def delivered(seconds_ago: float) -> str:
    return f"{int((NOW - seconds_ago) * 1000)}-0"


STREAMS: list[Row] = [
    ("keeps up", stream_backlog, group(lag=ENTRIES - 1, lag__delta=5), {"stream-backlog": "not"}),
    ("falls behind", stream_backlog, group(lag=ENTRIES, lag__delta=1), {"stream-backlog": "sure"}),
    ("was behind, and doesn't fall further", stream_backlog, group(lag=ENTRIES, lag__delta=0),
     {"stream-backlog": "maybe"}),
    ("nobody comes", stream_backlog, group(lag=ENTRIES, consumers=0), {"stream-backlog": "sure"}),
    ("nobody came for a while", stream_backlog, group(lag=ENTRIES, idle_ms=SILENT * 1000), {"stream-backlog": "sure"}),
    ("somebody came lately", stream_backlog, group(lag=ENTRIES, idle_ms=SILENT * 1000 - 1),
     {"stream-backlog": "maybe"}),
    ("old entries, and new ones come", stream_backlog, group(1, last_=delivered(BEHIND)), {"stream-backlog": "sure"}),
    ("not so old ones", stream_backlog, group(1, last_=delivered(BEHIND - 1)), {"stream-backlog": "not"}),
    ("old ones, and no new ones", stream_backlog, group(0, last_=delivered(BEHIND)), {"stream-backlog": "not"}),
    ("ids that are no times", stream_backlog, group(1, last_="5-1"), {}),
    ("old ones, but the lag is known", stream_backlog, group(1, lag=0, last_=delivered(BEHIND)),
     {"stream-backlog": "not"}),
    ("more and more unacknowledged", stream_backlog, group(pending=ENTRIES, pending__delta=1),
     {"stream-backlog": "sure"}),
    ("fewer unacknowledged", stream_backlog,
     group(lag=0, pending=ENTRIES - 1, pending__delta=1), {"stream-backlog": "not"}),
    ("held by one that is silent", stream_backlog,
     group(pending=ENTRIES / 2, pending_idle_ms=SILENT * 1000), {"stream-backlog": "likely"}),
    ("held by one that came lately", stream_backlog,
     group(lag=0, pending=ENTRIES / 2, pending_idle_ms=SILENT * 1000 - 1), {"stream-backlog": "not"}),
    ("few held by one that is silent", stream_backlog,
     group(lag=0, pending=ENTRIES / 2 - 1, pending_idle_ms=SILENT * 1000), {"stream-backlog": "not"}),
    ("held by one that is silent, and fewer", stream_backlog,
     group(lag=0, pending=ENTRIES / 2, pending__delta=-1, pending_idle_ms=SILENT * 1000), {"stream-backlog": "not"}),
    ("no streams", stream_backlog, {"streams": {"streams": 0}}, {}),
    ("a clock that isn't told", stream_backlog,
     {"streams": {"s1.g1.pending": 0, "s1.length.delta": 1, "s1.g1.last-delivered-id": delivered(BEHIND)}}, {}),
    ("nothing of what is pending", stream_backlog, group(lag=0, pending=None), {}),
]  # fmt: skip


def test_a_wave_between_two_looks_is_known_by_what_expired_before() -> None:
    given = expiry(0, 0, **cycles(2, CYCLE))
    for keys, told in ((300_000, False), (10, True)):
        info = {**given["info"], "expired_keys": keys, "expired_subkeys": 200_000}
        (cause,) = mass_expiry(view({**given, "info": info}), LIMITS)
        assert isinstance(cause, Cause) and cause.id == EXPIRY
        # By which the remedy for large keys is left out.
        assert ("expired_subkeys" in {one.field for one in cause.evidence}) is told


@table([*SCRIPTS, *SLOWEST, *CORES, *STALLS, *STREAMS])
def test_what_is_found(check: Check, given: Given, expected: Expected, more: Mapping[str, Any]) -> None:
    assert found(check, given, **more) == expected
