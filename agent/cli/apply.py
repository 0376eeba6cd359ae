"""`rediagnose apply` and `rediagnose rollback`: one step of a recorded plan, approved again, in a process of its
own."""

import asyncio
import json
import shlex
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from agent.answer.diagnosis import Step
from agent.cli.hard_stop import FOREVER, GRACE, HardStop, hard_stop
from agent.cli.other_inputs import ChangeInputs
from agent.cli.program import ANSWERED, FAILED, INTERRUPTED
from agent.cli.unhurried import Unhurried
from agent.remediation.applied import alone, answer_of, recorded_change, sent_change, step_of
from agent.remediation.approval import ApprovalRequest
from agent.remediation.audit import change_log, vouches
from agent.remediation.carry_out import Outcome, Site, carry_out, file_lines, outcome_lines, roll_back
from agent.remediation.course import Course
from agent.remediation.site import reached
from agent.remediation.terminal import TerminalApprover
from agent.report.console import Console
from tools.clock import SystemClock
from tools.connection.target import Target
from tools.errors import Forbidden, GateError, Moved, RediagnoseError, Unlogged
from tools.gate.apply import as_new
from tools.gate.bounds import check_room
from tools.gate.current_value import current_value
from tools.gate.equality import equal_values
from tools.gate.ledger import Ledger, Log, change_entry, changes_path, current_user, forbidden_entry
from tools.gate.policy import Change, canonical_name, command_line
from tools.text import one_line

Work = Callable[[Course, HardStop], Awaitable[int]]


class _Stopped(GateError):
    """Nobody approved."""


async def apply(inputs: ChangeInputs) -> int:
    """Carry out one step; 1 if it was refused, its value moved or it improved nothing.

    Raises `UsageError` or `Unanswered`.
    """
    path, target = inputs.file, inputs.server()
    step = step_of(answer_of(path), inputs.step, path)

    async def work(course: Course, stop: HardStop) -> int:
        change = _classified(step, course)
        _confirmed(inputs, target, change.action)
        with alone(path):
            async with reached(target, change.node, course, inputs.window) as site:
                outcome = await _apply(inputs, site, step, change, stop)
        stop.begin(FOREVER)
        _print(inputs, step, _json(outcome), [f"{step.id} {outcome.state}: {outcome.summary}", *outcome_lines(outcome)])
        return ANSWERED if outcome.came in ("verified", "unmeasured") else FAILED

    return await _watched(inputs, step, work)


async def _watched(inputs: ChangeInputs, step: Step, work: Work) -> int:
    """The status of the work. However it ends, what became of the change is reported and logged."""
    try:
        course = Course(change_log(inputs.audit, inputs.file), SystemClock())
    except GateError as error:
        return _refused(inputs, step, error)

    def broken_off(why: str) -> None:
        # Reported first: a log that can no longer be written may hang.
        said = course.said(why)
        if inputs.format == "json":
            _print(inputs, step, {"outcome": "broken-off", "why": said}, [])
        print(one_line(f"rediagnose {inputs.command}: {step.id} {said}"), file=sys.stderr, flush=True)
        try:
            course.close(why)
        except Unlogged as error:
            print(one_line(f"rediagnose {inputs.command}: the change can't be recorded: {error}"), file=sys.stderr)

    with (
        hard_stop(inputs.deadline + GRACE, lambda ended: INTERRUPTED if ended else FAILED) as stop,
        stop.telling(broken_off),
    ):
        try:
            return await work(course, stop)
        except GateError as error:
            return _refused(inputs, step, error)
        except asyncio.CancelledError:
            broken_off("interrupted")
            return INTERRUPTED
        except RediagnoseError:
            raise
        except Exception:
            broken_off("a bug of rediagnose")
            raise


async def _apply(inputs: ChangeInputs, site: Site, step: Step, change: Change, stop: HardStop) -> Outcome:
    gate = site.gate()
    now = await current_value(site.nodes[change.node], change)
    if now != change.before:
        gone = "gone" if now is None else repr(now)
        why = f"it is {gone} now but was {change.before!r} when the plan was made; run triage again"
        site.log(change_entry(site.clock, "stopped", change, why=why, step=step.id))
        raise Moved(why)
    request = ApprovalRequest(step=step.id, change=change, unchecked=await _unchecked(site, change))
    channel = await _channel(inputs, site, request, stop)
    approval = gate.approve(change, by=current_user(), channel=channel, step=step.id)
    return await carry_out(site, gate, step, change, approval)


async def rollback(inputs: ChangeInputs) -> int:
    """Roll back a step; 1 if the value is no longer the one that was applied. Raises like `apply`."""
    path, target = inputs.file, inputs.server()
    step = step_of(answer_of(path), inputs.step, path)

    async def work(course: Course, stop: HardStop) -> int:
        change = _classified(step, course)
        if (restored := change.reversal) is None:
            raise GateError(f"{change.action} can't be undone")
        _may_return(restored, step, inputs, course)
        with alone(path):
            now, outcome_text = await _take_back(inputs, target, step, change, restored, course, stop)
        stop.begin(FOREVER)
        outcome = {"outcome": "rolled-back", "action": restored.action, "before": now, "after": restored.args[3],
                   "why": outcome_text}  # fmt: skip
        _print(inputs, step, outcome, [f"{step.id} rolled back: {outcome_text}"])
        return ANSWERED

    return await _watched(inputs, step, work)


def _may_return(restored: Change, step: Step, inputs: ChangeInputs, log: Log) -> None:
    """Raise `Forbidden` if neither the audit log nor the policy's bounds vouch for an old value; a recording can't."""
    if vouches(inputs.audit)(restored):
        return
    try:
        as_new(restored)
    except Forbidden as error:
        log(forbidden_entry(SystemClock(), restored.node, restored.action, str(error)))
        raise


