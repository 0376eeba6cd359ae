"""What is counted over all incidents: kept in the database, so that a restart or another process loses nothing."""

import json
from collections.abc import Sequence

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects import postgresql, sqlite

from agent.service.database import Database
from agent.service.tables import incidents, totals
from tools.records import Record

Labels = Sequence[tuple[str, str]]


class Total(Record):
    """One figure."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float


def count(connection: Connection, name: str, labels: Labels = (), by: float = 1) -> None:
    """Add to a total."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    new = insert(totals).values(name=name, labels=json.dumps(list(labels)), value=by)
    connection.execute(
        new.on_conflict_do_update(
            index_elements=[totals.c.name, totals.c.labels], set_={"value": totals.c.value + new.excluded.value}
        )
    )


def all_totals(database: Database) -> list[Total]:
    """Every total, and how many incidents are in which state."""
    with database.reading() as connection:
        rows = connection.execute(select(totals).order_by(totals.c.name, totals.c.labels)).all()
        states = connection.execute(select(incidents.c.state, func.count()).group_by(incidents.c.state)).all()
    found = [Total(name=row.name, labels=tuple(map(tuple, json.loads(row.labels))), value=row.value) for row in rows]
    return found + [Total(name="state", labels=(("state", state),), value=number) for state, number in states]
