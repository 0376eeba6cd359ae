"""Saves and rewrites that can't be written where they should go, or that make no progress."""

from collections.abc import Callable

from agent.checks.appendonly import megabytes, since_start
from agent.checks.types import Family, Found, Limits, Placeholder
from agent.evidence.view import Cited, View

_ERRNOS = {
    "Permission denied": "permission", "Operation not permitted": "permission", "Read-only file system": "read-only",
    "No such file or directory": "missing", "Stale file handle": "missing", "Not a directory": "not-a-directory",
    "Is a directory": "not-a-directory",
}  # fmt: skip
"""The system's words for why a file couldn't be opened, mapped to the reasons that choose a remedy."""
_SAID = {
    "permission": "its user isn't allowed to write there", "read-only": "the file system is mounted read-only",
    "missing": "that folder no longer exists", "not-a-directory": "it isn't a folder",
}  # fmt: skip
RIGHTS: tuple[Cited, ...] = tuple(
    ("disk", name) for name in (
        "dir", "dir_writable", "dir_owner", "dir_mode", "server_user", "dir_read_only", "dir_gone", "dir_free_bytes",
    )
)  # fmt: skip
OTHERS = ("no_space", "fork_failed")
"""What the log says if a save failed for another reason."""


def _seen(view: View) -> str | None:
    """The reason that the folder itself shows."""
    if view.get("disk", "dir_gone") is True:
        return "missing"
    if view.get("disk", "dir_read_only") is True:
        return "read-only"
    return "permission" if view.get("disk", "dir_writable") is False else None


def _logged(view: View, event: str) -> str | None:
    """The reason in the newest log line of an event, if it's from this run and no line with another reason is newer."""
    age = since_start(view, event)
    if age is None or any((other := since_start(view, name)) is not None and other < age for name in OTHERS):
        return None
    return _ERRNOS.get(view.text("log", f"{event}.errno"))


def unwritable(view: View) -> str | None:
    """Why the last snapshot couldn't be written where it should go, or None."""
    if view.text("persistence", "rdb_last_bgsave_status") != "err":
        return None
    logged = _logged(view, "rdb_write_error")
    others = any(since_start(view, name) is not None for name in OTHERS)
    return logged or (None if others or view.number("log", "bgsave_error.signal") is not None else _seen(view))


def where(view: View) -> str:
    """The data's folder with what is known about its permissions."""
    folder = view.text("disk", "dir") or view.text("persistence", "config.dir") or "the folder that dir names"
    owner, mode, user = (view.text("disk", name) for name in ("dir_owner", "dir_mode", "server_user"))
    return folder + (f" (owner {owner}, mode {mode}; the server runs as user {user})" if owner and user else "")


def save_path(view: View, limits: Limits) -> Found:
    """The last snapshot failed because its folder can't be written, however much space the disk has."""
    status = ("persistence", "rdb_last_bgsave_status")
    if view.text(*status) == "ok":
        yield view.not_(
            "save-path-unwritable", "The last snapshot was written, or none has been attempted yet.", status
        )
    if (reason := unwritable(view)) is None:
        return
    logged = _logged(view, "rdb_write_error") is not None
    free = view.number("disk", "dir_free_bytes")
    why = f"The last snapshot failed because {_SAID[reason]}: {where(view)}"
    why += f"; the disk isn't full ({megabytes(free)} is free)" if free is not None else ""
    why += ", and writes are refused with MISCONF." if view.get("persistence", "writes_refused") is True else "."
    yield view.cause(
        "save-path-unwritable", 0.97 if logged else 0.85, why, ("log", "rdb_write_error.errno"),
        ("log", "rdb_write_error.count"), ("log", "rdb_write_error.newest_age"), status,
        ("persistence", "config.dir"), *RIGHTS, ("persistence", "writes_refused"),
    )  # fmt: skip
    if logged:
        because = f"The log says that {_SAID[reason]}; the disk wasn't full."
        yield view.not_("bgsave-disk-full", because, ("log", "rdb_write_error.errno"), ("disk", "dir_free_bytes"))
        yield view.not_("fork-denied", "The child process was created, but it couldn't open its file.",
                        ("log", "rdb_write_error.errno"))  # fmt: skip


def rewrite_failing(view: View, limits: Limits) -> Found:
    """Rewrites of the append-only file fail, so it grows without end."""
    status = ("persistence", "aof_last_bgrewrite_status")
    if view.text(*status) == "ok" and view.number("persistence", "aof_enabled") == 1:
        yield view.not_("aof-rewrite-failing", "The last rewrite succeeded, or none has been attempted yet.", status)
    if view.text(*status) != "err" or view.number("persistence", "aof_enabled") != 1:
        return
    reason, age = _rewrite_reason(view)
    count = view.number("persistence", "aof_rewrites_consecutive_failures") or view.number(
        "log", "aof_rewrite_error.count"
    )
    base, size = (view.number("persistence", f"aof_{name}_size") for name in ("base", "current"))
    times = f"The last {count:.0f} rewrites" if count and count > 1 else "The last rewrite"
    why = f"{times} of the append-only file failed, and it grows"
    why += f" ({megabytes(size)} now, {megabytes(base)} after the last one that succeeded)" if size and base else ""
    why += {
        "fork": ": the kernel didn't let the server create a second process.", "disk": ": the disk was full.",
    }.get(reason, f": {_SAID[reason]}, {where(view)}." if reason in _SAID else "; the log would say why.")  # fmt: skip
    yield view.cause(
        "aof-rewrite-failing", 0.95 if age is not None else 0.9 if reason else 0.75, why, status,
        ("persistence", "aof_rewrites_consecutive_failures"), ("persistence", "aof_base_size"),
        ("persistence", "aof_current_size"), ("log", "aof_open_error.errno"), ("log", "aof_rewrite_error.count"),
        ("log", "fork_failed.count"), ("log", "no_space.count"), *RIGHTS,
    )  # fmt: skip


