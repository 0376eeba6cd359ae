"""A GitHub issue or pull request: the webhooks about them and their comments, or the object of the REST API."""

import re
from typing import Any

from agent.tickets.ticket import Labels, Place, Ticket, foreign_comment, object_of, origin, text_of, time_of
from tools.patterns import deferred

_REPOSITORY = r"(?!\.{1,2}/)[\w.-]+/(?!\.{1,2}(?:/|$))[\w.-]+"
_ISSUE = deferred(rf"https?://[^/]+/(?:api/v3/)?(?:repos/)?({_REPOSITORY})/(?:issues|pulls?)/(\d{{1,12}})/?", re.ASCII)
_COMMENT = deferred(r"<!--.*?-->", re.DOTALL)
"""Instructions in an issue template."""


def is_github(body: dict[str, Any]) -> bool:
    """Whether this is one."""
    issue = _issue(body)
    return isinstance(issue.get("number"), int) and "title" in issue and _place(issue, body) is not None


def of_github(body: dict[str, Any]) -> Ticket:
    """The ticket of one."""
    issue = _issue(body)
    state = text_of(issue.get("state")).lower()
    text = _COMMENT.sub("", text_of(issue.get("body"))).strip()
    if comment := foreign_comment(text_of(object_of(body.get("comment")).get("body"))):
        text = f"{comment}\n{text}"
    return Ticket(
        source="github", title=text_of(issue.get("title")), text=text, labels=(_labels(issue, body),),
        place=(place := _place(issue, body)), key=place.key if place else None,
        closed=state if state == "closed" else None,
        at=time_of(issue.get("created_at") or issue.get("createdAt")),
    )  # fmt: skip


def _issue(body: dict[str, Any]) -> dict[str, Any]:
    return object_of(body.get("issue")) or object_of(body.get("pull_request")) or body


def _place(issue: dict[str, Any], body: dict[str, Any]) -> Place | None:
    for field in ("url", "html_url"):
        if found := _ISSUE.fullmatch(text_of(issue.get(field))):
            return Place(api=origin(issue.get(field)), key=f"{found[1]}#{found[2]}")
    repository = text_of(object_of(body.get("repository")).get("full_name"))
    number = issue.get("number")
    if re.fullmatch(_REPOSITORY, repository, re.ASCII) and isinstance(number, int):
        return Place(api=origin(object_of(body.get("repository")).get("url")), key=f"{repository}#{number}")
    return None


def _labels(issue: dict[str, Any], body: dict[str, Any]) -> Labels:
    listed = issue.get("labels")
    given = listed if isinstance(listed, list) else []
    names = [text_of(one.get("name")) if isinstance(one, dict) else text_of(one) for one in given]
    labels = {"label": tuple(filter(None, names))}
    place = _place(issue, body)
    return split_labels({**labels, "repository": (place.key.partition("#")[0],) if place else ()})


def split_labels(labels: Labels) -> Labels:
    """Labels; those written as NAME:VALUE, NAME=VALUE or NAME/VALUE are also listed under their own name."""
    found: dict[str, tuple[str, ...]] = {name: values for name, values in labels.items() if values}
    for label in labels.get("label", ()):
        if parts := re.fullmatch(r"([\w.-]+)\s*[:=/]\s*(\S.*)", label):
            found[parts[1]] = (*found.get(parts[1], ()), parts[2].strip())
    return found
