"""`rediagnose triage`: one command, one answer."""

from collections.abc import Coroutine
from typing import Any

from agent.cli.hard_stop import HardStop
from agent.cli.inputs import TriageInputs
from agent.cli.investigate import Finish, Presenter, investigate
from agent.cli.machine import with_machine
from agent.cli.program import FAILED
from agent.investigation.investigation import Investigation
from agent.remediation.audit import ForbiddenLog
from tools.clock import SystemClock

NOTIFIES = 15.0
"""Seconds for one notification."""


def triage(inputs: TriageInputs) -> int | Coroutine[Any, Any, int]:
    """Investigate and print the answer. Raises `UsageError` for input that can't be used."""
    if not inputs.paste or inputs.names_server():
        return _triage(inputs)
    # It imports the replaying of recordings.
    from agent.cli.pasted import investigate_paste

    # Nobody can approve a change to a server that isn't there.
    presenter = Presenter(inputs.model_copy(update={"approve": "never"}))
    return investigate_paste(inputs, inputs.symptom(), _finish(inputs, presenter), presenter.print)


async def _triage(inputs: TriageInputs) -> int:
    clock, (target, symptom) = SystemClock(), inputs.target_and_symptom()
    presenter = Presenter(inputs)
    finish = _finish(inputs, presenter)
    setup = await with_machine(inputs.setup(target, symptom, clock), inputs)
    if inputs.paste:
        from agent.cli.pasted import with_then

        setup = await with_then(setup, inputs)
    show = inputs.show_prompt
    return await investigate(setup, clock, finish, presenter.print, status=inputs.status, prompt_only=show)


def _finish(inputs: TriageInputs, presenter: Presenter) -> Finish:
    """What is done with an answer: it is printed, and sent to those to be notified."""
    if not inputs.notify:
        return presenter.finish
    # Loaded on first use: most investigations notify nobody.
    from agent.tickets.notify import notify_all, webhooks

    hooks = webhooks(inputs.notify)

    async def finish(incident: Investigation, forbidden: ForbiddenLog, stop: HardStop) -> int:
        status = await presenter.finish(incident, forbidden, stop)
        stop.begin(NOTIFIES * len(hooks))
        return status if await notify_all(hooks, incident.answer()) else FAILED

    return finish
