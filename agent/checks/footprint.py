"""The process' own memory: fragmentation, what a peak left, swap, and OOM kills."""

from agent.answer.diagnosis import Cause
from agent.checks.container import too_large
from agent.checks.kubernetes import is_recent, told
from agent.checks.types import Family, Found, Limits
from agent.checks.words import MEMORY
from agent.evidence.report_words import mention
from agent.evidence.view import Cited, View
from tools.kubernetes.pods import KILLED

_MIB = 1 << 20


def fragmentation(view: View, limits: Limits) -> Found:
    """The allocator holds pages that are mostly empty; only if it reports that, and only if it's a lot."""
    beyond, ratio = view.number("memory", "allocator_frag_bytes"), view.number("memory", "allocator_frag_ratio")
    cited = (
        ("memory", "allocator_frag_bytes"), ("memory", "allocator_frag_ratio"), ("memory", "used_memory"),
        ("memory", "used_memory_rss"), ("memory", "allocator_rss_bytes"), ("memory", "active_defrag_running"),
    )  # fmt: skip
    if beyond is None or ratio is None:
        return
    if beyond >= limits["fragmentation_bytes"] and ratio >= limits["fragmentation_ratio"]:
        why = f"{beyond / _MIB:.0f} MiB is in pages that are only partly used (ratio {ratio:.2f})."
        yield view.cause("allocator-fragmentation", 0.94 if mention(MEMORY, view.symptom) else 0.6, why, *cited)
    else:
        because = (
            f"Partly used pages waste {beyond / _MIB:.0f} MiB (ratio {ratio:.2f}; "
            "on a small server the ratio means nothing)."
        )
        yield view.not_("allocator-fragmentation", because, *cited[:2])


def after_peak(view: View, limits: Limits) -> Found:
    """More was in use once; the allocator kept the pages, which are free for new data."""
    peak, used = view.number("memory", "used_memory_peak"), view.number("memory", "used_memory")
    rss = view.number("memory", "used_memory_rss")
    retained, source = view.number("memory", "allocator_rss_bytes"), view.text("memory", "fragmentation_from")
    if not peak or not used or rss is None:
        return
    if retained is None and source == "rss":
        # This allocator doesn't report it; what is resident beyond the data and was in use at the peak is an upper
        # bound.
        retained = min(rss, peak) - used
    cited = (
        ("memory", "allocator_rss_bytes"), ("memory", "used_memory_peak"), ("memory", "used_memory"),
        ("memory", "used_memory_rss"), ("memory", "fragmentation_bytes"), ("memory", "fragmentation_from"),
    )  # fmt: skip
    if retained is None or retained < limits["fragmentation_bytes"] or peak < limits["rss_peak_ratio"] * used:
        return
    why = f"{used / _MIB:.0f} MiB of {rss / _MIB:.0f} MiB resident is in use; the peak was "
    why += f"{peak / _MIB:.0f} MiB, and the allocator has kept the pages. New data will reuse them."
    # By itself it harms nobody, so it only answers a question about memory.
    yield view.cause("rss-after-peak", 0.92 if mention(MEMORY, view.symptom) else 0.45, why, *cited)


def swapping(view: View, limits: Limits) -> Found:
    """Part of the process is in swap and is being read back while clients wait."""
    swapped, faults = view.number("process", "swap_bytes"), view.number("process", "major_faults.delta") or 0
    cited: tuple[Cited, ...] = (
        ("process", "swap_bytes"), ("process", "major_faults.delta"), ("machine", "swap_in_bytes.rate"),
        ("process", "cgroup_memory_limit"), ("memory", "mem_fragmentation_ratio"), ("process", "rss_bytes"),
    )  # fmt: skip
    used, rss = view.number("memory", "used_memory"), view.number("memory", "used_memory_rss")
    if swapped is None:
        if used and rss and used >= limits["fragmentation_bytes"] and rss < limits["swapped_rss_share"] * used:
            why = (
                f"Only {rss / _MIB:.0f} of {used / _MIB:.0f} MiB is resident: the "
                "rest is in swap or hasn't been touched yet."
            )
            yield view.cause("swapping", 0.6, why, ("memory", "used_memory_rss"), *cited[4:5])
        return
    if swapped >= limits["swap_bytes"] and faults >= limits["swap_faults"]:
        why = f"{swapped / _MIB:.0f} MiB of the process is in swap, and it had to fetch pages {faults:.0f} times"
        yield view.cause("swapping", 0.95, f"{why} over the window; every client waits each time.", *cited)
    elif swapped >= limits["swap_bytes"]:
        why = f"{swapped / _MIB:.0f} MiB of the process is in swap; none of it was needed over the window."
        yield view.cause("swapping", 0.4, why, *cited)
    elif swapped == 0:
        yield view.not_("swapping", "None of the process is in swap.", cited[0])


