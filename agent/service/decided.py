"""Decisions in the database: taken once for each step, claimed once, and what was logged about their changes."""

from typing import NamedTuple

from sqlalchemy import Connection, insert, select, update

from agent.answer.diagnosis import Diagnosis, State, Step
from agent.answer.events import StepChanged
from agent.service.records import Decision, Feedback
from agent.service.rows import append, data, diagnosis_of, stored
from agent.service.seam import NotSo
from agent.service.store import WAITING, Store
from agent.service.tables import changes, decisions, feedback, incidents
from tools.gate.apply import VALID_FOR
from tools.gate.ledger import Entry
from tools.text import escaped_json, printable

OPEN: frozenset[State] = frozenset(("proposed", "refused", "failed", "rolled-back"))
"""A step in one of these states may be approved."""
DONE: frozenset[State] = frozenset(("applied", "verified"))
"""And rolled back in one of these."""

APART = 60.0
"""Seconds by which the clocks of two machines may differ."""


class Claimed(NamedTuple):
    """A decision that is to be carried out, or was being carried out when the process ended."""

    id: int
    incident: str
    target: str
    at: float
    decision: Decision
    step: Step
    recording: str | None
    closed: bool
    anew: bool
    """Whether nobody has begun yet."""


class Taken(NamedTuple):
    """A new decision."""

    number: int | None
    """Null if there is nothing to carry out."""
    target: str
    step: Step


def take(store: Store, incident: str, decision: Decision) -> Taken | None:
    """Keep a decision; null if somebody has already decided the same. Raises `NotSo`."""
    with store.database.writing(alone=True) as connection:
        return _take(store, connection, incident, decision)


def _take(store: Store, connection: Connection, incident: str, decision: Decision) -> Taken | None:
    row = connection.execute(select(incidents).where(incidents.c.id == incident)).mappings().first()
    answer = diagnosis_of(row["diagnosis"]) if row else None
    if row is None or answer is None or row["state"] != "answered":
        raise NotSo(f"this incident is {row['state']}" if row else "there is no such incident")
    step = _step(answer, decision)
    pending = connection.execute(
        select(decisions.c.decision).where(
            decisions.c.incident == incident, decisions.c.step == step.id, decisions.c.state != "done"
        )
    ).scalar()
    if pending is not None:
        if Decision.model_validate_json(pending).verb == decision.verb:
            # A second click, or a second person, says the same.
            return None
        raise NotSo(f"somebody decided otherwise about {step.id}, which is being carried out")
    _fits(step, decision)
    if decision.verb == "refuse" and step.state == "refused":
        return None
    now = store.now()
    note = data("decided", step=step.id, verb=decision.verb, by=decision.by, action=decision.action)
    append(connection, incident, now, [note])
    if decision.verb == "refuse":
        _changed(connection, incident, answer, step.model_copy(update={"state": "refused"}),
                 f"refused by {decision.by}", now)  # fmt: skip
        return Taken(None, row["target"], step)
    number = connection.execute(
        insert(decisions)
        .values(incident=incident, round=row["round"], decision=decision.model_dump_json(), step=step.id,
                decided=step.model_dump_json(), at=now, state="accepted")
        .returning(decisions.c.id)
    ).scalar_one()  # fmt: skip
    return Taken(int(number), row["target"], step)


def _step(answer: Diagnosis, decision: Decision) -> Step:
    step = next((one for one in answer.plan if one.id == decision.step), None)
    if step is None or not step.needs_approval:
        raise NotSo(f"{printable(decision.step)[:20]!r} isn't a step of this plan that could be carried out")
    return step


def _fits(step: Step, decision: Decision) -> None:
    """Raise `NotSo` for a decision about something else than what the plan says now."""
    if decision.verb == "roll-back":
        if step.state not in DONE:
            raise NotSo(f"{step.id} is {step.state}; there is nothing to roll back")
        if step.rollback is None or decision.action != step.rollback:
            raise NotSo(f"the undo of {step.id} is {step.rollback or 'nothing'}, not what was decided about")
        return
    if step.state not in OPEN:
        raise NotSo(f"{step.id} is already {step.state}")
    if (decision.action, decision.before) != (step.action, step.before):
        raise NotSo(f"{step.id} is now {step.action}, with {step.before!r} before; look at it again")


