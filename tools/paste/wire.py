"""A reply as it goes over the wire, copied out of netcat, telnet or a packet's dump."""

import re
from typing import Any

from tools.paste.found import Found, of_reply
from tools.paste.lines import Lines
from tools.paste.prompts import Prompt
from tools.paste.replies import identified

_LIST = re.compile(r"[*~%>](?P<count>\d{1,6})\s*")
_BULK = re.compile(r"[$=](?P<size>\d{1,9}|-1)\s*")
_NUMBER = re.compile(r":[+-]?\d{1,19}\s*")
MOST_VALUES, MOST_DEPTH = 100_000, 12


class _NotWhole(ValueError):
    """The text isn't, or is no longer, a reply."""


class _Reader:
    """Reads values, a line or two each. Lengths are only trusted as far as the copied lines have them."""

    def __init__(self, lines: Lines, at: int) -> None:
        self.lines = lines
        self.at = at
        self.values = 0

    def value(self, depth: int = 0) -> Any:
        text = self.lines[self.at].text
        if self.at >= len(self.lines) or self.lines[self.at].fence or depth > MOST_DEPTH:
            raise _NotWhole
        self.values += 1
        if self.values > MOST_VALUES:
            raise _NotWhole
        if found := _LIST.fullmatch(text):
            self.at += 1
            return self._items(int(found["count"]) * (2 if text[0] == "%" else 1), depth)
        if found := _BULK.fullmatch(text):
            self.at += 1
            return self._bulk(int(found["size"]))
        self.at += 1
        if _NUMBER.fullmatch(text):
            number = int(text[1:])
            return number if -(2**63) <= number < 2**63 else text[1:]
        if text[:1] in ("+", ","):
            return text[1:].strip()
        if text[:1] == "-":
            return {"error": text[1:].strip()}
        if text.strip() in ("_", "#t", "#f"):
            return {"_": None, "#t": 1, "#f": 0}[text.strip()]
        raise _NotWhole

    def _items(self, count: int, depth: int) -> list[Any]:
        items: list[Any] = []
        for _ in range(count):
            begin = self.at
            try:
                items.append(self.value(depth + 1))
            except _NotWhole:
                # What was cut off in the middle of a row is no row.
                self.at = begin
                self.cut = True
                break
        return items

    cut = False

    def _bulk(self, size: int) -> Any:
        if size < 0:
            return None
        if self.at >= len(self.lines):
            raise _NotWhole
        text = self.lines[self.at].text
        self.at += 1
        # A text of several lines is copied as several.
        while len(text.encode(errors="replace")) + 2 <= size and self.at < len(self.lines):
            text += "\n" + self.lines[self.at].text
            self.at += 1
        return text


def wire(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    """A list in the protocol's own notation."""
    head = _LIST.fullmatch(lines[at].text)
    if not head or lines[at + 1].text[:1] not in ("*", "$", ":", "%", "~", "+"):
        return None
    reader = _Reader(lines, at)
    try:
        value = reader.value()
    except _NotWhole:
        return None
    command = above.command if above and above.typed else None
    reply = identified(value, command, reader.cut) or identified(value, None, reader.cut)
    return of_reply(reader.at, reply, above) if reply else None
