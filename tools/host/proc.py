"""Files of /proc and /sys as values; what a system doesn't have is None."""

from pathlib import Path

from tools.records import Record


def text(path: str | Path) -> str | None:
    """A file's text, or None where it's missing, forbidden or its process is gone."""
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return None


def number(path: str | Path) -> int | None:
    """A file's only number; None for "max" and for no file."""
    try:
        return int((text(path) or "").strip())
    except ValueError:
        return None


def pairs(path: str | Path) -> dict[str, int]:
    """Lines of `name number`, as in cgroup's cpu.stat and in /proc/PID/status (`VmSwap: 12 kB`)."""
    lines = (line.replace(":", " ").split() for line in (text(path) or "").splitlines())
    return {line[0]: int(line[1]) for line in lines if len(line) > 1 and line[1].isdecimal()}


def table(path: str | Path, group: str) -> dict[str, int]:
    """The counters of one group of /proc/net/snmp or /proc/net/netstat: a line of names, a line of numbers."""
    lines = [line.split()[1:] for line in (text(path) or "").splitlines() if line.startswith(f"{group}:")]
    return {name: int(value) for name, value in zip(*lines[:2], strict=False)} if len(lines) > 1 else {}


class Task(Record):
    """One thread of /proc/PID/task/TID/stat, or a whole process of /proc/PID/stat."""

    state: str
    """One letter: R, S, D, T, t, Z, I."""
    major_faults: int
    """Page faults that had to read from storage or swap, since it began."""
    ticks: int
    """User and system CPU time, in clock ticks (os.sysconf("SC_CLK_TCK") a second)."""


def task(path: str | Path) -> Task | None:
    """A task's stat file, or None."""
    # The name stands in brackets and can hold spaces and brackets itself.
    fields = (text(path) or "").rpartition(")")[2].split()
    if len(fields) < 13:
        return None
    return Task(state=fields[0], major_faults=int(fields[9]), ticks=int(fields[11]) + int(fields[12]))


def schedstat(path: str | Path) -> tuple[float, float] | None:
    """Seconds that a task ran and seconds that it was ready to run and waited for a core (kernel's schedstat)."""
    fields = (text(path) or "").split()
    return (int(fields[0]) / 1e9, int(fields[1]) / 1e9) if len(fields) >= 2 else None
