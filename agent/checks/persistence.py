"""Persistence: snapshots that fail, and what they cost. The append-only file's part is in `appendonly`."""

from agent.checks.appendonly import megabytes, since_start, tight
from agent.checks.saving import unwritable
from agent.checks.types import Family, Found, Limits
from agent.checks.words import MEMORY
from agent.evidence.report_words import mention
from agent.evidence.view import Cited, View
from tools.patterns import deferred

ROOMY = 4.0
"""Multiple of its memory free on its disk at which space can't be the problem."""
REFUSES: tuple[Cited, ...] = (
    ("persistence", "rdb_last_bgsave_status"), ("persistence", "writes_refused"), ("persistence", "writes_refused_by"),
    ("persistence", "errorstat_MISCONF.count.delta"),
)  # fmt: skip


def _reason(view: View) -> str | None:
    """The newest reason in the log for a failed snapshot in this run of the server."""
    reasons = {"fork": "fork_failed", "space": "no_space"}
    if view.number("log", "bgsave_error.signal") is not None:
        reasons["killed"] = "bgsave_error"
    ages = {reason: age for reason, event in reasons.items() if (age := since_start(view, event)) is not None}
    return min(ages, key=lambda reason: ages[reason], default=None)


BEFORE_SECONDS = 60.0
"""Seconds since a snapshot failed for it to be what refused writes just now."""


MISCONF = deferred(r"\bMISCONF\b")
"""What clients quote of a write refused because saves fail."""


def failed_snapshot(view: View, limits: Limits) -> Found:
    """The last snapshot failed: no space, no process, or its child was killed."""
    status = view.text("persistence", "rdb_last_bgsave_status")
    # One that succeeds now and then: what refused writes during the window had failed before it.
    between = status == "ok" and _failed_before(view)
    if between:
        status = "err"
    if status == "ok":
        because = "The last snapshot succeeded, or none has been attempted yet."
        yield view.not_("bgsave-disk-full", because, REFUSES[0])
        yield view.not_("fork-denied", because, REFUSES[0], ("persistence", "aof_last_bgrewrite_status"))
    rewrite = view.text("persistence", "aof_last_bgrewrite_status")
    if "err" not in (status, rewrite):
        return
    refuses = view.get("persistence", "writes_refused") is True
    after = "; writes are refused with MISCONF until one succeeds." if refuses else "."
    if between:
        after = "; the next one succeeded, and writes were refused with MISCONF until then."
    reason = _reason(view)
    rewritten = view.number("persistence", "aof_enabled") == 1 and reason in ("fork", "space")
    if unwritable(view) or (status != "err" and rewritten):
        # Separate causes: a folder that can't be written, and rewrites of a file in use.
        return
    if reason == "killed":
        yield from _killed(view, after)
    elif reason == "fork" or (reason is None and _never_forked(view)):
        yield from _denied(view, reason, after)
    elif status == "err":
        yield from _no_room(view, limits, reason, after)


def _failed_before(view: View) -> bool:
    """Whether a snapshot failed within the last minute, and writes were refused for it during the window."""
    age = since_start(view, "bgsave_error")
    refused = view.number("info", "errorstat_MISCONF.count.delta") or 0
    by = view.text("persistence", "writes_refused_by")
    return age is not None and age <= BEFORE_SECONDS and refused > 0 and by != "aof"


def _denied(view: View, reason: str | None, after: str) -> Found:
    held, most = view.number("process", "cgroup_pids_current"), view.number("process", "cgroup_pids_max")
    full = held is not None and most is not None and held >= most
    why = "The kernel didn't let the server create a second process, which a snapshot needs"
    if full:
        why += f": its control group has {held:.0f} of {most:.0f} processes and threads"
    yield view.cause(
        "fork-denied", 0.96 if reason else 0.9 if full else 0.85, why + after, ("log", "fork_failed.count"),
        ("log", "fork_failed.newest_age"), ("process", "cgroup_pids_current"), ("process", "cgroup_pids_max"),
        ("machine", "overcommit_memory"), ("persistence", "total_forks"), ("persistence", "rdb_saves"),
        ("persistence", "rdb_last_bgsave_time_sec"), *REFUSES,
    )  # fmt: skip
    if (free := view.number("disk", "dir_free_bytes")) is not None:
        because = f"The child process never wrote anything; {megabytes(free)} is free on the disk."
        yield view.not_("bgsave-disk-full", because, ("disk", "dir_free_bytes"), ("log", "fork_failed.count"))


