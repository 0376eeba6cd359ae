"""The steps a plan could have, before they are put in one order."""

from agent.answer.diagnosis import Step
from tools.gate.policy import Change
from tools.records import Record


class Draft(Record):
    """One step a plan could have."""

    step: Step
    change: Change | None = None
    """What would be sent; null for a step that a person does."""
    ref: str = ""
    """The cause and number of its remedy, such as `thp/1`; empty if no runbook has it."""

    @property
    def is_own(self) -> bool:
        """Whether a model added it, so that no runbook has it."""
        return not self.ref

    @property
    def cause(self) -> str:
        """The cause it is a remedy for; empty for a model's own step."""
        return self.ref.partition("/")[0]
