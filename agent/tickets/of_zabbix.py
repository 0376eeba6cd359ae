"""A Zabbix problem: a webhook media type whose parameters go by the names of Zabbix' own media types."""

import json
from datetime import datetime
from typing import Any

from agent.tickets.ticket import Labels, Ticket, moment_of, objects_of, scalar_text, text_of, time_of

_LABELS = {
    "host_name": "host", "host_host": "hostname", "host_ip": "ip", "host_port": "port",
    "event_severity": "severity", "trigger_id": "trigger_id",
}  # fmt: skip
"""Parameters that are labels, by the names of those."""


def is_zabbix(body: dict[str, Any]) -> bool:
    """Whether this is one."""
    return "event_id" in body and "event_value" in body


def of_zabbix(body: dict[str, Any]) -> Ticket:
    """The ticket of one."""
    title = text_of(body.get("event_name")) or text_of(body.get("alert_subject"))
    parts = [text_of(body.get(name)) for name in ("event_opdata", "alert_message", "trigger_description")]
    over = scalar_text(body.get("event_value")) == "0"
    return Ticket(
        source="zabbix", title=title, text="\n".join(dict.fromkeys(filter(None, parts))), labels=(_labels(body),),
        key=scalar_text(body.get("event_id")) or None, closed="resolved" if over else None, at=_time(body),
    )  # fmt: skip


def _labels(body: dict[str, Any]) -> Labels:
    labels: dict[str, tuple[str, ...]] = {}
    for tag in _tags(body.get("event_tags_json")):
        if name := text_of(tag.get("tag")):
            labels[name] = (*labels.get(name, ()), text_of(tag.get("value")))
    for parameter, name in _LABELS.items():
        # A macro without a value arrives as it was written.
        if (value := scalar_text(body.get(parameter))) and not value.startswith("{"):
            labels[name] = (value,)
    return labels


def _tags(value: Any) -> list[dict[str, Any]]:
    """{EVENT.TAGSJSON}: a text with JSON in it, or JSON if the script parsed it."""
    try:
        return objects_of(json.loads(value) if isinstance(value, str) else value)
    except (ValueError, RecursionError):
        return []


def _time(body: dict[str, Any]) -> datetime | None:
    """{EVENT.TIMESTAMP}, or {EVENT.DATE} and {EVENT.TIME}, which are in the Zabbix server's time zone."""
    if found := moment_of(body.get("event_timestamp")):
        return found
    zone = text_of(body.get("event_zone"))
    day, hour = text_of(body.get("event_date")).replace(".", "-"), text_of(body.get("event_time"))
    return time_of(f"{day}T{hour}{zone}") if day and hour and zone else None
