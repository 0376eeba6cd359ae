"""The signed requests that webhooks took in, kept with the incidents: a restart or another process knows them, too."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from agent.service.database import Database
from agent.service.tables import seen

MOST = 100_000
KEPT = timedelta(days=2)
"""How long a request is remembered, unless too many come; by then its alert has usually been closed."""
EVERY = 500
"""Requests that this process takes in between two looks for too many."""


class DurableSeen:
    """Remembers requests by a digest; the newest if there are too many. Everything here blocks."""

    def __init__(self, database: Database, most: int = MOST, kept: timedelta = KEPT, every: int = EVERY) -> None:
        self._database, self._most, self._kept, self._every = database, most, kept.total_seconds(), every
        self._added = 0

    def known(self, key: str, now: datetime) -> bool:
        """Whether a request is remembered."""
        asked = select(seen.c.key).where(seen.c.key == key, seen.c.at > now.timestamp() - self._kept)
        with self._database.reading() as connection:
            return connection.scalar(asked) is not None

    def add(self, keys: Collection[str], now: datetime) -> None:
        """Remember a request."""
        if not keys:
            return
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        at = now.timestamp()
        new = insert(seen).values([{"key": key, "at": at} for key in sorted(keys)])
        with self._database.writing() as connection:
            connection.execute(new.on_conflict_do_update(index_elements=[seen.c.key], set_={"at": at}))
        self._added += 1
        if self._added % self._every == 0:
            self.clean(now)

    def clean(self, now: datetime) -> None:
        """Forget what is too old or too much."""
        oldest = select(seen.c.at).order_by(seen.c.at.desc()).offset(self._most).limit(1)
        with self._database.writing() as connection:
            before = max(connection.scalar(oldest) or 0.0, now.timestamp() - self._kept)
            connection.execute(delete(seen).where(seen.c.at <= before))
