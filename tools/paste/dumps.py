"""INFO as programs print a map of it: Go's `map[a:1 b:2]`, Java's `{a=1, b=2}`, a list of properties."""

import re

from tools.paste.found import Found, of_text, safe
from tools.paste.lines import Lines
from tools.paste.prompts import Prompt
from tools.paste.texts import known
from tools.patterns import deferred

_HEAD = deferred(r"(?:[^\n{\[]{0,80}[\s=:>(])?(?:map\[|\{)(?=[a-z]\w{1,60}[:=])")
_NAME = re.compile(r"(?:[\s{\[,]|^)([A-Za-z][\w.|-]{1,127})([:=])")
_PROPERTY = deferred(r"\s{0,40}(?P<name>[a-z][\w.|-]{1,127})=(?P<value>[^\n]{0,2048})")
_LISTING = "-- listing properties --"
LEAST = 3
"""Fields of INFO from which on a map is one."""
MOST = 64 * 1024


def dumped(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    """A map of INFO's fields on one line, or properties one a line."""
    text = lines[at].text
    if text.strip() == _LISTING or "=" in text[:130]:
        found = _properties(lines, at, above)
        if found:
            return found
    head = _HEAD.match(text)
    if not head or "_" not in text:
        return None
    return _found(_pairs(text[head.end() : head.end() + MOST]), at + 1, above)


def _pairs(text: str) -> dict[str, str]:
    """Names and values; a value ends where a known name begins, since it may have spaces and commas."""
    names = [found for found in _NAME.finditer(text) if known(found[1])]
    if not names:
        return {}
    ends = [found.start() for found in names[1:]] + [len(text)]
    return {
        found[1]: text[found.end() : end].strip().rstrip(",)]}").strip()
        for found, end in zip(names, ends, strict=True)
    }  # fmt: skip


def _properties(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    if lines[at].text.strip() == _LISTING:
        at += 1
    fields: dict[str, str] = {}
    while at < len(lines) and not lines[at].fence and (found := _PROPERTY.fullmatch(lines[at].text)):
        if " " in found["value"].strip() and not known(found["name"]):
            break
        fields[found["name"]] = found["value"].strip()
        at += 1
    return _found(fields, at, above) if sum(map(known, fields)) * 2 >= len(fields) else None


def _found(fields: dict[str, str], end: int, above: Prompt | None) -> Found | None:
    if sum(map(known, fields)) < LEAST:
        return None
    return of_text(end, ("INFO",), [safe(f"{name}:{value}") for name, value in fields.items()], False, above)
