"""What goes to a terminal: nothing in it steers the terminal or reads otherwise than it is, but for our own styling.

Two ways lead there, and both are cleaned. What is printed goes through `PlainStream`, which stands in place of stdout
and stderr and passes no escape sequence at all. What is styled goes through `styled_console`, which cleans each piece
of text before a style is put around it, and writes past that stream.
"""

import io
import re
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    from rich.console import Console

MARKS = 4
"""Combining marks that may follow one letter: no language needs more, and a flood of them hides other lines."""
_KEPT = "\n\t"
_ASCII = {code: None for code in (*range(32), 127) if chr(code) not in _KEPT}
_SELECTORS = (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
_INVISIBLE = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\u034f") | set(map(chr, _SELECTORS))
"""What has no look of its own, though Unicode counts it as a letter, a mark or a symbol."""


def clean(text: str) -> str:
    """A text without control, bidirectional, zero-width and other invisible characters; lines and tabs stay.

    A space of another width becomes a plain one, so does what ends a line without being a line feed.
    """
    if text.isascii():
        return text if text.isprintable() else text.translate(_ASCII)
    marks, found = 0, []
    for letter in text:
        category = unicodedata.category(letter)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if category[0] == "Z":
            found.append(" ")
        elif letter in _KEPT or (category[0] != "C" and letter not in _INVISIBLE and marks <= MARKS):
            found.append(letter)
    return "".join(found)


_HIDDEN_IN_JSON = re.compile(r"[^\x20-\x7e\n]")


def json_text(text: str) -> str:
    """JSON in which what `clean` would take away is escaped, so that its values stay what they are."""

    def escaped(match: re.Match[str]) -> str:
        letter = match[0]
        if clean(letter) == letter and not unicodedata.category(letter).startswith("M"):
            return letter
        units = letter.encode("utf-16-be", "surrogatepass")
        return "".join(f"\\u{high:02x}{low:02x}" for high, low in zip(units[::2], units[1::2], strict=True))

    return text if text.isascii() and text.replace("\n", "").isprintable() else _HIDDEN_IN_JSON.sub(escaped, text)


class PlainStream(io.TextIOBase):
    """A stream of text that lets nothing through but text; all else about it is the stream's behind it."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str, /) -> int:
        """Write what is left of the text; the size that was given."""
        self.stream.write(clean(text))
        return len(text)

    def flush(self) -> None:
        """Flush the stream behind it."""
        self.stream.flush()

    def isatty(self) -> bool:
        """Whether the stream behind it is a terminal."""
        return self.stream.isatty()

    def fileno(self) -> int:
        """The descriptor of the stream behind it."""
        return self.stream.fileno()

    def writable(self) -> bool:
        """It is."""
        return True

    def close(self) -> None:
        """Leave the stream behind it open: whoever made that one closes it."""

    def __getattribute__(self, name: str) -> Any:
        # TextIOBase has these, as nothing.
        if name in ("encoding", "errors", "newlines", "buffer"):
            return getattr(object.__getattribute__(self, "stream"), name)
        return super().__getattribute__(name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def plain_streams() -> Iterator[None]:
    """Put the stream that passes text only in place of stdout and stderr."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (
        cast(TextIO, PlainStream(one)) if one is not None and not isinstance(one, PlainStream) else one
        for one in before
    )
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def styled_console(*, stderr: bool = False) -> "Console":
    """A console for styled text on stdout, or stderr. What it's given is never markup."""
    # Loaded here: --help and what prints plain text don't need it.
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class CleanConsole(Console):
        """Cleans each piece of text where its style is put around it."""

        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
            for segment in super().render(renderable, options):
                if segment.control:
                    yield segment
                    continue
                style = segment.style.update_link(None) if segment.style and segment.style.link else segment.style
                yield Segment(clean(segment.text), style)

    stream = sys.stderr if stderr else sys.stdout
    file = stream.stream if isinstance(stream, PlainStream) else stream
    return CleanConsole(file=file, stderr=stderr, markup=False, highlight=False, emoji=False)
