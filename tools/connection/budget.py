"""What the investigation sends: counted, bounded, and known by name so that it can be taken out of the evidence."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tools.errors import BudgetSpent
from tools.records import BudgetLimits, Footprint

PER_NODE = 40
"""Commands that the first readings of one node take at most."""

PINGS_PER_NODE, SHARING = 5, 6
"""PINGs of one node of a large deployment, and how many nodes share an investigation's own."""
KEPT_BYTES = 2**20
"""Bytes that are kept back along with commands."""


class Budget:
    """A running count against a budget, shared by all nodes of an investigation."""

    def __init__(self, budget: BudgetLimits | None = None) -> None:
        self._base = budget or BudgetLimits()
        self.limits = self._base
        self.commands = 0
        self.pings = 0
        self.bytes = 0
        self._nodes = 1
        self._kept = 0

    def allow(self, more: BudgetLimits) -> None:
        """Raise the bounds by so much: what goes on from here is more than an investigation."""
        self._base = self._base.model_copy(
            update={name: getattr(self._base, name) + getattr(more, name) for name in ("commands", "pings", "bytes")}
        )
        self.widen(self._nodes)

    def widen(self, nodes: int) -> None:
        """Allow for so many nodes: the bound on commands grows with each after the first, that on PINGs with each of
        which there are more than `SHARING`."""
        self._nodes = nodes
        commands = self._base.commands + PER_NODE * max(0, nodes - 1)
        pings = self._base.pings + PINGS_PER_NODE * max(0, nodes - SHARING)
        self.limits = self._base.model_copy(update={"commands": commands, "pings": pings})

    def grant(self, *, commands: int, pings: int, bytes: int) -> None:
        """Allow for a step that a person said yes to: a spent bound must not keep it from being taken back."""
        base, bound = self._base, self.limits
        self._base = base.model_copy(update={"commands": base.commands + commands})
        more = {"commands": bound.commands + commands, "pings": bound.pings + pings, "bytes": bound.bytes + bytes}
        self.limits = bound.model_copy(update=more)

    @contextmanager
    def keeping(self, commands: int) -> Iterator[None]:
        """Keep so many commands back for what comes after the block: whoever reads in it can't use up all of them."""
        self._kept += commands
        try:
            yield
        finally:
            self._kept -= commands

    @property
    def footprint(self) -> Footprint:
        """The cost so far."""
        return Footprint(commands=self.commands, pings=self.pings, bytes=self.bytes, budget=self.limits)

    def transfer(self, more: int) -> bool:
        """Count bytes as they come; whether all nodes together are still within the bound."""
        self.bytes += more
        return self.bytes <= self.limits.bytes

    def spend(self, *, commands: int = 0, pings: int = 0, transferred: int = 0) -> None:
        """Count, or raise `BudgetSpent` before anything is sent. A live connection counts its bytes by `transfer`."""
        for name, spent, more in (("commands", self.commands, commands), ("pings", self.pings, pings)):
            reserve = self._kept if name == "commands" else 0
            if more and spent + more > (bound := getattr(self.limits, name) - reserve):
                raise BudgetSpent(f"the incident's limit of {bound} {name} is reached; conclude from what was read")
        if (commands or pings) and self.bytes > self.limits.bytes - KEPT_BYTES * bool(self._kept):
            raise BudgetSpent(f"the incident's limit of {self.limits.bytes} bytes is reached; conclude")
        self.commands += commands
        self.pings += pings
        self.bytes += transferred


class OwnTraffic:
    """What this program did to one node: its calls by commandstats name, its connections and its errors."""

    def __init__(self, *, counts: bool = True) -> None:
        """Without `counts` there is none in what is looked at: copies are empty."""
        self._counts = counts
        self.calls: Counter[str] = Counter()
        """Commands that were answered with a value, by their commandstats name."""
        self.connections = 0
        """Connections that the server let in."""
        self.rejected = 0
        """Connections that the server turned away at its limit."""
        self.errors: Counter[str] = Counter()
        """Error replies by their first word."""
        self.refused: Counter[str] = Counter()
        """Commands that were answered with an error, by their commandstats name."""

    def copy(self) -> "OwnTraffic":
        """The counts as they are now."""
        other = OwnTraffic(counts=self._counts)
        if not self._counts:
            return other
        other.calls, other.errors, other.refused = self.calls.copy(), self.errors.copy(), self.refused.copy()
        other.connections, other.rejected = self.connections, self.rejected
        return other
