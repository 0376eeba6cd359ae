"""Which settings files may decide where a credential goes: the user's own, the one that was named, and trusted ones.

Trust covers exactly this content at exactly this path, and that of the files in its folder that it refers to: any
change revokes it.
"""

import contextlib
import hashlib
import os
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tools.errors import UsageError
from tools.files import read_regular, state_folder

MOST = 2**20
"""Most bytes of a settings file."""
_MOST_MARK = 2**14
_DECIDING = ("url_file", "cacert", "command", "args", "certificate_file")
"""Keys that name a file whose content decides where a credential goes, what is started, or who may send."""


def settings_bytes(file: Path) -> bytes:
    """The content of a settings file. Raises `OSError`."""
    return read_regular(file, MOST)


def is_own(file: Path) -> bool:
    """Whether a file is certainly this user's: not a link, owned by them or root, and writable by nobody else."""
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
    """Trust this content of this file. Raises `UsageError` if that can't be stored."""
    try:
        mark = _mark(file, content)
        mark.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        mark.unlink(missing_ok=True)
        descriptor = os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(os.fsencode(_place(file)))
    except OSError as error:
        raise UsageError(f"trust in {file} can't be saved: {error.strerror}") from None


def revoke(file: Path) -> int:
    """Trust no content of this file any longer; returns how many were trusted."""
    marks = [mark for mark, place in _marks() if place == str(_place(file))]
    for mark in marks:
        mark.unlink(missing_ok=True)
    return len(marks)


def trusted_files() -> list[Path]:
    """The files that have some trusted content."""
    return sorted({Path(place) for _, place in _marks()})


def _place(file: Path) -> Path:
    return file.absolute().resolve()


def _mark(file: Path, content: bytes) -> Path:
    digest = hashlib.sha256(os.fsencode(_place(file)) + b"\n" + content)
    for named in _deciding(file, content):
        digest.update(os.fsencode(named) + b"\n" + _fingerprint(named))
    return state_folder() / "trusted" / digest.hexdigest()


def _fingerprint(file: Path) -> bytes:
    """A digest of a file's content; empty if there is none yet."""
    try:
        return hashlib.sha256(settings_bytes(file)).digest()
    except OSError:
        return b""


def _deciding(file: Path, content: bytes) -> list[Path]:
    """The files that come with the folder and decide where credentials go.

    The folder can't change files elsewhere: a mounted secret may be renewed.
    """
    try:
        tables = tomllib.loads(content.decode())
    except (ValueError, RecursionError):
        return []
    rows = [row for table in tables.values() for row in (table if isinstance(table, list) else [table])]
    values = (row.get(key) for row in rows if isinstance(row, dict) for key in _DECIDING)
    named = {one for value in values for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)}
    folder = _place(file).parent
    places = [folder / os.path.expanduser(name) for name in sorted(named) if name and "\0" not in name]
    return [place for place in places if place.is_relative_to(folder) or _place(place).is_relative_to(folder)]


def _marks() -> Iterator[tuple[Path, str]]:
    with contextlib.suppress(OSError):
        for mark in sorted((state_folder() / "trusted").iterdir()):
            with contextlib.suppress(OSError):
                yield mark, os.fsdecode(read_regular(mark, _MOST_MARK))
