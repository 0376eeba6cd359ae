"""An investigation's events on their way to the database: many at a time, since a model's text comes by the word."""

import asyncio
import contextlib
import json

from sqlalchemy.exc import SQLAlchemyError

from agent.answer.events import Answered, Event, ModelText, ModelThought
from agent.service.outages import PAUSE, is_outage
from agent.service.rows import data
from agent.service.store import Store
from tools.text import escaped_json

PACE = 0.25
"""Seconds between two writes."""
MOST = 64 * 2**10
"""Most characters of an event; of a longer one only the type is kept, since the answer has what it says."""


class Stream:
    """Takes the events of one investigation."""

    def __init__(self, store: Store, incident: str) -> None:
        self._store, self._incident = store, incident
        self._new: list[tuple[str, str]] = []
        self._said: ModelText | ModelThought | None = None
        self._writer: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    def __call__(self, event: Event) -> None:
        if isinstance(event, Answered):
            # It is stored with the incident, and announced when it is.
            return
        if isinstance(event, ModelText | ModelThought):
            self._say(event)
            return
        self._end_saying()
        self._add(event)

    def _say(self, event: ModelText | ModelThought) -> None:
        if self._said is not None and self._said.type == event.type:
            self._said = self._said.model_copy(update={"text": self._said.text + event.text})
        else:
            self._end_saying()
            self._said = event

    def _end_saying(self) -> None:
        if self._said is not None:
            self._add(self._said)
            self._said = None

    def _add(self, event: Event) -> None:
        text = escaped_json(event.model_dump_json())
        self._new.append((event.type, text if len(text) <= MOST else json.dumps({"type": event.type})))

    def note(self, kind: str, why: str) -> None:
        """Take an event of the service's own."""
        self._end_saying()
        self._new.append(data(kind, why=why))

    async def __aenter__(self) -> "Stream":
        self._writer = asyncio.create_task(self._write_on())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._writer is not None
        self._writer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._writer
        while not await self.write():
            await asyncio.sleep(PAUSE)

    async def _write_on(self) -> None:
        while True:
            await asyncio.sleep(PACE)
            await asyncio.shield(self.write())

    async def write(self) -> bool:
        """Write what has come; false if the database is away, so that it's kept for later."""
        async with self._turn:
            self._end_saying()
            new, self._new = self._new, []
            try:
                if new:
                    await asyncio.to_thread(self._store.note, self._incident, new)
            except SQLAlchemyError as error:
                if not is_outage(error):
                    raise
                self._new[:0] = new
                return False
        return True
