"""A PagerDuty incident: a V3 webhook, or the object of the REST API."""

import re
from collections.abc import Iterator
from typing import Any

from agent.tickets.ticket import Labels, Place, Ticket, foreign_comment, object_of, objects_of, origin, text_of, time_of

_REFERENCES = ("service", "priority", "escalation_policy")


def _incident(body: dict[str, Any]) -> dict[str, Any]:
    data = object_of(object_of(body.get("event")).get("data"))
    # Events about a note or a responder contain the incident. A V2 webhook has a list of messages, the newest last.
    message = (objects_of(body.get("messages")) or [{}])[-1]
    return (
        object_of(data.get("incident"))
        or data
        or object_of(message.get("incident"))
        or object_of(body.get("incident"))
        or body
    )


def is_pagerduty(body: dict[str, Any]) -> bool:
    """Whether this is one."""
    incident = _incident(body)
    kind = text_of(incident.get("type"))
    plain = re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text_of(incident.get("id"))) is not None
    return plain and (kind in ("incident", "incident_reference") or "incident_key" in incident)


def of_pagerduty(body: dict[str, Any]) -> Ticket:
    """The ticket of one."""
    incident = _incident(body)
    note = foreign_comment(text_of(object_of(object_of(body.get("event")).get("data")).get("content")))
    status = text_of(incident.get("status")).lower()
    details = incident.get("body")
    text = [note, text_of(incident.get("description")), *_flat(object_of(details).get("details"), 0)]
    title = text_of(incident.get("title")) or text_of(incident.get("summary"))
    return Ticket(
        source="pagerduty", title=title, text="\n".join(dict.fromkeys(part for part in text if part and part != title)),
        labels=(_labels(incident),),
        place=Place(api=origin(incident.get("self")), key=text_of(incident.get("id"))),
        key=text_of(incident.get("id")), closed=status if status == "resolved" else None,
        at=time_of(incident.get("created_at")),
    )  # fmt: skip


def _flat(details: Any, depth: int) -> Iterator[str]:
    """The details sent by an integration, one line per value."""
    if isinstance(details, str):
        yield details.strip()
    elif isinstance(details, dict) and depth < 5:
        for name, value in details.items():
            for line in _flat(value, depth + 1):
                yield f"{name}: {line}"
    elif isinstance(details, list) and depth < 5:
        for value in details:
            yield from _flat(value, depth + 1)
    elif isinstance(details, int | float):
        yield str(details)


def _labels(incident: dict[str, Any]) -> Labels:
    labels: dict[str, tuple[str, ...]] = {}
    for name in _REFERENCES:
        if value := text_of(object_of(incident.get(name)).get("summary")):
            labels[name] = (value,)
    if service := text_of(object_of(incident.get("service")).get("id")):
        labels["service_id"] = (service,)
    if teams := tuple(filter(None, (text_of(team.get("summary")) for team in objects_of(incident.get("teams"))))):
        labels["team"] = teams
    for name in ("urgency", "incident_key"):
        if value := text_of(incident.get(name)):
            labels[name] = (value,)
    details = object_of(object_of(incident.get("body")).get("details"))
    # The labels of the underlying alert; the incident's own take precedence.
    for source in (details, object_of(details.get("labels"))):
        labels |= {name: (text_of(value),) for name, value in source.items() if text_of(value) and name not in labels}
    return labels