async def _take_back(
    inputs: ChangeInputs, target: Target, step: Step, change: Change, restored: Change, log: Log, stop: HardStop
) -> tuple[str | None, str]:
    """The previous value and the outcome. Raises `GateError` if it isn't ours to roll back."""
    journal = Ledger(changes_path(inputs.file))
    if (done := sent_change(step, change, journal.read())) is None:
        raise GateError(f"{journal.path} has no change of {step.id} that was applied and not yet rolled back")
    _confirmed(inputs, target, restored.action)
    async with reached(target, change.node, log, inputs.window, vouches(inputs.audit)) as site:
        now = await current_value(site.nodes[change.node], change)
        restored = restored.model_copy(update={"before": now})
        if now is not None and equal_values(change.parameter or "", restored.args[3], now):
            outcome_text = f"{change.parameter} is already {now}; nothing was sent"
            log(change_entry(site.clock, "rolled-back", restored, why=outcome_text, step=step.id))
            return now, outcome_text
        if not done.still_holds(now):
            ours = done.after if done.after is not None else change.args[3]
            why = (
                f"{change.parameter} is {now!r} now but was set to {ours!r} by this step: "
                "somebody changed it since, so it isn't rolled back"
            )
            log(change_entry(site.clock, "stopped", restored, why=why, step=step.id))
            raise Moved(why)
        return now, await _roll_back(inputs, site, step, restored, stop)


async def _roll_back(inputs: ChangeInputs, site: Site, step: Step, restored: Change, stop: HardStop) -> str:
    gate = site.gate()
    request = ApprovalRequest(
        step=step.id, change=restored, unchecked=await _unchecked(site, restored), takes_back=True
    )  # fmt: skip
    channel = await _channel(inputs, site, request, stop)
    approval = gate.approve(restored, by=current_user(), channel=channel, step=step.id)
    done = await roll_back(site, gate, restored, approval)
    return f"{restored.parameter} was {done.read_before} and is {done.read_after} again"


async def _unchecked(site: Site, change: Change) -> str | None:
    """What a person should know about a value, including an old one, which may be restored whatever happened
    meanwhile."""
    if change.parameter is None:
        return None
    try:
        name, room = canonical_name(change.parameter), await site.room(change.node)
        return check_room(name, change.args[3], room, restores=change.restores)
    except Forbidden as error:
        return str(error)


def _classified(step: Step, log: Log) -> Change:
    """The step's change; what policy forbids is logged first. Raises `GateError`."""
    try:
        return recorded_change(step)
    except Forbidden as error:
        log(forbidden_entry(SystemClock(), step.node or "", step.action, str(error)))
        raise


def _confirmed(inputs: ChangeInputs, target: Target, action: str) -> None:
    """Without a terminal, approval is the exact action. Raises `GateError` saying what to type."""
    if inputs.confirm is None and sys.stdin.isatty() and sys.stderr.isatty():
        return
    if inputs.confirm != action:
        # The URL without its password, which doesn't belong on a command line.
        where = ("--url", target.url) if inputs.target_name is None else ("--target", inputs.target_name)
        typed = shlex.join(("rediagnose", inputs.command, str(inputs.file), inputs.step, *where, "--confirm", action))
        given = (
            f"--confirm {inputs.confirm!r} names a different action"
            if inputs.confirm
            else "there is no terminal to ask in"
        )
        raise _Stopped(f"{given}; to approve it anyway: {typed}")


async def _channel(inputs: ChangeInputs, site: Site, request: ApprovalRequest, stop: HardStop) -> str:
    """The channel through which somebody approved; what follows has its own time. Raises `GateError` for a no."""
    if inputs.confirm is not None:
        stop.begin(inputs.deadline + GRACE)
        return "--confirm"
    if not await Unhurried(TerminalApprover(Console(stderr=True)), stop, inputs.deadline).approve(request):
        site.log(change_entry(site.clock, "refused", request.change, channel="terminal", step=request.step))
        raise _Stopped("the answer wasn't yes")
    return "terminal"


def _refused(inputs: ChangeInputs, step: Step, error: GateError) -> int:
    outcome = "moved" if isinstance(error, Moved) else "refused"
    if inputs.format == "json":
        _print(inputs, step, {"outcome": outcome, "why": str(error)}, [])
    print(one_line(f"rediagnose {inputs.command}: {step.id} {outcome}: {error}"), file=sys.stderr)
    return FAILED


def _json(outcome: Outcome) -> dict[str, Any]:
    change = outcome.applied.change
    return {
        "outcome": "rolled-back" if outcome.taken_back else outcome.came, "action": change.action,
        "before": outcome.applied.read_before, "after": outcome.applied.read_after, "why": outcome.summary,
        "rollback": command_line(change.undo) if change.undo else None, "file": file_lines(change),
        "checks": [{**one.goal.model_dump(), "before": one.before, "after": one.after, "holds": one.holds}
                   for one in outcome.goals],
        "worse": list(outcome.worse),
        "readings": [one.model_dump(mode="json") for one in (*outcome.before, *outcome.after)],
    }  # fmt: skip


def _print(inputs: ChangeInputs, step: Step, outcome: dict[str, Any], lines: list[str]) -> None:
    if inputs.format == "json":
        head = {"schema": 1, "command": inputs.command, "step": step.id, "node": step.node}
        print(json.dumps({**head, **outcome}, indent=2))
    else:
        print("\n".join(map(one_line, lines)))
    sys.stdout.flush()
