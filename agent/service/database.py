"""The service's database: a file of SQLite, or PostgreSQL where several machines share the work."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    create_engine,
    event,
    func,
    insert,
    literal_column,
    select,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from agent.service.journal import say
from agent.service.outages import is_outage, reason
from agent.service.tables import metadata, versions
from tools.errors import UsageError
from tools.files import state_folder

VERSION = 1
"""The version of the tables."""
LOCK = 0x5E0D1A
"""The number of PostgreSQL's advisory lock under which tables are created and incidents are opened."""
PATIENCE_MS = 30_000


def default_url() -> str:
    """A file in the state folder. Raises `UsageError` if there is none."""
    try:
        folder = state_folder() / "service"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UsageError(f"the state folder: {error.strerror}; set XDG_STATE_HOME, or give --database") from None
    return f"sqlite:///{folder / 'incidents.sqlite'}"


def checked_url(text: str) -> URL:
    """A database's URL. Raises `UsageError`, which doesn't quote it: it may contain a password."""
    try:
        url = make_url(text)
    except ArgumentError:
        raise UsageError("--database: not a URL; give postgresql://USER@HOST/NAME or sqlite:////PATH") from None
    kind = url.get_backend_name()
    if kind == "sqlite" and url.database:
        return url
    if kind != "postgresql":
        raise UsageError(f"--database: {kind} isn't supported; give postgresql://USER@HOST/NAME or sqlite:////PATH")
    return url.set(drivername="postgresql+psycopg")


class Database:
    """Connections to it. Everything here blocks: async callers use a thread."""

    def __init__(self, text: str, answers_within: float = 20.0) -> None:
        """`answers_within` is how many seconds PostgreSQL may take for a statement."""
        self.url, self._answers_within = checked_url(text), answers_within
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = self._connected()
        self._answers: bool | None = None
        self._turn = threading.Lock()

    @cached_property
    def opening(self) -> dict[str, Any]:
        """How an engine of SQLAlchemy's opens its connections, as arguments of it; empty for SQLite's own way."""
        if self.is_sqlite:
            return {}
        # Most services have a file, and don't need PostgreSQL's driver.
        from agent.service.patient import connecting

        return {"creator": connecting(self.url, self._answers_within)}

    @property
    def answers(self) -> bool:
        """Whether it answered when something was last asked of it."""
        return self._answers is not False

    def _connected(self) -> Engine:
        if not self.is_sqlite:
            return create_engine(self.url, pool_size=8, max_overflow=8, pool_pre_ping=True, **self.opening)
        path = Path(self.url.database or "")
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Only its user may read what is in it.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        engine = create_engine(self.url, isolation_level="AUTOCOMMIT", pool_size=8, max_overflow=8)

        @event.listens_for(engine, "connect")
        def prepare(connection: Any, record: object) -> None:
            for pragma in (f"busy_timeout={PATIENCE_MS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                connection.execute(f"PRAGMA {pragma}").close()

        return engine

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to read with."""
        with self._observed(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, *, alone: bool = False) -> Iterator[Connection]:
        """A transaction, committed at its end. With `alone`, no other one that is `alone` runs at the same time."""
        if not self.is_sqlite:
            with self._observed(), self.engine.begin() as connection:
                if alone:
                    connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
                yield connection
            return
        with self._observed(), self.engine.connect() as connection:
            # Begun as a writer's: a transaction that reads first can't become one once another has written.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")

    @contextmanager
    def _observed(self) -> Iterator[None]:
        """Say when it stops answering and when it answers again, once each, whoever notices first."""
        try:
            yield
        except SQLAlchemyError as error:
            if is_outage(error):
                self._note(False, f"the database doesn't answer: {reason(error)}; the work goes on when it does")
            raise
        self._note(True, "the database answers again")

    def _note(self, answers: bool, line: str) -> None:
        if self._answers is answers:
            return
        with self._turn:
            known, changed = self._answers is not None, self._answers is not answers
            self._answers = answers if known or answers else None
        if known and changed:
            say(line)

    @property
    def now(self) -> ColumnElement[float]:
        """The database's own time: the clocks of several machines differ."""
        sqlite, postgres = "(julianday('now') - 2440587.5) * 86400.0", "extract(epoch from clock_timestamp())"
        return literal_column(sqlite if self.is_sqlite else f"({postgres})::double precision")

    def prepare(self) -> None:
        """Create what is missing. Raises `UsageError` if it can't be used."""
        try:
            with self.writing(alone=True) as connection:
                metadata.create_all(connection)
                found = connection.scalar(select(func.max(versions.c.version)))
                if found is None:
                    connection.execute(insert(versions).values(version=VERSION))
        except SQLAlchemyError as error:
            raise UsageError(f"the database {self.name}: {_why(error)}; check --database") from None
        if found is not None and found > VERSION:
            raise UsageError(f"the database {self.name} was written by a newer version; use that one, or another file")

    @property
    def name(self) -> str:
        """Its address without a password."""
        return self.url.render_as_string(hide_password=True)

    def close(self) -> None:
        """Close its connections."""
        self.engine.dispose()


def _why(error: SQLAlchemyError) -> str:
    origin = getattr(error, "orig", None) or error
    return str(origin).strip().splitlines()[0][:200]