_EVENTS = {"fork": "fork_failed", "disk": "no_space", "path": "aof_open_error"}
"""The log event for each reason why a rewrite fails."""


def _rewrite_reason(view: View) -> tuple[str, float | None]:
    """The reason, with the age of the line that shows it."""
    ages = {
        reason: age for reason, event in _EVENTS.items() if (age := since_start(view, event)) is not None
    }  # fmt: skip
    newest = min(ages, key=lambda one: ages[one], default="")
    if newest == "path":
        return _ERRNOS.get(view.text("log", "aof_open_error.errno"), ""), ages[newest]
    return (newest, ages[newest]) if newest else (_seen(view) or "", None)


_RUNS = (
    ("rdb_bgsave_in_progress", "rdb_current_bgsave_time_sec", "rdb_last_bgsave_time_sec", "snapshot"),
    ("aof_rewrite_in_progress", "aof_current_rewrite_time_sec", "aof_last_rewrite_time_sec", "rewrite"),
)  # fmt: skip
"""For each kind of child: whether it runs, for how many seconds, and how many the last one took."""


def stuck(view: View, limits: Limits) -> Found:
    """A child that saves or rewrites is stopped, or has stalled for many times as long as the last one took."""
    for running, took, last, what in _RUNS:
        if view.number("persistence", running) != 1:
            continue
        seconds, before = view.number("persistence", took), view.number("persistence", last)
        state, age = view.text("process", "child_state"), view.number("process", "child_seconds")
        seconds = max(seconds or 0, age or 0)
        moved = view.number("persistence", "current_save_keys_processed.delta") or view.number(
            "persistence", "current_cow_size.delta"
        )
        usual = before if before is not None and before >= 0 else None
        limit = max(limits["save_stuck_seconds"], limits["save_stuck_ratio"] * (usual or 0))
        long = seconds >= (limit if usual is not None else limits["save_stuck_first_seconds"])
        syncing = any(
            view.text("replication", f"replica{number}.state") not in ("", "online") for number in range(1, 9)
        )
        cited: tuple[Cited, ...] = (
            ("process", "child_state"), ("process", "child_pid"), ("process", "child_seconds"),
            ("persistence", running), ("persistence", took), ("persistence", last),
            ("persistence", "current_save_keys_processed"), ("persistence", "current_save_keys_total"),
            ("persistence", "rdb_last_save_age"), ("persistence", "rdb_changes_since_last_save"),
            ("persistence", "config.save"),
        )  # fmt: skip
        why = f"The child that writes the {what} has run for {seconds:.0f} s"
        why += f" (the last one took {usual:.0f} s)" if usual is not None else ""
        if state in ("T", "t"):
            why += f" and is stopped (state {state}): it makes no progress, and no other save can start."
            yield view.cause("save-stuck", 0.96, why, *cited)
        elif long and state == "D" and not moved:
            yield view.cause("save-stuck", 0.92, f"{why} and is waiting for its disk (state D).", *cited)
        elif long and not moved and not syncing:
            keys = view.number("persistence", "current_save_keys_processed")
            why += f", and is stuck at {keys:.0f} keys." if keys is not None else "."
            yield view.cause("save-stuck", 0.85 if usual is not None else 0.6, why, *cited)
        elif moved:
            yield view.not_(
                "save-stuck", "The child process is making progress.", ("persistence", "current_save_keys_processed")
            )


def _place(*reasons: str) -> Callable[[View], tuple[str, ...]]:
    def values(view: View) -> tuple[str, ...]:
        found = unwritable(view) or (
            _rewrite_reason(view)[0] if view.text("persistence", "aof_last_bgrewrite_status") == "err" else None
        )
        return (where(view),) if found in reasons else ()

    return values


def _child(view: View) -> tuple[str, ...]:
    pid = view.number("process", "child_pid")
    what = next((what for running, _, _, what in _RUNS if view.number("persistence", running) == 1), None)
    return () if what is None else (f"process {pid:.0f}" if pid else f"the server's child that writes the {what}",)


def _when(reason: str) -> Callable[[View], tuple[str, ...]]:
    return lambda view: (where(view),) if _rewrite_reason(view)[0] == reason else ()


_REFUSED = {"connection-churn": 0.3, "retry-storm": 0.3, "connection-leak": 0.6}
FAMILY = Family(
    checks=(save_path, rewrite_failing, stuck),
    needs={
        "save-path-unwritable": ("persistence", "disk"), "save-stuck": ("persistence",),
        "aof-rewrite-failing": ("persistence",),
    },
    consequences={
        "save-path-unwritable": {**_REFUSED, "bgsave-disk-full": 0.3, "aof-rewrite-failing": 0.8},
        "aof-rewrite-failing": {"bgsave-disk-full": 0.5},
    },
    placeholders=(
        Placeholder(name="denied_dir", example="/data (owner 0, mode 755; the server runs as user 999)",
                    values=_place("permission")),
        Placeholder(name="read_only_dir", example="/data", values=_place("read-only")),
        Placeholder(name="missing_dir", example="/data", values=_place("missing", "not-a-directory")),
        Placeholder(name="full_dir", example="/data", values=_when("disk")),
        Placeholder(name="forking_dir", example="/data", values=_when("fork")),
        Placeholder(name="save_child", example="process 4711", values=_child),
    ),
)  # fmt: skip
