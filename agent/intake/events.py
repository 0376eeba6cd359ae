"""Which events of a sender are about an incident that begins or ends; all others are accepted and lead to nothing."""

from collections.abc import Callable, Mapping
from typing import Any

from agent.tickets.of_cloudwatch import alarm_in, state_of
from agent.tickets.of_opsgenie import CLOSING
from agent.tickets.ticket import object_of, objects_of, scalar_text, text_of

Headers = Mapping[str, str]
_GITHUB = {"opened", "reopened", "labeled", "closed", "deleted"}
_GITLAB = {"open", "reopen", "close", ""}
"""GitLab's test of a webhook names no action."""
_JIRA = {"jira:issue_created", "jira:issue_deleted", ""}
"""Jira Automation sends an issue without the name of an event."""
_PAGERDUTY = {"incident.triggered", "incident.reopened", "incident.resolved", "incident.unacknowledged", ""}
_INCIDENTIO = ("incident_created_v2", "incident_status_updated_v2", "alert_created_v1", "alert_resolved_v1")


def is_news(kind: str, headers: Headers, body: dict[str, Any]) -> bool:
    """Whether a request is about the beginning or the end of an incident."""
    about = _ABOUT.get(kind)
    return about is None or about(headers, body)


def is_deleted(kind: str, body: dict[str, Any]) -> bool:
    """Whether a ticket exists no longer, whatever state it had."""
    action = text_of(body.get("action")).lower()
    return (kind == "github" and action == "deleted") or (
        kind == "jira" and text_of(body.get("webhookEvent")) == "jira:issue_deleted"
    )


def _github(headers: Headers, body: dict[str, Any]) -> bool:
    event = headers.get("x-github-event", "issues").strip().lower()
    return event in ("issues", "pull_request") and text_of(body.get("action")).lower() in _GITHUB


def _gitlab(headers: Headers, body: dict[str, Any]) -> bool:
    action = text_of(object_of(body.get("object_attributes")).get("action")).lower()
    return body.get("object_kind") in ("issue", "work_item") and action in _GITLAB


def _jira(headers: Headers, body: dict[str, Any]) -> bool:
    """An update counts if it changed the status."""
    event = text_of(body.get("webhookEvent"))
    changed = objects_of(object_of(body.get("changelog")).get("items"))
    moved = any(text_of(item.get("field")).lower() in ("status", "resolution") for item in changed)
    return event in _JIRA or (event == "jira:issue_updated" and moved)


def _pagerduty(headers: Headers, body: dict[str, Any]) -> bool:
    return text_of(object_of(body.get("event")).get("event_type")).lower() in _PAGERDUTY


def _opsgenie(headers: Headers, body: dict[str, Any]) -> bool:
    return text_of(body.get("action")).lower() in ("create", *CLOSING)


def _incidentio(headers: Headers, body: dict[str, Any]) -> bool:
    # Of a private incident only its id is sent.
    scope, _, event = text_of(body.get("event_type")).partition(".")
    return scope in ("public_incident", "public_alert") and event in _INCIDENTIO


def _cloudwatch(headers: Headers, body: dict[str, Any]) -> bool:
    """An alarm without data neither begins nor ends."""
    alarm = alarm_in(body)
    return not alarm or state_of(alarm) in ("ALARM", "OK")


def _zabbix(headers: Headers, body: dict[str, Any]) -> bool:
    """A problem that a person updated is still the same problem."""
    return scalar_text(body.get("event_update_status")) != "1"


_ABOUT: Mapping[str, Callable[[Headers, dict[str, Any]], bool]] = {
    "github": _github, "gitlab": _gitlab, "jira": _jira, "pagerduty": _pagerduty, "opsgenie": _opsgenie,
    "jsm": _opsgenie, "incidentio": _incidentio, "cloudwatch": _cloudwatch, "zabbix": _zabbix,
}  # fmt: skip