def _never_forked(view: View) -> bool:
    """Whether there were more attempts than forks. 6.2 counts no attempts, and counts a failed fork as one: no child
    ended."""
    tried, forks = view.number("persistence", "rdb_saves"), view.number("persistence", "total_forks")
    if tried is None or forks is None:
        running = view.number("persistence", "rdb_bgsave_in_progress")
        return view.number("persistence", "rdb_last_bgsave_time_sec") == -1 and running == 0
    return tried > forks


CRASHES = (4, 6, 7, 8, 11)
"""Signals with which a process ends by its own fault, or its machine's."""


def _killed(view: View, after: str) -> Found:
    signal = view.number("log", "bgsave_error.signal")
    if signal in CRASHES:
        # Not for memory: `saves_that_crash` complains of it.
        because = f"The child process ended in a crash (signal {signal:.0f})."
        for id in ("cow-blowup", "bgsave-disk-full"):
            yield view.not_(id, because, ("log", "bgsave_error.signal"))
        return
    kills = (view.number("process", "cgroup_oom_kills") or 0) + (view.number("machine", "oom_kill.delta") or 0)
    short = kills > 0 or _headroom(view, view.number("process", "rss_bytes") or 0, False) <= 0
    why = f"The child that wrote the snapshot was killed by signal {signal:.0f}"
    why += ": the pages that it copies took the server's memory over the limit" if short else ""
    yield view.cause(
        "cow-blowup", (0.95 if short else 0.75) if signal == 9 else 0.4, why + after, ("log", "bgsave_error.signal"),
        ("log", "bgsave_error.newest_age"), ("process", "cgroup_oom_kills"), ("process", "rss_bytes"),
        ("process", "cgroup_memory_limit"), ("persistence", "current_cow_size"), *REFUSES,
    )  # fmt: skip
    yield view.not_(
        "bgsave-disk-full", "The child process was killed; the disk wasn't the problem.", ("log", "bgsave_error.signal")
    )


def _no_room(view: View, limits: Limits, reason: str | None, after: str) -> Found:
    cited = (
        ("log", "no_space.count"), ("log", "no_space.newest_age"), ("disk", "dir_free_bytes"),
        ("disk", "dir_used_share"), ("disk", "rdb_bytes"), *REFUSES,
    )  # fmt: skip
    free, used = view.number("disk", "dir_free_bytes"), view.number("info", "used_memory")
    left = f"; {megabytes(free)} is free there now" if free is not None else ""
    if reason == "space":
        why = f"The last snapshot failed because the disk is full{left}{after}"
        yield view.cause("bgsave-disk-full", 0.96, why, *cited)
        yield view.not_("fork-denied", "The child process was created; the disk stopped it.", ("log", "no_space.count"))
    elif tight(view, limits):
        yield view.cause(
            "bgsave-disk-full", 0.9, f"The last snapshot failed, and the disk is full{left}{after}", *cited
        )
    elif free is not None and used is not None and free >= ROOMY * used:
        # It may have been full then; now it isn't, and nothing says that it was.
        why = (
            f"The last snapshot failed{left}{after} Nothing shows that the disk "
            "was full; the log would say what it was."
        )
        yield view.cause("bgsave-disk-full", 0.4, why, *cited, ("log", "rdb_write_error.count"))
    elif view.last("log") is None or view.unavailable("log"):
        why = (
            f"The last snapshot failed{left}{after} The log would say why: often a full disk, else a folder that can't "
            "be written, or a child process that couldn't be created or was killed."
        )
        # A paste of a status may be all that anybody asked for; a look at the server found no other reason.
        alone = view.unavailable("log") == "not-pasted" and after == "." and mention(MISCONF, view.symptom) is None
        yield view.cause("bgsave-disk-full", 0.45 if alone else 0.6, why, *cited, ("persistence", "total_forks"))
    else:
        why = (
            f"The last snapshot failed{left}{after} The log doesn't mention a full disk: "
            "check permissions, or whether it is read-only."
        )
        yield view.cause(
            "bgsave-disk-full", 0.5 if after != "." else 0.4, why, *cited, ("log", "rdb_write_error.count"),
            ("disk", "dir_read_only"),
        )  # fmt: skip


