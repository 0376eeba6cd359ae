"""What the placeholders in remedies stand for: the families of checks say it, each for its own causes' remedies."""

from collections.abc import Container

from agent.checks import PLACEHOLDERS
from agent.evidence.view import View

EXAMPLES: dict[str, str] = {one.name: one.example for one in PLACEHOLDERS}
"""What a remedy's `$name` may be, each with an example."""


def values_at(view: View, names: Container[str] = EXAMPLES) -> dict[str, tuple[str, ...]]:
    """What placeholders, those of these names, stand for at a node as far as it's known; of some there are several."""
    values = {one.name: one.values(view) for one in PLACEHOLDERS if one.name in names}
    return {name: known for name, known in values.items() if known}
