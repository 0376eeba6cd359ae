"""The file of a past that this program keeps itself: bounded by age and by bytes, readable only by its user.

SQLite without a write-ahead log, so that the file can be copied, and read where nothing may be written.
"""

import json
import os
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from tools.errors import RediagnoseError, UsageError
from tools.files import must_be_regular
from tools.past.stored import APPLICATION, PATIENCE, VERSION, Happened, Reader, Round, marks, why_not

_TABLES = """
CREATE TABLE node (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, run_id TEXT NOT NULL DEFAULT '', seen REAL NOT NULL
);
CREATE TABLE sample (
  node INTEGER NOT NULL, at REAL NOT NULL, figures BLOB NOT NULL, PRIMARY KEY (node, at)
) WITHOUT ROWID;
CREATE INDEX sample_at ON sample (at);
CREATE TABLE happened (
  node INTEGER NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, at REAL NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (node, kind, key)
) WITHOUT ROWID;
CREATE INDEX happened_at ON happened (at);
CREATE TABLE setting (
  node INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (node, name)
) WITHOUT ROWID;
CREATE TABLE state (
  target TEXT PRIMARY KEY, looked REAL, reached INTEGER, checked REAL, level TEXT, line TEXT
) WITHOUT ROWID;
CREATE TABLE course (
  target TEXT NOT NULL, at REAL NOT NULL, level TEXT NOT NULL, found TEXT NOT NULL, PRIMARY KEY (target, at)
) WITHOUT ROWID;
"""


class Limits(NamedTuple):
    """How much is kept."""

    seconds: float = 14 * 86_400.0
    bytes: int = 256 * 2**20


class Look(NamedTuple):
    """That a target was looked at."""

    target: str
    at: float
    reached: bool
    """Whether anything of it answered."""


class Checked(NamedTuple):
    """What a check found about a target."""

    target: str
    at: float
    level: str
    line: str
    """All of it, as JSON; only the newest is kept."""
    found: str
    """The part of it whose changes are kept."""


class Unkept(RediagnoseError):
    """The file couldn't be written."""


DEFAULT = Limits()


