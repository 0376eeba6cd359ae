"""What people and alerts wrote, as plain text, and the ticket that it makes."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from agent.tickets.ticket import Ticket, moment_of, object_of, objects_of, text_of
from tools.patterns import deferred
from tools.redact import hide_secrets
from tools.text import one_line, printable

TITLE_MOST, TEXT_MOST, MESSAGE_MOST, BLOCKS_MOST = 300, 8000, 2000, 50
_MARK = deferred(r"<([@#!]?)([^<>|]{0,2000})(?:\|([^<>]{0,2000}))?>")
_URL = deferred(r"(?i)\b(?:rediss?(?:\+sentinel)?|unix)://\S+")
_MENTION = deferred(r"<@([UW][A-Z0-9]{2,30})(?:\|[^<>]*)?>")
_RESOLVED = deferred(r"(?i)^\W{0,8}(?:[\w+-]{0,40}:\s?)?\[?(?:resolved|ok|recovered)\b")


def unescaped(text: str) -> str:
    """Slack's text as people read it: links as their addresses, whatever they are labelled with."""
    plain = _MARK.sub(_read, text)
    return printable(plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))


def _read(found: re.Match[str]) -> str:
    kind, what, label = found[1], found[2], found[3]
    if kind == "@":
        return f"@{what}"
    if kind == "#":
        return f"#{label or what}"
    return f"@{what.partition('^')[0]}" if kind == "!" else what


def without_mention(text: str, user: str) -> str:
    """A message's text without the mention of the app."""
    return re.sub(rf"<@{re.escape(user)}(?:\|[^<>]*)?>", " ", text).strip()


def mentioned(text: str) -> set[str]:
    """The users that a message mentions."""
    return set(_MENTION.findall(text))


def url_in(text: str) -> str | None:
    """The address of a server that a text names."""
    found = _URL.search(text)
    return found[0].rstrip(".,;:!?)'\"") if found else None


def targets_in(text: str, names: Sequence[str]) -> list[str]:
    """The targets that a text names."""
    return [name for name in names if re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text, re.IGNORECASE)]


def text_in(message: Mapping[str, Any]) -> str:
    """All that a message says: its text, what is attached to it, and its blocks if it has nothing else."""
    parts = [text_of(message.get("text")), *_attached(message)]
    if not any(parts):
        parts = list(_in_blocks(message.get("blocks")))
    return unescaped("\n".join(dict.fromkeys(part for part in parts if part))[: 4 * MESSAGE_MOST])


def _attached(message: Mapping[str, Any]) -> Iterator[str]:
    for one in objects_of(message.get("attachments"))[:10]:
        found = [text_of(one.get(key)) for key in ("pretext", "title", "text")]
        fields = objects_of(one.get("fields"))
        found += [f"{text_of(field.get('title'))}: {text_of(field.get('value'))}" for field in fields]
        found += list(_in_blocks(one.get("blocks")))
        yield from found if any(found) else [text_of(one.get("fallback"))]


def _in_blocks(blocks: Any) -> Iterator[str]:
    for block in objects_of(blocks)[:BLOCKS_MOST]:
        for part in (block.get("text"), *objects_of(block.get("fields"))):
            yield text_of(object_of(part).get("text"))
        for row in objects_of(block.get("elements")):
            inner = "".join(str(one.get("text") or "") for one in objects_of(row.get("elements")))
            yield inner or text_of(row.get("text"))


def is_resolved(text: str) -> bool:
    """Whether an alert says that it no longer fires."""
    return _RESOLVED.search(text) is not None


def ticket_of(said: str, earlier: Sequence[Mapping[str, Any]], key: str, ts: str) -> Ticket:
    """The ticket that a message makes, with what was said in its thread before: the newest, if that is too much."""
    before = [hide_secrets(text_in(one)[:MESSAGE_MOST]) for one in earlier]
    title = one_line(hide_secrets(said).partition("\n")[0], TITLE_MOST)
    if not title and before:
        title = one_line(before[0].partition("\n")[0], TITLE_MOST)
    rest = hide_secrets(said).partition("\n")[2]
    text = "\n".join(part for part in (rest, *before) if part)
    return Ticket(source="slack", title=title, text=printable(text[:TEXT_MOST]).strip(), key=key, at=time_of(ts))


def time_of(ts: str) -> datetime | None:
    """When a message was written."""
    return moment_of(ts.partition(".")[0])
