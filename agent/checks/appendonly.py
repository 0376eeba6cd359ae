"""The append-only file: a full or slow disk, a damaged file, and one that a restart introduced."""

import re

from agent.answer.diagnosis import Cause
from agent.checks.types import Family, Found, Limits, Placeholder
from agent.checks.words import GONE
from agent.evidence.report_words import mention
from agent.evidence.view import Cited, View
from tools.patterns import deferred

LISTED = deferred(r"\b(append.?only\w*|aof|manifest)\b", re.IGNORECASE)
"""Words for the append-only log's files."""
REMOVED = deferred(
    r"\b(clean\w* up|cleanup|tid(y|ied)\w*|delet\w+|remov\w+|rm|pruned?|purged?|missing|has only|holds only|only has|"
    r"contains only|no longer there|gone|restored|moved|copied|rsync\w*|exclud\w+)\b",
    re.IGNORECASE,
)
"""What people say about files that are gone, or how that happened."""


def megabytes(size: float) -> str:
    """A size as people write it."""
    return f"{size / 2**20:.0f} MiB" if size >= 10 * 2**20 else f"{size / 2**20:.1f} MiB"


def since_start(view: View, event: str) -> float | None:
    """Seconds since the newest such log line, if the current server process wrote it."""
    age, started = view.number("log", f"{event}.newest_age"), view.number("log", "started_age")
    return age if age is not None and (started is None or age <= started) else None


def tight(view: View, limits: Limits) -> bool:
    """Whether the data's disk is nearly full, or too small for a copy of the data."""
    free, used = view.number("disk", "dir_free_bytes"), view.number("disk", "dir_used_share")
    held = view.number("info", "used_memory")
    if view.number("disk", "dir_inodes_free") == 0 or (free is not None and held is not None and free < held / 2):
        return True
    return used is not None and used >= limits["disk_used_share"] and (held is None or (free or 0) < held)


def refused_by_aof(view: View, limits: Limits) -> Found:
    """The append-only file can't be written; with appendfsync always the server then exits."""
    cited = (
        ("persistence", "aof_last_write_status"), ("persistence", "aof_buffer_length"), ("log", "no_space.count"),
        ("log", "no_space.newest_age"), ("log", "aof_write_error.count"), ("disk", "dir_free_bytes"),
        ("disk", "dir_used_share"), ("persistence", "errorstat_MISCONF.count.delta"),
    )  # fmt: skip
    space = since_start(view, "no_space") is not None
    if ended(view) and view.text("log", "end") == "failed" and since_start(view, "aof_write_error") is not None:
        why = "The server exited because it couldn't write the append-only file"
        why += ": the disk was full." if space else "."
        yield view.cause("aof-disk-full", 0.96 if space else 0.93, why, ("log", "end"), *cited[2:7])
        return
    status = view.text("persistence", "aof_last_write_status")
    if status == "ok" and view.number("persistence", "aof_enabled") == 1:
        yield view.not_("aof-disk-full", "The last write to the append-only file succeeded.", cited[0])
    if status != "err" or view.number("persistence", "aof_enabled") == 0:
        return
    waits = view.number("persistence", "aof_buffer_length") or 0
    waiting = megabytes(waits) if waits >= 2**20 else f"{waits / 1024:.0f} KiB"
    why = f"The append-only file can't be written, and {waiting} wait for it; writes are refused with MISCONF."
    if space:
        yield view.cause("aof-disk-full", 0.97, f"The disk is full. {why}", *cited)
    else:
        # A full disk is almost the only reason for a short write to an open file.
        yield view.cause("aof-disk-full", 0.94 if tight(view, limits) else 0.85, why, *cited)


def ended(view: View) -> bool:
    """Whether nothing listens where the server was; of a pasted log alone, whether its end is one."""
    if view.last("connect") is None and view.unavailable("info") == "not-pasted":
        return view.text("log", "end") == "failed"
    return view.unavailable("connect") == "refused" and view.get("process", "listening") is not True


