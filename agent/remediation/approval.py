"""A person decides about one exact change, and an approved one is carried out."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

from agent.answer.diagnosis import Step
from agent.answer.events import Emit, StepChanged
from agent.plan.build import Planned
from agent.remediation.carry_out import Outcome, Site, carry_out, outcome_lines, roll_back
from agent.remediation.course import Course
from tools.errors import GateError, RediagnoseError, Unlogged
from tools.gate.apply import Applied, Gate
from tools.gate.ledger import change_entry, current_user
from tools.gate.policy import Change, command_line
from tools.records import Record
from tools.text import one_line

SHOWN_MOST = 200
"""Most characters of a read value in a question; what would be sent is never cut."""
Show = Callable[[str], None]
"""Shows a person one line."""


class ApprovalRequest(Record):
    """One change as shown to a person for approval: what the gate would send and has read, and nobody else's words."""

    step: str
    """The step's id in the plan, such as s1."""
    change: Change
    unchecked: str | None = None
    """What couldn't be checked about it, in the gate's own words."""
    takes_back: bool = False
    """Whether it rolls back an applied change."""

    def lines(self) -> list[str]:
        """The request in words for a person, the action first."""
        change = self.change
        rows = [f"{self.step} {change.action}", f"   on      {change.node}"]
        if change.parameter is not None:
            rows.append(
                f"   change  {_short(command_line((change.before or '',)))} -> {command_line((change.args[3],))}"
            )
        elif change.before is not None:
            rows.append(f"   is      {_short(change.before)}")
        rows.append(f"   risk    {change.risk}")
        if self.unchecked:
            rows.append(f"   unknown {self.unchecked}")
        if not self.takes_back:
            rows.append(
                f"   undo    {_short(command_line(change.undo)) if change.undo else 'nothing; it cannot be undone'}"
            )
        return [one_line(row) for row in rows]


def answers(request: ApprovalRequest) -> tuple[str, ...]:
    """The words that approve a request."""
    if request.change.risk == "safe":
        return ("y", "yes")
    return ("yes",) if request.change.parameter is None else ("yes", request.change.parameter.lower())


def _short(text: str) -> str:
    """What was read, in a line or two: a server's long value must not push the question off the screen."""
    return text if len(text) <= SHOWN_MOST else f"{text[:SHOWN_MOST]}… ({len(text)} characters)"


class Approver(Protocol):
    """Whoever may approve: a person at a terminal, or a stand-in for one in the lab and in tests."""

    async def approve(self, request: ApprovalRequest) -> bool:
        """Whether this one change may be made now; anything but a clear yes is False."""


class Incident(Protocol):
    """What deciding needs from an investigation."""

    planned: Planned
    emit: Emit

    def changed(self, step: Step) -> None:
        """Replace a step with its new state."""


class Decisions:
    """Asks about an incident's steps and carries out the approved ones."""

    def __init__(self, incident: Incident, site: Site, approver: Approver, show: Show, channel: str) -> None:
        """`channel` says in the audit log how the approval was given."""
        self._incident = incident
        self._course = Course(site.log, site.clock)
        self._site = replace(site, log=self._course)
        self._gate: Gate = self._site.gate()
        self._step: Step | None = None
        self._approver = approver
        self._show = show
        self._channel = channel

    async def all(self, *, offer_undo: bool = False) -> None:
        """Ask about each step that can be made from here, one by one.

        `offer_undo` asks after each applied step whether to roll it back.
        """
        try:
            for step in list(self._incident.planned.steps):
                if (change := self._incident.planned.changes.get(step.id)) is None:
                    continue
                outcome = await self.one(step, change)
                if offer_undo and outcome is not None and change.undo is not None and not outcome.taken_back:
                    await self.take_back(step, outcome)
        except Unlogged as error:
            # What can't be logged isn't done: the other steps aren't asked about either.
            self._show(f"stopped: {error}")

    async def one(self, step: Step, change: Change) -> Outcome | None:
        """Ask about one step and carry it out if approved; null if it wasn't made. Raises `Unlogged`."""
        with self._deciding(step):
            return await self._one(step, change)

    async def _one(self, step: Step, change: Change) -> Outcome | None:
        request = ApprovalRequest(step=step.id, change=change, unchecked=step.unchecked)
        if not await self._approver.approve(request):
            self._note(step.model_copy(update={"state": "refused"}), "refused")
            self._site.log(change_entry(self._site.clock, "refused", change, channel=self._channel, step=step.id))
            self._show(f"{step.id} refused; nothing was changed")
            return None
        approval = self._gate.approve(change, by=current_user(), channel=self._channel, step=step.id)
        step = step.model_copy(update={"state": "approved"})
        self._note(step, f"approved by {approval.by} ({self._channel})")
        try:
            outcome = await carry_out(self._site, self._gate, step, change, approval)
        except RediagnoseError as error:
            self._note(step.model_copy(update={"state": "failed"}), str(error))
            if isinstance(error, Unlogged):
                raise
            self._show(f"{step.id} not applied: {error}")
            return None
        self._note(step.model_copy(update={"state": outcome.state}), outcome.summary)
        self._show(f"{step.id} {outcome.state}: {outcome.summary}")
        for line in outcome_lines(outcome):
            self._show(line)
        return outcome

    async def take_back(self, step: Step, outcome: Outcome) -> None:
        """Ask whether to roll back an applied step, and do so if approved. Raises `Unlogged`."""
        with self._deciding(step):
            await self._take_back(step, outcome)

    async def _take_back(self, step: Step, outcome: Outcome) -> None:
        try:
            reversal = restoring(outcome.applied)
            if not await self._approver.approve(ApprovalRequest(step=step.id, change=reversal, takes_back=True)):
                return
            approval = self._gate.approve(reversal, by=current_user(), channel=self._channel, step=step.id)
            done = await roll_back(self._site, self._gate, reversal, approval)
        except Unlogged:
            raise
        except RediagnoseError as error:
            self._show(f"{step.id} not rolled back: {error}")
            return
        summary = f"{reversal.parameter} is {done.read_after} again"
        self._note(step.model_copy(update={"state": "rolled-back"}), summary)
        self._show(f"{step.id} rolled back: {summary}")

    @contextmanager
    def _deciding(self, step: Step) -> Iterator[None]:
        self._course.begin()
        self._step = step
        try:
            yield
        except RediagnoseError:
            raise
        except BaseException as error:
            self.break_off("a bug of rediagnose" if isinstance(error, Exception) else "interrupted")
            raise
        finally:
            self._step = None

    def break_off(self, why: str) -> None:
        """Report and log what became of the change in progress, if any: nobody waits for it any longer."""
        if (step := self._step) is None:
            return
        self._step, said = None, self._course.said(why)
        # Reported first: a log that can no longer be written may hang.
        self._show(f"{step.id} {said}")
        try:
            self._course.close(why)
        except Unlogged as error:
            self._show(f"{step.id}: the change can't be recorded: {error}")
        if (state := self._course.came_to) is not None:
            self._note(step.model_copy(update={"state": state}), said)

    def _note(self, step: Step, detail: str) -> None:
        self._incident.changed(step)
        self._incident.emit(StepChanged(step=step, detail=detail))


def restoring(applied: Applied) -> Change:
    """The change that rolls back what was applied, if its value is unchanged. Raises `GateError` if there is none."""
    reversal = applied.change.reversal
    if reversal is None or applied.read_after is None:
        raise GateError(f"{applied.change.action} can't be undone")
    return reversal.model_copy(update={"before": applied.read_after})
