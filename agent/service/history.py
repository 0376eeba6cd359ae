"""What an incident's events say, for whoever shows them."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from agent.service.records import NumberedEvent


class Waiting(NamedTuple):
    """A decision of which nothing has come yet."""

    undo: bool
    by: str


def data_of(event: NumberedEvent) -> Mapping[str, Any]:
    """The values of an event; none if it isn't an object, or was too long to be kept whole."""
    try:
        found = json.loads(event.data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def waiting(history: Iterable[NumberedEvent]) -> Mapping[str, Waiting]:
    """By step, what was decided about it and by whom, for those of which nothing has come yet."""
    found: dict[str, Waiting] = {}
    for event in history:
        said = data_of(event)
        if event.kind == "decided":
            found[str(said.get("step"))] = Waiting(said.get("verb") == "roll-back", str(said.get("by")))
        elif event.kind == "step-changed" and isinstance(step := said.get("step"), dict):
            found.pop(str(step.get("id")), None)
        elif event.kind in ("answered", "submitted"):
            found.clear()
    return found
