"""CPU and latency: what keeps the one thread that runs commands from running the next."""

import re

from agent.checks.types import Family, Found, Limits, Placeholder
from agent.checks.versus_baseline import against
from agent.evidence.view import Cited, View

WHOLE = frozenset(
    ("KEYS", "SORT", "SORT_RO", "HGETALL", "HKEYS", "HVALS", "SMEMBERS", "LRANGE", "ZRANGE", "ZREVRANGE", "SUNION",
     "SUNIONSTORE", "SINTER", "SINTERSTORE", "SDIFF", "SDIFFSTORE", "ZUNIONSTORE", "ZINTERSTORE", "SCAN", "FLUSHALL",
     "FLUSHDB", "LREM", "LINDEX", "LINSERT", "ZRANGEBYSCORE", "XRANGE", "BITCOUNT", "BITOP", "DEBUG")
)  # fmt: skip
"""Commands whose time grows with the data that they walk through."""
SCRIPTS = frozenset(("EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO"))
DELETES = frozenset(("DEL", "UNLINK", "EXPIRE", "PEXPIRE", "FLUSHDB", "FLUSHALL"))
"""Commands whose time goes into freeing what they delete."""
NOT_WORK = frozenset(
    ("INFO", "CLIENT", "CONFIG", "SLOWLOG", "COMMANDLOG", "PING", "AUTH", "SUBSCRIBE", "REPLCONF", "EXEC", "BGSAVE",
     "BGREWRITEAOF", "PSYNC", "SYNC")
)  # fmt: skip
"""Commands that cost by something else than a client's own work: EXEC by what it holds, others by their fork."""

QUICK = frozenset(
    ("GET", "SET", "SETEX", "SETNX", "GETEX", "INCR", "INCRBY", "DECR", "EXISTS", "TTL", "PTTL", "TYPE", "HGET", "HLEN",
     "SISMEMBER", "SCARD", "LLEN", "ZSCORE", "ZCARD")
)  # fmt: skip
"""Commands that touch one value: where they take long now and then, the process was held up in them."""

SAYS_WRITTEN = re.compile(
    r"\bunkillable\b|already executed write|script\W+(has\W+|had\W+)?(already\W+)?(wrote|written)\b", re.IGNORECASE
)
"""Words of UNKILLABLE's own text, or a person's for it."""
_CANNOT = r"\b((ca|could|do|does|did|has|wo)n.?t|(can|could|do|does|did|has|will)\W?not)\b"
_NOT_ENDED = rf"(fail\w*|refus\w*|reject\w*|error\w*|{_CANNOT}|(no|without) effect)"
_KILL = r"(script|function)\W{1,2}kill\b(?!\W+or\W+shutdown)"
TRIED_TO_KILL = re.compile(
    rf"\b{_KILL}([^\w.;!?]+\w+){{0,4}}?[^\w.;!?]+{_NOT_ENDED}|{_CANNOT}\W+(\w+\W+){{0,2}}?{_KILL}", re.IGNORECASE
)
"""Words with which people report that a script wasn't to be killed."""


def main_thread_share(view: View) -> float | None:
    """CPU seconds a second of the main thread over the window, from INFO; None where INFO doesn't have it.

    With I/O threads the process' CPU, which may be above 1, says nothing of it, and on Valkey from 9.0 the main
    thread's time without its waiting for them is `used_active_time_main_thread` (from documentation).
    """
    used = [view.number("info", f"used_cpu_{kind}_main_thread.rate") for kind in ("sys", "user")]
    threaded = bool(view.number("info", "io_threads_active"))
    if None in used and not threaded:
        used = [view.number("info", f"used_cpu_{kind}.rate") for kind in ("sys", "user")]
    if None in used:
        return None
    active = view.number("info", "used_active_time_main_thread.rate") if threaded else None
    return min(sum(value or 0 for value in used), float("inf") if active is None else active)


