"""redis-cli's numbered lists, whole or cut, with their indentation or without it."""

import re
from collections.abc import Sequence
from typing import Any

from tools.patterns import deferred

MOST_DEPTH = 16
"""How deep lists may lie in one another, as the protocol's parser has it."""
MOST_ITEMS = 2**18
MOST_WRAPPED = 8
"""Lines that one value goes on for."""
_INDEX = re.compile(r"\s*(?P<number>\d{1,9})(?P<sign>[)#~])(?=\s)")
_VALUE = re.compile(
    r'\s*(?:"(?P<text>(?:[^"\\]|\\.)*)"|\(integer\) (?P<integer>[+-]?\d{1,19})\b|\((?P<nil>nil)\)|'
    r"\(error\) (?P<error>[^\n]{0,1024})|\(double\) (?P<double>[\w.+-]{1,40})|\((?P<bool>true|false)\)|"
    r"\((?P<empty>empty (?:array|list or set|list|set|hash|push))\)|(?P<status>OK|QUEUED|PONG)\s*$)"
)
_ARROW = re.compile(r"\s*=>")
BEGINS = deferred(
    r'\s*(?P<list>(?:\d{1,9}[)#~]\s+)+)(?:"|\((?:integer|double|error)\) |\((?:nil|true|false|empty [a-z ]{3,12})\)|'
    r"(?:OK|QUEUED|PONG)\s*$)"
)
"""A line of such a list: what numbers a sentence isn't one."""
SCALAR = deferred(
    r'\s*(?:"(?:[^"\\]|\\.)*"|\((?:integer|double) ?\) \S+|\((?:nil|true|false)\)|\(empty [a-z ]{3,12}\))\s*'
)
"""A reply that is no list."""
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b"}


class _Level:
    """A list that is being read: where its numbers end, and which comes next."""

    def __init__(self, column: int, number: int, sign: str) -> None:
        self.column = column
        self.next = number + 1
        self.sign = sign
        self.items: list[Any] = []


class _Reader:
    """Numbers and values in turn, into lists."""

    def __init__(self) -> None:
        self.stack: list[_Level] = []
        self.cut = False
        self.open = False
        """Whether a number still waits for its value."""

    def number(self, column: int, number: int, sign: str, *, begins: bool, nested: bool) -> None:
        if self.open or not self.stack:
            self._push(column, number, sign)
        else:
            self._back(column, number, sign, begins, nested)
        self.open = True

    def value(self, value: Any) -> None:
        if not self.stack:
            self.stack.append(_Level(0, 1, ")"))
        self.stack[-1].items.append(value)
        self.open = False

    def _push(self, column: int, number: int, sign: str) -> None:
        level = _Level(column, number, sign)
        self.cut |= number != 1
        if self.stack:
            self.stack[-1].items.append(level.items)
        self.stack.append(level)
        if len(self.stack) > MOST_DEPTH:
            raise ValueError(f"lists in one another, more than {MOST_DEPTH} deep")

    def _back(self, column: int, number: int, sign: str, begins: bool, nested: bool) -> None:
        """To the list that goes on with this number: by its column first, as far as indentation was kept."""
        exact = [at for at, level in enumerate(self.stack) if begins and level.column == column]
        expected = [at for at, level in enumerate(self.stack) if level.next == number and level.sign == sign]
        if both := [at for at in exact if at in expected]:
            chosen = both[-1]
        elif expected and not (exact and number > self.stack[exact[-1]].next):
            # Without indentation: rows are as long as the one before, and stand in a list of rows.
            open_ones = [at for at in expected if not self._full(at)] or expected
            alike = [at for at in open_ones if nested == all(isinstance(one, list) for one in self.stack[at].items)]
            chosen = (open_ones if self._has_row_before(open_ones[-1]) else alike or open_ones)[-1]
        elif exact:
            chosen = exact[-1]
            self.cut = True
        elif column < min(level.column for level in self.stack):
            # It began inside of a list whose own beginning was cut off.
            outer = _Level(column, number, sign)
            outer.items.append(self.stack[0].items)
            self.stack, self.cut = [outer], True
            return
        else:
            chosen = min(range(len(self.stack)), key=lambda at: abs(self.stack[at].column - column))
            self.cut = True
        del self.stack[chosen + 1 :]
        self.stack[-1].next = number + 1
        if begins:
            self.stack[-1].column = column

    def _has_row_before(self, at: int) -> bool:
        siblings = self.stack[at - 1].items if at else []
        return len(siblings) > 1 and isinstance(siblings[-2], list)

    def _full(self, at: int) -> bool:
        """Whether a row is as long as the one before it."""
        return self._has_row_before(at) and len(self.stack[at].items) >= len(self.stack[at - 1].items[-2])


