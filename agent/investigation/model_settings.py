"""Which model is asked, and how; separate from the code that asks, which the checks alone never load."""

from agent.answer.diagnosis import OFFLINE, ModelUse
from agent.model.extras import Extras
from agent.model.usage import Prices
from tools.records import Record


class ModelSettings(Record):
    """Which model is asked, and how."""

    use: ModelUse = ModelUse(name=OFFLINE)
    """The model, and why this one; `offline` for the checks alone."""
    timeout: float = 60.0
    """Seconds for one answer."""
    max_tokens: int | None = None
    """Most tokens of one answer."""
    turns: int = 12
    """Most turns."""
    total_tokens: int = 400_000
    """Most tokens of all answers together, in and out."""
    cost: float | None = None
    """Most money of all answers together, by `prices`; null for no bound."""
    prices: Prices = Prices()
    """What tokens cost."""
    extras: Extras = Extras()
    """What each request contains besides the conversation."""
    bare: bool = False
    """Give it only the tools: no digest, findings or runbooks, and no checks to replace its answer."""
    base_url: str | None = None
    """Where the model is; null for what the environment says."""