def lua_busy(view: View, limits: Limits) -> Found:
    """-BUSY: a script or function runs for longer than busy-reply-threshold; whether it wrote decides what ends it."""
    tool = view.first_unavailable("busy")
    if tool is None:
        return
    cited: tuple[Cited, ...] = (
        (tool, "unavailable"), ("script", "running"), ("script", "duration_ms"), ("process", "main_run_share"),
        ("process", "state"),
    )  # fmt: skip
    what, for_long = _what_runs(view), "has been for longer than busy-reply-threshold (5 s by default)"
    if why := _cannot_write(view):
        fields = ("script", "command"), ("script", "role")
        yield view.cause("lua-busy", 0.96, f"{what} is running and {for_long}. {why}", *cited, *fields)
        yield view.not_("lua-unkillable", why, *fields)
        return
    wrote, tried = SAYS_WRITTEN.search(view.symptom), TRIED_TO_KILL.search(view.symptom)
    # Of a function SCRIPT KILL fails in any case: it's the wrong one of two.
    if wrote or (tried and (view.get("script", "running") != "function" or "function" in tried[0].lower())):
        how = "it was answered with UNKILLABLE, or wrote" if wrote else "an attempt to kill it failed"
        why = f"{what} is running, and by the report {how}: what has written isn't ended halfway."
        yield view.cause("lua-unkillable", 0.85 if wrote else 0.7, why, ("symptom", "text"), *cited)
        if wrote:
            yield view.not_("lua-busy", "By the report it has written already.", ("symptom", "text"))
        else:
            why = f"{what} is running and {for_long}; by the report a kill failed, but not with what error."
            yield view.cause("lua-busy", 0.3, why, *cited)
        return
    unread = "Whether it wrote already can't be read; only an attempt to kill it shows that."
    yield view.cause("lua-busy", 0.65, f"{what} is running and {for_long}. {unread}", *cited)
    why = f"{what} is running. {unread} If SCRIPT KILL or FUNCTION KILL answers UNKILLABLE, this is it."
    yield view.cause("lua-unkillable", 0.35, why, *cited)


def _what_runs(view: View) -> str:
    running = view.text("script", "running")
    return {"script": "A Lua script", "function": "A function", "module": "A module's command"}.get(
        running, "A Lua script or a function"
    )


def _cannot_write(view: View) -> str | None:
    """Why what runs can't have written, or None."""
    if view.get("script", "command") == "FCALL_RO":
        return "FCALL_RO runs functions that can't write, so a kill ends it."
    if view.get("script", "role") == "replica":
        return "This is a replica, on which scripts don't write (unless replica-read-only is no), so a kill ends it."
    return None


def slow_command(view: View, limits: Limits) -> Found:
    """The slow log and commandstats name one costly command; durations there leave out waiting behind others."""
    best = max(_suspects(view, limits), key=lambda found: found[0], default=None)
    if best is None:
        slowest = view.number("slowlog", "max_usec")
        # An empty slow log says something only where it's known to be on.
        known = bool(slowest) or view.number("config_get", "slowlog-log-slower-than") is not None
        if slowest is not None and slowest < limits["slow_command_usec"] and known and not slowlog_off(view):
            because = f"The slowest entry of the slow log took {slowest / 1000:.1f} ms."
            yield view.not_("slow-on-command", because, ("slowlog", "max_usec"), ("slowlog", "newest_age"))
        return
    probability, command, why = best
    low = command.lower()
    yield view.cause(
        "slow-on-command", probability, why, ("slowlog", f"{command}.max_usec"), ("slowlog", f"{command}.count"),
        ("slowlog", f"{command}.newest_age"), ("commandstats", f"{low}.usec_per_call.delta"),
        ("commandstats", f"{low}.usec.delta"), ("commandstats", f"{low}.calls.delta"),
        ("commandstats", f"{low}.usec_per_call"),
    )  # fmt: skip


def _suspects(view: View, limits: Limits) -> list[tuple[float, str, str]]:
    commands = {field.partition(".")[0] for field in view.fields("slowlog") if field.endswith(".max_usec")}
    for field in view.fields("commandstats"):
        if match := re.fullmatch(r"([^.]+)\.calls\.delta", field):
            commands.add(match[1].upper())
    commands -= {"TOTAL"}
    found = (_suspect(view, limits, command) for command in sorted(commands))
    return [suspect for suspect in found if suspect is not None]


