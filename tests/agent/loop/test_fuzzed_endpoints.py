"""200 endpoints that do anything: every one ends in a valid answer within the deadline."""

import asyncio
import json
import time
from typing import Any

import jsonschema
import pytest

from agent.answer.diagnosis import ModelUse
from agent.investigation.investigation import Investigation
from agent.investigation.model_settings import ModelSettings
from agent.investigation.model_stage import think
from agent.investigation.sources import Options
from agent.report.markdown import markdown
from agent.report.text import text
from agent.runbooks.library import Library, load
from evals.lab.servers import installed, running
from tests.fuzzed import fuzzed
from tests.program import SCHEMA
from tools.clock import SystemClock
from tools.connection.target import parse_target

pytestmark = pytest.mark.live

BATCHES, SCRIPTS, AT_ONCE = 8, 25, 12
DEADLINE, HANGS = 5.0, 120.0
"""Seconds for one investigation, and after which it hangs however busy the machine is."""


async def answered(seed: int, redis: str, model: str, library: Library) -> dict[str, Any]:
    """The answer of an investigation with the endpoint of this seed, which comes within the deadline."""
    target = parse_target(redis, environ={})
    options = Options(window=0.2, deadline=HANGS, one_node=True)
    case = Investigation(target, "requests time out", library, SystemClock(), lambda event: None, options)
    try:
        case.start(ModelUse(name=f"fuzz-{seed}"))
        checks = await case.survey()
        # The deadline is the model's alone here, however many surveys this machine had to do at once.
        surveyed = time.monotonic() - case.began
        case.options = case.options.model_copy(update={"deadline": surveyed + DEADLINE})
        case.toolbox.ends = case.ends
        async with asyncio.timeout(HANGS):
            verdict = await think(case, checks, ModelSettings(timeout=1.0, turns=5, base_url=model))
        await case.plan(verdict)
        answer = case.answer()
    finally:
        await case.close()
    whole = f"{answer.to_json()}{text(answer)}{markdown(answer)}"
    whole.encode()
    assert "\x1b" not in whole
    parsed: dict[str, Any] = json.loads(answer.to_json())
    jsonschema.validate(parsed, SCHEMA)
    for cause in parsed["causes"][:1]:
        assert any(one["verified"] for one in cause["evidence"]), f"seed {seed}"
    return parsed


@pytest.mark.parametrize("batch", range(BATCHES))
async def test_every_endpoint_ends_in_a_valid_answer(batch: int) -> None:
    library, free = load(), asyncio.Semaphore(AT_ONCE)
    async with running(installed()[0]) as server, fuzzed() as url:

        async def one(seed: int) -> dict[str, Any]:
            async with free:
                return await answered(seed, server.url, url, library)

        answers = await asyncio.gather(*(one(batch * SCRIPTS + number) for number in range(SCRIPTS)))
    degraded = [answer["model"]["degraded"] for answer in answers if answer["model"]["degraded"]]
    assert not [why for why in degraded if "can't be asked" in why]
    # Hardly any can be followed, but some get beyond their first answer, or this would try nothing.
    assert degraded and any(answer["model"]["turns"] > 0 for answer in answers)
