"""Files as the server's own process could read them: what a server names is only opened this way.

This program may run as root, and a server, or who writes its files, can name any path. So a path is walked from the
process' own root, folder by folder, each of which that process' user has to be able to pass; a link may not lead the
last step out of the folder that was named; what is opened is a regular file that this user may read, and it's opened
once: what was checked is what is read.
"""

import contextlib
import fnmatch
import itertools
import os
import re
import stat
from collections.abc import Iterator
from typing import NamedTuple

from tools.host.proc import Files

MOST_LINKS, MOST_PARTS = 40, 64
"""Links that are followed on the way to one file, and folders on it."""
_KERNEL = ("/proc/", "/sys/", "/dev/")
"""Where what looks like a file may do something when it's read."""
MOST_NAMES = 4096
"""Names that are looked through in a folder."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class User(NamedTuple):
    """Whose rights count."""

    uid: int
    groups: frozenset[int]

    def may(self, found: os.stat_result, bits: int) -> bool:
        """Whether this user may do to a file what `bits` (4 to read, 1 to pass through) say."""
        if self.uid == 0:
            return True
        shift = 6 if found.st_uid == self.uid else 3 if found.st_gid in self.groups else 0
        return (found.st_mode >> shift) & bits == bits


class Opened(NamedTuple):
    """What was read of a file."""

    text: str
    size: int
    modified: float
    path: str
    """Its real path below the process' root."""


class ProcessFiles:
    """The files of one process; without one those of this machine, for places that no server named."""

    def __init__(self, files: Files, pid: int | None, user: User | None = None) -> None:
        """`user` is whose rights count in place of the process' own, or of this program's."""
        self.pid = pid
        self.root = f"/proc/{pid}/root" if pid is not None else "/"
        self.folder = files.link(f"/proc/{pid or 'self'}/cwd") or "/"
        """Where the process works: what a relative path begins at."""
        own = _user_of(files, pid) if pid is not None else User(uid=os.geteuid(), groups=frozenset(_groups()))
        self.user = user or own

    def absolute(self, path: str, folder: str | None = None) -> str:
        """A path as the process means it, beside `folder` where that's given."""
        return os.path.normpath(os.path.join(folder or self.folder, path))

    def read(self, path: str, most: int, *, within: str | None = None, tail: bool = False) -> Opened | None:
        """A regular file's first or last bytes; None if the process' user couldn't read it.

        The real path has to be in `within`, by default in the folder that was named.
        """
        with contextlib.suppress(OSError, ValueError), contextlib.ExitStack() as stack:
            handle, real = self._open(path, within, stack)
            found = os.fstat(handle)
            if real.startswith(_KERNEL):
                return None
            if not stat.S_ISREG(found.st_mode) or self.user is None or not self.user.may(found, 4):
                return None
            cut = tail and found.st_size > most
            data = os.pread(handle, most, found.st_size - most if cut else 0)
            text = (data.partition(b"\n")[2] if cut else data).decode(errors="replace")
            return Opened(text, found.st_size, found.st_mtime, real)
        return None

    def matching(self, pattern: str, within: str, most: int) -> list[str]:
        """The files that a pattern of the shell names; only its last part is one, and only below `within`."""
        folder, _, last = pattern.rpartition("/")
        if not re.search(r"[*?\[]", last):
            return [pattern]
        if re.search(r"[*?\[]", folder):
            return []
        with contextlib.suppress(OSError, ValueError), contextlib.ExitStack() as stack:
            handle, real = self._walk(folder, stack)
            if self.user is None or not self.user.may(os.fstat(handle), 4) or not _inside(real, self._real(within)):
                return []
            with os.scandir(handle) as entries:
                names = [one.name for one in itertools.islice(entries, MOST_NAMES)]
            found = sorted(name for name in names if name[:1] != "." and fnmatch.fnmatchcase(name, last))
            return [f"{folder}/{name}" for name in found[:most]]
        return []

    def _real(self, folder: str) -> str:
        with contextlib.ExitStack() as stack:
            return self._walk(folder, stack)[1]

    def _open(self, path: str, within: str | None, stack: contextlib.ExitStack) -> tuple[int, str]:
        folder, name = os.path.split(os.path.normpath(path))
        allowed = self._real(within or folder)
        for _ in range(MOST_LINKS):
            handle, real = self._walk(folder, stack)
            if not _inside(real, allowed) or name in ("", ".", ".."):
                raise OSError("outside the folder that was named")
            try:
                pointed = os.readlink(name, dir_fd=handle)
            except OSError:
                opened = os.open(name, _FILE, dir_fd=handle)
                stack.callback(os.close, opened)
                return opened, f"{real.rstrip('/')}/{name}"
            folder, name = os.path.split(os.path.normpath(os.path.join(real, pointed)))
        raise OSError("too many links")

    def _walk(self, folder: str, stack: contextlib.ExitStack) -> tuple[int, str]:
        """A handle of a folder, and its real path below the root."""
        handle = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        stack.callback(os.close, handle)
        root, handles, passed = handle, [handle], list[str]()
        left, links = [part for part in folder.split("/") if part not in ("", ".")][::-1], 0
        while left:
            part = left.pop()
            if part == "..":
                handles, passed = handles[:-1] or [root], passed[:-1]
                continue
            if len(passed) >= MOST_PARTS or self.user is None or not self.user.may(os.fstat(handles[-1]), 1):
                raise OSError(f"this user can't reach {part}")
            try:
                pointed = os.readlink(part, dir_fd=handles[-1])
            except OSError:
                handle = os.open(part, _FOLDER, dir_fd=handles[-1])
                stack.callback(os.close, handle)
                handles, passed = [*handles, handle], [*passed, part]
                continue
            links += 1
            if links > MOST_LINKS:
                raise OSError("too many links")
            if pointed.startswith("/"):
                handles, passed = [root], []
            left += [one for one in pointed.split("/") if one not in ("", ".")][::-1]
        if self.user is None or not self.user.may(os.fstat(handles[-1]), 1):
            raise OSError("this user can't enter that folder")
        return handles[-1], "/" + "/".join(passed)


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _groups() -> Iterator[int]:
    yield os.getegid()
    yield from os.getgroups()


def _user_of(files: Files, pid: int) -> User | None:
    """The user as whom a process opens files, from /proc/PID/status."""
    status = files.text(f"/proc/{pid}/status") or ""
    uid = re.search(r"^Uid:\s+\d+\s+\d+\s+\d+\s+(\d+)$", status, re.MULTILINE)
    gid = re.search(r"^Gid:\s+\d+\s+\d+\s+\d+\s+(\d+)$", status, re.MULTILINE)
    groups = re.search(r"^Groups:[ \t]*([\d ]*)$", status, re.MULTILINE)
    if uid is None or gid is None:
        return None
    more = (int(one) for one in (groups[1].split() if groups else ()))
    return User(uid=int(uid[1]), groups=frozenset((int(gid[1]), *more)))


def process_numbers(files: Files, pid: int) -> set[int]:
    """The numbers of a process: its own, and those that it has in the namespaces of containers."""
    found = re.search(r"^NSpid:([\s\d]+)$", files.text(f"/proc/{pid}/status") or "", re.MULTILINE)
    return {pid, *(int(number) for number in (found[1].split() if found else ()))}


def same_root(pid: int) -> bool:
    """Whether a process sees the files that this program sees: its paths hold when it's gone."""
    with contextlib.suppress(OSError):
        return os.path.samestat(os.stat(f"/proc/{pid}/root"), os.stat("/"))
    return False
