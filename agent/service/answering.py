"""The step that answers a question by a model, from the stored answer: no server is asked."""

import asyncio

from agent.answer.diagnosis import OFFLINE, ModelUse
from agent.answer.events import Event, ModelText
from agent.service.known_answers import known_answer
from agent.service.outages import is_outage, patiently
from agent.service.plant import Plant
from agent.service.questions import Asked, Said, claim, finish
from agent.service.rows import data
from agent.service.store import Store
from agent.service.stream import Stream
from agent.tracing.listener import Part
from tools.errors import RediagnoseError, bug

GRACE = 5.0
"""Seconds beyond those that a question has."""
STREAMED_MOST = 20_000
"""Characters that are streamed of one reply."""


async def answer(store: Store, plant: Plant, number: int) -> str:
    """Answer a question; what came of it. It may run again after a crash: only one reply is kept."""
    asked = await asyncio.to_thread(claim, store, number)
    if asked is None:
        return "it was answered before"
    try:
        reply = await _by_model(store, plant, asked)
    except TimeoutError:
        reply = await _without_model(store, asked, "it took too long", None)
    except RediagnoseError as error:
        reply = await _without_model(store, asked, str(error), getattr(error, "use", None))
    except Exception as error:
        if is_outage(error):
            raise
        reply = await _without_model(store, asked, str(bug("the reply", error)), None)
    kept = await patiently(finish, store, number, reply)
    return "answered" if kept else "it was answered before"


async def _by_model(store: Store, plant: Plant, asked: Asked) -> Said:
    # It loads what asks a model, which an offline service never needs.
    from agent.chat.stored import Stored, ask_stored

    talk = plant.talk()
    if talk.model.use.name == OFFLINE:
        raise RediagnoseError("none is configured for the process that works on it")
    stored = Stored(asked.answer, asked.turns, talk.library(), talk.model, talk.seconds)
    async with _Pieces(store, asked) as pieces, asyncio.timeout(talk.seconds + GRACE):
        came = await ask_stored(stored, asked.text, plant.clock, plant.listen(pieces, Part(asked.incident.id)))
    return Said(
        came.reply.text, asked.about, came.reply.cited, by=talk.model.use.name, warnings=came.warnings, use=came.use
    )  # fmt: skip


async def _without_model(store: Store, asked: Asked, why: str, use: ModelUse | None) -> Said:
    similar = await patiently(store.similar, asked.incident)
    lines = known_answer(asked.text, asked.incident, asked.answer, similar) or []
    return Said("\n".join([f"The model didn't answer: {why}.", *lines]), asked.about, use=use)


class _Pieces(Stream):
    """Takes the pieces of a reply."""

    def __init__(self, store: Store, asked: Asked) -> None:
        super().__init__(store, asked.incident.id)
        self._asked, self._left = asked, STREAMED_MOST

    def _add(self, event: Event) -> None:
        if isinstance(event, ModelText) and self._left > 0:
            text = event.text[: self._left]
            self._left -= len(text)
            self._new.append(data("reply-text", question=self._asked.number, attempt=self._asked.attempt, text=text))
