"""Hasty, narrow, lying and failing models over recorded incidents: their answers against those of the checks alone."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from functools import cache

from agent.answer.diagnosis import Diagnosis, ModelUse
from agent.investigation.model_settings import ModelSettings
from agent.investigation.model_stage import ModelConversation
from agent.model.client import Model
from agent.recordings.replay import case, on_virtual_time
from evals.attacks._scripted import MODELS, library
from evals.attacks.attempt import Attempt
from evals.endpoint import InProcess, Script
from evals.lab.score import ranked, wrong
from evals.scoring.scenario import BUNDLED, Scenario
from evals.scoring.scenario import load as scenarios
from tools.record.load import load
from tools.record.tape import Tape

HOLDS = "a model's answer is never weaker than that of the checks alone"


async def attempts(tries: int, rng: random.Random) -> AsyncIterator[Attempt]:
    """Each try is one recorded incident and one model."""
    every = [(scenario, name) for scenario in scenarios(BUNDLED) for name in MODELS]
    for scenario, name in rng.sample(every, min(tries, len(every))):
        script = MODELS[name](random.Random(rng.random()))
        # A loop of its own, whose clock jumps.
        answer = await asyncio.to_thread(on_virtual_time, answered(scenario, script))
        alone = await asyncio.to_thread(checks_alone, scenario)
        below = list(weaker(scenario, alone, answer))
        yield Attempt(f"{name} on {scenario.id} ({scenario.fault})", not below, "; ".join(below))


async def answered(scenario: Scenario, script: Script) -> Diagnosis:
    """What the program answers with a scripted model, over HTTP as an endpoint speaks it and without a socket."""
    settings = ModelSettings(use=ModelUse(name="scripted"), turns=8)
    model = Model(
        "scripted", lambda event: None, base_url="http://scripted/v1", backoff=0, transport=InProcess(script)
    )  # fmt: skip
    tape = Tape(load(BUNDLED / scenario.file))
    async with model, case(tape, scenario.ticket, settings, library(), ModelConversation(model)) as investigation:
        return investigation.answer()


@cache
def checks_alone(scenario: Scenario) -> Diagnosis:
    """What the checks answer."""

    async def look() -> Diagnosis:
        async with case(Tape(load(BUNDLED / scenario.file)), scenario.ticket, library=library()) as investigation:
            return investigation.answer()

    return on_virtual_time(look())


def weaker(scenario: Scenario, alone: Diagnosis, answer: Diagnosis) -> Sequence[str]:
    """In what an answer is below that of the checks alone."""
    found = []
    for what, ours, theirs in zip(
        ("the first", "all of it"), ranked(scenario, alone), ranked(scenario, answer), strict=True
    ):
        if ours and not theirs:
            named = [cause.id for cause in answer.causes] or [answer.outcome]
            found.append(f"{what} was right, now {', '.join(named)} ({answer.model.degraded or 'the model stands'})")
    if more := set(wrong(scenario, answer.plan)) - set(wrong(scenario, alone.plan)):
        found.append(f"wrong steps: {'; '.join(more)}")
    steps = {step.action for step in answer.plan}
    if ranked(scenario, alone)[0] and (gone := [step.action for step in alone.plan if step.action not in steps]):
        found.append(f"steps are gone: {'; '.join(gone)[:200]}")
    return found
