"""Which processes are alive: each has a lease in the database, and on its own machine a lock as well."""

import contextlib
import os
import time
from collections.abc import Callable
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from sqlalchemy import delete, insert, select, update

from agent.service.database import Database
from agent.service.tables import workers
from tools.files import state_folder

LASTS, PACE = 30.0, 2.0
"""Seconds that a lease lasts, and after which it is renewed."""


class Leases:
    """The leases, and this process' own."""

    def __init__(
        self, database: Database, id: str, lasts: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._database, self._id, self._lasts, self._monotonic = database, id, lasts, monotonic
        self.pace = min(PACE, lasts / 4)
        # The others may not have had a chance to renew theirs since the database came back.
        self._sure_at = monotonic() + 2 * self.pace
        self._folder = _folder(database)
        self._lock = self._locked()

    def _locked(self) -> int:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(self._folder / self._id, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        flock(file, LOCK_EX | LOCK_NB)
        return file

    def renew(self) -> bool:
        """Be alive for another while; whether this process was still taken to be."""
        now, own = self._database.now, workers.c.id == self._id
        until = now + self._lasts
        with self._database.writing() as connection:
            left = connection.scalar(select(workers.c.until - now).where(own))
            if left is None:
                connection.execute(insert(workers).values(id=self._id, until=until))
            elif left > self._lasts + 1:
                # The database's clock was set back: no lease may last until it has caught up.
                connection.execute(update(workers).where(workers.c.until > until).values(until=until))
            connection.execute(update(workers).where(own).values(until=until))
        if left is not None and left < 0:
            # The database was away, or its clock was set forward: the others' leases ran out as well.
            self._sure_at = self._monotonic() + self._lasts
        return left is not None

    def alive(self) -> set[str]:
        """The processes that are alive. The lock of one that died on this machine is free at once."""
        asked = select(workers.c.id)
        if self._monotonic() >= self._sure_at:
            asked = asked.where(workers.c.until > self._database.now)
        with self._database.reading() as connection:
            leased = set(connection.scalars(asked))
        return {one for one in leased if one == self._id or not self._is_free(one)}

    def _is_free(self, id: str) -> bool:
        try:
            file = os.open(self._folder / id, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            # Another machine's.
            return False
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(file)
        return True

    def sweep(self) -> None:
        """Forget the processes that aren't alive."""
        alive = self.alive()
        with self._database.writing() as connection:
            gone = connection.scalars(select(workers.c.id).where(workers.c.id.not_in(alive))).all()
            if gone:
                connection.execute(delete(workers).where(workers.c.id.in_(gone)))
        for id in gone:
            with contextlib.suppress(OSError):
                (self._folder / id).unlink()

    def let_go(self) -> None:
        """Let go of the lock, as the end of the process does."""
        os.close(self._lock)

    def give_up(self) -> None:
        """Be no more: others may take on what is unfinished at once."""
        with self._database.writing() as connection:
            connection.execute(delete(workers).where(workers.c.id == self._id))
        self.let_go()
        with contextlib.suppress(OSError):
            (self._folder / self._id).unlink()


def _folder(database: Database) -> Path:
    if database.is_sqlite:
        return Path(database.url.database or "").parent / "workers"
    return state_folder() / "service" / "workers"