def parse(lines: Sequence[str]) -> tuple[list[Any], bool]:
    """The list that lines show, and whether it begins, breaks off or has a gap in the middle.

    Raises `ValueError` for what isn't one.
    """
    reader = _Reader()
    aligned = _aligned(lines)
    count = at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        position, begins, joined = 0, aligned, 0
        while position < len(line):
            if found := _INDEX.match(line, position):
                nested = _INDEX.match(line, found.end()) is not None
                number = int(found["number"])
                reader.number(found.start("sign"), number, found["sign"], begins=begins, nested=nested)
                position, begins = found.end(), False
            elif found := _VALUE.match(line, position):
                reader.value(_value(found))
                position = found.end()
                count += 1
                if arrow := _ARROW.match(line, position):
                    position, reader.open = arrow.end(), True
            elif joined < MOST_WRAPPED and at < len(lines) and line[position:].lstrip().startswith('"'):
                # A long text that a mail or a terminal has wrapped.
                line += lines[at]
                at, joined = at + 1, joined + 1
            else:
                reader.cut |= bool(line[position:].strip())
                break
        if count > MOST_ITEMS:
            raise ValueError(f"more than {MOST_ITEMS} values")
    if not reader.stack:
        raise ValueError("no list")
    return reader.stack[0].items, reader.cut or reader.open


def _aligned(lines: Sequence[str]) -> bool:
    """Whether the indentation is still there, which shows what lies in what."""
    nested = [found["list"].count(")") > 1 for line in lines if (found := BEGINS.match(line))]
    return all(nested) or not any(nested) or any(line[:1] == " " for line in lines[1:])


def scalar(line: str) -> Any:
    """A single value as redis-cli prints it. Raises `ValueError` for what isn't one."""
    found = _VALUE.match(line)
    if not found:
        raise ValueError("no value")
    return _value(found)


def _value(found: re.Match[str]) -> Any:
    if found["text"] is not None:
        return unescaped(found["text"])
    if found["integer"] is not None:
        number = int(found["integer"])
        return number if -(2**63) <= number < 2**63 else found["integer"]
    if found["error"] is not None:
        return {"error": found["error"].strip()}
    if found["bool"] is not None:
        return int(found["bool"] == "true")
    if found["empty"] is not None:
        return []
    return None if found["nil"] else found["double"] or found["status"]


def unescaped(text: str) -> str:
    """A text out of its quotes; bytes that aren't UTF-8 as `\\xNN`."""
    if "\\" not in text:
        return text
    plain = _ESCAPE.sub(_letter, text.encode("utf-8", "surrogatepass"))
    return plain.decode("utf-8", "backslashreplace")


def _letter(found: re.Match[bytes]) -> bytes:
    if found[1]:
        return bytes.fromhex(found[1].decode("ascii"))
    return _LETTERS.get(found[2], found[2])


def shown(reply: Any, indent: str = "") -> str:
    """A reply as redis-cli prints it."""
    if isinstance(reply, list):
        if not reply:
            return "(empty array)"
        width = len(str(len(reply)))
        inner = indent + " " * (width + 2)
        rows = (f"{number:>{width}}) {shown(one, inner)}" for number, one in enumerate(reply, 1))
        return f"\n{indent}".join(rows)
    if isinstance(reply, dict):
        return f"(error) {reply.get('error', '')}"
    if reply is None:
        return "(nil)"
    if isinstance(reply, int):
        return f"(integer) {reply}"
    escaped = str(reply).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'
