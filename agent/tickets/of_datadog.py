"""A Datadog alert: a webhook with the payload that the docs name, or with Datadog's own default."""

import re
from typing import Any

from agent.tickets.of_github import split_labels
from agent.tickets.ticket import Labels, Ticket, moment_of, scalar_text, text_of
from tools.patterns import deferred

_PREFIX = deferred(r"\[(?:P\d\] \[)?(Re-)?(Triggered|Recovered|Warn|No Data|Renotify)[^\]]{0,200}\]\s*", re.IGNORECASE)
"""What Datadog writes before a monitor's title."""
_MARKUP = deferred(r"%%%|@webhook-[\w-]+")


def is_datadog(body: dict[str, Any]) -> bool:
    """Whether this is one."""
    return "alert_transition" in body or {"event_type", "last_updated", "title", "org"} <= body.keys()


def of_datadog(body: dict[str, Any]) -> Ticket:
    """The ticket of one."""
    title = text_of(body.get("title"))
    found = _PREFIX.match(title)
    plain = title[found.end() :] if found else title
    transition = text_of(body.get("alert_transition")) or (found[2] if found else "")
    over = transition.lower() == "recovered"
    return Ticket(
        source="datadog", title=plain or title, text=_text(body),
        labels=(_labels(body),), key=_key(body, plain), closed="recovered" if over else None,
        at=moment_of(body.get("date")),
    )  # fmt: skip


def _text(body: dict[str, Any]) -> str:
    """The message, with the metric where that doesn't name it."""
    text, metric = _MARKUP.sub("", text_of(body.get("body"))).strip(), text_of(body.get("alert_metric"))
    return f"{text}\n{metric}".strip() if metric and metric not in text else text


def _key(body: dict[str, Any], title: str) -> str | None:
    """What links the events of one alert from its beginning to its end; Datadog's default payload has only a title."""
    if cycle := scalar_text(body.get("alert_cycle_key")):
        return cycle
    monitor, scope = scalar_text(body.get("alert_id")), text_of(body.get("alert_scope"))
    return f"{monitor} {scope}".strip() if monitor else title or None


def _labels(body: dict[str, Any]) -> Labels:
    listed = f"{text_of(body.get('tags'))},{text_of(body.get('alert_scope'))}"
    tags = dict.fromkeys(filter(None, (tag.strip() for tag in listed.split(","))))
    host, metric = text_of(body.get("hostname")), text_of(body.get("alert_metric"))
    rest = {"host": (host,) if host else (), "metric": (metric,) if metric else ()}
    return split_labels({"label": tuple(tags), **rest})