def damaged(view: View, limits: Limits) -> Found:
    """The server gave up at its start because its append-only file is damaged."""
    if not ended(view) or view.get("log", "start_failed.reason") is not None:
        return
    if (lacks := _lacks(view)) is not None:
        yield lacks
        return
    bad, cut = since_start(view, "aof_bad_format"), since_start(view, "aof_truncated")
    served = since_start(view, "ready")
    cited = (
        ("log", "aof_bad_format.count"), ("log", "aof_bad_format.newest_age"), ("log", "end"),
        ("log", "started.count"), ("log", "started_age"), ("connect", "unavailable"), ("process", "listening"),
    )  # fmt: skip
    if bad is not None and view.text("log", "end") == "failed":
        why = "The server exits at every start: its append-only file is corrupt, not just truncated at the end."
        yield view.cause("aof-corrupt-start", 0.97, why, *cited)
    elif cut is not None and served is None:
        why = "The server exits at startup: its append-only file is truncated at the end, and aof-load-truncated is no."
        yield view.cause("aof-corrupt-start", 0.95, why, ("log", "aof_truncated.count"), *cited[2:])


LACKING: tuple[Cited, ...] = (
    ("log", "aof_part_missing.part"), ("log", "aof_part_missing.errno"), ("log", "aof_part_missing.newest_age"),
    ("disk", "aof_missing_base"), ("disk", "aof_missing_incr"),
)  # fmt: skip
"""What shows that a file of the append-only log is missing."""
_PARTS = {"base": "its base file, which holds nearly all the data", "incr": "one of its incremental files"}


def missing_part(view: View) -> str:
    """Which file of the append-only log is missing although its manifest names it: base or incr; empty if none."""
    if since_start(view, "aof_part_missing") is not None:
        told = view.text("log", "aof_part_missing.errno") in ("", "No such file or directory")
        part = view.text("log", "aof_part_missing.part")
        return (part if part in _PARTS else "base") if told else ""
    return next((part for part in _PARTS if view.number("disk", f"aof_missing_{part}")), "")


def _lacks(view: View) -> Cause | None:
    """One of the files of the append-only log is missing, according to the log, the folder, or only the report."""
    if part := missing_part(view):
        seen = since_start(view, "aof_part_missing") is not None
        how = "The server exits at every start" if seen else "The server is down"
        why = f"{how}: the manifest of its append-only file names {_PARTS[part]}, but that file doesn't exist."
        return view.cause("aof-corrupt-start", 0.97 if seen else 0.8, why, *LACKING, ("connect", "unavailable"))
    unread = view.last("log") is None or view.unavailable("log")
    if not unread or not (LISTED.search(view.symptom) and (told := mention(REMOVED, view.symptom))):
        return None
    why = f"According to the report, files of the append-only log may be gone (“{told[0]}”); if one is, the server "
    why += "can't start. Compare the names in its manifest with the files next to it; the log names the missing one."
    return view.cause("aof-corrupt-start", 0.45, why, ("symptom", "text"), ("connect", "unavailable"))


def emptied(view: View, limits: Limits) -> Found:
    """Started with an append-only file that didn't exist yet, so that the snapshot beside it wasn't loaded."""
    uptime = view.number("info", "uptime_in_seconds")
    if view.number("persistence", "aof_enabled") != 1 or uptime is None or uptime > limits["empty_start_seconds"]:
        return
    loaded = since_start(view, "loaded") is not None or since_start(view, "load_done") is not None
    read = view.number("log", "started_age") is not None
    created = since_start(view, "aof_created") is not None
    dump = view.number("disk", "rdb_bytes")
    cited = (
        ("log", "aof_created.count"), ("log", "started_age"), ("disk", "rdb_bytes"), ("disk", "aof_bytes"),
        ("persistence", "rdb_saved_since_start"), ("persistence", "aof_base_size"), ("info", "uptime_in_seconds"),
        ("persistence", "config.save"),
    )  # fmt: skip
    if loaded or dump == 0:
        because = "The server loaded its data when it started." if loaded else "There is no snapshot that it skipped."
        event = "load_done" if loaded and view.get("log", "loaded.count") is None else "loaded"
        yield view.not_("aof-enabled-by-restart", because, ("log", f"{event}.count"), ("disk", "rdb_bytes"))
        return
    asked = mention(GONE, view.symptom) is not None
    saved = view.get("persistence", "rdb_saved_since_start") is True
    if read and dump and dump >= limits["dump_bytes"]:
        why = f"The server started with an empty append-only file and didn't load a snapshot of {megabytes(dump)}"
        why += "; a new snapshot has since overwritten it." if saved else "; the next snapshot will overwrite it."
        yield view.cause("aof-enabled-by-restart", 0.4 if saved else 0.95 if created else 0.9, why, *cited)
    elif dump and dump >= limits["dump_bytes"] and asked and not saved and _begun_empty(view):
        why = f"It started {uptime:.0f} s ago with an empty append-only file, next to a snapshot of "
        yield view.cause("aof-enabled-by-restart", 0.75, f"{why}{megabytes(dump)}.", *cited)
    elif dump is None and asked and not saved:
        why = f"It started {uptime:.0f} s ago with an append-only file; a snapshot may have been skipped."
        yield view.cause("aof-enabled-by-restart", 0.45, why, *cited)


