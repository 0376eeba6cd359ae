"""Whether a process runs a Redis or Valkey server: by the content of its executable, since a name is freely chosen."""

import os
from functools import lru_cache

from tools.host.proc import Files
from tools.patterns import deferred

MOST = 128 << 20
"""Bytes of an executable that are looked through."""
CHUNK = 1 << 20
MARK = b"redis_version:"
"""What every server of this protocol writes to INFO, and so has in its program."""
LOW_FDS = 256
"""File descriptors to look through for a file that a server has opened at its start."""
_PLACE = deferred(r"\S*:\d{1,5}|unixsocket:\S+")
"""Where a server listens, as it says in its title."""


def is_server(pid: int) -> bool:
    """Whether the executable of a process has a server's own words in it; its name may be that of a sibling."""
    path = f"/proc/{pid}/exe"
    try:
        found = os.stat(path)
    except OSError:
        return False
    return _has_mark(path, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=64)
def _has_mark(path: str, *identity: int) -> bool:
    try:
        with open(path, "rb", buffering=0) as file:
            before = b""
            for _ in range(MOST // CHUNK):
                if not (data := file.read(CHUNK)):
                    return False
                if MARK in before + data:
                    return True
                before = data[-len(MARK) :]
    except OSError:
        pass
    return False


def names_config(given: list[str], folder: str, path: str) -> bool:
    """Whether a process' arguments name a configuration file."""
    words = [word for word in given if word]
    return any(os.path.normpath(os.path.join(folder, word)) == path for word in words[1:])


def has_title(given: list[str]) -> bool:
    """Whether a process has written its title over its arguments (`redis-server 127.0.0.1:6379`): most servers do."""
    words = [word for word in given if word]
    return len(words) == 1 and _is_title(words[0])


def _is_title(text: str) -> bool:
    """Whether a text is what a server writes over its arguments: `redis-server 127.0.0.1:6379 [cluster]`."""
    named = text.rstrip(" ").removesuffix(" [cluster]").removesuffix(" [sentinel]")
    _, space, place = named.rpartition(" ")
    return bool(space) and _PLACE.fullmatch(place) is not None


def has_open(files: Files, pid: int, path: str) -> bool:
    """Whether a process has had a file open since it began: later numbers are its clients', which may be thousands."""
    numbers = files.names(f"/proc/{pid}/fd", LOW_FDS) or []
    return any(files.link(f"/proc/{pid}/fd/{number}") == path for number in numbers)
