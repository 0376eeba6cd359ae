"""A ticket in JSON of any form, by a team's own mapping from rediagnose.toml."""

from collections.abc import Mapping
from typing import Any

from agent.tickets.ticket import Labels, Ticket, moment_of, object_of, pairs_of, scalar_text, time_of
from tools.settings.webhook_table import MapTable


def is_mapped(body: dict[str, Any], mapping: MapTable) -> bool:
    """Whether the mapping finds what it needs in this."""
    return bool(scalar_text(found(body, mapping.title)) and scalar_text(found(body, mapping.key)))


def of_mapped(body: dict[str, Any], mapping: MapTable) -> Ticket:
    """The ticket that a mapping finds."""
    state = _state(found(body, mapping.state)) if mapping.state else ""
    when = found(body, mapping.at) if mapping.at else None
    return Ticket(
        source="json", title=scalar_text(found(body, mapping.title)),
        text="\n".join(filter(None, (scalar_text(found(body, path)) for path in mapping.text))),
        labels=(_labels(body, mapping.labels),), key=scalar_text(found(body, mapping.key)) or None,
        closed=state if state and state.lower() in {one.lower() for one in mapping.resolved} else None,
        at=time_of(when) or moment_of(when),
    )  # fmt: skip


def found(body: Any, path: str) -> Any:
    """What is at a dotted path; null if there is nothing."""
    for part in path.split("."):
        if isinstance(body, list) and part.isascii() and part.isdigit() and int(part[:6]) < len(body):
            body = body[int(part[:6])]
        else:
            body = object_of(body).get(part)
    return body


def _state(value: Any) -> str:
    """A state as a text; true and false as they are written in JSON."""
    return str(value).lower() if isinstance(value, bool) else scalar_text(value)


def _labels(body: dict[str, Any], labels: str | Mapping[str, str]) -> Labels:
    if isinstance(labels, str):
        return pairs_of(found(body, labels)) if labels else {}
    values = {name: _values(found(body, path)) for name, path in labels.items()}
    return {name: value for name, value in values.items() if value}


def _values(value: Any) -> tuple[str, ...]:
    return tuple(filter(None, map(scalar_text, value if isinstance(value, list) else [value])))
