"""A change as a person is asked about it: made of what the gate would send, and of nobody's words about it."""

from typing import Literal, NamedTuple

from agent.answer.diagnosis import Step
from agent.remediation.applied import recorded_change
from agent.remediation.approval import ApprovalRequest
from agent.report.quantities import quantity, unit_of
from agent.service.records import Decision, Verb
from tools.errors import GateError
from tools.gate.policy import command_line

Kind = Literal["decide", "roll-back"]
OPEN, DONE = ("proposed", "refused", "failed", "rolled-back"), ("applied", "verified")
"""States in which a step may be approved, and rolled back."""
KINDS: dict[str, Kind] = {"decide": "decide", "roll-back": "roll-back"}


class Proposal(NamedTuple):
    """One exact change that waits for a decision."""

    kind: Kind
    request: ApprovalRequest

    @property
    def action(self) -> str:
        """The command, word for word."""
        return self.request.change.action

    @property
    def before(self) -> str | None:
        """The value read before; the change is only made if it is still there."""
        return self.request.change.before

    @property
    def after(self) -> str | None:
        """The new value of a CONFIG SET."""
        change = self.request.change
        return change.args[3] if change.parameter is not None else None

    @property
    def sizes(self) -> str | None:
        """Both values as people read them, if they are amounts of memory."""
        parameter, values = self.request.change.parameter or "", (self.before, self.after)
        if unit_of(parameter) != "bytes" or not all(one and one.isdigit() and int(one) for one in values):
            return None
        return " to ".join(quantity(one, "bytes") for one in values)

    @property
    def undo(self) -> str | None:
        """The command that takes it back; null if nothing does."""
        undo = self.request.change.undo
        return command_line(undo) if undo else None

    @property
    def is_risky(self) -> bool:
        """Whether the policy calls it risky."""
        return self.request.change.risk == "risky"

    @property
    def lasts(self) -> bool:
        """Whether it survives a restart; a CONFIG SET doesn't."""
        return self.request.change.parameter is None

    def decided(self, verb: Verb, by: str) -> Decision:
        """A person's decision about it."""
        return Decision(step=self.request.step, verb=verb, action=self.action, before=self.before, by=by)


def proposal(step: Step, kind: Kind) -> Proposal | str:
    """What may be decided about a step now, or why nothing can be."""
    try:
        change = recorded_change(step)
    except GateError as error:
        return str(error)
    if kind == "decide":
        if step.state not in OPEN:
            return f"{step.id} is {step.state.replace('-', ' ')} already; there is nothing left to decide."
        return Proposal(kind, ApprovalRequest(step=step.id, change=change, unchecked=step.unchecked))
    if step.state not in DONE:
        return f"{step.id} is {step.state.replace('-', ' ')}; there is nothing to roll back."
    if (reversal := change.reversal) is None:
        return f"{change.action} can't be undone."
    reversal = reversal.model_copy(update={"before": change.args[3]})
    return Proposal(kind, ApprovalRequest(step=step.id, change=reversal, takes_back=True))
