"""The step that investigates: from a ticket to an answer in the database, with its recording on disk."""

import asyncio
from typing import Literal

from agent.answer.diagnosis import Diagnosis, Step
from agent.investigation.own_trouble import is_unknown_name, own_trouble
from agent.investigation.pipeline import run
from agent.remediation.audit import ForbiddenLog, audit_log, note_proposals
from agent.service.journal import say
from agent.service.outages import is_outage, patiently
from agent.service.plant import Plant
from agent.service.standing import standing
from agent.service.store import Asked, Store
from agent.service.stream import Stream
from agent.tracing.listener import Part
from tools.connection.target import Target
from tools.errors import RediagnoseError, Unlogged, bug
from tools.kubernetes.place import only_inside

GRACE = 5.0
"""Seconds beyond an investigation's own deadline."""
Came = Literal["answered", "unanswered", "unwanted"]


async def look(store: Store, plant: Plant, incident: str, round: int) -> Came:
    """Investigate one round of an incident. It only reads, so it may run again after a crash."""
    asked = await asyncio.to_thread(store.begin, incident, round)
    if asked is None:
        return await _anyway(store, incident, round)
    work = asked.work
    try:
        target = plant.target(work.target)
        answer, recording = await _answer(store, plant, asked, target)
        if trouble := own_trouble(answer, own_password=True):
            # Nothing was learned about the incident.
            raise RediagnoseError(f"{work.target}: {trouble}, or password_env or password_file of the target")
        if is_unknown_name(answer):
            why = only_inside(target.host, target.port) or "this host name can't be resolved"
            raise RediagnoseError(f"{work.target}: {why}; check the target's url")
    except RediagnoseError as error:
        await patiently(store.unanswered, work, str(error))
        return "unanswered"
    except Exception as error:
        if is_outage(error):
            raise
        await patiently(store.unanswered, work, str(bug("the investigation", error)))
        return "unanswered"
    if await patiently(store.answered, work, answer, recording):
        return "answered"
    return await _anyway(store, incident, round)


async def _anyway(store: Store, incident: str, round: int) -> Came:
    """What came of a round that isn't to be answered: it may have been, by a process that ended right afterwards."""
    return "answered" if await asyncio.to_thread(store.has_answered, incident, round) else "unwanted"


def _plan_so_far(store: Store, incident: str) -> tuple[Step, ...]:
    found = store.incident(incident)
    return found.diagnosis.plan if found and found.diagnosis else ()


async def _answer(store: Store, plant: Plant, asked: Asked, target: Target) -> tuple[Diagnosis, str]:
    work = asked.work
    file = plant.recordings / f"{work.incident}-{work.round}.rec"
    # A round that was interrupted begins again.
    await asyncio.to_thread(file.unlink, missing_ok=True)
    setup = plant.setup(target, asked.ticket, asked.symptom, file)
    async with Stream(store, work.incident) as stream:
        forbidden = ForbiddenLog(stream)
        part = Part(work.incident, first=work.round == 1)
        investigation = setup.investigation(plant.clock, forbidden, part)
        try:
            try:
                async with asyncio.timeout(setup.options.deadline + GRACE):
                    await run(investigation, setup.model)
                answer = investigation.answer()
                if earlier := await asyncio.to_thread(_plan_so_far, store, work.incident):
                    kept = await standing(investigation, earlier, answer.plan)
                    answer = answer.model_copy(update={"plan": kept})
            except TimeoutError:
                answer = investigation.cut_off()
            try:
                note_proposals(investigation, forbidden, audit_log(plant.audit))
            except Unlogged as error:
                stream.note("failed", f"no step can be applied: {error}")
        finally:
            await investigation.close()
        if investigation.recorder and (lost := investigation.recorder.lost):
            stream.note("failed", f"not recorded in full: {lost}")
            say(f"{work.incident}: not recorded in full: {lost}")
    return answer, file.name