def claim(store: Store, number: int, executor: str) -> Claimed | None:
    """Begin to carry out a decision; null if that's over. Whoever finds it begun only finds out what came of it."""
    with store.database.writing(alone=True) as connection:
        joined = decisions.join(incidents, incidents.c.id == decisions.c.incident)
        columns = (decisions, incidents.c.target, incidents.c.recording, incidents.c.closed_at)
        asked = select(*columns).select_from(joined).where(decisions.c.id == number, decisions.c.state != "done")
        row = connection.execute(asked).mappings().first()
        if row is None:
            return None
        connection.execute(
            update(decisions).where(decisions.c.id == number).values(state="applying", executor=executor)
        )
    return Claimed(
        number, row["incident"], row["target"], row["at"], Decision.model_validate_json(row["decision"]),
        Step.model_validate_json(row["decided"]), row["recording"], row["closed_at"] is not None,
        row["state"] == "accepted",
    )  # fmt: skip


def is_valid(at: float, now: float) -> bool:
    """Whether a decision may still be carried out. Of one from the future nobody knows how old it is: the clock was
    set back since."""
    return now - VALID_FOR.total_seconds() <= at <= now + APART


def finish(store: Store, claimed: Claimed, state: State | None, said: str) -> None:
    """Keep what came of a decision: the step's new state, null if it's as before, and a sentence for people."""
    now = store.now()
    with store.database.writing() as connection:
        done = connection.execute(
            update(decisions).where(decisions.c.id == claimed.id, decisions.c.state != "done")
            .values(state="done", outcome=said)
        )  # fmt: skip
        if not done.rowcount:
            return
        text = connection.scalar(select(incidents.c.diagnosis).where(incidents.c.id == claimed.incident))
        step = claimed.step if state is None else claimed.step.model_copy(update={"state": state})
        if (answer := diagnosis_of(text)) is not None:
            _changed(connection, claimed.incident, answer, step, said, now)


def _changed(connection: Connection, incident: str, answer: Diagnosis, step: Step, said: str, now: float) -> None:
    # An answer that came since may have other steps by the same names.
    plan = tuple(step if (one.id, one.action) == (step.id, step.action) else one for one in answer.plan)
    new = answer.model_copy(update={"plan": plan})
    connection.execute(update(incidents).where(incidents.c.id == incident).values(**stored(new)))
    event = StepChanged(step=step, detail=said)
    append(connection, incident, now, [(event.type, escaped_json(event.model_dump_json()))])


def pending(store: Store) -> list[tuple[int, str]]:
    """The decisions that aren't carried out, each with its target."""
    joined = decisions.join(incidents, incidents.c.id == decisions.c.incident)
    asked = select(decisions.c.id, incidents.c.target).select_from(joined).where(decisions.c.state != "done")
    with store.database.reading() as connection:
        return [(row.id, row.target) for row in connection.execute(asked.order_by(decisions.c.id))]


def log_change(store: Store, incident: str, decision: int, entry: Entry) -> None:
    """Keep an entry about a change."""
    with store.database.writing() as connection:
        text = escaped_json(entry.model_dump_json())
        connection.execute(insert(changes).values(incident=incident, decision=decision, entry=text))


def logged(store: Store, incident: str, decision: int | None = None) -> list[Entry]:
    """The entries about an incident's changes, or about those of one decision, in order."""
    asked = select(changes.c.entry).where(changes.c.incident == incident).order_by(changes.c.id)
    if decision is not None:
        asked = asked.where(changes.c.decision == decision)
    with store.database.reading() as connection:
        return [Entry.model_validate_json(one) for one in connection.scalars(asked)]


def judge(store: Store, incident: str, said: Feedback) -> None:
    """Keep feedback. Raises `NotSo`."""
    with store.database.writing() as connection:
        row = connection.execute(
            select(incidents.c.state, incidents.c.outcome).where(incidents.c.id == incident)
        ).first()
        if row is None:
            raise NotSo("there is no such incident")
        if row.outcome is None and row.state in WAITING:
            raise NotSo(f"this incident is {row.state}: there is no answer yet that could be right or wrong")
        append(connection, incident, store.now(), [data("feedback", **said.model_dump(mode="json"))])
        connection.execute(insert(feedback).values(incident=incident, record=said.model_dump_json()))
