"""Alerts: the webhooks of Alertmanager (version 4) and of Grafana alerting, which extends the same format."""

import hashlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

from agent.tickets.ticket import Labels, Ticket, object_of, objects_of, text_of, time_of

_MOST = 200
"""The most alerts of a notification that are read."""
_LONGEST, _EXPRESSION = 4000, 300
"""Characters of an address that are parsed, and of an expression that are kept."""
_COMMON = ("summary", "description", "message")


def is_alert(body: dict[str, Any]) -> bool:
    """Whether this is a notification from either."""
    alerts = body.get("alerts")
    return (
        isinstance(alerts, list) and bool(objects_of(alerts)) and all("labels" in alert for alert in objects_of(alerts))
    )


def of_alerts(body: dict[str, Any]) -> Ticket:
    """The ticket for a notification: for its alerts that still fire, or for all if none do."""
    alerts = objects_of(body.get("alerts"))
    firing = [alert for alert in alerts if text_of(alert.get("status")).lower() != "resolved"]
    resolved = text_of(body.get("status")).lower() == "resolved" or not firing
    shown = (firing or alerts)[:_MOST]
    grafana = "orgId" in body or ("state" in body and "title" in body)
    common = _pairs(body.get("groupLabels")) | _pairs(body.get("commonLabels"))
    labels: list[Labels] = [common | _pairs(alert.get("labels")) for alert in shown]
    lines = [_annotation_text(object_of(body.get("commonAnnotations")))]
    for alert in shown:
        lines.append(_annotation_text(object_of(alert.get("annotations"))))
        lines.append(_expression(alert))
        values = object_of(alert.get("values"))
        lines.append(", ".join(f"{name}={value}" for name, value in values.items() if isinstance(value, int | float)))
    times = [moment for alert in shown if (moment := time_of(alert.get("startsAt")))]
    return Ticket(
        source="grafana" if grafana else "alertmanager", labels=tuple(labels),
        title=_title(labels) or text_of(body.get("title")),
        text="\n".join(dict.fromkeys("\n".join(filter(None, lines)).splitlines())),
        key=_key(body, alerts), closed="resolved" if resolved else None, at=min(times, default=None),
    )  # fmt: skip


def _expression(alert: dict[str, Any]) -> str:
    """The rule's expression, which Prometheus puts into the address of its own page."""
    try:
        query = urlsplit(text_of(alert.get("generatorURL"))[:_LONGEST]).query
        found = parse_qs(query, max_num_fields=20).get("g0.expr", [""])
    except ValueError:
        return ""
    return " ".join(found[0].split())[:_EXPRESSION]


def _key(body: dict[str, Any], alerts: list[dict[str, Any]]) -> str | None:
    """The fingerprint of a single alert, which is made from its labels alone; of several, the key of their group."""
    if len(alerts) != 1:
        return text_of(body.get("groupKey")) or None
    if fingerprint := text_of(alerts[0].get("fingerprint")):
        return fingerprint
    labels = sorted(_pairs(alerts[0].get("labels")).items())
    return hashlib.sha256(repr(labels).encode("utf-8", "replace")).hexdigest()[:16]


def _pairs(labels: Any) -> dict[str, tuple[str, ...]]:
    return {name: (text_of(value),) for name, value in object_of(labels).items() if text_of(value)}


def _annotation_text(annotations: dict[str, Any]) -> str:
    """A rule's annotations, common ones first."""
    names = sorted(annotations, key=lambda name: (_COMMON.index(name) if name in _COMMON else len(_COMMON), name))
    links = ("url", "__", "image")
    return "\n".join(text_of(annotations[n]) for n in names if not any(n.endswith(e) or n.startswith(e) for e in links))


def _title(labels: list[Labels]) -> str:
    names = dict.fromkeys(name for one in labels for name in one.get("alertname", ()))
    return ", ".join(names)
