"""Submissions out of the JSON that a sender sends: one for each alert, bounded and without what can't be kept."""

import hashlib
from collections.abc import Mapping
from typing import Any

from agent.intake.events import is_deleted, is_news
from agent.intake.refused import Refusal, RefusedError
from agent.service.records import Submission
from agent.tickets.of_alerts import is_alert
from agent.tickets.of_json import found, is_mapped, of_mapped
from agent.tickets.readers import READERS, Reader
from agent.tickets.ticket import NAMES, Labels, Place, Ticket, TicketError, objects_of, scalar_text
from tools.settings.webhook_table import WebhookKind, WebhookTable
from tools.text import one_line, printable

MOST_ALERTS = 500
"""Most alerts of one notification."""
MOST_TITLE, MOST_TEXT, MOST_KEY = 500, 20_000, 200
_MOST_LABELS, _MOST_VALUES, _MOST_LABEL = 64, 16, 300


def submissions(
    webhook: WebhookTable, headers: Mapping[str, str], body: dict[str, Any], targets: Mapping[str, str]
) -> tuple[Submission, ...]:
    """What a body asks for: nothing, if it's about neither the beginning nor the end of an incident.

    `targets` are the names of the targets by those in lower case. Raises `RefusedError` for JSON of another sender.
    """
    if not is_news(webhook.kind, headers, body):
        return ()
    reader = _reader(webhook)
    try:
        return tuple(_submission(webhook, reader, one, targets) for one in _split(webhook.kind, body))
    except TicketError:
        # The event is about a comment of our own.
        return ()


def _reader(webhook: WebhookTable) -> Reader:
    if webhook.map is None:
        return READERS[webhook.kind]
    mapping = webhook.map
    return Reader(lambda body: is_mapped(body, mapping), lambda body: of_mapped(body, mapping))


def _split(kind: WebhookKind, body: dict[str, Any]) -> list[dict[str, Any]]:
    """A notification for each of its alerts: they begin and end each by itself, and how they are grouped for
    delivery may change while they fire."""
    if kind not in ("alertmanager", "grafana") or not is_alert(body):
        return [body]
    alerts = objects_of(body.get("alerts"))
    if len(alerts) > MOST_ALERTS:
        why = f"{len(alerts)} alerts in one notification; set max_alerts to {MOST_ALERTS} or group by more labels"
        raise RefusedError(Refusal.TOO_LARGE, why)
    # Each alert has what is common to all of them, too.
    return [{"alerts": [{"status": body.get("status"), **alert}]} for alert in alerts]


def _submission(webhook: WebhookTable, reader: Reader, body: dict[str, Any], targets: Mapping[str, str]) -> Submission:
    if not reader.is_one(body):
        raise _foreign(webhook, body)
    ticket = reader.ticket_of(body).model_copy(update={"source": webhook.kind})
    if is_deleted(webhook.kind, body):
        ticket = ticket.model_copy(update={"closed": "deleted"})
    if not ticket.key:
        raise _foreign(webhook, body)
    return Submission(
        ticket=_bounded(ticket), key=_key(ticket.key), target=_target(webhook, body, targets),
        resolved=ticket.closed is not None, by=f"webhook {webhook.name}",
    )  # fmt: skip


def _foreign(webhook: WebhookTable, body: dict[str, Any]) -> RefusedError:
    keys = ", ".join(one_line(key, 40) for key in list(body)[:8]) or "none"
    known = "something that the mapping finds a title and a key in"
    if not webhook.map:
        name = NAMES[webhook.kind]
        known = f"what is sent for {'an' if name[0] in 'AEIOaeio' else 'a'} {name}"
    return RefusedError(Refusal.UNUSABLE, f"the body isn't {known}; its keys: {keys}")


def _target(webhook: WebhookTable, body: dict[str, Any], targets: Mapping[str, str]) -> str | None:
    """The target that the settings name; a body may only choose among the names that they have."""
    if webhook.target:
        return targets.get(webhook.target.lower(), webhook.target)
    if webhook.map and webhook.map.target:
        return targets.get(scalar_text(found(body, webhook.map.target)).lower())
    return None


def _bounded(ticket: Ticket) -> Ticket:
    """A ticket as it may be stored and shown: every text printable and no longer than it needs to be."""
    text = printable(ticket.text[:MOST_TEXT]).strip()
    title = one_line(ticket.title, MOST_TITLE).strip() or text.partition("\n")[0][:MOST_TITLE]
    changes: dict[str, Any] = {
        "title": title or NAMES[ticket.source], "text": text, "key": _key(ticket.key or ""),
        "labels": tuple(_labels(one) for one in ticket.labels),
        "closed": one_line(ticket.closed, _MOST_LABEL) if ticket.closed else None,
    }  # fmt: skip
    if place := ticket.place:
        api = one_line(place.api, _MOST_LABEL) if place.api else None
        changes["place"] = Place(api=api, key=one_line(place.key, MOST_KEY))
    return ticket.model_copy(update=changes)


def _labels(labels: Labels) -> Labels:
    return {
        one_line(name[:_MOST_LABEL], _MOST_LABEL): tuple(
            one_line(value[:_MOST_LABEL], _MOST_LABEL) for value in values[:_MOST_VALUES]
        )
        for name, values in list(labels.items())[:_MOST_LABELS]
    }


def _key(key: str) -> str:
    """A key of bounded length; different keys stay different."""
    shown = one_line(key[:MOST_KEY], MOST_KEY)
    if shown == key:
        return key
    return f"{shown[: MOST_KEY - 17]}~{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