def _begun_empty(view: View) -> bool:
    base = view.number("persistence", "aof_base_size")
    return base is not None and base <= 200


def _stalled(view: View) -> float | None:
    """The share of the latency sample's time spent waiting for an answer."""
    mean, answered = view.number("latency_sample", "mean_ms"), view.number("latency_sample", "answered")
    window = view.number("persistence", "window_seconds")
    if mean is None or not answered or not window:
        return None
    silent = mean * answered / 1000 + 2 * (view.number("latency_sample", "timeouts") or 0)
    return min(1.0, silent / window)


def _outside_commands(view: View) -> float | None:
    """The share of the window for which the event loop was busy with something other than commands (7.2 and later)."""
    loop, commands = (view.number("info", f"eventloop_duration_{what}sum.delta") for what in ("", "cmd_"))
    window = view.number("persistence", "window_seconds")
    return (loop - (commands or 0)) / 1e6 / window if loop is not None and window else None


def _idle(view: View) -> bool | None:
    """Whether the server's main thread sleeps most of the time although nothing keeps it from running."""
    ran, waited = view.number("process", "main_run_share"), view.number("process", "main_wait_share")
    if ran is None:
        used = [view.number("info", f"used_cpu_{kind}.rate") for kind in ("sys", "user")]
        return sum(value or 0 for value in used) < 0.3 if None not in used else None
    throttled = view.number("process", "cgroup_nr_throttled.delta") or 0
    swaps = (view.number("process", "swap_bytes") or 0) > 0 or (view.number("process", "major_faults.delta") or 0) > 100
    return ran < 0.3 and (waited or 0) < 0.3 and not throttled and not swaps


def always(view: View, limits: Limits) -> Found:
    """With appendfsync always the thread that runs commands sleeps in a disk flush after each round of writes."""
    if view.text("persistence", "config.appendfsync") != "always" or view.number("persistence", "aof_enabled") != 1:
        return
    event, stalled, outside = "aof-fsync-always", _stalled(view), _outside_commands(view)
    longest = view.number("latency_events", f"{event}.max_60s_ms") or 0
    slowest = view.number("latency_sample", "max_ms") or 0
    cited = (
        ("latency_events", f"{event}.max_60s_ms"), ("latency_events", f"{event}.spikes_60s"),
        ("persistence", "config.appendfsync"), ("info", "eventloop_duration_sum.delta"),
        ("info", "eventloop_duration_cmd_sum.delta"), ("latency_sample", "mean_ms"), ("latency_sample", "max_ms"),
        ("commandstats", "busy_share"), ("process", "main_run_share"), ("process", "state"),
        ("persistence", "aof_current_size.delta"),
    )  # fmt: skip
    writes = (view.number("persistence", "aof_current_size.delta") or 0) > 0
    slow = limits["fsync_always_ms"]
    if longest >= slow:
        why = (
            f"Flushing the append-only file took up to {longest:.0f} ms within "
            "the last minute; everything waits for it."
        )
        yield view.cause("fsync-always-slow", 0.96, why, *cited)
        return
    why = "appendfsync is always: every write waits until it is on the disk"
    idle = _idle(view)
    waits = slowest >= slow and (stalled or 0) >= limits["fsync_stalled_share"]
    if outside is not None and outside >= limits["fsync_stalled_share"] and idle and writes:
        why += (
            f", and the server spends {min(outside, 1):.0%} of its time waiting, "
            "outside commands and without using CPU."
        )
        yield view.cause("fsync-always-slow", 0.94 if waits else 0.88, why, *cited[2:])
    elif waits and writes and outside is None and idle and (view.number("commandstats", "busy_share") or 0) < 0.2:
        far = view.unavailable("process") is not None
        why += (
            f". It doesn't respond for {stalled:.0%} of the time, up to {slowest:.0f} "
            "ms at once, and uses no CPU meanwhile."
        )
        yield view.cause("fsync-always-slow", 0.6 if far else 0.9, why, *cited[2:])
    elif stalled is not None and not waits and writes:
        because = f"Every write is flushed, and the slowest reply took {slowest:.1f} ms."
        yield view.not_("fsync-always-slow", because, ("latency_sample", "max_ms"), cited[2])


