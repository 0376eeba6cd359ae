"""Which incident a thread is about, which message shows it, and which process keeps it up to date; in the database."""

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from agent.service.database import Database
from agent.service.tables import incidents, threads
from agent.slack.sealed import Place

KEPT = 15.0
"""Seconds for which a process keeps a thread without saying so again."""


class Thread(NamedTuple):
    """A thread that is about an incident, or waits to hear which server is meant."""

    place: Place
    incident: str | None
    by: str
    waiting: str | None
    message: str | None
    shown: int


class Threads:
    """The threads. Everything here blocks: async callers use a thread of their own."""

    def __init__(self, database: Database, me: str) -> None:
        self._database, self._me = database, me

    def at(self, place: Place) -> Thread | None:
        """The thread in a place, if it is known."""
        with self._database.reading() as connection:
            row = connection.execute(select(threads).where(_is(place))).first()
        return None if row is None else _thread(row)

    def of(self, incident: str) -> Thread | None:
        """The thread of an incident."""
        with self._database.reading() as connection:
            row = connection.execute(select(threads).where(threads.c.incident == incident)).first()
        return None if row is None else _thread(row)

    def wait(self, place: Place, by: str, waiting: str) -> None:
        """Remember what is to be submitted once the server is known."""
        self._put(place, {"incident": None, "by": by, "waiting": waiting, "message": None, "shown": 0})

    def begin(self, place: Place, incident: str, by: str) -> None:
        """Let a thread be about an incident; a later one takes the place of a closed one."""
        if (known := self.at(place)) is not None and known.incident == incident:
            return
        self._put(place, {"incident": incident, "by": by, "waiting": None, "message": None, "shown": 0})

    def _put(self, place: Place, values: dict[str, object]) -> None:
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        new = insert(threads).values(**place.model_dump(), **values, keeper=None, until=None)
        changes = {**values, "keeper": None, "until": None}
        with self._database.writing() as connection:
            connection.execute(new.on_conflict_do_update(index_elements=["team", "channel", "thread"], set_=changes))

    def posted(self, incident: str, message: str) -> None:
        """Remember the message."""
        self._update(incident, message=message)

    def asked(self, place: Place, message: str) -> None:
        """Remember the message that asks which server is meant."""
        with self._database.writing() as connection:
            changed = update(threads).where(_is(place), threads.c.incident.is_(None)).values(message=message)
            connection.execute(changed)

    def told(self, incident: str, number: int) -> None:
        """Remember the last event that the thread has been told of."""
        self._update(incident, shown=number)

    def _update(self, incident: str, **values: object) -> None:
        with self._database.writing() as connection:
            connection.execute(update(threads).where(threads.c.incident == incident).values(**values))

    def keep(self, team: str, mine: Collection[str]) -> list[str]:
        """Keep those that this process has, and take on those that nobody keeps and that have something to show."""
        now = self._database.now
        free = or_(threads.c.keeper.is_(None), threads.c.until < now, threads.c.keeper == self._me)
        unfinished = or_(incidents.c.closed_at.is_(None), incidents.c.last_event > threads.c.shown)
        wanted = (
            select(threads.c.incident).join(incidents, incidents.c.id == threads.c.incident)
            .where(threads.c.team == team, free, or_(unfinished, threads.c.incident.in_(mine)))
        )  # fmt: skip
        with self._database.writing(alone=True) as connection:
            found = [str(one) for one in connection.scalars(wanted)]
            if found:
                connection.execute(
                    update(threads).where(threads.c.incident.in_(found)).values(keeper=self._me, until=now + KEPT)
                )
        return found

    def let_go(self, incident: str | None = None) -> None:
        """Leave one to other processes, or all of them."""
        mine = threads.c.keeper == self._me
        which = mine if incident is None else and_(mine, threads.c.incident == incident)
        with self._database.writing() as connection:
            connection.execute(update(threads).where(which).values(keeper=None, until=None))


def _is(place: Place) -> ColumnElement[bool]:
    return and_(
        threads.c.team == place.team, threads.c.channel == place.channel, threads.c.thread == place.thread
    )  # fmt: skip


def _thread(row: object) -> Thread:
    place = Place(team=row.team, channel=row.channel, thread=row.thread)  # type: ignore[attr-defined]
    return Thread(place, row.incident, row.by, row.waiting, row.message, row.shown)  # type: ignore[attr-defined]
