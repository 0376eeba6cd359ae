"""An alert of Opsgenie or of Jira Service Management, which took over its format."""

from typing import Any

from agent.tickets.of_github import split_labels
from agent.tickets.ticket import Labels, Ticket, foreign_comment, moment_of, object_of, pairs_of, text_of

CLOSING = ("close", "delete")
"""Actions after which nobody waits for an answer."""


def is_opsgenie(body: dict[str, Any]) -> bool:
    """Whether this is one."""
    alert = object_of(body.get("alert"))
    return "action" in body and bool(_id(alert)) and ("message" in alert or "tinyId" in alert)


def of_opsgenie(body: dict[str, Any]) -> Ticket:
    """The ticket of one."""
    alert = object_of(body.get("alert"))
    action = text_of(body.get("action")).lower()
    note = foreign_comment(text_of(alert.get("note")))
    details = [f"{name}: {value}" for name, (value,) in pairs_of(alert.get("details")).items()]
    return Ticket(
        source="opsgenie", title=text_of(alert.get("message")),
        text="\n".join(filter(None, (note, text_of(alert.get("description")), *details))), labels=(_labels(alert),),
        key=_id(alert), closed="closed" if action in CLOSING else None, at=moment_of(alert.get("createdAt")),
    )  # fmt: skip


def _id(alert: dict[str, Any]) -> str:
    return text_of(alert.get("alertId")) or text_of(alert.get("id"))


def _labels(alert: dict[str, Any]) -> Labels:
    listed = alert.get("tags")
    tags = tuple(filter(None, map(text_of, listed))) if isinstance(listed, list) else ()
    single = {name: text_of(alert.get(name)) for name in ("entity", "alias", "priority", "source", "team")}
    own = {name: (value,) for name, value in single.items() if value}
    return {**pairs_of(alert.get("details")), **split_labels({"label": tags, **own})}
