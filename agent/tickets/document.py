"""A comment before formatting: its top, and what is folded below."""

from collections.abc import Iterator
from typing import NamedTuple

from tools.patterns import deferred

_CODE = deferred(
    r"`(?P<quoted>[^`\n]+)`|(?P<plain>\b[a-z]+#\d+\b|(?:https?|ftp|rediss?|mailto|unix)(?::|\+sentinel:)//\S+|\bwww\.\S+"
    r"|[+~&-]?@[A-Za-z]\w*)"
)
"""What reads better as code, and what a service would turn into a link."""


class Text(NamedTuple):
    """Words."""

    text: str
    bold: bool = False


class Code(NamedTuple):
    """A command, a name or a value, to be read and copied verbatim."""

    text: str


Inline = Text | Code
Line = tuple[Inline, ...]


class Para(NamedTuple):
    """One paragraph."""

    line: Line


class Items(NamedTuple):
    """A list."""

    lines: tuple[Line, ...]


class Block(NamedTuple):
    """Lines in columns, as a terminal shows them."""

    lines: tuple[str, ...]


Part = Para | Items | Block


class Fold(NamedTuple):
    """Details that a reader can unfold."""

    title: str
    parts: tuple[Part, ...]


class Comment(NamedTuple):
    """A whole comment."""

    top: tuple[Part, ...]
    folds: tuple[Fold, ...]
    marker: str
    """Identifies the comment to update; one for each server."""

    @property
    def rows(self) -> int:
        """How many lines are folded away."""
        return sum(_size(part) for fold in self.folds for part in fold.parts)

    def cut(self, rows: int) -> "Comment":
        """The same top and at most this many folded lines, with a note about the rest."""
        if rows >= self.rows:
            return self
        folds, left = [], rows
        for fold in self.folds:
            parts = []
            for part in fold.parts:
                if left > 0:
                    parts.append(_first(part, left))
                left -= _size(part)
            if parts:
                folds.append(Fold(fold.title, tuple(parts)))
        gone = Para(words(f"{self.rows - rows} more lines didn't fit here; `rediagnose triage` prints them all."))
        return Comment(self.top, (*folds, Fold("Cut", (gone,))), self.marker)


def words(text: str, *, bold: bool = False) -> Line:
    """Text on one line, with backticked words, handles and addresses as code."""
    return tuple(_inlines(" ".join(text.split()), bold))


def _inlines(text: str, bold: bool) -> Iterator[Inline]:
    at = 0
    for found in _CODE.finditer(text):
        if found.start() > at:
            yield Text(text[at : found.start()], bold)
        code = found["quoted"] or found["plain"]
        tail = "" if found["quoted"] else code[len(code.rstrip(".,;:!?)")) :]
        yield Code(code[: len(code) - len(tail)])
        at = found.end() - len(tail)
    if at < len(text):
        yield Text(text[at:], bold)


def _size(part: Part) -> int:
    return 1 if isinstance(part, Para) else len(part.lines)


def _first(part: Part, rows: int) -> Part:
    if isinstance(part, Items):
        return Items(part.lines[:rows])
    return Block(part.lines[:rows]) if isinstance(part, Block) else part
