"""A Jira issue: a webhook, or the object of REST API 2 (text) and 3 (Atlassian Document Format)."""

import re
from collections.abc import Iterator
from typing import Any

from agent.tickets.of_github import split
from agent.tickets.ticket import Place, Ticket, heard, origin, said, table, when

_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,100}-[0-9]{1,12}")
_BLOCKS = frozenset(("paragraph", "heading", "listItem", "codeBlock", "tableRow", "blockquote", "panel", "rule"))


def is_jira(body: dict[str, Any]) -> bool:
    """Whether this is one."""
    issue = table(body.get("issue")) or body
    return _KEY.fullmatch(said(issue.get("key"))) is not None and isinstance(issue.get("fields"), dict)


def of_jira(body: dict[str, Any]) -> Ticket:
    """The ticket of one."""
    issue = table(body.get("issue")) or body
    fields = table(issue.get("fields"))
    parts = [words(fields.get("description")), words(fields.get("environment"))]
    if comment := heard(words(table(body.get("comment")).get("body"))):
        parts.insert(0, comment)
    return Ticket(
        source="jira", title=said(fields.get("summary")), text="\n".join(filter(None, parts)),
        labels=(split(_labels(issue, fields)),), place=Place(api=origin(issue.get("self")), key=said(issue.get("key"))),
        closed=over(fields), at=when(fields.get("created")),
    )  # fmt: skip


def over(fields: dict[str, Any]) -> str | None:
    """The status' name if its category is done, else null."""
    status = table(fields.get("status"))
    category = said(table(status.get("statusCategory")).get("key"))
    done = category == "done" or (not category and bool(fields.get("resolution")))
    return (said(status.get("name")) or "done") if done else None


def words(value: Any) -> str:
    """A text, or what an ADF document says."""
    if isinstance(value, str):
        return value.strip()
    return "".join(_words(value, 0)).strip()


def _words(node: Any, depth: int) -> Iterator[str]:
    # What nests deeper than any editor does isn't a text that somebody wrote.
    if not isinstance(node, dict) or depth > 50:
        return
    if isinstance(node.get("text"), str):
        yield node["text"]
    attrs, kind = table(node.get("attrs")), said(node.get("type"))
    if kind in ("mention", "emoji", "inlineCard", "status", "date"):
        yield said(attrs.get("text")) or said(attrs.get("url"))
    if kind == "hardBreak":
        yield "\n"
    content = node.get("content")
    for child in content if isinstance(content, list) else ():
        yield from _words(child, depth + 1)
    if kind in _BLOCKS:
        yield "\n"
    elif kind in ("tableCell", "tableHeader"):
        yield " "


def _labels(issue: dict[str, Any], fields: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    listed, components = fields.get("labels"), fields.get("components")
    names = [said(one) for one in listed] if isinstance(listed, list) else []
    parts = [said(table(one).get("name")) for one in components] if isinstance(components, list) else []
    return {
        "label": tuple(filter(None, names)),
        "component": tuple(filter(None, parts)),
        "project": (said(issue.get("key")).rpartition("-")[0],),
        "priority": tuple(filter(None, [said(table(fields.get("priority")).get("name"))])),
    }
