"""A GitLab issue: the webhooks about issues, work items and their comments, or the object of the REST API."""

from typing import Any

from agent.tickets.of_github import split_labels
from agent.tickets.ticket import Labels, Ticket, foreign_comment, object_of, objects_of, scalar_text, text_of, time_of

_KINDS = ("issue", "work_item")


def is_gitlab(body: dict[str, Any]) -> bool:
    """Whether this is one."""
    if body.get("object_kind") in (*_KINDS, "note"):
        return "title" in _issue(body)
    return isinstance(body.get("iid"), int) and isinstance(body.get("project_id"), int) and "title" in body


def of_gitlab(body: dict[str, Any]) -> Ticket:
    """The ticket of one."""
    issue = _issue(body)
    state = text_of(issue.get("state")).lower()
    text = text_of(issue.get("description"))
    if body.get("object_kind") == "note":
        comment = foreign_comment(text_of(object_of(body.get("object_attributes")).get("note")))
        text = "\n".join(filter(None, (comment, text)))
    return Ticket(
        source="gitlab", title=text_of(issue.get("title")), text=text, labels=(_labels(issue, body),),
        key=_key(issue, body), closed=state if state == "closed" else None, at=_time(issue.get("created_at")),
    )  # fmt: skip


def _issue(body: dict[str, Any]) -> dict[str, Any]:
    if body.get("object_kind") == "note":
        return object_of(body.get("issue"))
    return object_of(body.get("object_attributes")) or body


def _key(issue: dict[str, Any], body: dict[str, Any]) -> str | None:
    full = text_of(object_of(issue.get("references")).get("full"))
    number = scalar_text(issue.get("iid"))
    project = text_of(object_of(body.get("project")).get("path_with_namespace")) or scalar_text(issue.get("project_id"))
    return full or (f"{project}#{number}" if project and number else None)


def _labels(issue: dict[str, Any], body: dict[str, Any]) -> Labels:
    listed = issue.get("labels") or body.get("labels")
    names = [text_of(one) for one in listed if isinstance(one, str)] if isinstance(listed, list) else []
    names += [text_of(one.get("title")) for one in objects_of(listed)]
    project = text_of(object_of(body.get("project")).get("path_with_namespace"))
    # GitLab's scoped labels are written scope::value.
    named = tuple(name.replace("::", ":") for name in names if name)
    severity = text_of(issue.get("severity"))
    rest = {"project": (project,) if project else (), "severity": (severity,) if severity else ()}
    return split_labels({"label": named, **rest})


def _time(value: Any) -> Any:
    """Older releases write `2013-12-03 17:15:43 UTC`."""
    return time_of(text_of(value).removesuffix(" UTC"))
