"""The step that carries out a decision through the gate: never twice, and after a crash it says what came of it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from agent.answer.diagnosis import State, Step
from agent.answer.events import Event, StepChanged
from agent.remediation.applied import alone, recorded_change, sent_change
from agent.remediation.audit import audit_log, vouches
from agent.remediation.carry_out import carry_out, roll_back
from agent.remediation.course import Course
from agent.remediation.site import reached
from agent.service.decided import Claimed, claim, finish, is_valid, log_change, logged
from agent.service.outages import is_outage, patiently
from agent.service.plant import Plant
from agent.service.records import Decision
from agent.service.store import Store
from agent.tracing.listener import Part
from tools.errors import GateError, Moved, RediagnoseError, Unanswered, Unlogged, bug
from tools.gate.apply import as_new
from tools.gate.current_value import current_value
from tools.gate.equality import equal_values
from tools.gate.ledger import Entry, Ledger, Log, change_entry, changes_path, write_to_all
from tools.gate.policy import Change

_ENDED = "the service or its database ended in the middle of it"
_CAME: dict[str, State] = {
    "applied": "applied", "unmeasured": "applied", "not-better": "applied", "worse": "applied", "verified": "verified",
    "rolled-back": "rolled-back", "failed": "failed",
}  # fmt: skip


async def change(store: Store, plant: Plant, number: int, executor: str) -> str:
    """Carry out a decision; a sentence about what came of it."""
    found = await asyncio.to_thread(claim, store, number, executor)
    if found is None:
        return "it was carried out before"
    hear, step = plant.listen(_unheard, Part(found.incident)), found.step
    hear(StepChanged(step=step.model_copy(update={"state": "approved"}), detail=found.decision.verb))
    state: State | None = None
    try:
        state, said = await (_carried_out(store, plant, found) if found.anew else _found_out(store, plant, found))
    except RediagnoseError as error:
        said = str(error)
        state = await asyncio.to_thread(_state_after, store, found)
    except Exception as error:
        if is_outage(error):
            raise
        said = str(bug("a change", error))
        state = await asyncio.to_thread(_state_after, store, found)
    await patiently(finish, store, found, state, said)
    hear(StepChanged(step=step.model_copy(update={"state": state or "failed"}), detail=said))
    return said


def note_refusal(plant: Plant, incident: str, step: Step, decision: Decision) -> None:
    """Log that a person refused a step. Raises `GateError`."""
    entry = change_entry(
        plant.clock, "refused", recorded_change(step), user=decision.by, channel=decision.channel, step=step.id
    )
    audit_log(plant.audit)(entry)
    plant.listen(_unheard, Part(incident))(StepChanged(step=step.model_copy(update={"state": "refused"}), detail=""))


def _state_after(store: Store, found: Claimed) -> State | None:
    """The step's state after an error: null if nothing was sent."""
    events = [one.event for one in logged(store, found.incident, found.id)]
    if "applying" not in events:
        return None
    if found.decision.verb == "roll-back":
        return "rolled-back" if "rolled-back" in events else found.step.state
    return _CAME.get(events[-1], "failed")


async def _carried_out(store: Store, plant: Plant, found: Claimed) -> tuple[State | None, str]:
    if found.closed:
        return None, "the incident was closed first, so nothing was changed"
    if not is_valid(found.at, store.now()):
        return None, "the decision is too old to be carried out, since the server has moved on; decide again"
    with _alone(plant, found):
        if found.decision.verb == "roll-back":
            return await _take_back(store, plant, found)
        return await _apply(store, plant, found)


async def _apply(store: Store, plant: Plant, found: Claimed) -> tuple[State, str]:
    step, course = found.step, Course(_log(store, plant, found), plant.clock)
    planned = recorded_change(step)
    try:
        async with reached(plant.target(found.target), planned.node, course, plant.window) as site:
            now = await current_value(site.nodes[planned.node], planned)
            if now != planned.before:
                gone = "gone" if now is None else repr(now)
                why = f"it is {gone} now but was {planned.before!r} when the plan was made; look again"
                course(change_entry(plant.clock, "stopped", planned, why=why, step=step.id))
                raise Moved(why)
            gate = site.gate()
            approval = gate.approve(planned, by=found.decision.by, channel=found.decision.channel, step=step.id)
            outcome = await carry_out(site, gate, step, planned, approval)
    except Exception as error:
        course.close(str(error))
        raise
    return outcome.state, outcome.summary


