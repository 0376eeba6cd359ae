"""What a person would change that the plan doesn't have: classified by the gate like any proposal, and put into it."""

import asyncio

from sqlalchemy import Connection, select, update

from agent.answer.diagnosis import Diagnosis, Step
from agent.answer.events import StepChanged
from agent.plan.build import step_of_proposal
from agent.plan.planned import MOST
from agent.remediation.audit import audit_log
from agent.remediation.site import reached
from agent.service.plant import Plant
from agent.service.rows import append, diagnosis_of, stored
from agent.service.seam import NotSo
from agent.service.store import Store
from agent.service.tables import incidents
from tools.errors import Forbidden, GateError
from tools.gate.bounds import Room
from tools.gate.ledger import Entry, change_entry, forbidden_entry
from tools.gate.policy import command_line, parse_command
from tools.gate.proposals import Proposals
from tools.text import escaped_json, printable


async def propose(store: Store, plant: Plant, incident: str, action: str, node: str | None, why: str, by: str) -> Step:
    """The step that was added to an incident's plan, or the one that is there already.

    Raises `NotSo`, `Forbidden` for what policy forbids, and `Unanswered` if the value before can't be read.
    """
    # The plan of another answer may have other steps by then, so it's read again when the step is kept.
    answer, target = await asyncio.to_thread(_answered, store, incident)
    nodes = answer.target.nodes
    place = node or (nodes[0] if nodes else "")
    if place not in nodes:
        raise NotSo(f"{printable(place)[:100]!r} isn't a node of this incident; it has {', '.join(nodes) or 'none'}")
    try:
        args = parse_command(action)
    except ValueError:
        raise NotSo("that isn't one command; its quotes don't match") from None
    log, known = audit_log(plant.audit), plant.target(target)
    rooms: dict[str, Room] = {}

    def note_forbidden(said: str, refusal: str) -> None:
        log(forbidden_entry(plant.clock, place, said, refusal))

    proposals = Proposals(note_forbidden, rooms.__getitem__)
    try:
        async with reached(known, place, _unused, plant.window) as site:
            rooms[place] = await site.room(place)
            proposal = await proposals.propose(site.nodes[place], args, why)
            step = step_of_proposal(
                proposal, site.nodes[place], plant.talk().library(), [one.id for one in answer.causes]
            )
    except Forbidden as error:
        raise NotSo(f"policy forbids {command_line(args[:4])}: {error}") from None
    except GateError as error:
        raise NotSo(str(error)) from None
    log(change_entry(plant.clock, "proposed", proposal.change, user=by, why=why))
    return await asyncio.to_thread(_kept, store, incident, step, by)


def _answered(store: Store, incident: str) -> tuple[Diagnosis, str]:
    found = store.incident(incident)
    if found is None or found.diagnosis is None or found.state != "answered":
        raise NotSo(f"this incident is {found.state}" if found else "there is no such incident")
    return found.diagnosis, found.target


def _kept(store: Store, incident: str, step: Step, by: str) -> Step:
    with store.database.writing(alone=True) as connection:
        row = connection.execute(select(incidents).where(incidents.c.id == incident)).mappings().first()
        answer = diagnosis_of(row["diagnosis"]) if row else None
        if row is None or answer is None or row["state"] != "answered":
            raise NotSo("the incident is being looked at again, or was closed; propose it again afterwards")
        for one in answer.plan:
            if (one.node, one.action, one.before) == (step.node, step.action, step.before) and one.is_open:
                return one
        if sum(one.is_open for one in answer.plan) >= MOST:
            raise NotSo(f"the plan has {MOST} open steps, which is the most; decide about those first")
        last = max((int(one.id[1:]) for one in answer.plan), default=0)
        new = step.model_copy(update={"id": f"s{last + 1}", "proposed_by": by})
        _add(store, connection, incident, answer, new, by)
    return new


def _add(store: Store, connection: Connection, incident: str, answer: Diagnosis, step: Step, by: str) -> None:
    added = stored(answer.model_copy(update={"plan": (*answer.plan, step)}))
    connection.execute(update(incidents).where(incidents.c.id == incident).values(**added))
    event = StepChanged(step=step, detail=f"proposed by {by}")
    append(connection, incident, store.now(), [(event.type, escaped_json(event.model_dump_json()))])


def _unused(entry: Entry) -> None:
    """Nothing is changed here, so nothing of a change is logged."""
