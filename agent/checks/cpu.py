"""CPU and latency: what keeps the one thread that runs commands from running the next."""

import re

from agent.answer.diagnosis import Cause
from agent.checks import busy
from agent.checks.slow_commands import PLACEHOLDERS, slow_command, slowlog_off
from agent.checks.types import Family, Found, Limits, Placeholder
from agent.checks.versus_baseline import against
from agent.evidence.view import Cited, View
from tools.patterns import deferred

NEVER_IDLE, LEAST_RUN = 0.95, 0.25
"""Shares of the time for which the thread runs or is ready to, and for which it runs."""
SAYS_WRITTEN = deferred(
    r"\bunkillable\b|already executed write|script\W+(has\W+|had\W+)?(already\W+)?(wrote|written)\b", re.IGNORECASE
)
"""Words from UNKILLABLE's own text, or a person's for it."""
_CANNOT = r"\b((ca|could|do|does|did|has|wo)n.?t|(can|could|do|does|did|has|will)\W?not)\b"
_NOT_ENDED = rf"(fail\w*|refus\w*|reject\w*|error\w*|{_CANNOT}|(no|without) effect)"
_KILL = r"(script|function)\W{1,2}kill\b(?!\W+or\W+shutdown)"
TRIED_TO_KILL = deferred(
    rf"\b{_KILL}([^\w.;!?]+\w+){{0,4}}?[^\w.;!?]+{_NOT_ENDED}|{_CANNOT}\W+(\w+\W+){{0,2}}?{_KILL}", re.IGNORECASE
)
"""Words with which people report that a script couldn't be killed."""


def main_thread_share(view: View) -> float | None:
    """CPU seconds per second of the main thread over the window, from INFO; None if INFO doesn't have it.

    With I/O threads the process' CPU, which may exceed 1, says nothing about it, and on Valkey from 9.0 the main
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
    # For a function SCRIPT KILL always fails: it's the wrong one of the two.
    if wrote or (tried and (view.get("script", "running") != "function" or "function" in tried[0].lower())):
        how = "the answer was UNKILLABLE, or it has written" if wrote else "an attempt to kill it failed"
        why = (
            f"{what} is running, and according to the report {how}: a script that has written can't be stopped halfway."
        )
        yield view.cause("lua-unkillable", 0.85 if wrote else 0.7, why, ("symptom", "text"), *cited)
        if wrote:
            yield view.not_("lua-busy", "According to the report, it has already written.", ("symptom", "text"))
        else:
            why = (
                f"{what} is running and {for_long}; according to the report an attempt "
                "to kill it failed, but not with which error."
            )
            yield view.cause("lua-busy", 0.3, why, *cited)
        return
    unread = "It can't be read whether it has already written; only an attempt to kill it shows that."
    yield view.cause("lua-busy", 0.65, f"{what} is running and {for_long}. {unread}", *cited)
    why = f"{what} is running. {unread} If SCRIPT KILL or FUNCTION KILL answers UNKILLABLE, this is the cause."
    yield view.cause("lua-unkillable", 0.35, why, *cited)


def _what_runs(view: View) -> str:
    running = view.text("script", "running")
    return {"script": "A Lua script", "function": "A function", "module": "A module's command"}.get(
        running, "A Lua script or a function"
    )


def _cannot_write(view: View) -> str | None:
    """Why what runs can't have written, or None."""
    if view.get("script", "command") == "FCALL_RO":
        return "FCALL_RO runs functions that can't write, so it can be killed."
    if view.get("script", "role") == "replica":
        return "This is a replica, where scripts can't write (unless replica-read-only is no), so it can be killed."
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
    # A thread that is ready to run but has to wait for a core is as busy as one that runs.
    starving = run + wait >= 0.9 and run >= 0.5 and share >= 0.6
    rate = view.number("info", "total_commands_processed.rate") or 0
    if share < limits["cpu_main_thread_share"] and not starving:
        # A command that was merely delayed itself is the consequence of such a thread.
        slow = any(isinstance(one, Cause) and one.probability >= 0.5 for one in slow_command(view, limits))
        if run + wait >= NEVER_IDLE and run >= LEAST_RUN and not slow:
            why = (
                f"The main thread is never idle: it runs {run:.0%} of the time "
                f"and waits {wait:.0%} of it for a core that"
            )
            why += f" other processes are using, for {rate:.0f} commands a second, {busy.with_what(view)}"
            yield view.cause("cpu-saturated", 0.65, why, *cited, *busy.cited(view))
        else:
            yield view.not_("cpu-saturated", f"The main thread uses {share:.0%} of a core.", *cited[:2])
        return
    why = f"The main thread uses {share:.0%} of a core for {rate:.0f} commands a second, {busy.with_what(view)}"
    likely = 0.92 if share >= limits["cpu_main_thread_share"] else 0.8
    yield view.cause("cpu-saturated", likely, why, *cited, *busy.cited(view))


def diagnostics(view: View, limits: Limits) -> Found:
    """The slow log was switched off, so it's unknown what ran long."""
    if slowlog_off(view):
        why = "The slow log is switched off, so it isn't known which commands were slow."
        cited = ("config_get", "slowlog-log-slower-than"), ("config_get", "slowlog-max-len")
        yield view.cause("diagnostics-disabled", 0.9, why, *cited)


def _kill_command(view: View) -> tuple[str, ...]:
    """The command that ends what is running: the error names it for a function."""
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
        *busy.PLACEHOLDERS, *PLACEHOLDERS,
    ),
)  # fmt: skip
