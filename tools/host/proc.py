"""A machine's files, as far as a reading needs them; None for what a system doesn't have."""

import glob
import itertools
import os
import stat
from pathlib import Path
from typing import NamedTuple

from tools.files import open_regular

MOST = 1 << 24
"""Bytes that are read of one file."""
CHUNK = 1 << 16
LONGEST_STAT = 4096
"""Bytes of a task's stat file, at most: fifty numbers and a name of 15 characters."""


class Space(NamedTuple):
    """A file system's room, from statvfs."""

    total: int
    """Bytes."""
    used: int
    free: int
    """Bytes that a user who isn't root may still write."""
    inodes: int
    """0 where the file system doesn't count them."""
    inodes_free: int


class Task(NamedTuple):
    """One thread of /proc/PID/task/TID/stat, or a whole process of /proc/PID/stat."""

    pid: int
    name: str
    """As the kernel has it: at most 15 characters, and freely chosen."""
    state: str
    """One letter: R, S, D, T, t, Z, I."""
    parent: int
    major_faults: int
    """Page faults that had to read from storage or swap, since it began."""
    user: int
    """CPU time in clock ticks (os.sysconf("SC_CLK_TCK") a second)."""
    system: int
    start: int
    """When it began, in clock ticks since boot."""


class Files:
    """The files of this machine. Facts that were taken on another one answer in the same form (`tools.host.facts`)."""

    def text(self, path: str | Path) -> str | None:
        """A file's text; None if it's missing, forbidden or its process is gone."""
        try:
            with open(path, "rb", buffering=0) as file:
                # The kernel refuses to read a setting of /proc/sys into a large buffer.
                parts = iter(lambda: file.read(CHUNK), b"")
                return b"".join(itertools.islice(parts, MOST // CHUNK)).decode(errors="replace")
        except OSError:
            return None

    def tail(self, path: str, most: int) -> str | None:
        """The last bytes of a regular file as text, from the beginning of a line. Other files may block."""
        try:
            with open_regular(path) as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - most))
                read = file.read(most)
        except OSError:
            return None
        return (read.partition(b"\n")[2] if size > most else read).decode(errors="replace")

    def link(self, path: str) -> str | None:
        """Where a link points."""
        try:
            return os.readlink(path)
        except OSError:
            return None

    def names(self, folder: str, most: int = 100_000) -> list[str] | None:
        """The first names in a folder, which are a process' lowest numbers; numbers in their order."""
        try:
            with os.scandir(folder) as found:
                some = [one.name for one in itertools.islice(found, most)]
        except OSError:
            return None
        return sorted(some, key=lambda name: (int(name) if name.isdecimal() else 0, name))

    def count(self, folder: str) -> int | None:
        """How many names are in a folder of /proc, if the kernel counts them itself (Linux 6.2) at no cost."""
        try:
            return os.stat(folder).st_size or len(os.listdir(folder))
        except OSError:
            return None

    def matching(self, prefix: str, pattern: str) -> list[str]:
        """The paths below a prefix that a pattern of the shell names, without the prefix."""
        return sorted(path.removeprefix(prefix) for path in glob.iglob(glob.escape(prefix) + pattern))

    def size(self, path: str) -> int | None:
        """Bytes of a regular file."""
        try:
            found = os.stat(path)
        except OSError:
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def modified(self, path: str) -> float | None:
        """When a file was last written, in seconds since the epoch."""
        try:
            return os.stat(path).st_mtime
        except OSError:
            return None

    def space(self, path: str) -> Space | None:
        """The room on the file system that a path is on."""
        try:
            found = os.statvfs(path)
        except OSError:
            return None
        return space_of(found.f_frsize, found.f_blocks, found.f_bfree, found.f_bavail, found.f_files, found.f_ffree)

    def tasks(self) -> list[Task]:
        """Every process; facts omit those that never ran."""
        pids = (name for name in self.names("/proc") or [] if name.isdecimal())
        return [one for pid in pids if (one := self.task(f"/proc/{pid}/stat"))]

    def children(self, pid: int) -> list[Task]:
        """The processes that one has forked; the kernel lists them by the thread that did, where it was built to."""
        threads = self.names(f"/proc/{pid}/task") or []
        lists = [self.text(f"/proc/{pid}/task/{thread}/children") for thread in threads]
        if not lists or None in lists:
            return [one for one in self.tasks() if one.parent == pid]
        numbers = " ".join(filter(None, lists)).split()
        return [one for number in numbers if (one := self.task(f"/proc/{number}/stat"))]

    def number(self, path: str | Path) -> int | None:
        """A file's only number; None for "max" and for no file."""
        try:
            return int((self.text(path) or "").strip())
        except ValueError:
            return None

    def pairs(self, path: str | Path) -> dict[str, int]:
        """Lines of `name number`, as in cgroup's cpu.stat and in /proc/PID/status (`VmSwap: 12 kB`)."""
        lines = (line.replace(":", " ").split() for line in (self.text(path) or "").splitlines())
        return {line[0]: int(line[1]) for line in lines if len(line) > 1 and line[1].isdecimal()}

    def table(self, path: str | Path, group: str) -> dict[str, int]:
        """The counters of one group of /proc/net/snmp or /proc/net/netstat: a line of names, a line of numbers."""
        lines = [line.split()[1:] for line in (self.text(path) or "").splitlines() if line.startswith(f"{group}:")]
        return {name: int(value) for name, value in zip(*lines[:2], strict=False)} if len(lines) > 1 else {}

    def task(self, path: str | Path) -> Task | None:
        """A task's stat file, or None."""
        return parse_task(self._stat(path))

    def _stat(self, path: str | Path) -> str:
        # All processes' are read again and again, and the kernel hands one of them out in one piece.
        try:
            file = os.open(path, os.O_RDONLY)
            try:
                return os.read(file, LONGEST_STAT).decode(errors="replace")
            finally:
                os.close(file)
        except OSError:
            return ""

    def schedstat(self, path: str | Path) -> tuple[float, float] | None:
        """Seconds that a task ran and seconds that it was ready to run and waited for a core (kernel's schedstat)."""
        fields = (self.text(path) or "").split()
        return (int(fields[0]) / 1e9, int(fields[1]) / 1e9) if len(fields) >= 2 else None


def space_of(unit: int, blocks: int, free: int, available: int, inodes: int, inodes_free: int) -> Space:
    """The room by statvfs' figures, in blocks of `unit` bytes."""
    return Space(
        total=blocks * unit, used=(blocks - free) * unit, free=available * unit, inodes=inodes, inodes_free=inodes_free
    )


def parse_task(line: str) -> Task | None:
    """A line of a stat file: the name is in brackets and may itself hold spaces and brackets."""
    head, _, tail = line.rpartition(") ")
    pid, opened, name = head.partition(" (")
    fields = tail.split(None, 20)
    if not opened or not pid.isdecimal() or len(fields) < 20:
        return None
    return Task(
        pid=int(pid), name=name, state=fields[0], parent=int(fields[1]), major_faults=int(fields[9]),
        user=int(fields[11]), system=int(fields[12]), start=int(fields[19]),
    )  # fmt: skip