class Store:
    """The file, open for writing. A connection of its own for each call, so that any thread may use it."""

    def __init__(self, path: Path, limits: Limits = DEFAULT) -> None:
        """Create the file if it isn't there. Raises `UsageError` for one that isn't of this program."""
        self.path = path
        self.limits = limits
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
            must_be_regular(path)
            with self._open() as connection:
                _prepare(connection, path)
        except (OSError, Unkept) as error:
            raise UsageError(f"{path}: the past can't be kept there: {why_not(error)}; give another file") from None

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=PATIENCE)) as connection, connection:
                connection.execute("PRAGMA trusted_schema = OFF")
                yield connection
        except sqlite3.Error as error:
            raise Unkept(f"{self.path}: the past isn't kept: {why_not(error)}") from None

    def keep(self, rounds: Sequence[Round], looks: Sequence[Look] = ()) -> None:
        """Keep what a look at each of these nodes brought, the parameters that changed since the last one, and which
        targets were looked at. Raises `Unkept`."""
        with self._open() as connection:
            for found in rounds:
                node = _node_number(connection, found)
                figures = zlib.compress(json.dumps(found.figures, separators=(",", ":")).encode())
                connection.execute("INSERT OR REPLACE INTO sample VALUES (?, ?, ?)", (node, found.at, figures))
                changed = _changed_settings(connection, node, found)
                connection.executemany(
                    "INSERT OR IGNORE INTO happened VALUES (?, ?, ?, ?, ?)",
                    [(node, one.kind, one.key, one.at, json.dumps(one.body)) for one in (*found.happened, *changed)],
                )
            connection.executemany(
                "INSERT INTO state (target, looked, reached) VALUES (?, ?, ?) "
                "ON CONFLICT (target) DO UPDATE SET looked = excluded.looked, reached = excluded.reached",
                looks,
            )

    def keep_checks(self, checks: Sequence[Checked]) -> None:
        """Keep what checks found. Raises `Unkept`."""
        with self._open() as connection:
            for one in checks:
                connection.execute(
                    "INSERT INTO state (target, checked, level, line) VALUES (?, ?, ?, ?) ON CONFLICT (target) DO "
                    "UPDATE SET checked = excluded.checked, level = excluded.level, line = excluded.line",
                    (one.target, one.at, one.level, one.line),
                )
                newest = "SELECT found FROM course WHERE target = ? ORDER BY at DESC LIMIT 1"
                if connection.execute(newest, (one.target,)).fetchone() != (one.found,):
                    row = (one.target, one.at, one.level, one.found)
                    connection.execute("INSERT OR REPLACE INTO course VALUES (?, ?, ?, ?)", row)

    def retain(self, now: float, targets: Sequence[str] | None = None) -> None:
        """Delete what is too old, then the oldest until the file is small enough; and all targets but these."""
        with self._open() as connection:
            _delete_before(connection, now - self.limits.seconds)
            if targets is not None:
                kept = json.dumps(list(targets))
                connection.execute("DELETE FROM state WHERE target NOT IN (SELECT value FROM json_each(?))", (kept,))
        while self.used > self.limits.bytes:
            with self._open() as connection:
                oldest = connection.execute(
                    "SELECT at FROM (SELECT at FROM sample UNION ALL SELECT at FROM happened) ORDER BY at "
                    "LIMIT 1 OFFSET (SELECT (SELECT count(*) FROM sample) / 10 + (SELECT count(*) FROM happened) / 10)"
                ).fetchone()
                if oldest is None or _delete_before(connection, oldest[0] + 1e-6) == 0:
                    break
        with self._open() as connection:
            # It gives the free pages back to the file system.
            connection.execute("PRAGMA incremental_vacuum").fetchall()

    @property
    def used(self) -> int:
        """Bytes that its content takes, without what is free for reuse."""
        with self._open() as connection:
            names = ("page_count", "freelist_count", "page_size")
            pages, free, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names)
        return int((pages - free) * size)

    def reader(self) -> Reader:
        """The same file, for questions."""
        return Reader(self.path)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    found = marks(connection)
    if found == (APPLICATION, VERSION):
        return
    if found != (0, 0) or connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise UsageError(f"{path}: this version of rediagnose didn't make it; give another file, or move this one")
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.executescript(
        f"BEGIN; {_TABLES} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
    )


def _node_number(connection: sqlite3.Connection, found: Round) -> int:
    row = connection.execute(
        "INSERT INTO node (name, run_id, seen) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
        "run_id = CASE excluded.run_id WHEN '' THEN run_id ELSE excluded.run_id END, seen = excluded.seen RETURNING id",
        (found.node, found.run_id, found.at),
    ).fetchone()
    return int(row[0])


def _changed_settings(connection: sqlite3.Connection, node: int, found: Round) -> list[Happened]:
    if found.settings is None:
        return []
    before = dict(connection.execute("SELECT name, value FROM setting WHERE node = ?", (node,)).fetchall())
    differing = {name: value for name, value in found.settings.items() if before.get(name) != value}
    connection.executemany(
        "INSERT OR REPLACE INTO setting VALUES (?, ?, ?)", [(node, name, value) for name, value in differing.items()]
    )
    return [
        Happened(
            kind="config", key=f"{name}:{found.at:.3f}", at=found.at,
            body={"parameter": name, "before": before[name], "after": value},
        )
        for name, value in differing.items() if name in before
    ]  # fmt: skip


def _delete_before(connection: sqlite3.Connection, moment: float) -> int:
    gone = 0
    for table in ("sample", "happened", "course"):
        gone += connection.execute(f"DELETE FROM {table} WHERE at < ?", (moment,)).rowcount
    connection.execute("DELETE FROM node WHERE seen < ?", (moment,))
    connection.execute("DELETE FROM state WHERE max(ifnull(looked, 0), ifnull(checked, 0)) < ?", (moment,))
    connection.execute("DELETE FROM setting WHERE node NOT IN (SELECT id FROM node)")
    return gone
