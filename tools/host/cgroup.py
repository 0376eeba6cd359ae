"""The limits set by a process' control group, in version 2 and version 1."""

from collections.abc import Iterator
from pathlib import Path

from tools.host.proc import Files
from tools.records import Record

ROOT = Path("/sys/fs/cgroup")
NO_LIMIT = 1 << 60
"""Version 1 writes "no limit" as the largest multiple of a page."""


class Group(Record):
    """What limits the process; null if nothing does or it can't be read."""

    cpu_quota: float | None = None
    """Cores that the group may use."""
    nr_periods: int | None = None
    """Enforcement periods so far; null without a quota."""
    nr_throttled: int | None = None
    """Periods in which the group was throttled; null without a quota."""
    throttled_seconds: float | None = None
    """Time for which it was throttled; null without a quota."""
    memory_limit: int | None = None
    """Bytes."""
    memory_used: int | None = None
    """Bytes of the group that has the limit, including page cache; null without a limit."""
    oom_kills: int | None = None
    """Processes of that group that the kernel killed when memory ran out; null without a limit."""
    pids_max: int | None = None
    """Threads and processes that the group may have."""
    pids_current: int | None = None
    """Threads and processes that it has; null without a limit."""
    frozen: bool | None = None
    """Whether the freezer holds it, as `docker pause` does."""


def group(files: Files, pid: int) -> Group:
    """The group of a process, by /proc/PID/cgroup and /sys/fs/cgroup."""
    lines = [line.split(":", 2) for line in (files.text(f"/proc/{pid}/cgroup") or "").splitlines()]
    paths = {name: path for _, names, path in lines for name in names.split(",")}
    found: dict[str, int | float | bool | None] = {}
    for directory in _upwards(files, "cpu", paths):
        if quota := _quota(files, directory):
            stat = files.pairs(directory / "cpu.stat")
            nanoseconds = stat.get("throttled_time", stat.get("throttled_usec", 0) * 1000)
            found |= {"cpu_quota": quota, "nr_periods": stat.get("nr_periods")}
            found |= {"nr_throttled": stat.get("nr_throttled"), "throttled_seconds": nanoseconds / 1e9}
            break
    for directory in _upwards(files, "memory", paths):
        limit = _first(files, directory, "memory.max", "memory.limit_in_bytes")
        if limit is not None and limit < NO_LIMIT:
            kills = files.pairs(directory / "memory.events") or files.pairs(directory / "memory.oom_control")
            used = _first(files, directory, "memory.current", "memory.usage_in_bytes")
            found |= {"memory_limit": limit, "memory_used": used, "oom_kills": kills.get("oom_kill")}
            break
    for directory in _upwards(files, "pids", paths):
        if (limit := files.number(directory / "pids.max")) is not None:
            found |= {"pids_max": limit, "pids_current": files.number(directory / "pids.current")}
            break
    for directory in _upwards(files, "freezer", paths):
        state = files.text(directory / "freezer.state")
        frozen = files.pairs(directory / "cgroup.events").get("frozen")
        if state is not None or frozen is not None:
            found["frozen"] = state.strip() == "FROZEN" if state is not None else frozen == 1
            break
    return Group.model_validate(found)


def _upwards(files: Files, controller: str, paths: dict[str, str]) -> Iterator[Path]:
    """The group's directory and those above it: a limit further up also binds, and the nearest is taken."""
    mount, path = (ROOT / controller, paths[controller]) if controller in paths else (ROOT, paths.get("", ""))
    if controller not in paths and files.text(mount / "cgroup.controllers") is None:
        mount = ROOT / "unified"
    directory = mount / path.lstrip("/")
    while directory.is_relative_to(mount):
        yield directory
        directory = directory.parent


def _quota(files: Files, directory: Path) -> float | None:
    limit, _, period = (files.text(directory / "cpu.max") or "").partition(" ")
    if limit:
        return int(limit) / int(period) if limit.isdecimal() else None
    quota, each = files.number(directory / "cpu.cfs_quota_us"), files.number(directory / "cpu.cfs_period_us")
    return quota / each if quota and each and quota > 0 else None


def _first(files: Files, directory: Path, *names: str) -> int | None:
    return next((value for name in names if (value := files.number(directory / name)) is not None), None)
