"""The limits of what a model may cost in an investigation, and what it has cost."""

import time
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from agent.answer.diagnosis import ModelUse
from tools.records import Record

if TYPE_CHECKING:
    from agent.model.response import Turn

RESERVE = 0.25
"""The share of the time, of the tokens and of the money that is reserved for the conclusion."""
BYTES_PER_TOKEN = 4
"""About, where an endpoint doesn't count."""
MILLION = 1_000_000
Price = Annotated[float, Field(ge=0)]


class Prices(Record):
    """What a million tokens cost, in any currency; null where that isn't known."""

    of_in: Price | None = None
    of_out: Price | None = None
    of_cached: Price | None = None
    """Of those in that the provider had in its cache; null where they cost what the others do."""

    def cost(self, tokens_in: int, tokens_out: int, cached: int = 0) -> float | None:
        """What so many tokens cost, `cached` of those in from the cache; null without any price."""
        if self.of_in is None and self.of_out is None:
            return None
        of_in = self.of_in or 0
        of_cached = of_in if self.of_cached is None else self.of_cached
        spent = (tokens_in - cached) * of_in + cached * of_cached + tokens_out * (self.of_out or 0)
        return round(spent / MILLION, 6)


class Limits(Record):
    """The bounds of a model's part."""

    turns: Annotated[int, Field(ge=1)] = 12
    """Most answers."""
    tokens: Annotated[int, Field(ge=1)] = 400_000
    """Most tokens of all answers together, in and out."""
    cost: Price | None = None
    """Most money, by `prices`; null for no bound."""
    prices: Prices = Prices()
    ends: float
    """The deadline in seconds of `time.monotonic`: an endpoint takes real time, also where the incident is replayed."""


class Spending:
    """A model's use, measured against its limits."""

    def __init__(self, name: str, limits: Limits, spent: ModelUse | None = None) -> None:
        """`spent` is what the same bounds on tokens and money were used for before."""
        self.use = spent or ModelUse(name=name)
        self.limits = limits
        self.reserve = RESERVE * (limits.ends - time.monotonic())
        """Seconds that are reserved."""
        self._largest_tokens, self._largest_cost = 0, 0.0

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self.limits.ends - time.monotonic()

    def add(self, turn: "Turn", sent: int) -> None:
        """Count an answer to a request of so many bytes; where the endpoint doesn't count, by its size."""
        tokens_in, tokens_out = turn.tokens_in, turn.tokens_out
        estimated = not (tokens_in or tokens_out)
        if estimated:
            written = len(turn.text) + sum(len(call.arguments) for call in turn.tool_calls)
            tokens_in, tokens_out = sent // BYTES_PER_TOKEN, written // BYTES_PER_TOKEN
        use = self.use
        all_cached = use.tokens_cached + turn.tokens_cached
        all_in, all_out = use.tokens_in + tokens_in, use.tokens_out + tokens_out
        self.use = use.model_copy(update={
            "turns": use.turns + 1, "tokens_in": all_in, "tokens_out": all_out, "tokens_cached": all_cached,
            "cost": self.limits.prices.cost(all_in, all_out, all_cached), "estimated": use.estimated or estimated,
        })  # fmt: skip
        self._largest_tokens = max(self._largest_tokens, tokens_in + tokens_out)
        self._largest_cost = max(self._largest_cost, self.limits.prices.cost(tokens_in, tokens_out) or 0)

    @property
    def tokens(self) -> int:
        """All tokens so far."""
        return self.use.tokens_in + self.use.tokens_out

    def must_conclude(self, number: int) -> bool:
        """Whether this answer has to be the conclusion: the last turn, or possibly the last that the limits allow."""
        bounds: list[tuple[float, float, float]] = [(self.tokens, self._largest_tokens, self.limits.tokens)]
        if self.limits.cost is not None:
            bounds.append((self.use.cost or 0, self._largest_cost, self.limits.cost))
        near = any(spent > (1 - RESERVE) * most or spent + 2 * largest > most for spent, largest, most in bounds)
        return number >= self.limits.turns or self.left < self.reserve or near

    def exceeded_bound(self) -> str | None:
        """Which bound is spent, so that nothing more is asked; null if none is."""
        if self.tokens >= self.limits.tokens:
            return f"the model spent {self.tokens} of {self.limits.tokens} tokens without reaching a diagnosis"
        if self.limits.cost is not None and (self.use.cost or 0) >= self.limits.cost > 0:
            return f"the model spent {self.use.cost:g} of at most {self.limits.cost:g} without reaching a diagnosis"
        return None