async def _take_back(store: Store, plant: Plant, found: Claimed) -> tuple[State, str]:
    step, course, stood = found.step, Course(_log(store, plant, found), plant.clock), vouches(plant.audit)
    planned = recorded_change(step)
    if (restored := planned.reversal) is None:
        raise GateError(f"{planned.action} can't be undone")
    if not stood(restored):
        as_new(restored)
    done = sent_change(step, planned, await asyncio.to_thread(logged, store, found.incident))
    if done is None:
        raise GateError(f"nothing of {step.id} was applied from here that could be rolled back")
    async with reached(plant.target(found.target), planned.node, course, plant.window, stood) as site:
        now = await current_value(site.nodes[planned.node], planned)
        restored = restored.model_copy(update={"before": now})
        if now is not None and equal_values(planned.parameter or "", restored.args[3], now):
            course(change_entry(plant.clock, "rolled-back", restored, why="it was so already", step=step.id))
            return "rolled-back", f"{planned.parameter} is already {now}; nothing was sent"
        if not done.still_holds(now):
            why = f"{planned.parameter} is {now!r} now, which this step didn't set: somebody changed it since"
            course(change_entry(plant.clock, "stopped", restored, why=why, step=step.id))
            raise Moved(why)
        gate = site.gate()
        approval = gate.approve(restored, by=found.decision.by, channel=found.decision.channel, step=step.id)
        back = await roll_back(site, gate, restored, approval)
    return "rolled-back", f"{restored.parameter} was {back.read_before} and is {back.read_after} again"


async def _found_out(store: Store, plant: Plant, found: Claimed) -> tuple[State | None, str]:
    """What came of a change in whose middle a process ended: by what was logged, and by asking the server."""
    entries = await asyncio.to_thread(logged, store, found.incident, found.id)
    last = next((one for one in reversed(entries) if one.event not in ("approved", "stopped")), None)
    if last is None:
        return None, f"{_ENDED}; nothing was sent, so decide again"
    if last.event not in ("applying", "unanswered"):
        return _CAME.get(last.event, "failed"), f"{_ENDED}, after it was {last.event}: {last.action}"
    restores = last.restores
    planned = recorded_change(found.step)
    sent = planned.reversal if restores and planned.reversal else planned
    try:
        async with reached(plant.target(found.target), planned.node, _no_log, plant.window) as site:
            now = await current_value(site.nodes[planned.node], planned)
    except Unanswered as error:
        said = f"{_ENDED}: {last.action} may have been sent, and the server can't be asked ({error}); check it"
        return (found.step.state if restores else "failed"), said
    took = _took_effect(sent, now)
    event = ("rolled-back" if restores else "applied") if took else "failed"
    how = "took effect" if took else "took no effect"
    said = f"{_ENDED}; asked afterwards, {_shown(planned, now)}: {last.action} {how}"
    entry = last.model_copy(update={"event": event, "why": said, "after": now, "time": _time(plant)})
    await asyncio.to_thread(_log(store, plant, found), entry)
    if restores:
        return ("rolled-back" if took else found.step.state), said
    return ("applied" if took else "failed"), said


def _took_effect(sent: Change, now: str | None) -> bool:
    if sent.parameter is not None:
        return now is not None and equal_values(sent.parameter, sent.args[3], now)
    return now is None


def _shown(planned: Change, now: str | None) -> str:
    return f"{planned.parameter or 'what it is about'} is {'gone' if now is None else repr(now)}"


def _time(plant: Plant) -> str:
    return plant.clock.now().isoformat(timespec="milliseconds")


def _unheard(event: Event) -> None:
    pass


def _no_log(entry: Entry) -> None:
    pass


def _log(store: Store, plant: Plant, found: Claimed) -> Log:
    """The audit log, the file beside the recording, and the database, which other machines have too; in this order."""

    def keep(entry: Entry) -> None:
        try:
            log_change(store, found.incident, found.id, entry)
        except SQLAlchemyError as error:
            raise Unlogged(f"{store.database.name}: {str(error).splitlines()[0]}") from None

    beside = [Ledger(changes_path(plant.recordings / found.recording))] if found.recording else []
    return write_to_all(audit_log(plant.audit), *beside, keep)


@contextmanager
def _alone(plant: Plant, found: Claimed) -> Iterator[None]:
    """Keep `rediagnose apply` away from the recording meanwhile, if it's on this machine."""
    path = plant.recordings / found.recording if found.recording else None
    if path is None or not path.exists():
        yield
        return
    with alone(path):
        yield
