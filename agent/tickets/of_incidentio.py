"""An incident or an alert of incident.io: its webhooks, which have the object under the event's own name."""

from typing import Any

from agent.tickets.ticket import Labels, Ticket, object_of, objects_of, scalar_text, text_of, time_of

OVER = ("learning", "closed", "canceled", "declined", "merged")
"""Categories of a status in which nobody looks for the cause any longer."""


def is_incidentio(body: dict[str, Any]) -> bool:
    """Whether this is one."""
    thing = thing_in(body)
    return bool(text_of(thing.get("id"))) and ("name" in thing or "title" in thing)


def thing_in(body: dict[str, Any]) -> dict[str, Any]:
    """The incident or alert that an event is about; empty if there is none."""
    event = object_of(body.get(text_of(body.get("event_type"))))
    return object_of(event.get("incident")) or object_of(event.get("alert")) or event


def of_incidentio(body: dict[str, Any]) -> Ticket:
    """The ticket of one."""
    thing = thing_in(body)
    event = object_of(body.get(text_of(body.get("event_type"))))
    parts = (event.get("message"), thing.get("summary"), thing.get("description"))
    status = object_of(event.get("new_status")) or object_of(thing.get("incident_status"))
    state = text_of(status.get("category")).lower() or text_of(thing.get("status")).lower()
    return Ticket(
        source="incidentio", title=text_of(thing.get("name")) or text_of(thing.get("title")),
        text="\n".join(filter(None, map(text_of, parts))), labels=(_labels(thing),), key=text_of(thing.get("id")),
        closed=state if state in (*OVER, "resolved") else None, at=time_of(thing.get("created_at")),
    )  # fmt: skip


def _labels(thing: dict[str, Any]) -> Labels:
    named = {name: text_of(object_of(thing.get(name)).get("name")) for name in ("severity", "incident_type")}
    named["reference"] = text_of(thing.get("reference"))
    labels: dict[str, tuple[str, ...]] = {name: (value,) for name, value in named.items() if value}
    for entry in objects_of(thing.get("custom_field_entries")):
        if name := text_of(object_of(entry.get("custom_field")).get("name")):
            labels[name] = tuple(filter(None, map(_value, objects_of(entry.get("values")))))
    for attribute in objects_of(thing.get("attributes")):
        if name := text_of(object_of(attribute.get("attribute")).get("name")):
            one = object_of(attribute.get("value"))
            several = objects_of(attribute.get("array_value"))
            labels[name] = tuple(filter(None, (text_of(part.get("label")) for part in (one, *several))))
    return {name: values for name, values in labels.items() if values}


def _value(value: dict[str, Any]) -> str:
    """The value of a custom field, whatever kind of field it is."""
    option = object_of(value.get("value_option")).get("value")
    entry = object_of(value.get("value_catalog_entry")).get("name")
    kinds = (option, entry, value.get("value_text"), value.get("value_link"), value.get("value_numeric"))
    return next(filter(None, map(scalar_text, kinds)), "")
