"""Asking a person about a step, on a live fault: a yes changes just that, a no nothing."""

import random

import pytest

from agent.answer.diagnosis import ModelUse
from agent.answer.events import Event, StepChanged
from agent.investigation.investigation import Investigation
from agent.investigation.sources import Options
from agent.remediation.approval import ApprovalRequest, Decisions
from agent.remediation.site import site_of
from agent.runbooks.library import load
from evals.lab.catalogue import FAULTS
from evals.lab.servers import ServerKind
from tools.clock import SystemClock
from tools.connection.target import parse_target
from tools.gate.ledger import Entry


@pytest.mark.parametrize("yes", [True, False])
async def test_a_step_is_made_only_on_a_yes(kind: ServerKind, yes: bool) -> None:
    events: list[Event] = []
    shown: list[str] = []
    asked: list[str] = []
    logged: list[Entry] = []

    class Person:
        async def approve(self, request: ApprovalRequest) -> bool:
            asked.append(request.change.action)
            return yes

    async with FAULTS["connection-leak-standing"].begin(kind, random.Random(4)) as incident:
        target = parse_target(incident.url, environ={})
        case = Investigation(target, incident.ticket, load(), SystemClock(), events.append, Options(window=0.5))
        try:
            case.start(ModelUse(name="offline", why="no model here"))
            await case.plan(await case.survey())
            before = await case.node.one("CONFIG", "GET", "*")
            await Decisions(case, site_of(case, logged.append), Person(), shown.append, "test").all()
            after = await case.node.one("CONFIG", "GET", "*")
            answer = case.answer()
        finally:
            await case.close()
    assert asked == ["CONFIG SET timeout 300"]
    (step,) = [step for step in answer.plan if step.needs_approval]
    changed = {name: value for name, value in zip(after[::2], after[1::2], strict=True)}
    if yes:
        assert step.state == "verified"
        assert changed.pop("timeout") == "300"
        assert [line for line in shown if line.startswith("  before") or line.startswith("  after")]
    else:
        assert step.state == "refused"
        assert changed.pop("timeout") == "0"
        assert shown == [f"{step.id} refused; nothing was changed"]
    assert changed.items() <= dict(zip(before[::2], before[1::2], strict=True)).items()
    states = [event.step.state for event in events if isinstance(event, StepChanged)]
    assert states == (["approved", "verified"] if yes else ["refused"])
    made = ["approved", "applying", "applied", "verified"] if yes else ["refused"]
    assert [(one.event, one.step) for one in logged] == [(event, step.id) for event in made]
