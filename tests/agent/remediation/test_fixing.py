"""Faults that a step fixes: triaged, said yes to, measured, and taken back to the byte."""

import asyncio
import random
import time
from typing import Any

import pytest

from agent.answer.diagnosis import ModelUse
from agent.investigation.investigation import Investigation
from agent.investigation.sources import Options
from agent.remediation.approval import ApprovalRequest, Decisions
from agent.remediation.site import site_of
from agent.runbooks.library import load
from evals.lab.catalogue import FAULTS
from evals.lab.fault import Incident
from evals.lab.servers import installed
from tools.clock import SystemClock
from tools.connection.target import parse_target
from tools.gate.ledger import Entry

pytestmark = pytest.mark.live

FIXED_WITHIN = 8.0
"""Seconds that an application may need to see it."""
BY_STEP: dict[str, tuple[str, str]] = {
    "maxclients-exhausted": ("CONFIG SET maxclients 10000", "verified"),
    "connection-leak-standing": ("CONFIG SET timeout 300", "verified"),
    "client-paused": ("CLIENT UNPAUSE", "verified"),
    "lua-busy": ("SCRIPT KILL", "verified"),
    "monitor-attached": ("CLIENT KILL ID", "verified"),
    "idle-timeout": ("CONFIG SET timeout 0", "verified"),
    "idle-drop-by-network": ("CONFIG SET tcp-keepalive 60", "verified"),
    "oom-noeviction": ("CONFIG SET maxmemory ", "verified"),
    "maxmemory-shrunk": ("CONFIG SET maxmemory ", "verified"),
    "big-key-delete": ("CONFIG SET lazyfree-lazy-user-del yes", "verified"),
    "rss-after-peak": ("MEMORY PURGE", ""),
    "slow-consumer-output": ("CONFIG SET client-output-buffer-limit", ""),
    "diagnostics-disabled": ("CONFIG SET slowlog-", "verified"),
}
"""The step of each fault, and what comes of it; empty where that is the allocator's or a client's affair."""


@pytest.mark.lab
@pytest.mark.parametrize("id", BY_STEP)
async def test_a_step_mends_and_its_rollback_leaves_nothing(id: str) -> None:
    action, state = BY_STEP[id]
    # One server for each, so that all three have their turn.
    kinds = [one for one in installed() if FAULTS[id].unavailable(one) is None]
    if not kinds:
        pytest.skip(str(FAULTS[id].unavailable(installed()[0])))
    kind = kinds[list(BY_STEP).index(id) % len(kinds)]
    logged: list[Entry] = []
    shown: list[str] = []
    gone: list[bool] = []
    async with FAULTS[id].begin(kind, random.Random(5)) as incident:
        options = Options(window=0.5)
        case = Investigation(
            parse_target(incident.url, environ={}), incident.ticket, load(), SystemClock(), lambda event: None, options
        )  # fmt: skip
        try:
            case.start(ModelUse(name="offline", why="no model here"))
            await case.plan(await case.survey())
            before = await settings(case)

            class Person:
                """Says yes to one kind of step, looks at the application, and takes the step back."""

                async def approve(self, request: ApprovalRequest) -> bool:
                    if request.takes_back:
                        gone.append(await works(incident))
                        return True
                    return request.change.action.startswith(action) and not gone

            await Decisions(case, site_of(case, logged.append), Person(), shown.append, "test").all(offer_undo=True)
            if not gone:
                gone.append(await works(incident))
            after = await settings(case)
            assert before is None or after == before
        finally:
            await case.close()
    *_, done = [step for step in case.planned.steps if step.action.startswith(action) and step.state != "refused"]
    assert gone == [True], shown
    came = [one.event for one in logged if one.step == done.id and not one.restores]
    assert came[:3] == ["approved", "applying", "applied"]
    assert came[3] == state or (not state and came[3] in ("verified", "not-better")), shown
    assert done.state == ("rolled-back" if done.rollback else came[3] if came[3] == "verified" else "applied"), shown


async def settings(case: Investigation) -> Any:
    """All of CONFIG GET, as it comes; null where the server is too busy to say."""
    (reply,) = await case.node.ask(("CONFIG", "GET", "*"))
    return reply if isinstance(reply, list) else None


async def works(incident: Incident) -> bool:
    """Whether the application sees it gone; true of a fault in which no application takes part."""
    if incident.fixed is None:
        return True
    ends = time.monotonic() + FIXED_WITHIN
    while not (well := await incident.fixed()) and time.monotonic() < ends:
        await asyncio.sleep(0.1)
    return well
