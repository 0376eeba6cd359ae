"""JSON, Python's own notation and redis-cli's CSV: what tools and services export."""

import ast
import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tools.paste.exports import config_of, flat, info_of, of_prometheus, plain_text, slowlog_of
from tools.paste.found import Found, of_reply
from tools.paste.kubernetes import of_objects
from tools.paste.lines import LONGEST, Lines
from tools.paste.prompts import Prompt
from tools.paste.raw import raw
from tools.paste.replies import identified
from tools.paste.services import of_cloud

_MOST_PYTHON = 128 * 1024
"""Characters of Python's notation: what is built of it takes a hundred times as much."""
_FAILED = 4
_DECODER = json.JSONDecoder()
_JSON = re.compile(r"""\{\s*["}]|\[\s*["{\[\]\d.tfnNI-]""")
"""How JSON's structures begin: a log's line begins with a bracket, too."""
_WINDOW, _TOKEN = 4096, 16
"""Characters that are tried first, and those at their end in which one of JSON's words may have been cut."""
_MOST_NESTED = 500
_MOST_INNER = 4 * 2**20
"""Characters of a text inside of a structure."""


Inner = Callable[[Lines], Iterable[Found]]


class Structured:
    """Reads structures out of one text; what fails is bounded in all, however often one begins."""

    def __init__(self, inner: Inner) -> None:
        self._inner = inner
        """Finds the pieces of a text that stands in a structure."""
        self._budget: int | None = None
        self._done = 0
        """The line before which all structures were read already."""

    def __call__(self, lines: Lines, at: int, above: Prompt | None) -> Found | None:
        """What a structure that begins on this line consists of."""
        text = lines[at].text.lstrip()
        if at < self._done:
            # Another line of this text may well begin one.
            lines.furthest = max(lines.furthest, at + 1)
            return None
        if not text:
            return None
        if text[0] in "{[":
            return self._json(lines, at, above)
        if text[0] in '"-0123456789' and "," in text:
            return _csv(lines, at, above)
        if text.startswith(('"# Server', "'# Server", "b'# Server", 'b"# Server')) or text.count("\\r\\n") > 3:
            return self._quoted(lines, at, above)
        return None

    def _json(self, lines: Lines, at: int, above: Prompt | None) -> Found | None:
        if self._budget is None:
            self._budget = 4 * len(lines.text) + LONGEST
        if self._budget <= 0:
            return None
        lines.furthest = max(lines.furthest, at + 1)
        begin = lines.start(at)
        begin += len(lines.text[begin : begin + 256]) - len(lines.text[begin : begin + 256].lstrip())
        value, size = _decoded(lines.text, begin)
        if value is None:
            self._budget -= size + 64
            value, end = self._cleaned(lines, at)
        else:
            self._budget -= size // 2
            end = lines.line_of(begin + size - 1) + 1
        if value is None:
            return None
        found = self._pieces(value, end, above, 0)
        pieces = [piece for one in found for piece in (one._replace(others=()), *one.others)]
        if not pieces:
            self._done = end
            return None
        return pieces[0]._replace(others=tuple(pieces[1:_MOST_NESTED]))

    def _cleaned(self, lines: Lines, at: int) -> tuple[Any, int]:
        """A structure in lines that had quotes or numbers before them, or one in Python's notation."""
        assert self._budget is not None
        taken: list[str] = []
        size = depth = 0
        end = at
        while end < len(lines) and not lines[end].fence and size < _MOST_PYTHON:
            text = lines[end].text
            taken.append(text)
            size += len(text) + 1
            depth += text.count("{") + text.count("[") - text.count("}") - text.count("]")
            end += 1
            if depth <= 0:
                break
        self._budget -= size
        whole = "\n".join(taken)
        if not whole.rstrip(" \t\r\n,;").endswith(("}", "]", ")")):
            # A kernel's line begins with a bracket, too.
            return None, at + 1
        for read in (json.loads, ast.literal_eval):
            try:
                return read(whole.strip()), end
            except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
                continue
        # To find out that something isn't Python's notation takes far longer than to pass over it.
        self._budget -= _FAILED * size
        return None, at + 1

    def _quoted(self, lines: Lines, at: int, above: Prompt | None) -> Found | None:
        """A text with its line ends written out, as a program shows it."""
        text = lines[at].text.strip().removeprefix("b")[:LONGEST]
        inner = text.strip("\"'").replace("\\r\\n", "\n").replace("\\n", "\n")
        pieces = list(self._of_text(inner, at + 1))
        return pieces[0]._replace(others=tuple(pieces[1:_MOST_NESTED])) if pieces else None

    def _pieces(self, value: Any, end: int, above: Prompt | None, depth: int) -> Iterator[Found]:
        """What a value is, or what is in it."""
        value = plain_text(value)
        if depth > 6:
            return
        command = above.command if above and above.typed else None
        if isinstance(value, str):
            if value.count("\n") > 1:
                yield from self._of_text(value, end)
            return
        if not isinstance(value, dict | list | tuple):
            return
        if found := of_objects(end, value) or of_cloud(end, value) or of_prometheus(end, value):
            yield found
            return
        if isinstance(value, dict) and (found := info_of(value, end, above)):
            yield found
            return
        rows = slowlog_of(value) if isinstance(value, list | tuple) else None
        reply = identified(rows, ("SLOWLOG", "GET")) if rows else None
        if reply is None:
            words = flat(value)
            reply = config_of(value) if isinstance(value, dict) else None
            reply = reply or identified(words) or (identified(words, command) if command and depth == 0 else None)
        if reply:
            yield of_reply(end, reply, above)
            return
        parts = value.values() if isinstance(value, dict) else value
        for number, part in enumerate(parts):
            if number >= _MOST_NESTED:
                return
            yield from self._pieces(part, end, above, depth + 1)

    def _of_text(self, text: str, end: int) -> Iterator[Found]:
        """The pieces of a text inside of a structure."""
        for found in self._inner(Lines(text[:_MOST_INNER])):
            yield found._replace(end=end)


def _decoded(text: str, begin: int) -> tuple[Any, int]:
    """The JSON that begins there, or None; and how many characters were read."""
    if not _JSON.match(text, begin):
        return None, 0
    size = _WINDOW
    while True:
        # An error counts the lines before it: of all of the text, each would cost as much as that is long.
        window = text[begin : begin + size]
        try:
            return _DECODER.raw_decode(window)
        except json.JSONDecodeError as error:
            whole = begin + size >= len(text)
            if whole or not (error.msg.startswith("Unterminated") or error.pos > len(window) - _TOKEN):
                return None, error.pos
        except (ValueError, RecursionError):
            return None, min(size, LONGEST)
        size *= 8


def _csv(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    """redis-cli's CSV: all of a reply on one line, and nothing that says where a list begins."""
    text = lines[at].text.strip()
    if text.count('"') < 2 or len(text) >= LONGEST:
        return None
    try:
        row = next(csv.reader([text]), [])
    except csv.Error:
        return None
    if len(row) < 2:
        return None
    found = raw(Lines("\n".join(one.replace("\n", " ").replace("\r", " ") for one in row)), 0, above)
    if found and found.form != "config":
        return found._replace(end=at + 1)
    reply = identified([int(one) if re.fullmatch(r"-?\d{1,18}", one) else one for one in row]) or identified(row)
    return of_reply(at + 1, reply, above) if reply else None
