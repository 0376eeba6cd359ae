"""`rediagnose triage`: one command, one answer."""

from agent.cli.hard_stop import HardStop
from agent.cli.inputs import TriageInputs
from agent.cli.investigate import Presenter, investigate
from agent.cli.machine import with_machine
from agent.cli.program import FAILED
from agent.investigation.investigation import Investigation
from agent.remediation.audit import ForbiddenLog
from tools.clock import SystemClock

NOTIFIES = 15.0
"""Seconds for one notification."""


async def triage(inputs: TriageInputs) -> int:
    """Investigate and print the answer. Raises `UsageError` for input that can't be used."""
    clock, (target, symptom) = SystemClock(), inputs.target_and_symptom()
    presenter = Presenter(inputs)
    finish = presenter.finish
    if inputs.notify:
        # They load on first use: most investigations notify nobody.
        from agent.tickets.notify import notify_all, webhooks

        hooks = webhooks(inputs.notify)

        async def finish(incident: Investigation, forbidden: ForbiddenLog, stop: HardStop) -> int:
            status = await presenter.finish(incident, forbidden, stop)
            stop.begin(NOTIFIES * len(hooks))
            return status if await notify_all(hooks, incident.answer()) else FAILED

    setup = await with_machine(inputs.setup(target, symptom, clock), inputs)
    show = inputs.show_prompt
    return await investigate(setup, clock, finish, presenter.print, status=inputs.status, prompt_only=show)
