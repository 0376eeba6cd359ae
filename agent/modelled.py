"""The model's part of an investigation, and what stands when it fails."""

from agent.diagnosis import Verdict
from agent.investigation import Investigation
from tools.records import Record


class Asking(Record):
    """How the model is asked."""

    timeout: float = 60.0
    """Seconds for one answer."""
    max_tokens: int | None = None
    """Most tokens of one answer."""
    turns: int = 12
    """Most turns."""


async def think(incident: Investigation, checks: Verdict, asking: Asking) -> Verdict:
    return checks


def show_prompt(incident: Investigation) -> str:
    return ""
