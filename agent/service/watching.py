"""Those who watch incidents: one look at the database for all of them, since the work may be another process'."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

from sqlalchemy.exc import SQLAlchemyError

from agent.service.outages import PAUSE, patiently
from agent.service.records import NumberedEvent
from agent.service.store import Store

PACE = 0.3
"""Seconds between two looks while anybody watches."""


class Watching:
    """Wakes up those who wait for an incident's events."""

    def __init__(self, store: Store, pace: float = PACE) -> None:
        self._store, self._pace = store, pace
        self._watched: Counter[str] = Counter()
        self._seen: dict[str, tuple[int, bool]] = {}
        self._rang = asyncio.Condition()
        self._looker: asyncio.Task[None] | None = None

    async def events(self, incident: str, after: int) -> AsyncIterator[NumberedEvent]:
        """The events of an incident from the one after `after`, until it's closed or gone."""
        self._watched[incident] += 1
        try:
            while True:
                known = (await patiently(self._store.last_events, [incident])).get(incident)
                new = await patiently(self._store.events, incident, after)
                for one in new:
                    yield one
                    after = one.number
                if known is None or (known[1] and after >= known[0]):
                    return
                if not new:
                    await self._rung(incident, after)
        finally:
            self._watched[incident] -= 1
            if not self._watched[incident]:
                del self._watched[incident]

    async def _rung(self, incident: str, after: int) -> None:
        if self._looker is None or self._looker.done():
            self._looker = asyncio.create_task(self._look())
        async with self._rang:
            await self._rang.wait_for(lambda: self._is_news(incident, after))

    def _is_news(self, incident: str, after: int) -> bool:
        last, closed = self._seen.get(incident, (0, False))
        return last > after or closed

    async def _look(self) -> None:
        while self._watched:
            await asyncio.sleep(self._pace)
            watched = list(self._watched)
            try:
                found = await asyncio.to_thread(self._store.last_events, watched)
            except SQLAlchemyError:
                # Whoever watches goes on once the database answers again.
                await asyncio.sleep(PAUSE)
                continue
            # One that is gone ends like one that is closed.
            self._seen = {id: found.get(id, (0, True)) for id in watched}
            async with self._rang:
                self._rang.notify_all()