def oom_killed(view: View, limits: Limits) -> Found:
    """The kernel killed it when memory ran out: its log just stops, and the kernel says so."""
    age, name = view.number("kernel_log", "oom_kill.newest_age"), view.text("kernel_log", "oom_kill.name")
    kills = view.number("process", "cgroup_oom_kills") or 0
    cited: tuple[Cited, ...] = (
        ("kernel_log", "oom_kill.newest_age"), ("kernel_log", "oom_kill.name"), ("kernel_log", "oom_kill.rss_bytes"),
        ("kernel_log", "oom_kill.in_cgroup"), ("process", "cgroup_oom_kills"), ("process", "cgroup_memory_limit"),
        ("process", "listening"), ("machine", "oom_kill"),
    )  # fmt: skip
    if (killed := _by_kubernetes(view)) is not None:
        yield killed
        return
    if view.is_sentinel:
        # What the kernel killed on this machine is usually a data node.
        return
    if view.unavailable("connect") == "refused" and view.get("process", "listening") is False:
        last, ended = view.number("log", "log_age"), view.text("log", "end")
        cited = *cited, ("log", "end"), ("log", "log_age")
        # A kill older than its last log line was of another server.
        if _another(view, "end_pid"):
            age = None
        seen = age is not None and (last is None or age <= last + 2)
        if ended == "stops" and not seen and _would_know(view, last):
            yield view.not_("oom-killed", NO_KILL, ("log", "end"), ("log", "log_age"), *cited[:1], SINCE)
            return
        if age is not None and ended == "stops" and (last is None or age <= last + 2):
            why = f"The kernel killed {name} because memory ran out {age:.0f} s ago, and the server's log just stops."
            yield view.cause("oom-killed", 0.97, why, *cited)
        elif age is not None and last is None and age <= limits["oom_recent_seconds"]:
            # It doesn't say whose process that was; another running server makes it less likely to be this one's.
            alone = view.number("process", "redis_processes") == 0 and age <= limits["oom_fresh_seconds"]
            why = f"The kernel killed a {name} because memory ran out {age:.0f} s ago; whether it was this one isn't"
            why += " known, since the server's own log wasn't read."
            yield view.cause("oom-killed", 0.6 if alone else 0.2, why, *cited)
        elif ended == "stops":
            why = "The server's log just stops: it was killed from outside; the kernel's log may say by what."
            yield view.cause("oom-killed", 0.4, why, *cited)
        elif ended:
            yield view.not_("oom-killed", f"The server's log ends with its own exit ({ended}).", ("log", "end"))
        return
    yield from _restarted(view, limits, age, kills, cited)


def _by_kubernetes(view: View) -> Cause | None:
    """What Kubernetes says about its container's end, if known."""
    tool = told(view)
    cited: tuple[Cited, ...] = (
        (tool, "oom_killed"), (tool, "last_state.reason"), (tool, "last_state.exit_code"),
        ("process", "cgroup_memory_limit"), (tool, "limits.memory"), (tool, "restart_count"),
    )  # fmt: skip
    if view.get(tool, "oom_killed") is True:
        why = "The server's container was killed because it reached its memory limit (OOMKilled)."
        return view.cause("oom-killed", 0.92, why + too_large(view), *cited, ("memory", "maxmemory"))
    killed = view.number(tool, "last_state.exit_code") == KILLED and is_recent(view)
    if killed and not view.number(tool, "event.Killing.count"):
        why = "The server's container ended with status 137: it was killed from outside, often for its memory."
        return view.cause("oom-killed", 0.4, why, *cited[1:])
    return None


SINCE: Cited = "kernel_log", "reaches_back"
NO_KILL = (
    "The server's log just stops, but the kernel's log, which goes back "
    "further, shows no out-of-memory kill at that time."
)


def _would_know(view: View, ended: float | None) -> bool:
    """Whether the kernel's log was read and reaches back beyond an end this many seconds ago, with a minute to
    spare."""
    reaches = view.number("kernel_log", "reaches_back")
    return reaches is not None and ended is not None and reaches >= ended + 60


def _another(view: View, life: str) -> bool:
    """Whether the kernel names the servers that it killed, and this run in the log isn't among them.

    A control group's count covers all processes in it; in a container the first process is 1 to itself and something
    else to the kernel.
    """
    killed, pid = view.text("kernel_log", "oom_kill.pids").split(), view.number("log", life)
    return bool(killed) and pid is not None and pid > 1 and f"{pid:.0f}" not in killed


def _restarted(view: View, limits: Limits, age: float | None, kills: float, cited: tuple[Cited, ...]) -> Found:
    uptime, ended = view.number("info", "uptime_in_seconds"), view.text("log", "previous_end")
    started = view.number("log", "started_age")
    if uptime is None or ended != "stops" or uptime > limits["oom_recent_seconds"]:
        return
    cited = (
        *cited,
        ("log", "previous_pid"),
        ("kernel_log", "oom_kill.pid"),
        ("log", "previous_end"),
        ("log", "started_age"),
        ("info", "uptime_in_seconds"),
    )
    before = age is not None and started is not None and -2 <= age - started <= 120
    if another := _another(view, "previous_pid"):
        before, kills = False, 0
    if kills == 0 and (another or age is None) and _would_know(view, started):
        yield view.not_("oom-killed", NO_KILL, ("log", "previous_end"), ("log", "started_age"), cited[0], SINCE)
    elif kills > 0 or before:
        why = f"The server started {uptime:.0f} s ago; the log of its previous run just stops, and the kernel killed it"
        yield view.cause("oom-killed", 0.95, f"{why} because memory ran out.", *cited)
    else:
        why = (
            f"The server started {uptime:.0f} s ago, and the log of its previous "
            "run just stops: it was killed from outside."
        )
        yield view.cause("oom-killed", 0.35, why, *cited)


FAMILY = Family(
    checks=(fragmentation, after_peak, swapping, oom_killed),
    needs={
        "allocator-fragmentation": ("memory",), "rss-after-peak": ("memory",),
        "swapping": ("latency_events", "process", "machine"), "oom-killed": ("log",),
    },
    consequences={
        "allocator-fragmentation": {"rss-after-peak": 0.5},
        "swapping": {
            "slow-on-command": 0.5, "big-key-delete": 0.5, "path-latency": 0.4, "cpu-saturated": 0.5, "fork-stall": 0.5,
            "process-frozen": 0.6, "connection-churn": 0.5, "mass-expiry": 0.5,
        },
        "oom-killed": {"process-down": 0.6, "loading-dataset": 0.8, "connection-churn": 0.5},
    },
)  # fmt: skip
