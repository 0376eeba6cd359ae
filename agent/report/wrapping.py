"""Wrapping to a width: between words, and within a word only if it is longer than a line."""

import unicodedata
from collections.abc import Iterator

from tools.patterns import deferred

_UNIT = deferred(r"(?<=\d) (?=(?:s|ms|µs|min|h|[KMGT]iB)(?!\w))")
"""Between a figure and its unit, which stay on the same line."""
LEAST = 20
"""The least columns that can be laid out; a narrower terminal breaks lines itself."""


def cells(text: str) -> int:
    """The columns that a text occupies."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def wrapped(text: str, width: int, first: str = "", rest: str | None = None) -> list[str]:
    """Lines of at most `width` columns, the first prefixed with `first`, the others with `rest` (as many spaces)."""
    rest = " " * cells(first) if rest is None else rest
    width = max(width, LEAST + cells(rest))
    lines, line, is_empty = [], first, True
    for word in _words(text, width - max(cells(first), cells(rest))):
        if not is_empty and cells(line) + 1 + cells(word) > width:
            lines.append(line)
            line, is_empty = rest, True
        line = f"{line}{word}" if is_empty else f"{line} {word}"
        is_empty = False
    return [*lines, line.rstrip()]


def command_lines(command: str, width: int, first: str, rest: str) -> list[str]:
    """A command that can be pasted into a shell: if it's too long for a line, it continues after a backslash."""
    pieces = _outside_quotes(command)
    lines, line, is_empty = [], first, True
    for piece in pieces:
        if not is_empty and cells(line) + 1 + cells(piece) + 2 > width:
            lines.append(f"{line} \\")
            line, is_empty = rest, True
        line = f"{line}{piece}" if is_empty else f"{line} {piece}"
        is_empty = False
    return [*lines, line]


def _words(text: str, most: int) -> Iterator[str]:
    for joined in _UNIT.sub("\0", text).split():
        word = joined.replace("\0", " ")
        if cells(word) <= most:
            yield word
            continue
        piece = ""
        for letter in word:
            if cells(piece) + cells(letter) > most:
                yield piece
                piece = ""
            piece += letter
        if piece:
            yield piece


def _outside_quotes(command: str) -> list[str]:
    """The words of a command as written: a space in quotes or after a backslash doesn't separate them."""
    pieces, piece, quote, is_escaped = [], "", "", False
    for letter in command:
        if letter == " " and not quote and not is_escaped:
            pieces.append(piece)
            piece = ""
            continue
        if is_escaped:
            is_escaped = False
        elif letter == "\\" and quote != "'":
            is_escaped = True
        elif letter in "'\"":
            quote = "" if quote == letter else quote or letter
        piece += letter
    return [one for one in [*pieces, piece] if one]
