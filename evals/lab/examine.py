"""One fault, had once: triaged by the program's own code, scored, and mended by the plan's own step."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.answer.diagnosis import OFFLINE, ModelUse, Step
from agent.answer.events import Event
from agent.cli.commands import COMMANDS
from agent.cli.inputs import DEADLINE_CHECKS, DEADLINE_MODEL, outside_of
from agent.cli.program import Parser
from agent.investigation.investigation import Investigation, Options, Sources
from agent.investigation.model_stage import ModelSettings, think
from agent.model.selection import choose
from agent.remediation.approval import settle
from agent.runbooks.library import load
from evals.lab.apart import Apart, Told, apart
from evals.lab.catalogue import FAULTS
from evals.lab.fault import Fault
from evals.lab.score import Run, scored
from evals.lab.score import wrong as wrong_steps
from evals.lab.servers import LabError
from tools.clock import SystemClock
from tools.connection.target import Target, Tls, parse_target
from tools.records import BudgetLimits
from tools.redact import hide_secrets

ENDS_AFTER = 420.0
"""Seconds after which a run is an error of the lab."""
MENDS_WITHIN = 8.0
"""Seconds that a symptom may take to go after a step."""


async def examine(run: Run) -> Run:
    """Have a run's fault and triage it, with the run's ticket if it has one. The lab's own failures are its `error`."""
    done, fault = run, FAULTS[run.fault]
    try:
        async with asyncio.timeout(ENDS_AFTER), apart(run.fault, run.kind, run.seed) as incident:
            done = run.model_copy(update={"ticket": _ticket(run, fault, incident.told.ticket)})
            done = await _judged(done, fault, incident)
    except TimeoutError:
        return done.model_copy(update={"error": f"it wasn't over after {ENDS_AFTER:.0f} s"})
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
            return run.model_copy(update={"mended": await _mend(case, fault, incident)})
    except LabError:
        raise
    except Exception as error:
        # A bug of the agent counts against it.
        return run.model_copy(update={"crashed": f"{type(error).__name__}: {error}"})


@dataclass
class Prepared:
    """What `rediagnose triage` makes of an incident's options."""

    target: Target
    use: ModelUse
    options: Options
    outside: Sources
    asking: ModelSettings
    symptom: str

    def investigation(self) -> Investigation:
        """An investigation that nobody listens to."""
        return Investigation(
            self.target, self.symptom, load(), SystemClock(), _unheard, self.options, self.outside
        )  # fmt: skip


def prepared(model: str, ticket: str, told: Told) -> Prepared:
    """An investigation of an incident with the program's own options and defaults."""
    parser = Parser(prog="triage")
    next(one for one in COMMANDS if one.name == "triage").configure(parser)
    args = parser.parse_args(["--model", model, *told.options, told.url, ticket])
    tls = Tls.model_validate({name: getattr(args, name) for name in ("cacert", "cert", "key", "insecure")})
    password = Path(args.password_file) if args.password_file else None
    # Nothing of the environment: a password that's set there isn't the lab's.
    target = parse_target(told.url, tls=tls, password_file=password, environ={})
    use = choose(args.model)
    deadline = args.deadline or (DEADLINE_CHECKS if use.name == OFFLINE else DEADLINE_MODEL)
    options = Options(
        window=args.window, deadline=deadline, one_node=args.one_node,
        budget=BudgetLimits(commands=args.max_commands, pings=args.max_pings),
    )  # fmt: skip
    asking = ModelSettings(timeout=args.model_timeout, max_tokens=args.max_tokens, turns=args.max_turns)
    return Prepared(target, use, options, outside_of(args, target, SystemClock()), asking, hide_secrets(ticket))


@asynccontextmanager
async def _triaged(run: Run, incident: Apart) -> AsyncIterator[Investigation]:
    """The investigation as `rediagnose triage` makes it with the incident's options, up to its plan."""
    ready = prepared(run.model, run.ticket, incident.told)
    case = ready.investigation()
    try:
        case.start(ready.use)
        verdict = await case.survey()
        if ready.use.name != OFFLINE:
            verdict = await think(case, verdict, ready.asking)
        await case.plan(verdict)
        yield case
    finally:
        await case.close()


def _unheard(event: Event) -> None:
    pass


async def _mend(case: Investigation, fault: Fault, incident: Apart) -> bool | None:
    """Say yes to one step after the other until the symptom is gone; null where none could be tried."""
    if not incident.told.mendable or not case.planned.changes or await incident.mended():
        return None

    def applied() -> bool:
        return any(step.state in ("applied", "verified") for step in case.planned.steps)

    async def ask(step: Step) -> bool:
        return not any(wrong_steps(fault, [step])) and not (applied() and await _gone(incident))

    # The server is gone in a moment: nobody will ask who changed it.
    await settle(case, ask, lambda line: None, channel="lab", log=lambda entry: None)
    return await _gone(incident) if applied() else None


async def _gone(incident: Apart) -> bool:
    ends, looks = time.monotonic() + MENDS_WITHIN, 1
    # What had begun before the step may end within the first look, which can take long.
    while not (gone := await incident.mended()) and (time.monotonic() < ends or looks < 2):
        await asyncio.sleep(0.2)
        looks += 1
    return gone
