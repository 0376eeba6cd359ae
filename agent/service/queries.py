"""Which incidents a query asks for, as conditions of the database."""

from sqlalchemy import ColumnElement

from agent.service.records import Query
from agent.service.tables import incidents
from tools.text import printable


def conditions(query: Query) -> list[ColumnElement[bool]]:
    """The conditions that all have to hold."""
    found: list[ColumnElement[bool]] = []
    if query.open is not None:
        found.append(incidents.c.closed_at.is_(None) if query.open else incidents.c.closed_at.is_not(None))
    if query.target is not None:
        found.append(incidents.c.target == query.target)
    if query.cause is not None:
        found.append(incidents.c.causes.contains(f",{query.cause},", autoescape=True))
    for word in printable(query.text or "").lower().split()[:10]:
        found.append(incidents.c.words.contains(word, autoescape=True))
    if query.before is not None:
        found.append(incidents.c.id < query.before)
    return found
