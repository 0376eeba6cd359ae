"""One fault, had once: triaged by the program's own code, scored, and fixed by the plan's own step."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agent.answer.events import Event
from agent.cli.inputs import TriageInputs
from agent.investigation.investigation import Investigation
from agent.investigation.pipeline import Setup
from agent.investigation.pipeline import run as investigate
from agent.remediation.approval import ApprovalRequest, Decisions
from agent.remediation.site import site_of
from evals.lab.apart import Apart, IncidentFacts, apart
from evals.lab.catalogue import FAULTS
from evals.lab.fault import Fault
from evals.lab.score import Run, scored, wrong
from evals.lab.servers import LabError
from evals.lab.worlds import READ_ONLY
from tools.clock import SystemClock
from tools.connection.target import parse_target
from tools.redact import hide_secrets

ENDS_AFTER = 420.0
"""Seconds after which a run is an error of the lab."""


async def examine(run: Run) -> Run:
    """Have a run's fault and triage it, with the run's ticket if it has one. The lab's own failures are its `error`."""
    done, fault = run, FAULTS[run.fault]
    try:
        async with asyncio.timeout(ENDS_AFTER), apart(run.fault, run.kind, run.seed, run.worlds) as incident:
            done = run.model_copy(update={"ticket": _ticket(run, fault, incident.facts.ticket)})
            done = await _judged(done, fault, incident)
    except TimeoutError:
        return done.model_copy(update={"error": f"it hadn't finished after {ENDS_AFTER:.0f} s"})
    except (LabError, OSError) as error:
        return done.model_copy(update={"error": str(error) or type(error).__name__})
    return done


def _ticket(run: Run, fault: Fault, written: str) -> str:
    """What was asked for; of the fault's own, only where it isn't what this very incident made people write."""
    own = run.ticket_of == run.fault and written not in fault.tickets
    return written if own or not run.ticket else run.ticket


async def _judged(run: Run, fault: Fault, incident: Apart) -> Run:
    try:
        async with _triaged(run, incident) as case:
            run = scored(run, fault, case.answer())
            return run.model_copy(update={"fixed": await _fix(case, run, fault, incident)})
    except LabError:
        raise
    except Exception as error:
        # A bug of the agent counts against it.
        return run.model_copy(update={"crashed": f"{type(error).__name__}: {error}"})


def setup_of(model: str, ticket: str, facts: IncidentFacts) -> Setup:
    """An investigation of an incident, with the program's own defaults."""
    inputs = TriageInputs(model=model, server_log=str(facts.server_log) if facts.server_log else None)
    # Nothing of the environment: a password that's set there isn't the lab's.
    return inputs.setup(parse_target(facts.url, environ={}), hide_secrets(ticket), SystemClock())


@asynccontextmanager
async def _triaged(run: Run, incident: Apart) -> AsyncIterator[Investigation]:
    """The investigation as `rediagnose triage` makes it, up to its plan."""
    setup = setup_of(run.model, run.ticket, incident.facts)
    case = setup.investigation(SystemClock(), ignore)
    try:
        await investigate(case, setup.model)
        yield case
    finally:
        await case.close()


def ignore(event: Event) -> None:
    """Nobody listens."""


class _Approver:
    """Says yes to one step after the other until the symptom is gone, and to no wrong remedy."""

    def __init__(self, case: Investigation, fault: Fault, incident: Apart) -> None:
        self._case, self._fault, self._incident = case, fault, incident

    @property
    def applied(self) -> bool:
        return any(step.state in ("applied", "verified") for step in self._case.planned.steps)

    async def approve(self, request: ApprovalRequest) -> bool:
        steps = [step for step in self._case.planned.steps if step.id == request.step]
        return not any(wrong(self._fault, steps)) and not (self.applied and await _gone(self._incident))


async def _fix(case: Investigation, run: Run, fault: Fault, incident: Apart) -> bool | None:
    """Say yes to one step after the other until the symptom is gone; null where none could be tried."""
    if READ_ONLY & {*run.worlds} or not incident.facts.fixable or not case.planned.changes or await incident.fixed():
        return None

    approver = _Approver(case, fault, incident)
    # The server is gone in a moment: nobody will ask who changed it.
    site = site_of(case, lambda entry: None)
    await Decisions(case, site, approver, lambda line: None, "lab").all()
    return await _gone(incident) if approver.applied else None


async def _gone(incident: Apart) -> bool:
    ends, looks = time.monotonic() + incident.facts.gone_within, 1
    # What had begun before the step may end within the first look, which can take long.
    while not (gone := await incident.fixed()) and (time.monotonic() < ends or looks < 2):
        await asyncio.sleep(0.2)
        looks += 1
    return gone
