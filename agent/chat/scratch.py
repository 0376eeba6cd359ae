"""A conversation's folder below the temporary one: gone with it, and those of conversations that were killed too."""

import contextlib
import os
import shutil
import stat
import tempfile
import time
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

PREFIX = "rediagnose-chat-"
AGE = 60.0
"""Seconds after which a folder that nobody holds is one that was left behind."""
MOST = 1000
"""Folders that are looked at."""


class Scratch:
    """A folder of this process, held by a lock for as long as it lives."""

    def __init__(self) -> None:
        """Make it, and remove those that were left behind. Raises `OSError` where there's no place for it."""
        remove_left_behind(Path(tempfile.gettempdir()))
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._lock = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        with contextlib.suppress(OSError):
            flock(self._lock, LOCK_EX | LOCK_NB)

    def remove(self) -> None:
        """Remove it with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def remove_left_behind(folder: Path) -> None:
    """Remove the folders of this user's conversations that were killed: old ones whose process is gone."""
    with contextlib.suppress(OSError), os.scandir(folder) as found:
        for one in [one for one in found if one.name.startswith(PREFIX)][:MOST]:
            with contextlib.suppress(OSError):
                _remove(one.path)


def _remove(path: str) -> None:
    # Held open: what is looked at and locked is the same folder, and no link.
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = os.fstat(lock)
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) != 0o700 or time.time() - found.st_mtime < AGE:
            return
        # A conversation that goes on holds it.
        flock(lock, LOCK_EX | LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)
