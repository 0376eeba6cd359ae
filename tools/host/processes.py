"""Processes of this machine by their pids: of Linux out of /proc, elsewhere by psutil, which takes 8 ms to load."""

import contextlib
import os
import sys

from tools.host.proc import Files, Task

_LINUX = sys.platform == "linux"
_CUT = 15
"""Characters at which the kernel cuts a name."""


def name_and_executable(pid: int) -> tuple[str, str | None]:
    """A process' name, empty for one that is gone, and its executable, None where this user may not see it."""
    if _LINUX:
        return _name(pid), _executable(pid)
    import psutil

    name = ""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        name = process.name()
        return name, process.exe()
    return name, None


def parent_of(pid: int) -> int | None:
    """The process that has forked this one, or None where it's gone."""
    if _LINUX:
        return task.parent if (task := _task(pid)) else None
    import psutil

    with contextlib.suppress(psutil.Error):
        return int(psutil.Process(pid).ppid())
    return None


def is_alive(pid: int) -> bool:
    """Whether a process is there and isn't a zombie."""
    if _LINUX:
        task = _task(pid)
        return task is not None and task.state != "Z"
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def exists(pid: int) -> bool:
    """Whether there is a process of this pid, be it a zombie."""
    if _LINUX:
        return _task(pid) is not None
    import psutil

    return bool(psutil.pid_exists(pid))


def all_pids() -> list[int]:
    """The pids of all processes."""
    if _LINUX:
        return [int(name) for name in Files().names("/proc") or [] if name.isdecimal()]
    import psutil

    return list(psutil.pids())


def _task(pid: int) -> Task | None:
    return Files().task(f"/proc/{pid}/stat")


def _name(pid: int) -> str:
    task = _task(pid)
    if task is None or len(task.name) < _CUT:
        return task.name if task else ""
    # What the kernel cut stands whole in the command line, unless the process has written over it.
    called = os.path.basename((Files().text(f"/proc/{pid}/cmdline") or "").partition("\0")[0])
    return called if called.startswith(task.name) else task.name


def _executable(pid: int) -> str | None:
    path = Files().link(f"/proc/{pid}/exe")
    return None if path is None else path.removesuffix(" (deleted)")
