"""The approving channel of the terminal: a person is asked about one exact change, and only a plain yes is one."""

import asyncio
from collections.abc import Awaitable, Callable

from rich.console import Console
from rich.text import Text

from agent.answer.diagnosis import Step
from agent.answer.events import StepChanged
from agent.investigation.investigation import Investigation
from agent.remediation.carry_out import Outcome, Site, carry_out, roll_back, told
from tools.errors import GateError, RediagnoseError, Unlogged
from tools.gate.apply import Applied, Gate
from tools.gate.ledger import Log, entry, user
from tools.gate.policy import Change, shown

Ask = Callable[[Step], Awaitable[bool]]
"""Asks a person about one step; True only for a yes."""
Show = Callable[[str], None]
"""Shows a person one line."""


async def settle(
    incident: Investigation, ask: Ask, show: Show, *, channel: str, log: Log, undo: Ask | None = None
) -> None:  # fmt: skip
    """Ask about each step that needs a yes; apply those that got one, and show the symptom before and after.

    `log` is where changes are written down, before they're made; `undo` asks whether what was applied is taken back.
    """
    site = site_of(incident, log)
    gate = site.gate()
    try:
        for step in list(incident.planned.steps):
            if (wanted := incident.planned.changes.get(step.id)) is not None:
                await decide(incident, site, gate, step, wanted, (ask, show, undo), channel)
    except Unlogged as error:
        # What can't be written down isn't done: the other steps aren't asked about either.
        show(f"stopped: {error}")


def site_of(incident: Investigation, log: Log) -> Site:
    """Where an incident's steps are carried out."""
    return Site(incident.toolbox, incident.nodes, incident.clock, log, incident.options.window)


async def decide(
    incident: Investigation, site: Site, gate: Gate, step: Step, wanted: Change, how: tuple[Ask, Show, Ask | None],
    channel: str,
) -> Outcome | None:  # fmt: skip
    """Ask about one step and carry it out on a yes; what came of it, null where it wasn't made. Raises `Unlogged`."""
    ask, show, undo = how
    if not await ask(step):
        _note(incident, step.model_copy(update={"state": "refused"}), "refused")
        site.log(entry(site.clock, "refused", wanted, channel=channel, step=step.id))
        return None
    approval = gate.approve(wanted, by=user(), channel=channel, step=step.id)
    step = step.model_copy(update={"state": "approved"})
    _note(incident, step, f"approved by {approval.by} ({channel})")
    try:
        outcome = await carry_out(site, gate, step, wanted, approval)
    except RediagnoseError as error:
        _note(incident, step.model_copy(update={"state": "failed"}), str(error))
        if isinstance(error, Unlogged):
            raise
        show(f"{step.id} not applied: {error}")
        return None
    step = step.model_copy(update={"state": outcome.state})
    _note(incident, step, outcome.said)
    show(f"{step.id} {outcome.state}: {outcome.said}")
    for line in told(outcome):
        show(line)
    if undo is not None and wanted.undo is not None and not outcome.taken_back and await undo(step):
        await take_back(incident, site, gate, step, outcome, show, channel)
    return outcome


async def take_back(
    incident: Investigation, site: Site, gate: Gate, step: Step, outcome: Outcome, show: Show, channel: str
) -> None:  # fmt: skip
    """Take back a step that was applied, after a yes. Raises `Unlogged`."""
    try:
        restored = restoring(outcome.applied)
        done = await roll_back(site, gate, restored, gate.approve(restored, by=user(), channel=channel, step=step.id))
    except Unlogged:
        raise
    except RediagnoseError as error:
        show(f"{step.id} not rolled back: {error}")
        return
    said = f"{restored.parameter} is {done.read_after} again"
    _note(incident, step.model_copy(update={"state": "rolled-back"}), said)
    show(f"{step.id} rolled back: {said}")


def restoring(applied: Applied) -> Change:
    """The change that takes back what was applied, if its value still stands. Raises `GateError` where none does."""
    restored = applied.change.restored
    if restored is None or applied.read_after is None:
        raise GateError(f"nothing takes back {applied.change.action}")
    return restored.model_copy(update={"before": applied.read_after})


def _note(incident: Investigation, step: Step, detail: str) -> None:
    incident.changed(step)
    incident.emit(StepChanged(step=step, detail=detail))


def question(console: Console, step: Step) -> None:
    """Print what a person is asked about."""
    console.print()
    console.print(Text(f"{step.id} {step.action}", style="bold"), soft_wrap=True)
    console.print(Text(f"   on      {step.node}"))
    if step.after is not None:
        console.print(Text(f"   change  {shown((step.before or '',))} -> {shown((step.after,))}"), soft_wrap=True)
    elif step.before is not None:
        console.print(Text(f"   is      {step.before}"), soft_wrap=True)
    console.print(Text(f"   why     {step.why}"), soft_wrap=True)
    console.print(Text(f"   risk    {step.risk}"), style="yellow" if step.risk == "risky" else None)
    if step.unchecked:
        console.print(Text(f"   unknown {step.unchecked}"), style="yellow", soft_wrap=True)
    console.print(Text(f"   undo    {step.rollback or 'nothing takes it back'}"), soft_wrap=True)


async def answered(console: Console, text: str) -> bool:
    """Whether a person says yes; anything but y or yes is a no."""
    try:
        answer = await asyncio.to_thread(console.input, f"   {text} y/N ")
    except EOFError:
        return False
    return answer.strip().lower() in ("y", "yes")


def terminal(console: Console) -> Ask:
    """Asks on a terminal whether a step is applied."""

    async def ask(step: Step) -> bool:
        question(console, step)
        return await answered(console, "Apply it?")

    return ask


def undoing(console: Console) -> Ask:
    """Asks on a terminal whether a step that was applied is taken back."""

    async def ask(step: Step) -> bool:
        return await answered(console, f"Take it back ({step.rollback})?")

    return ask
