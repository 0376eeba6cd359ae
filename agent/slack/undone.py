"""Events that were acknowledged before they were done: kept in the database, so that they outlive a crash.

Slack sends an event again only if it isn't thanked within three seconds, and a paste takes longer.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from sqlalchemy import delete, select, update

from agent.service.database import Database
from agent.service.tables import slack_events
from agent.tickets.ticket import object_of
from tools.credentials import hide_secrets
from tools.text import escaped_json

KEPT = 15.0
"""Seconds for which a process works on one without saying so again."""
ATTEMPTS = 3
"""How often one is begun that ends with the process each time."""
_PARTS = ("type", "team_id", "authorizations", "event_id", "event")


class Left(NamedTuple):
    """An event that nobody works on."""

    key: str
    body: Mapping[str, Any]
    attempt: int
    """How often it was begun by now, this time included."""


class Undone:
    """The events. Everything here blocks: async callers use a thread of their own."""

    def __init__(self, database: Database, me: str, kept: float = KEPT) -> None:
        self._database, self._me, self._kept = database, me, kept

    def keep(self, key: str, body: Mapping[str, Any]) -> None:
        """Keep an event that this process is working on."""
        event = object_of(body.get("event"))
        event = {**event, "text": hide_secrets(str(event["text"]))} if event.get("text") else event
        text = escaped_json(json.dumps({**{name: body[name] for name in _PARTS if name in body}, "event": event}))
        with self._database.writing() as connection:
            known = connection.scalar(select(slack_events.c.key).where(slack_events.c.key == key))
            if known is None:
                until = self._database.now + self._kept
                values = {"key": key, "body": text, "attempts": 1, "keeper": self._me, "until": until}
                connection.execute(slack_events.insert().values(**values))

    def done(self, key: str) -> None:
        """Forget an event."""
        with self._database.writing() as connection:
            connection.execute(delete(slack_events).where(slack_events.c.key == key))

    def take(self, mine: Collection[str]) -> list[Left]:
        """Say that this process still works on some, and take on those whose process is gone."""
        now = self._database.now
        with self._database.writing(alone=True) as connection:
            own = slack_events.c.key.in_(list(mine)), slack_events.c.keeper == self._me
            connection.execute(update(slack_events).where(*own).values(until=now + self._kept))
            rows = connection.execute(select(slack_events).where(slack_events.c.until < now)).mappings().all()
            for row in rows:
                taken = {"keeper": self._me, "until": now + self._kept, "attempts": row["attempts"] + 1}
                connection.execute(update(slack_events).where(slack_events.c.key == row["key"]).values(**taken))
        return [Left(row["key"], json.loads(row["body"]), row["attempts"] + 1) for row in rows]
