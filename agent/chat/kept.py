"""Conversations that are kept automatically: the newest few, in the state folder, readable only by their user."""

import contextlib
import os
import stat
from datetime import datetime
from pathlib import Path

from tools.files import state_folder
from tools.gate.ledger import changes_path

CHATS = "chats"
"""The name of their folder; whoever else keeps recordings has one of their own, and displaces none of these."""
LAST = "last"
"""The word for the newest conversation in place of a file name."""
MOST = 20
"""How many conversations are kept; the oldest makes room for a new one."""
SUFFIX = ".rec"


def folder(name: str = CHATS) -> Path:
    """Where they are. Raises `OSError` for a user without a home directory."""
    return state_folder() / name


def new_file(now: datetime, name: str = CHATS) -> Path:
    """A file that doesn't exist yet, for a new conversation. Raises `OSError` if there is no place for it."""
    place = folder(name)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = place.stat()
    if found.st_uid != os.geteuid():
        raise PermissionError(f"{place} belongs to another user")
    if stat.S_IMODE(found.st_mode) != 0o700:
        place.chmod(0o700)
    for old in kept(name)[MOST - 1 :]:
        _remove(old)
    return place / f"{now:%Y%m%d-%H%M%S}-{os.getpid()}{SUFFIX}"


def kept(name: str = CHATS) -> list[Path]:
    """The conversations, newest first; empty if there is no such folder."""
    with contextlib.suppress(OSError):
        return sorted((one for one in folder(name).glob(f"*{SUFFIX}") if one.is_file()), reverse=True)
    return []


def newest() -> Path | None:
    """The newest one."""
    return next(iter(kept()), None)


def is_ours(path: Path) -> bool:
    """Whether a file is one of them, so that this user named the server in it."""
    with contextlib.suppress(OSError):
        found = path.lstat()
        is_there = path.resolve().parent == folder().resolve()
        return is_there and stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
    return False


def _remove(path: Path) -> None:
    for one in (path, changes_path(path)):
        with contextlib.suppress(OSError):
            one.unlink()
