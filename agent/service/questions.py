"""Questions in the database: taken one at a time, answered once, and what was said about an answer before."""

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from sqlalchemy import Connection, func, insert, select, update

from agent.answer.diagnosis import OFFLINE, Diagnosis, Evidence, ModelUse
from agent.answer.events import Question, Reply
from agent.evidence.cited import citations
from agent.service.known_answers import UNKNOWN, is_offered, known_answer
from agent.service.plant import Plant
from agent.service.records import Incident
from agent.service.rows import append, data, diagnosis_of
from agent.service.seam import Full, NotSo
from agent.service.store import Store
from agent.service.tables import events, incidents, questions
from agent.service.totals import count
from tools.errors import RediagnoseError
from tools.redact import Pseudonyms
from tools.text import printable

MOST = 2000
"""Characters of a question."""
OFTEN, WITHIN = 10, 60.0
"""Questions that one person may ask within so many seconds."""
PER_INCIDENT = 300
"""Questions about one incident."""
BEGUN_MOST = 3
"""How often a question is begun that isn't answered because the process ends."""
TURNS_MOST = 16
"""Questions and replies that the model is reminded of."""
CHECKS = "checks"
"""Who replied if no model did."""
LOST = "This question was lost: the service ended several times while it was being answered. Ask again."


class Taken(NamedTuple):
    """A question that was accepted."""

    number: int
    is_open: bool
    """Whether it still has to be answered, and nobody has begun to."""


class Asked(NamedTuple):
    """A question that is to be answered."""

    number: int
    incident: Incident
    text: str
    answer: Diagnosis
    about: int
    """The number of the event that announced the answer."""
    turns: tuple[Question | Reply, ...]
    attempt: int


class Said(NamedTuple):
    """A reply as it's stored."""

    text: str
    about: int
    cited: Sequence[Evidence] = ()
    by: str = CHECKS
    warnings: Sequence[str] = ()
    lost: bool = False
    use: ModelUse | None = None


def take(store: Store, plant: Plant, incident: str, text: str, by: str) -> Taken:
    """Accept a question, with its reply if that needs no model. Raises `NotSo` and `Full`."""
    found = store.incident(incident)
    if found is None or found.diagnosis is None or found.state == "closed":
        raise NotSo(_not_now(found))
    text = _without_secrets(plant, found, text)
    if not 0 < len(text) <= MOST:
        raise NotSo(f"a question has at most {MOST} characters" if text else "there is no question")
    reply = None
    if answerer(plant) == OFFLINE or is_offered(text, found.diagnosis):
        lines = known_answer(text, found, found.diagnosis, store.similar(found)) or UNKNOWN
        said = "\n".join(lines)
        with store.database.reading() as connection:
            reply = Said(said, _about(connection, incident), citations(said, found.diagnosis.readings))
    with store.database.writing(alone=True) as connection:
        known = connection.execute(
            select(questions).where(questions.c.incident == incident, questions.c.state != "done")
        ).first()
        if known is not None and (known.by, known.text) == (by, text):
            # A second click.
            return Taken(known.id, False)
        if known is not None:
            raise NotSo(f"a question by {printable(known.by)[:60]} is being answered; ask afterwards")
        room(store, connection, incident, by)
        return taken(store, connection, incident, text, by, reply)


def answerer(plant: Plant) -> str:
    """The model that answers questions; `offline` without one, or if its settings can't be used."""
    with suppress(RediagnoseError):
        return plant.talk().model.use.name
    return OFFLINE


def taken(store: Store, connection: Connection, incident: str, text: str, by: str, reply: Said | None) -> Taken:
    """Keep a question that is accepted, with its reply if there is one."""
    now = store.now()
    number = int(connection.execute(
        insert(questions)
        .values(incident=incident, by=by, text=text, at=now, state="done" if reply else "accepted", attempts=0)
        .returning(questions.c.id)
    ).scalar_one())  # fmt: skip
    new = [data("question", question=number, by=by, text=text)]
    append(connection, incident, now, [*new, _event(number, reply)] if reply else new)
    return Taken(number, reply is None)


def _not_now(found: Incident | None) -> str:
    if found is None:
        return "there is no such incident"
    if found.state == "closed":
        return "this incident is closed, so nothing more is answered about it"
    return "there is no answer yet that could be asked about"


