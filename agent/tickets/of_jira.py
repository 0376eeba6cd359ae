"""A Jira issue: a webhook, or the object of REST API 2 (text) and 3 (Atlassian Document Format)."""

from collections.abc import Iterator
from typing import Any

from agent.tickets.of_github import split_labels
from agent.tickets.ticket import Place, Ticket, foreign_comment, object_of, origin, text_of, time_of
from tools.patterns import deferred

_KEY = deferred(r"[A-Za-z][A-Za-z0-9_]{0,100}-[0-9]{1,12}")
_BLOCKS = frozenset(("paragraph", "heading", "listItem", "codeBlock", "tableRow", "blockquote", "panel", "rule"))


def is_jira(body: dict[str, Any]) -> bool:
    """Whether this is one."""
    issue = object_of(body.get("issue")) or body
    return _KEY.fullmatch(text_of(issue.get("key"))) is not None and isinstance(issue.get("fields"), dict)


def of_jira(body: dict[str, Any]) -> Ticket:
    """The ticket of one."""
    issue = object_of(body.get("issue")) or body
    fields = object_of(issue.get("fields"))
    parts = [adf_text(fields.get("description")), adf_text(fields.get("environment"))]
    if comment := foreign_comment(adf_text(object_of(body.get("comment")).get("body"))):
        parts.insert(0, comment)
    return Ticket(
        source="jira", title=text_of(fields.get("summary")), text="\n".join(filter(None, parts)),
        labels=(split_labels(_labels(issue, fields)),),
        place=Place(api=origin(issue.get("self")), key=text_of(issue.get("key"))),
        key=text_of(issue.get("key")), closed=closed_status(fields), at=time_of(fields.get("created")),
    )  # fmt: skip


def closed_status(fields: dict[str, Any]) -> str | None:
    """The status name if its category is done, else null."""
    status = object_of(fields.get("status"))
    category = text_of(object_of(status.get("statusCategory")).get("key"))
    done = category == "done" or (not category and bool(fields.get("resolution")))
    return (text_of(status.get("name")) or "done") if done else None


def adf_text(value: Any) -> str:
    """A text, or the text of an ADF document."""
    if isinstance(value, str):
        return value.strip()
    return "".join(_adf_texts(value, 0)).strip()


def _adf_texts(node: Any, depth: int) -> Iterator[str]:
    # No editor nests a text deeper than this.
    if not isinstance(node, dict) or depth > 50:
        return
    if isinstance(node.get("text"), str):
        yield node["text"]
    attrs, kind = object_of(node.get("attrs")), text_of(node.get("type"))
    if kind in ("mention", "emoji", "inlineCard", "status", "date"):
        yield text_of(attrs.get("text")) or text_of(attrs.get("url"))
    if kind == "hardBreak":
        yield "\n"
    content = node.get("content")
    for child in content if isinstance(content, list) else ():
        yield from _adf_texts(child, depth + 1)
    if kind in _BLOCKS:
        yield "\n"
    elif kind in ("tableCell", "tableHeader"):
        yield " "


def _labels(issue: dict[str, Any], fields: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    listed, components = fields.get("labels"), fields.get("components")
    names = [text_of(one) for one in listed] if isinstance(listed, list) else []
    parts = [text_of(object_of(one).get("name")) for one in components] if isinstance(components, list) else []
    return {
        "label": tuple(filter(None, names)),
        "component": tuple(filter(None, parts)),
        "project": (text_of(issue.get("key")).rpartition("-")[0],),
        "priority": tuple(filter(None, [text_of(object_of(fields.get("priority")).get("name"))])),
    }
