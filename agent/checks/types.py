"""What a check is, and what a family of checks declares."""

from collections.abc import Callable, Iterator, Mapping

from agent.answer.diagnosis import Cause, RuledOut
from agent.evidence.view import View
from tools.records import Record

Limits = Mapping[str, float]
"""Thresholds by name, from the bundled runbooks."""
Found = Iterator[Cause | RuledOut]
Check = Callable[[View, Limits], Found]
"""Yields what the readings speak for, and what they speak against."""


class Placeholder(Record):
    """What a `$name` in a runbook's remedy stands for."""

    name: str
    example: str
    """A value as it may be, for the linter."""
    values: Callable[[View], tuple[str, ...]]
    """Its values at a node, one for each step that they make; none where they aren't known."""


class Family(Record):
    """Checks of one kind, and what has to be known of the causes that they find."""

    checks: tuple[Check, ...]
    needs: Mapping[str, tuple[str, ...]]
    """By cause: the tools whose readings it can't be recognised without; none where any of several will do."""
    consequences: Mapping[str, Mapping[str, float]] = {}
    """What a cause brings with it: present, it explains the other away by this factor."""
    placeholders: tuple[Placeholder, ...] = ()
    """What its causes' remedies are filled with."""
