"""Which files of settings say where a credential goes: the user's own, the one that was named, and what was trusted.

What was trusted is this very content at this very path: any change takes it back.
"""

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from tools.errors import UsageError
from tools.files import read_regular, state_folder

MOST = 2**20
"""Bytes of a file of settings."""
_MOST_MARK = 2**14


def settings_bytes(file: Path) -> bytes:
    """What is in a file of settings. Raises `OSError`."""
    return read_regular(file, MOST)


def is_own(file: Path) -> bool:
    """Whether a file is this user's beyond doubt: no link, theirs or root's, and nobody else may write it."""
    try:
        found = os.lstat(file)
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_uid in (0, os.geteuid()) and not found.st_mode & stat.S_IWOTH


def is_trusted(file: Path, content: bytes) -> bool:
    """Whether this content of this file was trusted by this user."""
    try:
        mark = _mark(file, content)
        return is_own(mark) and read_regular(mark, _MOST_MARK) == os.fsencode(_place(file))
    except OSError:
        return False


def trust(file: Path, content: bytes) -> None:
    """Trust this content of this file. Raises `UsageError` where that can't be kept."""
    try:
        mark = _mark(file, content)
        mark.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        mark.unlink(missing_ok=True)
        descriptor = os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(os.fsencode(_place(file)))
    except OSError as error:
        raise UsageError(f"it can't be kept that {file} is trusted: {error.strerror}") from None


def revoke(file: Path) -> int:
    """Trust no content of this file any more; how many were."""
    marks = [mark for mark, place in _marks() if place == str(_place(file))]
    for mark in marks:
        mark.unlink(missing_ok=True)
    return len(marks)


def trusted_files() -> list[Path]:
    """The files of which some content is trusted."""
    return sorted({Path(place) for _, place in _marks()})


def _place(file: Path) -> Path:
    return file.absolute().resolve()


def _mark(file: Path, content: bytes) -> Path:
    digest = hashlib.sha256(os.fsencode(_place(file)) + b"\n" + content).hexdigest()
    return state_folder() / "trusted" / digest


def _marks() -> Iterator[tuple[Path, str]]:
    with contextlib.suppress(OSError):
        for mark in sorted((state_folder() / "trusted").iterdir()):
            with contextlib.suppress(OSError):
                yield mark, os.fsdecode(read_regular(mark, _MOST_MARK))
