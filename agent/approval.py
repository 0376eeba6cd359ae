"""The approving channel of the terminal: a person is asked about one exact change, and only a plain yes is one."""

import asyncio
import getpass
from collections.abc import Awaitable, Callable

from rich.console import Console
from rich.text import Text

from agent.diagnosis import Step
from agent.events import StepChanged
from agent.investigation import Investigation
from agent.report import figures
from tools.errors import RediagnoseError
from tools.gate.apply import Applied, Gate
from tools.gate.policy import Change, shown
from tools.records import Reading

Ask = Callable[[Step], Awaitable[bool]]
"""Asks a person about one step; True only for a yes."""
WITNESS = {
    "maxclients-exhausted": "connect", "client-paused": "ping", "lua-busy": "ping", "connection-leak": "clients",
    "slow-consumer-output": "clients", "query-buffer-hog": "clients", "idle-timeout": "config_get",
    "idle-drop-by-network": "config_get", "diagnostics-disabled": "config_get",
}  # fmt: skip
"""The reading in which a cause's symptom shows; of the others, a PING."""


async def settle(incident: Investigation, ask: Ask, show: Callable[[str], None], *, channel: str) -> None:
    """Ask about each step that needs a yes; apply those that got one, and show the symptom before and after."""
    gate = Gate(incident.clock)
    for step in list(incident.planned.steps):
        wanted = incident.planned.changes.get(step.id)
        if wanted is None:
            continue
        if not await ask(step):
            _note(incident, step.model_copy(update={"state": "refused"}), "refused")
            continue
        step = step.model_copy(update={"state": "approved"})
        _note(incident, step, f"approved by {getpass.getuser()} ({channel})")
        approval = gate.approve(wanted, by=getpass.getuser(), channel=channel)
        before = await _witness(incident, wanted.node)
        try:
            applied = await gate.apply(incident.nodes[wanted.node], wanted, approval)
        except RediagnoseError as error:
            _note(incident, step.model_copy(update={"state": "failed"}), str(error))
            show(f"{step.id} not applied: {error}")
            continue
        after = await _witness(incident, wanted.node)
        done = step.model_copy(update={"state": "applied"})
        _note(incident, done, _said(applied))
        show(f"{step.id} applied: {_said(applied)}")
        show(f"  before  {_line(before)}")
        show(f"  after   {_line(after)}")
        if wanted.undo is not None:
            show(
                f"  undo    {shown(wanted.undo)}   (this change is lost at the next restart: put it into the file too)"
            )


def _said(applied: Applied) -> str:
    change: Change = applied.change
    if change.parameter is None:
        return f"{change.action} -> {applied.reply}"
    return f"{change.parameter} was {applied.read_before}, is {applied.read_after}"


async def _witness(incident: Investigation, node: str) -> Reading | None:
    causes = incident.verdict.causes if incident.verdict else ()
    tool = WITNESS.get(causes[0].id, "ping") if causes else "ping"
    args = {"parameters": ["timeout", "tcp-keepalive", "slowlog-log-slower-than"]} if tool == "config_get" else {}
    try:
        return await incident.toolbox.call(tool, {**args, "node": node})
    except RediagnoseError:
        return None


def _line(reading: Reading | None) -> str:
    return f"{reading.id} {reading.tool}  {figures(reading)}" if reading else "(not read)"


def _note(incident: Investigation, step: Step, detail: str) -> None:
    incident.changed(step)
    incident.emit(StepChanged(step=step, detail=detail))


def terminal(console: Console) -> Ask:
    """Asks on a terminal; anything but y or yes is a no."""

    async def ask(step: Step) -> bool:
        console.print()
        console.print(Text(f"{step.id} {step.action}", style="bold"), soft_wrap=True)
        console.print(Text(f"   on      {step.node}"))
        if step.before is not None:
            console.print(Text(f"   change  {step.before} -> {step.after}"), soft_wrap=True)
        console.print(Text(f"   why     {step.why}"), soft_wrap=True)
        console.print(Text(f"   risk    {step.risk}"), style="yellow" if step.risk == "risky" else None)
        console.print(Text(f"   undo    {step.rollback or 'nothing takes it back'}"), soft_wrap=True)
        try:
            answer = await asyncio.to_thread(console.input, "   Apply it? y/N ")
        except EOFError:
            return False
        return answer.strip().lower() in ("y", "yes")

    return ask
