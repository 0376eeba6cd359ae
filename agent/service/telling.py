"""The steps that hand out an answer: a comment on the ticket, and notifications."""

import asyncio
from collections.abc import Sequence

from sqlalchemy import insert, select, update

from agent.answer.diagnosis import Diagnosis
from agent.service.outages import patiently
from agent.service.plant import Plant
from agent.service.rows import append, data, diagnosis_of
from agent.service.store import Store
from agent.service.tables import deliveries, incidents
from agent.tickets.comment import comment, marker_of
from agent.tickets.forms import formatted_comment
from agent.tickets.notify import Webhook, notify
from agent.tickets.ticket import ServiceError, Ticket
from tools.errors import RediagnoseError
from tools.text import printable

COMMENT = "comment"
NO_COMMENTS = "no comments"
"""What comes of a comment on what isn't a ticket."""
HOOK = "notify "
"""What a notification's place begins with, before the webhook's name."""
UNSURE = "the service ended while it was being sent; it may have arrived, so it isn't sent again"


async def places(store: Store, plant: Plant, incident: str) -> list[str]:
    """Where an answer goes besides the database."""
    try:
        return [COMMENT, *(f"{HOOK}{one.name}" for one in plant.hooks())]
    except RediagnoseError as error:
        await patiently(store.note, incident, [data("failed", why=f"nobody is notified: {error}")])
        return [COMMENT]


async def tell(store: Store, plant: Plant, incident: str, round: int, place: str) -> str:
    """Hand out the answer in one place; what came of it. A notification is never sent a second time."""
    found = await asyncio.to_thread(_answer_of, store, incident, round)
    if found is None:
        return "unwanted"
    ticket, answer, target = found
    try:
        if place == COMMENT:
            return await _comment(store, plant, incident, ticket, answer, target)
        return await _notify(store, plant, (incident, round, place), ticket, answer)
    except RediagnoseError as error:
        note = data("failed", why=f"{place}: {error}")
        await patiently(store.note, incident, [note])
        return "failed"


def _answer_of(store: Store, incident: str, round: int) -> tuple[Ticket, Diagnosis, str] | None:
    columns = (incidents.c.ticket, incidents.c.diagnosis, incidents.c.target)
    with store.database.reading() as connection:
        row = connection.execute(
            select(*columns).where(
                incidents.c.id == incident, incidents.c.round == round, incidents.c.state == "answered"
            )
        ).first()
    answer = diagnosis_of(row.diagnosis) if row else None
    return (Ticket.model_validate_json(row.ticket), answer, row.target) if row and answer else None


async def _comment(
    store: Store, plant: Plant, incident: str, ticket: Ticket, answer: Diagnosis, target: str
) -> str:  # fmt: skip
    """Write it, or replace our own: it is found by its marker, so that writing it again after a crash is harmless."""
    if (service := plant.comments(ticket)) is None:
        return NO_COMMENTS
    try:
        if over := await service.look():
            raise ServiceError(f"this {ticket.name} is now {over}; nothing was posted")
        marker = marker_of(plant.target(target))
        written = comment(answer, marker)
        posted = await service.write(marker, formatted_comment(written, service.form, service.limit))
    finally:
        await service.close()
    await patiently(_posted, store, incident, printable(posted.url), posted.updated)
    return "posted"


def _posted(store: Store, incident: str, url: str, updated: bool) -> None:
    with store.database.writing() as connection:
        connection.execute(update(incidents).where(incidents.c.id == incident).values(posted=url))
        append(connection, incident, store.now(), [data("posted", place=COMMENT, url=url, updated=updated)])


async def _notify(
    store: Store, plant: Plant, key: tuple[str, int, str], ticket: Ticket, answer: Diagnosis
) -> str:  # fmt: skip
    incident, _, place = key
    if (hook := _hook(plant.hooks(), place)) is None:
        raise RediagnoseError("this webhook is no longer in the settings")
    if not await asyncio.to_thread(_claimed, store, key):
        if await patiently(_settled, store, key, "unknown"):
            raise RediagnoseError(UNSURE)
        return "already sent"
    link = f"{plant.link}{incident}" if plant.link else ""
    try:
        await notify(hook, answer, ticket, link)
    except ServiceError:
        await patiently(_settled, store, key, "failed")
        raise
    await patiently(_settled, store, key, "sent")
    await patiently(store.note, incident, [data("posted", place=place)])
    return "sent"


def _hook(hooks: Sequence[Webhook], place: str) -> Webhook | None:
    return next((one for one in hooks if f"{HOOK}{one.name}" == place), None)


def _claimed(store: Store, key: tuple[str, int, str]) -> bool:
    """Whether nobody has begun to send it; whoever asks first is the one who sends it."""
    names = dict(zip(("incident", "round", "place"), key, strict=True))
    with store.database.writing(alone=True) as connection:
        known = connection.execute(select(deliveries.c.state).filter_by(**names)).first()
        if known is None:
            connection.execute(insert(deliveries).values(state="sending", **names))
    return known is None


def _settled(store: Store, key: tuple[str, int, str], state: str) -> bool:
    """Note what became of what was being sent; whether it was still unknown."""
    names = dict(zip(("incident", "round", "place"), key, strict=True))
    with store.database.writing() as connection:
        done = connection.execute(
            update(deliveries).filter_by(**names).where(deliveries.c.state == "sending").values(state=state)
        )
    return bool(done.rowcount)
