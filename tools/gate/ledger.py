"""The logs of changes, on disk before a change is made: the audit log, and a recording's changes."""

import contextlib
import getpass
import os
import socket
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from tools.clock import Clock
from tools.credentials import hide_secrets
from tools.errors import Unlogged, UsageError
from tools.files import open_regular, state_folder
from tools.gate.policy import Change, canonical_name
from tools.records import Record
from tools.text import escaped_json

AuditEvent = Literal[
    "proposed", "forbidden", "refused", "approved", "stopped", "applying", "applied", "unanswered", "failed",
    "verified", "not-better", "unmeasured", "worse", "rolled-back",
]  # fmt: skip
MOST = 16 * 2**20
"""Most bytes of a recording's changes that are read: anything larger isn't ours."""


MOST_TRUSTED = 256 * 2**20
"""How many of the audit log's newest bytes are searched."""
MOST_LOOKED = 2**20
"""How many of them are read at each look."""
MOST_LINE = 2**20


class Entry(Record):
    """One line."""

    time: str
    """ISO 8601, UTC."""
    event: AuditEvent
    user: str
    """Who runs the program; for an approval, who gave it."""
    host: str
    """Where it runs."""
    pid: int
    node: str
    """The node: host:port or unix:PATH."""
    action: str
    args: tuple[str, ...] = ()
    """The command, word by word."""
    before: str | None = None
    """What was read before."""
    after: str | None = None
    """CONFIG SET: the new value; once applied, what was read afterwards."""
    channel: str | None = None
    """The channel through which it was approved."""
    why: str = ""
    step: str | None = None
    """The plan's step."""
    restores: bool = False
    """Whether it restores the value before a change."""


Log = Callable[[Entry], None]
"""Writes an entry, or raises `Unlogged`."""


def current_user() -> str:
    """Who runs this program, according to the system."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user may have no name.
        return f"uid {os.getuid()}"


def change_entry(clock: Clock, event: AuditEvent, change: Change, *, why: str = "", **details: str | None) -> Entry:
    """An entry about a change, now; `details` may be `user`, `channel`, `step`, `after`."""
    return Entry(
        time=clock.now().isoformat(timespec="milliseconds"), event=event, user=details.get("user") or current_user(),
        host=socket.gethostname(), pid=os.getpid(), node=change.node, action=change.action, args=change.args,
        before=change.before, after=details.get("after") or (change.args[3] if change.parameter else None),
        channel=details.get("channel"), why=hide_secrets(why), step=details.get("step"), restores=change.restores,
    )  # fmt: skip


def forbidden_entry(clock: Clock, node: str, action: str, why: str) -> Entry:
    """An entry about a proposal that policy forbade."""
    return Entry(
        time=clock.now().isoformat(timespec="milliseconds"), event="forbidden", user=current_user(),
        host=socket.gethostname(), pid=os.getpid(), node=node, action=hide_secrets(action), why=hide_secrets(why),
    )  # fmt: skip


def audit_path() -> Path:
    """The audit log's default path. Raises `Unlogged` if there is none."""
    try:
        return state_folder() / "audit.jsonl"
    except OSError as error:
        raise Unlogged(f"{error.strerror}, or name a file with --audit") from None


def changes_path(recording: Path) -> Path:
    """Where a recording's changes are logged: beside it, since it's evidence and stays unchanged."""
    return recording.with_name(f"{recording.name}.changes.jsonl")


class Ledger:
    """An append-only file of entries."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, one: Entry) -> None:
        """Append an entry and wait until it's on disk. Raises `Unlogged`."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            new = not self.path.exists()
            file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                self._append(file, f"{escaped_json(one.model_dump_json())}\n".encode())
            finally:
                os.close(file)
            if new:
                self._sync_folder()
        except OSError as error:
            raise Unlogged(
                f"{self.path}: {error.strerror or error}; a change that can't be logged isn't made; fix that, or name "
                "another file"
            ) from None

    def _append(self, file: int, line: bytes) -> None:
        end = os.lseek(file, 0, os.SEEK_END)
        if end and os.pread(file, 1, end - 1) != b"\n":
            # The last writer was interrupted in the middle of a line.
            line = b"\n" + line
        while line:
            line = line[os.write(file, line) :]
        os.fsync(file)

    def _sync_folder(self) -> None:
        """A new file's name is in its folder, which has to reach the disk too."""
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            with contextlib.suppress(OSError):
                os.fsync(folder)
        finally:
            os.close(folder)

    def made(self) -> list[Entry]:
        """The newest changes that were made and undone, if they count as proof."""
        return [one for one in self.trusted(MOST_LOOKED) if one.event in ("applied", "rolled-back")]

    def trusted(self, most: int = MOST_TRUSTED) -> Iterator[Entry]:
        """The entries that count as proof, from the newest part of a long file; none if others may write the file."""
        try:
            with open_regular(self.path) as file:
                found = os.fstat(file.fileno())
                if found.st_uid not in (0, os.geteuid()) or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                    return
                file.seek(max(0, found.st_size - most))
                while line := file.readline(MOST_LINE):
                    # A truncated entry, or one of another program, proves nothing.
                    with contextlib.suppress(ValidationError):
                        yield Entry.model_validate_json(line)
        except OSError:
            return

    def read(self) -> list[Entry]:
        """The complete entries, oldest first; empty if there is no such file. Raises `UsageError`."""
        try:
            with open_regular(self.path) as file:
                raw = file.read(MOST + 1)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UsageError(f"{self.path}: {error.strerror}; make it readable") from None
        if len(raw) > MOST:
            raise UsageError(f"{self.path}: larger than {MOST >> 20} MiB; it isn't a log of rediagnose")
        entries = []
        for number, line in enumerate(raw.splitlines(), 1):
            try:
                entries.append(Entry.model_validate_json(line))
            except ValidationError:
                if not line.endswith(b"}"):
                    # Interrupted while it was written.
                    continue
                raise UsageError(
                    f"{self.path}, line {number}: not an entry by rediagnose; the file is damaged"
                ) from None
        return entries


def stood_before(entries: Iterable[Entry], change: Change) -> bool:
    """Whether entries say that this node's parameter was changed and had this value before."""
    name = canonical_name(change.parameter or "")
    return any(
        one.event in ("applying", "applied") and not one.restores and one.node == change.node
        and len(one.args) == 4 and one.args[:2] == ("CONFIG", "SET") and canonical_name(one.args[2]) == name
        and one.before == change.args[3]
        for one in entries
    )  # fmt: skip


def write_to_all(*logs: Log) -> Log:
    """Each of several in turn; the first failure ends it."""

    def write(one: Entry) -> None:
        for log in logs:
            log(one)

    return write
