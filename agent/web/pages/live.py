"""What goes on in an incident, streamed to the page: a line of status, and when to fetch the page's parts again."""

import asyncio
import json
from collections.abc import AsyncIterator

from agent.service.history import data_of
from agent.service.records import NumberedEvent
from agent.service.seam import Service
from agent.web.pages.conversation import PIECE, announced
from agent.web.pages.story import line
from tools.text import one_line

TOOL_MOST = 60
LOOKS = 1.0
"""Seconds after which it's looked whether the database is away."""


class Status:
    """The line that says what an investigation does at the moment."""

    def __init__(self) -> None:
        self._taken = 0
        self._running: dict[str, str] = {}

    def after(self, event: NumberedEvent) -> str | None:
        """The line after an event; null if it doesn't move it."""
        said = data_of(event)
        if event.kind == "started":
            self._taken, self._running = 0, {}
            return "Looking"
        if event.kind == "reading-begun":
            begun = said.get("begun")
            if isinstance(begun, dict):
                self._running[str(begun.get("id"))] = str(begun.get("tool"))
        elif event.kind == "reading-taken":
            reading = said.get("reading")
            if isinstance(reading, dict):
                self._running.pop(str(reading.get("id")), None)
                self._taken += reading.get("tool") != "symptom"
        elif event.kind == "model-asked":
            return f"{self._count()}; the model thinks (turn {said.get('turn')})"
        else:
            return None
        now = ", ".join(dict.fromkeys(self._running.values()))
        return f"{self._count()}{f'; now {one_line(now, TOOL_MOST)}' if now else ''}"

    def _count(self) -> str:
        return f"{self._taken} reading{'s' * (self._taken != 1)}"


async def _or_away(service: Service, events: AsyncIterator[NumberedEvent]) -> AsyncIterator[NumberedEvent | bool]:
    """The events, and in between whether the database answers whenever that changes: without it no event comes."""
    answers, coming = True, asyncio.ensure_future(anext(events))
    try:
        while True:
            done, _ = await asyncio.wait({coming}, timeout=LOOKS)
            if service.answers() != answers:
                answers = not answers
                yield answers
            if done:
                yield coming.result()
                coming = asyncio.ensure_future(anext(events))
    except StopAsyncIteration:
        pass
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)


async def stream(service: Service, incident: str, after: int) -> AsyncIterator[dict[str, str]]:
    """The messages of a page that shows everything up to event number `after`."""
    status = Status()
    async for event in _or_away(service, service.events(incident, after)):
        if isinstance(event, bool):
            yield {"event": "back" if event else "away", "data": "{}"}
            continue
        if (now := status.after(event)) is not None:
            yield {"id": str(event.number), "event": "status", "data": json.dumps({"now": now})}
        if event.kind == PIECE:
            yield {"id": str(event.number), "event": PIECE, "data": event.data}
        if (text := announced(event)) is not None:
            yield {"id": str(event.number), "event": "told", "data": json.dumps({"text": text})}
        if (told := line(event)) is not None:
            yield {"id": str(event.number), "event": "told", "data": json.dumps({"text": told.text})}
    yield {"event": "over", "data": "{}"}
