"""Signed requests that were received, remembered in the database: by every process, and across a restart."""

from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from agent.service.database import Database
from agent.service.tables import seen

MOST = 20_000
KEPT = timedelta(days=2)
"""How long a request is remembered, unless too many come."""


class DurableSeen:
    """The requests that were received. Everything here blocks."""

    def __init__(self, database: Database, most: int = MOST) -> None:
        self._database, self._most = database, most

    def add(self, key: str, now: datetime) -> bool:
        """Remember a request; false if it is known already."""
        at = now.timestamp()
        with self._database.writing() as connection:
            connection.execute(delete(seen).where(seen.c.at < at - KEPT.total_seconds()))
            insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
            new = connection.execute(insert(seen).values(key=key, at=at).on_conflict_do_nothing())
            if new.rowcount:
                oldest = select(seen.c.at).order_by(seen.c.at.desc()).offset(self._most).limit(1).scalar_subquery()
                connection.execute(delete(seen).where(seen.c.at <= oldest))
        return bool(new.rowcount)

    def forget(self, key: str) -> None:
        """Forget a request."""
        with self._database.writing() as connection:
            connection.execute(delete(seen).where(seen.c.key == key))
