"""The steps that a plan could have, before they're brought into one order."""

from agent.answer.diagnosis import Step
from tools.gate.policy import Change
from tools.records import Record


class Draft(Record):
    """One step that a plan could have."""

    step: Step
    change: Change | None = None
    """What would be sent; null for what a person does."""
    ref: str = ""
    """The cause and the number of the remedy that it's made of, such as `thp/1`; empty where no runbook has it."""

    @property
    def is_own(self) -> bool:
        """Whether no runbook has it: a model adds it."""
        return not self.ref

    @property
    def cause(self) -> str:
        """The cause whose remedy it is; empty for a model's own."""
        return self.ref.partition("/")[0]
