"""The answer to a paste, from within a program that is doing something else."""

import asyncio

from agent.answer.diagnosis import Diagnosis
from agent.investigation.model_settings import ModelSettings
from agent.pastes.incident import Incident
from agent.recordings.replay import case, on_virtual_time
from agent.runbooks.library import Library


async def answered(incident: Incident, model: ModelSettings, library: Library) -> Diagnosis:
    """The answer to a paste alone; since its time is its own, it runs in a thread of its own."""

    async def investigate() -> Diagnosis:
        tape = incident.tape
        async with case(tape, tape.head.symptom, model, library, pasted=incident.told) as found:
            return found.answer()

    return await asyncio.to_thread(on_virtual_time, investigate())
