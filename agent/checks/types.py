"""What a check is, and what a family of checks declares."""

from collections.abc import Callable, Iterator, Mapping

from agent.answer.diagnosis import Cause, RuledOut
from agent.evidence.view import View
from tools.records import Record

Limits = Mapping[str, float]
"""Thresholds by name, from the bundled runbooks."""
Found = Iterator[Cause | RuledOut]
Check = Callable[[View, Limits], Found]
"""Yields what the readings support and what they contradict."""


class Placeholder(Record):
    """What a `$name` in a runbook's remedy stands for."""

    name: str
    example: str
    """An example value, for the linter."""
    values: Callable[[View], tuple[str, ...]]
    """Its values at a node, one for each step that they make; empty if unknown."""


class Family(Record):
    """Checks of one family, and what has to be known about the causes they find."""

    checks: tuple[Check, ...]
    needs: Mapping[str, tuple[str, ...]]
    """By cause: the tools whose readings are required to recognise it; empty if any of several will do."""
    consequences: Mapping[str, Mapping[str, float]] = {}
    """The consequences of a cause: if present, it explains the other away by this factor."""
    placeholders: tuple[Placeholder, ...] = ()
    """The placeholders of its causes' remedies."""