def everysec(view: View, limits: Limits) -> Found:
    """A flush that takes longer than two seconds holds up the next write."""
    if view.number("persistence", "aof_enabled") != 1:
        return
    delayed = view.number("persistence", "aof_delayed_fsync")
    now = view.number("persistence", "aof_delayed_fsync.delta") or 0
    age, pending = since_start(view, "aof_fsync_slow"), view.number("persistence", "aof_pending_bio_fsync")
    spike = view.number("latency_events", "aof-write-pending-fsync.max_60s_ms") or 0
    cited = (
        ("persistence", "aof_delayed_fsync.delta"), ("persistence", "aof_delayed_fsync"),
        ("log", "aof_fsync_slow.count"), ("log", "aof_fsync_slow.newest_age"),
        ("persistence", "aof_pending_bio_fsync"), ("latency_events", "aof-write-pending-fsync.max_60s_ms"),
        ("persistence", "config.appendfsync"), ("persistence", "aof_rewrite_in_progress"),
        ("persistence", "rdb_bgsave_in_progress"), ("latency_sample", "max_ms"),
    )  # fmt: skip
    why = "The disk takes longer than 2 s to flush the append-only file, and the next write waits for it"
    busy = view.number("persistence", "aof_rewrite_in_progress") or view.number("persistence", "rdb_bgsave_in_progress")
    why += "; a child process is writing a whole file to the same disk." if busy else "."
    if now > 0:
        yield view.cause("fsync-everysec-slow", 0.95, why, *cited)
    elif age is not None and age <= limits["fsync_recent_seconds"]:
        yield view.cause("fsync-everysec-slow", 0.92, f"{why} The log said so {age:.0f} s ago.", *cited)
    elif spike >= limits["fsync_always_ms"]:
        yield view.cause(
            "fsync-everysec-slow", 0.9, f"{why} It took up to {spike:.0f} ms within the last minute.", *cited
        )
    elif delayed and pending and age is None:
        yield view.cause("fsync-everysec-slow", 0.6, f"{why} A flush is in progress.", *cited)
    elif delayed:
        why = f"{delayed:.0f} writes had to wait for the disk since the server started, none over the window."
        yield view.cause("fsync-everysec-slow", 0.3, why, *cited)
    elif delayed == 0:
        yield view.not_("fsync-everysec-slow", "No write has had to wait for a flush since startup.", cited[1])


def _missing(view: View) -> tuple[str, ...]:
    return (part,) if (part := missing_part(view)) else ()


def _to_check(view: View) -> tuple[str, ...]:
    """What the file check runs on; empty if a file is missing, since no check brings it back."""
    return () if missing_part(view) else ("the file named in the log, or on the manifest from 7.0 on",)


_STALLS = {"path-latency": 0.3, "fork-stall": 0.6, "process-frozen": 0.4, "connection-churn": 0.5}
FAMILY = Family(
    checks=(refused_by_aof, damaged, emptied, always, everysec),
    needs={
        "aof-disk-full": ("persistence", "disk"), "aof-corrupt-start": ("log",), "aof-enabled-by-restart": (),
        "fsync-always-slow": ("latency_events",), "fsync-everysec-slow": ("persistence",),
    },
    consequences={
        "aof-corrupt-start": {"process-down": 0.7, "oom-killed": 0.4},
        "fsync-always-slow": _STALLS,
        "fsync-everysec-slow": _STALLS,
    },
    placeholders=(
        Placeholder(name="missing_aof_part", example="base", values=_missing),
        Placeholder(name="aof_to_check", example="the manifest", values=_to_check),
    ),
)  # fmt: skip