def _headroom(view: View, copied: float, saving: bool) -> float:
    """The share of its memory limit, or of the machine's memory, that a snapshot leaves."""
    limit, held = view.number("process", "cgroup_memory_limit"), view.number("process", "rss_bytes")
    if limit and held is not None:
        # What the group uses is mostly cache of the files it writes, which can be reclaimed.
        return max(0.0, 1 - (held + copied) / limit)
    total, left = view.number("machine", "memory_total_bytes"), view.number("machine", "memory_available_bytes")
    return max(0.0, left - (0 if saving else copied)) / total if total and left is not None else 1.0


def copy_on_write(view: View, limits: Limits) -> Found:
    """Much of the data is copied during a save: memory grows by as much."""
    saving = view.number("persistence", "rdb_bgsave_in_progress") or view.number(
        "persistence", "aof_rewrite_in_progress"
    )
    age = view.number("persistence", "rdb_last_save_age")
    recent = age is not None and age <= limits["cow_recent_seconds"]
    fields = [*(("current_cow_peak", "current_cow_size") if saving else ())]
    fields += ("rdb_last_cow_size", "aof_last_cow_size") if recent or saving else ()
    sizes = {field: size for field in fields if (size := view.number("persistence", field)) is not None}
    largest = max(sizes, key=lambda field: sizes[field], default=None)
    if largest is None:
        return
    share = view.number("persistence", f"{largest}_share")
    if share is None and sizes[largest] >= limits["cow_bytes"]:
        return
    cited = (
        ("persistence", largest), ("persistence", f"{largest}_share"), ("persistence", "rdb_bgsave_in_progress"),
        ("persistence", "total_forks.delta"), ("process", "rss_bytes"), ("process", "cgroup_memory_limit"),
        ("machine", "memory_available_bytes"),
    )  # fmt: skip
    if share is None or sizes[largest] < limits["cow_bytes"] or share < limits["cow_share"]:
        if "rdb_last_cow_size" in fields and "rdb_last_cow_size" not in sizes:
            # What wasn't read may have been the largest.
            return
        of = "" if share is None else f", {share:.0%} of the server's memory"
        because = f"A snapshot copies {megabytes(sizes[largest])}{of}."
        yield view.not_("cow-blowup", because, *cited[:2])
        return
    why = f"A snapshot makes the server copy {megabytes(sizes[largest])} of pages, {share:.0%} of its memory"
    headroom = _headroom(view, sizes[largest], bool(saving))
    if headroom < limits["cow_headroom_share"]:
        yield view.cause("cow-blowup", 0.93, f"{why}, which leaves {headroom:.0%} of the memory limit.", *cited)
    else:
        probability = 0.55 if mention(MEMORY, view.symptom) else 0.4
        yield view.cause("cow-blowup", probability, f"{why}; there is room for it ({headroom:.0%} left).", *cited)


_REFUSED = {"connection-churn": 0.3, "retry-storm": 0.3, "connection-leak": 0.6}
"""Clients that get errors come back again and again."""
FAMILY = Family(
    checks=(failed_snapshot, copy_on_write),
    needs={
        "bgsave-disk-full": ("persistence", "disk"), "fork-denied": ("persistence",), "cow-blowup": ("persistence",),
    },
    consequences={
        "bgsave-disk-full": _REFUSED,
        "fork-denied": _REFUSED,
        "aof-disk-full": {**_REFUSED, "bgsave-disk-full": 0.6, "process-down": 0.7},
        "cow-blowup": {
            **_REFUSED, "bgsave-disk-full": 0.4, "fork-stall": 0.6, "oom-killed": 0.5, "slow-on-command": 0.6,
        },
    },
)  # fmt: skip
