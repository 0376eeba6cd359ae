"""The records that tools return: frozen, typed, flat."""

import math
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

Scalar = str | int | float | bool | None
Values = dict[str, Scalar]
"""What a tool returns: field name to value, flat."""

Kind = Literal[
    "timeout", "refused", "reset", "dns", "tls", "noauth", "wrongpass", "denied", "unknown-command", "maxclients",
    "protected", "busy", "loading", "misconf", "restarted", "not-recorded", "not-local", "malformed",
    "untrusted", "not-pasted",
]  # fmt: skip
KINDS: tuple[str, ...] = get_args(Kind)
SAID, SAID_BY = "__", "said_by"
"""What stands between a server's name and its tool's where nothing is measured, and the field that says whose words."""


class Record(BaseModel):
    """The base of every record: frozen, and strict about unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


def is_countable(value: object) -> bool:
    """Whether a number is one that a reading may have: finite, and a whole one of at most 64 bits; true for a text."""
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or -(2**64) < value < 2**64


class Unavailable(Record):
    """Why something could not be read: never empty, never healthy."""

    kind: Kind
    """The kind, cited as field `unavailable`."""
    detail: str
    """What was seen, for a person."""


class Reading(Record):
    """One call of a tool and its result."""

    id: Annotated[str, Field(pattern=r"^r[0-9]+$")]
    """`r0` is the symptom; the others count up in the order in which they began."""
    tool: str
    """The tool's name."""
    args: dict[str, Scalar | list[str]]
    """The arguments it was called with."""
    node: str | None
    """host:port or unix:PATH; null for a reading without a node."""
    at: str
    """When it began: ISO 8601, UTC, whole seconds."""
    ms: float | None
    """How long it took, in milliseconds."""
    values: Values | None
    """Field to value; `.delta` is over the window, `.rate` is per second."""
    unavailable: Unavailable | None
    """Null, or why there is nothing (or nothing more) in `values`."""
    asked: Annotated[bool, Field(exclude=True)] = False
    """Whether a model asked for it: what it couldn't get takes nothing away from what was read without it."""
    hasty: Annotated[bool, Field(exclude=True)] = False
    """Whether a model asked for less than the tool does by itself, such as a shorter wait: nothing follows from it."""

    @property
    def said_by(self) -> str | None:
        """The name of the team's own server whose words it is; null for what was measured."""
        return said_by(self.tool)

    def get(self, field: str) -> Scalar:
        """The value of a field as it is cited, or null: `unavailable` gives the kind."""
        if field == "unavailable":
            return self.unavailable.kind if self.unavailable else None
        values = self.values
        return values.get(field) if values else None

    def has(self, field: str) -> bool:
        """Whether the field exists in this reading."""
        return (field == "unavailable" and self.unavailable is not None) or field in (self.values or {})


def said_by(tool: str) -> str | None:
    """The server of the team's own that a tool asks; null for a tool of this program."""
    name, mark, _ = tool.partition(SAID)
    return name if mark else None


class BudgetLimits(Record):
    """The most that one investigation may cost a deployment."""

    commands: int = 400
    """Commands, PINGs of latency samples not among them."""
    pings: int = 200
    """PINGs of latency samples."""
    bytes: int = 64 * 2**20
    """Bytes sent and received."""
    seconds: float | None = None
    """Wall time from the first reading to the answer; null where a person has the last word."""


class Footprint(Record):
    """What the investigation cost the deployment."""

    commands: int
    """Commands sent, PINGs of latency samples not among them."""
    pings: int
    """PINGs sent by latency samples."""
    bytes: int
    """Bytes sent and received, all nodes together."""
    budget: BudgetLimits = BudgetLimits()
    """The bounds that it was held to."""
