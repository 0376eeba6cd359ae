"""What placeholders in remedies stand for: each family of checks defines those for its own causes."""

from collections.abc import Container

from agent.checks import PLACEHOLDERS
from agent.evidence.view import View

EXAMPLES: dict[str, str] = {one.name: one.example for one in PLACEHOLDERS}
"""The `$name`s a remedy may use, each with an example."""


def values_at(view: View, names: Container[str] = EXAMPLES) -> dict[str, tuple[str, ...]]:
    """The known values of these placeholders at a node; some have several."""
    values = {one.name: one.values(view) for one in PLACEHOLDERS if one.name in names}
    return {name: known for name, known in values.items() if known}
