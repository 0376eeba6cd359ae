"""Which model answers, how it's asked and what it may cost, according to the command line."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, cast

from agent.answer.diagnosis import OFFLINE, ModelUse
from agent.investigation.model_settings import ModelSettings
from agent.model.extras import Effort, Extras
from agent.model.usage import Prices
from tools.errors import UsageError
from tools.records import Record

if TYPE_CHECKING:
    from tools.mcp.server import McpServer


class ModelInputs(Record):
    """The options about the model."""

    model: str | None = None
    """`offline` for the checks alone; null for what the environment says."""
    model_timeout: float = 60.0
    """Seconds for one answer of the model."""
    reasoning_effort: str | None = None
    """How much it thinks; null for what the settings say."""
    max_tokens: int | None = None
    max_turns: int = 12
    max_total_tokens: int = 400_000
    price_in: float | None = None
    """Per million tokens."""
    price_out: float | None = None
    price_cached: float | None = None
    """Per million input tokens that the provider had in its cache; null for the price of the others."""
    max_cost: float | None = None

    def model_settings(self, use: ModelUse) -> ModelSettings:
        """How the model is asked. Raises `UsageError` for a cost limit without the prices it needs."""
        if self.max_cost is not None and None in (self.price_in, self.price_out):
            raise UsageError("--max-cost needs --price-in and --price-out, the prices per million tokens")
        return ModelSettings(
            use=use, timeout=self.model_timeout, max_tokens=self.max_tokens, turns=self.max_turns,
            total_tokens=self.max_total_tokens, cost=self.max_cost, extras=self.extras(use),
            prices=Prices(of_in=self.price_in, of_out=self.price_out, of_cached=self.price_cached),
        )  # fmt: skip

    def extras(self, use: ModelUse) -> Extras:
        """What each request contains besides the conversation.

        Raises `UsageError` if an untrusted file sets any of it.
        """
        effort = cast("Effort | None", self.reasoning_effort)
        if use.name == OFFLINE:
            return Extras(effort=effort)
        from tools.settings.file import load_settings

        table = load_settings().model
        table.must_be_trusted()
        return Extras(
            effort=effort or table.reasoning_effort, fields=table.request, cache=table.cache_control, form=table.form
        )

    def mcp_servers(self, use: ModelUse) -> "tuple[McpServer, ...]":
        """The team's own servers that the model may ask; none without a model.

        Raises `UsageError` where an untrusted file names some, a secret of theirs is missing, or what asks them is.
        """
        if use.name == OFFLINE:
            return ()
        from tools.settings.file import load_settings

        settings = load_settings()
        servers = tuple(one.server() for one in settings.mcp)
        if servers and find_spec("mcp") is None:
            raise UsageError(
                f"{settings.file}: mcp: what asks these servers isn't installed; pip install 'rediagnose[mcp]', or "
                "take [[mcp]] out"
            )
        return servers