def _without_secrets(plant: Plant, found: Incident, text: str) -> str:
    secrets = []
    with suppress(RediagnoseError):
        password = plant.target(found.target).password
        secrets = [password.get_secret_value()] if password else []
    return Pseudonyms(secrets).hide(printable(text.replace("\r\n", "\n"))).strip()


def room(store: Store, connection: Connection, incident: str, by: str) -> None:
    """Raise `Full` or `NotSo` if one more question would be too many."""
    now = store.now()
    since = now - WITHIN
    # If the clock was set back, those that were asked before are in the future, and count no longer.
    recent = questions.c.at.between(since, now)
    asked = select(func.count(), func.min(questions.c.at)).where(questions.c.by == by, recent)
    number, first = connection.execute(asked).one()
    if number >= OFTEN:
        wait = max(1, round(first - since))
        raise Full(f"{number} questions in a minute are the most that one person may ask; wait {wait} s", wait)
    all_ = select(func.count()).select_from(questions).where(questions.c.incident == incident)
    if (connection.scalar(all_) or 0) >= PER_INCIDENT:
        raise NotSo(f"{PER_INCIDENT} questions were asked about this incident, which is the most")


def claim(store: Store, number: int) -> Asked | None:
    """Begin to answer a question, anew after a crash; null if that's over."""
    with store.database.writing(alone=True) as connection:
        row = connection.execute(
            update(questions).where(questions.c.id == number, questions.c.state != "done")
            .values(state="answering", attempts=questions.c.attempts + 1)
            .returning(questions.c.incident, questions.c.text, questions.c.attempts)
        ).first()  # fmt: skip
        if row is None:
            return None
        about = _about(connection, row.incident)
        answer = diagnosis_of(connection.scalar(select(incidents.c.diagnosis).where(incidents.c.id == row.incident)))
    found = store.incident(row.incident)
    if found is None or answer is None or row.attempts > BEGUN_MOST:
        lose(store, number)
        return None
    return Asked(number, found, row.text, answer, about, _turns(store, row.incident, number, about), row.attempts)


def finish(store: Store, number: int, reply: Said) -> bool:
    """Keep a reply; false if there is one already."""
    now = store.now()
    with store.database.writing() as connection:
        incident = connection.execute(
            update(questions).where(questions.c.id == number, questions.c.state != "done").values(state="done")
            .returning(questions.c.incident)
        ).scalar()  # fmt: skip
        if incident is None:
            return False
        append(connection, incident, now, [_event(number, reply)])
        if reply.use is not None:
            count(connection, "tokens", (("way", "in"),), reply.use.tokens_in)
            count(connection, "tokens", (("way", "out"),), reply.use.tokens_out)
    return True


def lose(store: Store, number: int) -> None:
    """Say that a question isn't answered any more."""
    finish(store, number, Said(LOST, 0, lost=True))


def pending(store: Store) -> list[tuple[int, str]]:
    """The questions that aren't answered, each with its incident."""
    asked = select(questions.c.id, questions.c.incident).where(questions.c.state != "done").order_by(questions.c.id)
    with store.database.reading() as connection:
        return [(row.id, row.incident) for row in connection.execute(asked)]


def _event(number: int, reply: Said) -> tuple[str, str]:
    return data(
        "reply", question=number, by=reply.by, text=reply.text, about=reply.about, lost=reply.lost,
        cited=[one.model_dump(mode="json") for one in reply.cited], warnings=list(reply.warnings),
    )  # fmt: skip


def _about(connection: Connection, incident: str) -> int:
    asked = select(func.max(events.c.number)).where(events.c.incident == incident, events.c.kind == "answered")
    return int(connection.scalar(asked) or 0)


def _turns(store: Store, incident: str, number: int, about: int) -> tuple[Question | Reply, ...]:
    """What was said about this same answer: the readings of another one have other numbers."""
    asked: dict[int, str] = {}
    turns: list[Question | Reply] = []
    for event in store.history(incident, ("question", "reply")):
        said = json.loads(event.data)
        if event.kind == "question":
            asked[said["question"]] = said["text"]
        elif said["about"] == about and said["question"] != number:
            cited = tuple(map(Evidence.model_validate, said["cited"]))
            turns += [Question(text=asked[said["question"]]), Reply(text=said["text"], cited=cited)]
    return tuple(turns[-TURNS_MOST:])
