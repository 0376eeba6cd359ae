"""Files that somebody names: regular ones only, opened without waiting, and never read without a bound."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

MOST_TEXT = 4 * 2**20
"""Bytes of a file of text, such as settings or a runbook: what is larger isn't one."""
MOST_SECRET = 64 * 2**10
"""Bytes of a file that holds a secret or a certificate."""
MOST_BUNDLE = 16 * 2**20
"""Bytes of a file of certificates."""
_KINDS = (
    (stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)  # fmt: skip


def state_folder() -> Path:
    """Where this program keeps what outlives it. Raises `OSError` for a user who has no home."""
    if state := os.environ.get("XDG_STATE_HOME"):
        return Path(state) / "rediagnose"
    try:
        return Path.home() / ".local" / "state" / "rediagnose"
    except RuntimeError:
        raise OSError(errno.ENOENT, "no home folder is known; set HOME or XDG_STATE_HOME") from None


def must_be_regular(path: str | Path, most: int | None = None) -> None:
    """Raise `OSError` where this is no regular file, or has more than `most` bytes; for what others open."""
    os.close(_opened(path, most))


def open_regular(path: str | Path) -> BinaryIO:
    """A regular file, open for reading. Raises `OSError` for anything else, at once: a pipe isn't waited for."""
    return os.fdopen(_opened(path), "rb")


def read_regular(path: str | Path, most: int = MOST_TEXT) -> bytes:
    """What is in a regular file of at most so many bytes. Raises `OSError`, for a larger one too."""
    with open_regular(path) as file:
        # The size that a file system tells isn't always the file's: those of /proc have none.
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"larger than {most} bytes", os.fspath(path))
    return content


def read_regular_text(path: str | Path, most: int = MOST_TEXT) -> str:
    """The text in a regular file. Raises `OSError`, and `UnicodeDecodeError` where it isn't UTF-8."""
    return read_regular(path, most).decode().replace("\r\n", "\n").replace("\r", "\n")


def _opened(path: str | Path, most: int | None = None) -> int:
    try:
        # Asked first: to open a device can do something by itself, and a pipe's writer would notice.
        _check(os.stat(path), path, most)
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except ValueError:
        raise OSError(errno.EINVAL, "not a valid file name", repr(os.fspath(path))) from None
    try:
        # Asked again, since another file may have taken its place.
        _check(os.fstat(descriptor), path, most)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _check(found: os.stat_result, path: str | Path, most: int | None) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = next((name for is_one, name in _KINDS if is_one(found.st_mode)), "something else")
        raise OSError(errno.EINVAL, f"it is {kind}, not a regular file", os.fspath(path))
    if most is not None and found.st_size > most:
        raise OSError(errno.EFBIG, f"larger than {most} bytes", os.fspath(path))