def _suspect(view: View, limits: Limits, command: str) -> tuple[float, str, str] | None:
    low = command.lower()
    if command.partition("|")[0] in NOT_WORK or command in DELETES:
        return None
    usec = view.number("slowlog", f"{command}.max_usec") or 0
    age = view.number("slowlog", f"{command}.newest_age")
    count = view.number("slowlog", f"{command}.count") or 0
    window = view.number("commandstats", "window_seconds") or 2
    share = (view.number("commandstats", f"{low}.usec.delta") or 0) / 1e6 / window
    each = view.number("commandstats", f"{low}.usec_per_call.delta") or 0
    calls = view.number("commandstats", f"{low}.calls.delta") or 0
    young = age is not None and age <= limits["slow_recent_seconds"]
    recent = young and usec >= limits["slow_command_usec"]
    leads = (
        view.text("commandstats", "top").upper() == command and (view.number("commandstats", "top_share") or 0) > 0.5
    )
    long = f"{command} took up to {max(usec, each) / 1000:.0f} ms"
    if calls and (each >= limits["slow_command_usec"] or (share >= 0.2 and each >= limits["slow_command_usec"] / 10)):
        return 0.94, command, f"{long} and {share:.0%} of the window; everything else waits behind it."
    if recent and calls and each < 5 * limits["cheap_command_usec"] and command not in WHOLE | SCRIPTS:
        why = f"{long}, yet {each:.0f} us on average of {calls:.0f} calls: something held it up while it ran."
        return 0.4, command, why
    if recent and command in QUICK:
        return 0.4, command, f"{long}, and is cheap by itself: something held the server up while it ran."
    if recent and count >= 2 and calls:
        return 0.92, command, f"{long}, again and again; everything else waits behind it."
    if command in WHOLE and calls and leads and young and each >= limits["walk_usec"]:
        return 0.85, command, f"{long} and most of the server's time, again and again; the rest waits behind it."
    if recent and count >= 2 and age is not None and age <= 60:
        return 0.88, command, f"{long}, {count:.0f} times, last {age:.0f} s ago; everything else waits behind it."
    if recent and command in WHOLE:
        # Once and then no more is history, unless it has only just happened.
        newly = age is not None and age <= limits["slow_once_seconds"]
        return 0.65 if newly else 0.4, command, f"{long}, last {age:.0f} s ago; everything else waited behind it."
    if recent:
        return 0.4, command, f"{long} once, {age:.0f} s ago, and not over the window."
    return None


@against("cpu_share")
def cpu_saturated(view: View, limits: Limits) -> Found:
    """The main thread uses a whole core on commands that are cheap one by one."""
    share = main_thread_share(view)
    if share is None:
        return
    run, wait = view.number("process", "main_run_share") or 0, view.number("process", "main_wait_share") or 0
    cited = (
        ("info", "used_cpu_user_main_thread.rate"), ("info", "used_cpu_sys_main_thread.rate"),
        ("info", "total_commands_processed.rate"), ("commandstats", "top"), ("process", "main_run_share"),
        ("process", "main_wait_share"),
    )  # fmt: skip
    # A thread that is ready to run and has to wait for a core is as busy as one that runs.
    starving = run + wait >= 0.9 and run >= 0.5 and share >= 0.6
    if share < limits["cpu_main_thread_share"] and not starving:
        yield view.not_("cpu-saturated", f"The main thread uses {share:.0%} of a core.", *cited[:2])
        return
    rate = view.number("info", "total_commands_processed.rate") or 0
    why = f"The main thread uses {share:.0%} of a core for {rate:.0f} commands a second, each of them cheap."
    yield view.cause("cpu-saturated", 0.92 if share >= limits["cpu_main_thread_share"] else 0.8, why, *cited)


def slowlog_off(view: View) -> bool:
    """Whether the slow log is switched off."""
    slower, length = view.number("config_get", "slowlog-log-slower-than"), view.number("config_get", "slowlog-max-len")
    return (slower is not None and slower < 0) or length == 0


def diagnostics(view: View, limits: Limits) -> Found:
    """The slow log was switched off: what ran long isn't known."""
    if slowlog_off(view):
        why = "The slow log is switched off, so which commands ran long isn't known."
        cited = ("config_get", "slowlog-log-slower-than"), ("config_get", "slowlog-max-len")
        yield view.cause("diagnostics-disabled", 0.9, why, *cited)


def _kill_command(view: View) -> tuple[str, ...]:
    """The command that ends what runs: the error names it where it's a function."""
    errors = " ".join(one.unavailable.detail for one in view.readings if one.unavailable)
    return ("FUNCTION KILL" if "FUNCTION KILL" in errors else "SCRIPT KILL",)


FAMILY = Family(
    checks=(lua_busy, slow_command, cpu_saturated, diagnostics),
    needs={
        "lua-busy": (), "lua-unkillable": (), "slow-on-command": ("commandstats", "slowlog"),
        "cpu-saturated": ("info",), "diagnostics-disabled": ("config_get",),
    },
    consequences={
        "slow-on-command": {"cpu-saturated": 0.4},
        "lua-busy": {"process-frozen": 0.3},
        "lua-unkillable": {"process-frozen": 0.3},
        "cpu-saturated": {"path-latency": 0.3},
    },
    placeholders=(
        Placeholder(name="kill_command", example="SCRIPT KILL", values=_kill_command),
    ),
)  # fmt: skip
