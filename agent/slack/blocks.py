"""Block Kit: its parts within Slack's limits, and text in them that can be neither markup nor a mention."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from agent.report.markup import in_chat
from tools.text import one_line, printable

SECTION_MOST, HEADER_MOST, BUTTON_MOST, OPTION_MOST, OPTIONS_MOST, TITLE_MOST = 3000, 150, 75, 75, 100, 24
"""Characters of a section, a header, a button, an option and a dialog's title; options of a select."""
BLOCKS_MOST, VALUE_MOST = 50, 2000
"""Blocks of a message, of which a dialog may have twice as many; characters of a button's value."""
Block = dict[str, Any]
_PERSON = re.compile(r"slack:([UW][A-Z0-9]{2,30})")


def plain(text: str, most: int) -> Block:
    """A text object without any markup."""
    return {"type": "plain_text", "text": one_line(text, most) or "-", "emoji": False}


def header(text: str) -> Block:
    """A heading; a bold section where Slack's own would cut it."""
    if len(text) > HEADER_MOST:
        return section([f"*{in_chat(one_line(text, SECTION_MOST // 2))}*"])
    return {"type": "header", "text": plain(text, HEADER_MOST)}


def section(lines: Iterable[str], accessory: Block | None = None) -> Block:
    """Lines of mrkdwn that are already escaped, as many as there is room for."""
    text = fitted(lines, SECTION_MOST) or "-"
    found: Block = {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}
    return found if accessory is None else {**found, "accessory": accessory}


def context(text: str) -> Block:
    """Small print, of mrkdwn that is already escaped."""
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": fitted([text], SECTION_MOST), "verbatim": True}]}


def pre(text: str) -> Block:
    """Text word for word, as it would be typed."""
    elements = [{"type": "text", "text": printable(text)[:SECTION_MOST] or "-"}]
    return {"type": "rich_text", "elements": [{"type": "rich_text_preformatted", "elements": elements}]}


def button(text: str, action: str, value: str, style: str | None = None) -> Block:
    """A button."""
    assert len(value) <= VALUE_MOST
    found: Block = {"type": "button", "text": plain(text, BUTTON_MOST), "action_id": action, "value": value}
    return found if style is None else {**found, "style": style}


def select(text: str, action: str, options: Sequence[tuple[str, str]]) -> Block:
    """A choice among texts, each with its value."""
    listed = [{"text": plain(name, OPTION_MOST), "value": value} for name, value in options[:OPTIONS_MOST]]
    return {"type": "static_select", "action_id": action, "placeholder": plain(text, 150), "options": listed}


def actions(*elements: Block, name: str = "actions") -> Block:
    """Buttons in a row."""
    return {"type": "actions", "block_id": name, "elements": list(elements)}


def dialog(
    title: str, blocks: Sequence[Block], *, name: str = "told", kept: str = "", submit: str | None = None
) -> Block:
    """A dialog; `kept` comes back with it."""
    found: Block = {
        "type": "modal", "callback_id": name, "title": plain(title, TITLE_MOST), "blocks": list(blocks)[:100],
        "close": plain("Cancel" if submit else "Close", TITLE_MOST), "private_metadata": kept,
    }  # fmt: skip
    return found if submit is None else {**found, "submit": plain(submit, TITLE_MOST)}


def fitted(lines: Iterable[str], most: int) -> str:
    """Whole lines, as many as fit; the first is cut if it's too long alone, but never inside an entity or code."""
    kept: list[str] = []
    left = most
    for line in lines:
        if len(line) > left and kept:
            break
        text = line if len(line) <= left else _cut(line, left)
        kept.append(text)
        left -= len(text) + 1
    return "\n".join(kept)


def _cut(line: str, most: int) -> str:
    text = re.sub(r"&[a-z]{0,4}$", "", line[: most - 2])
    return f"{text}`…" if text.count("`") % 2 else f"{text}…"


def person(name: str) -> str:
    """Somebody's name: of the workspace's own people as Slack shows them, without notifying them in a context."""
    found = _PERSON.fullmatch(name)
    return f"<@{found[1]}>" if found else in_chat(one_line(name, 80))
