"""The file of a past that this program keeps itself, as it's read: what is in it, and questions about it."""

import json
import math
import sqlite3
import time
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from tools.errors import Unanswered
from tools.files import must_be_regular
from tools.records import Record, Scalar

VERSION = 1
"""Of the tables; a file of another version isn't touched."""
APPLICATION = 0x52444947
"""Marks the file as this program's, in SQLite's header."""
PATIENCE = 5.0
"""Seconds to wait for another process that has the file."""
MOST_ROWS = 100_000
"""Most rows that one question reads."""
MOST_BODY = 64 * 2**10
"""Most bytes of one row's content."""
Happening = Literal["slow", "stall", "config"]
"""An entry of SLOWLOG, a spike of LATENCY, and a change of CONFIG."""


class Happened(Record):
    """One thing that happened on a node, as it's kept."""

    kind: Happening
    key: str
    """Identifies it on its node, so that it's kept once."""
    at: float
    body: dict[str, Scalar | list[str]]


class Sampled(NamedTuple):
    """The figures of one moment."""

    at: float
    figures: dict[str, float]


class Round(Record):
    """What one look at a node brought; secrets are already hidden."""

    node: str
    run_id: str = ""
    at: float
    figures: dict[str, float]
    happened: tuple[Happened, ...] = ()
    settings: dict[str, str] | None = None
    """All parameters; null if they weren't read."""


class TargetState(NamedTuple):
    """A target as it was last seen."""

    target: str
    looked: float | None
    reached: bool | None
    """Whether the last look was answered."""
    checked: float | None
    level: str | None
    line: str | None
    """The last check's line, as JSON."""


class Reader:
    """The file, open for questions only; whoever wrote it isn't trusted. Raises `Unanswered` if it can't be read."""

    def __init__(self, path: Path, *, patience: float = PATIENCE) -> None:
        """`patience` is how many seconds one question may take."""
        self.path = path
        self.patience = patience

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            must_be_regular(self.path)
            uri = f"{self.path.absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True, timeout=PATIENCE)) as connection:
                connection.execute("PRAGMA trusted_schema = OFF")
                connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 4 * MOST_BODY)
                # Somebody's file may have views in place of tables, which may take any time.
                ends = time.monotonic() + self.patience
                connection.set_progress_handler(lambda: time.monotonic() > ends, 10_000)
                if marks(connection) != (APPLICATION, VERSION):
                    raise Unanswered("malformed", f"{self.path.name} isn't a past that this version of rediagnose kept")
                yield connection
        except (OSError, sqlite3.Error, ValueError, TypeError, RecursionError, zlib.error) as error:
            raise Unanswered("malformed", f"{self.path.name} can't be read: {why_not(error)}") from None

    def node(self, name: str, run_id: str | None = None) -> int | None:
        """The number of a node, by its address or by the run that it was last seen in; null if it isn't known."""
        with self._open() as connection:
            found = connection.execute(
                "SELECT id FROM node WHERE name = ?1 OR (?2 <> '' AND run_id = ?2) ORDER BY name = ?1 DESC, seen DESC",
                (name, run_id or ""),
            ).fetchone()
        return int(found[0]) if found else None

    @property
    def nodes(self) -> list[str]:
        """The addresses of all nodes."""
        with self._open() as connection:
            rows = connection.execute("SELECT name FROM node ORDER BY name LIMIT ?", (MOST_ROWS,))
            return [str(name) for (name,) in rows]

    def samples(self, node: int, start: float, end: float) -> list[Sampled]:
        """The figures of a node from start to end, in order."""
        with self._open() as connection:
            rows = connection.execute(
                "SELECT at, figures FROM sample WHERE node = ? AND at BETWEEN ? AND ? ORDER BY at LIMIT ?",
                (node, start, end, MOST_ROWS),
            )
            return [Sampled(float(at), _figures(blob)) for at, blob in rows]

    def happened(self, node: int, kind: Happening, start: float, end: float, most: int = 512) -> list[Happened]:
        """What happened on a node from start to end, newest first."""
        with self._open() as connection:
            rows = connection.execute(
                "SELECT kind, key, at, body FROM happened WHERE node = ? AND kind = ? AND at BETWEEN ? AND ? "
                "ORDER BY at DESC LIMIT ?",
                (node, kind, start, end, most),
            )
            return [Happened(kind=one, key=key, at=at, body=json.loads(body)) for one, key, at, body in rows]

    def states(self) -> list[TargetState]:
        """All targets as they were last seen, by name."""
        with self._open() as connection:
            rows = connection.execute(
                "SELECT target, looked, reached, checked, level, line FROM state ORDER BY target LIMIT ?", (MOST_ROWS,)
            )
            return [
                TargetState(str(one), looked, None if reached is None else bool(reached), checked, level, line)
                for one, looked, reached, checked, level, line in rows
            ]

    def course(self, target: str, since: float) -> list[tuple[float, str, str]]:
        """How a target's checks changed since then: the time, the level and what was found, as JSON; oldest first."""
        with self._open() as connection:
            rows = connection.execute(
                "SELECT at, level, found FROM course WHERE target = ? AND at >= ? ORDER BY at LIMIT ?",
                (target, since, MOST_ROWS),
            )
            return [(float(at), str(level), str(found)) for at, level, found in rows]


def marks(connection: sqlite3.Connection) -> tuple[int, int]:
    """What SQLite's header says: whose file it is, and the version of its tables."""
    application, version = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    )
    return application, version


def _figures(blob: bytes) -> dict[str, float]:
    found = json.loads(zlib.decompressobj().decompress(blob, MOST_BODY))
    if not isinstance(found, dict):
        raise ValueError("figures of another form")
    numbers = {name: value for name, value in found.items() if isinstance(value, int | float)}
    return {name: float(value) for name, value in numbers.items() if math.isfinite(value)}


def why_not(error: Exception) -> str:
    """The reason in a few words."""
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else str(error)[:200]
