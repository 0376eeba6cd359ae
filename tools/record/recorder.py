"""Writing a recording: a line for each thing as it ends, so that what is there is complete whatever happens next."""

import contextlib
import errno
import gzip
import os
import shutil
from pathlib import Path
from typing import Any, TextIO

from tools.clock import Clock
from tools.errors import UsageError
from tools.record.schema import End, Happened, Head, Line, Seen
from tools.records import Reading
from tools.redact import Pseudonyms

NOT_THE_SERVERS = frozenset(
    ("process", "sockets", "machine", "disk", "log", "log_events", "kernel_log", "config_drift", "history", "baseline",
     "other_ports", "own_changes", "pod", "provider", "service")
)  # fmt: skip
"""Tools whose readings go beyond the server's answers: replayed as they were."""


def is_kept(reading: Reading) -> bool:
    """Whether a reading is of more than the servers' replies, so that it can't be made of them anew."""
    return reading.tool in NOT_THE_SERVERS or reading.said_by is not None


_MACHINES = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""Errors of the machine, not of a file name."""
LARGE = 8 * 2**20
"""From this many bytes on, a recording is compressed quickly rather than well: somebody waits for the prompt."""


class Recorder:
    """A recording being written: plain while open, compressed once closed."""

    def __init__(self, path: Path, clock: Clock, pseudonyms: Pseudonyms) -> None:
        """Raises `UsageError` if the file already exists or can't be created.

        A full or failing disk must not prevent the investigation: `lost` then says so, also later.
        """
        self.path = path
        self.lost: str | None = None
        """Why not all of it is in the file."""
        self.clock = clock
        self.pseudonyms = pseudonyms
        self.links = 0
        self._began = clock.monotonic()
        self._lines = 0
        self._file: TextIO | None = None
        try:
            self._file = _new(path)
        except OSError as error:
            self.lost = f"{path}: {error.strerror}"

    @property
    def now(self) -> float:
        """Seconds since it began."""
        return max(0.0, round(self.clock.monotonic() - self._began, 6))

    def begin(self, **fields: Any) -> None:
        """Write the head, with what `Head` takes besides the time."""
        self._put(Head(at=self.clock.now().isoformat(timespec="milliseconds"), **fields))

    def write(self, line: Line) -> None:
        """Append a line."""
        self._put(line)

    def _put(self, line: Line | Head) -> None:
        if self._file is None or self._file.closed:
            return
        try:
            self._file.write(line.model_dump_json() + "\n")
            self._file.flush()
            self._lines += 1
        except (OSError, ValueError) as error:
            # Complete lines precede it, so it can be read as a truncated file.
            self._lose(error)

    def _lose(self, error: Exception) -> None:
        self.lost = f"{self.path}: {(error.strerror if isinstance(error, OSError) else None) or error}"
        file, self._file = self._file, None
        if file is not None:
            # What it holds back can't be written either.
            with contextlib.suppress(OSError):
                file.close()

    def reading(self, reading: Reading) -> None:
        """A reading that was taken: kept if it goes beyond the servers' replies."""
        if is_kept(reading):
            began = max(0.0, round(self.now - (reading.ms or 0) / 1000, 6))
            self.write(Seen(t=began, reading=reading))

    def event(self, event: dict[str, Any]) -> None:
        """An event of the investigation."""
        self.write(Happened(t=self.now, event=event))

    def move(self, path: Path) -> None:
        """Continue in another file, with everything written so far. Raises `UsageError` as for the first one."""
        if self.lost:
            raise UsageError(f"not everything could be recorded, so it can't be kept: {self.lost}")
        file: TextIO | None = None
        try:
            file = _new(path)
            with open(self.path, encoding="utf-8") as plain:
                shutil.copyfileobj(plain, file, 2**20)
            file.flush()
        except OSError as error:
            if file is not None:
                with contextlib.suppress(OSError):
                    file.close()
                path.unlink(missing_ok=True)
            raise UsageError(f"{path}: {error.strerror}; name a writable file to record to") from None
        if self._file is not None:
            self._file.close()
        self.path.unlink(missing_ok=True)
        self.path, self._file = path, file

    def close(self) -> None:
        """Write the end, and compress the file in its place."""
        if self._file is None or self._file.closed:
            return
        file = self._file
        self._put(End(t=self.now, lines=self._lines))
        if self.lost:
            return
        try:
            file.close()
            self.path.stat()
        except OSError as error:
            self._lose(error)
            return
        # What can't be compressed stays as it is and can be read.
        with contextlib.suppress(OSError):
            self._compress(self.path.with_name(f".{self.path.name}.{os.getpid()}"))

    def _compress(self, packed: Path) -> None:
        # Whoever may read what is written so far may read the rest, and nobody else.
        mode = self.path.stat().st_mode & 0o666
        file = os.fdopen(os.open(packed, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb")
        try:
            # Without a timestamp: the same incident gives the same file.
            level = 9 if self.path.stat().st_size < LARGE else 1
            with open(self.path, "rb") as plain, file, gzip.GzipFile("", "wb", level, file, mtime=0) as squeezed:
                shutil.copyfileobj(plain, squeezed, 2**20)
            packed.replace(self.path)
        except OSError:
            packed.unlink(missing_ok=True)
            raise


def must_be_new(path: Path) -> None:
    """Raise `UsageError` if the file exists: nothing is overwritten."""
    if path.exists():
        raise _taken(path)


def _taken(path: Path) -> UsageError:
    return UsageError(f"{path}: the file already exists; name a new one to record to, nothing is overwritten")


def _new(path: Path) -> TextIO:
    try:
        return open(path, "x", encoding="utf-8")
    except FileExistsError:
        raise _taken(path) from None
    except ValueError:
        raise UsageError(f"{str(path)!r}: not a valid file name; name another one to record to") from None
    except OSError as error:
        if error.errno in _MACHINES:
            raise
        raise UsageError(f"{path}: {error.strerror}; name a writable file to record to") from None
