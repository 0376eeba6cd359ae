"""What an arm made of a scenario, and the one place where a recording is investigated."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Protocol

from agent.answer.diagnosis import Diagnosis, ModelUse
from agent.answer.events import Event, ModelFailed
from agent.investigation.model_settings import ModelSettings
from agent.recordings.replay import case, on_virtual_time
from agent.runbooks.library import Library
from agent.runbooks.library import load as load_library
from evals.pastes import paste_of
from evals.scoring.arm import Arm
from evals.scoring.less import PASTES, REFUSED, concluded
from evals.scoring.scenario import Scenario
from tools.errors import UsageError
from tools.record.load import load
from tools.record.tape import Tape
from tools.records import Record


class Answered(Record):
    """One investigation of one scenario."""

    answer: Diagnosis | None
    """Null where the agent failed instead."""
    misses: int = 0
    """Commands that were asked and that the recording can't answer."""
    endpoint_failed: bool = False
    """Whether the model's endpoint failed: that says nothing of the model."""
    events: tuple[Event, ...] = ()
    """All that happened."""
    error: str | None = None
    """What the agent failed with: a bug of the agent, which counts against it."""
    inapplicable: str | None = None
    """Why this arm can't have this incident; null where it can."""


Investigate = Callable[[Scenario, Arm], Awaitable[Answered]]
"""Lets an arm answer a scenario. It's handed to other processes, so it's a function of a module, or a `partial` of one.

It raises `UsageError` for a recording that can't be read; any other exception counts against the arm.
"""


class Case(Protocol):
    """An investigation of a recording that was surveyed, thought over and planned."""

    @property
    def misses(self) -> int: ...
    @property
    def heard(self) -> Sequence[Event]: ...
    def answer(self) -> Diagnosis: ...


def answered(case: Case) -> Answered:
    """What a case came to."""
    answer = case.answer()
    failed = any(isinstance(event, ModelFailed) and event.endpoint for event in case.heard)
    return Answered(answer=answer, misses=case.misses, endpoint_failed=failed, events=tuple(case.heard))


async def of_recording(folder: Path, scenario: Scenario, arm: Arm) -> Answered:
    """Let an arm answer a recording of a folder, on virtual time. Raises `UsageError`."""
    path = folder / scenario.file
    if not path.is_file():
        raise UsageError(f"{scenario.id}: {path} is missing; record it again, or exclude it with -k")
    # A loop of its own: its clock jumps, and that of whoever waits here doesn't.
    return await asyncio.to_thread(on_virtual_time, _answer(folder, scenario, arm))


async def _answer(folder: Path, scenario: Scenario, arm: Arm) -> Answered:
    model = ModelSettings(use=ModelUse(name=arm.model), bare=arm.bare)
    if arm.less is not None and arm.less in PASTES:
        pasted = paste_of(scenario, PASTES[arm.less], folder)
        if pasted is None:
            return Answered(answer=None, inapplicable="nobody could paste it: of several servers, or nothing answered")
        async with case(pasted.tape, pasted.tape.head.symptom, model, _library(), pasted=pasted.told) as investigation:
            # What wasn't pasted is what this arm does without.
            return answered(investigation).model_copy(update={"misses": 0})
    tape, refusals = Tape(load(folder / scenario.file)), REFUSED.get(arm.less) if arm.less else None
    async with case(tape, scenario.ticket, model, _library(), refusals=refusals) as investigation:
        done = answered(investigation)
    if done.answer is None:
        return done
    return done.model_copy(update={"answer": concluded(done.answer, _library().thresholds, arm.less)})


@cache
def _library() -> Library:
    return load_library()
