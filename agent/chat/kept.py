"""Conversations that are kept by themselves: the newest few, in the state folder, for nobody else to read."""

import contextlib
import os
import stat
from datetime import datetime
from pathlib import Path

from tools.files import state_folder
from tools.gate.ledger import changes_path

LAST = "last"
"""What stands for the newest conversation where a file is named."""
MOST = 20
"""Conversations that are kept; an older one makes room for a new one."""
SUFFIX = ".rec"


def folder() -> Path:
    """Where they are. Raises `OSError` for a user who has no home."""
    return state_folder() / "chats"


def new_file(now: datetime) -> Path:
    """A file for a conversation that begins, which isn't there yet. Raises `OSError` where there's no place for it."""
    place = folder()
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = place.stat()
    if found.st_uid != os.geteuid():
        raise PermissionError(f"{place} belongs to another user")
    if stat.S_IMODE(found.st_mode) != 0o700:
        place.chmod(0o700)
    for old in kept()[MOST - 1 :]:
        _remove(old)
    return place / f"{now:%Y%m%d-%H%M%S}-{os.getpid()}{SUFFIX}"


def kept() -> list[Path]:
    """The conversations, the newest first; none where there is no such folder."""
    with contextlib.suppress(OSError):
        return sorted((one for one in folder().glob(f"*{SUFFIX}") if one.is_file()), reverse=True)
    return []


def newest() -> Path | None:
    """The newest one."""
    return next(iter(kept()), None)


def is_ours(path: Path) -> bool:
    """Whether a file is one of them, so that the server that it names was named by this user."""
    with contextlib.suppress(OSError):
        found = path.lstat()
        is_there = path.resolve().parent == folder().resolve()
        return is_there and stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
    return False


def _remove(path: Path) -> None:
    for one in (path, changes_path(path)):
        with contextlib.suppress(OSError):
            one.unlink()
