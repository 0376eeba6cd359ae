"""The way to a terminal, a pipe or a file that stdout and stderr are: the one place that all printed text goes through.

Text is cleaned, whoever prints it. Only what styles text and moves the cursor for this program's own libraries has a
way of its own, `styled`, through which they pass just the sequences that they need, and those on a terminal only.
"""

import contextlib
import re
import sys
from collections.abc import Iterable, Iterator
from typing import TextIO, cast

from tools.text import printable

_OWN = re.compile(
    r"\x1b\[(?:"
    r"[0-9;]{0,40}m"  # colours and weights
    r"|[0-9]{0,4}[A-DGJK]|[0-9]{0,4};?[0-9]{0,4}H"  # the cursor, and what is wiped
    r"|\?(?:1|7|12|25|2004)[hl]"  # keys, wrapping, blinking, cursor, bracketed paste
    r"|6n|[0-6] q"  # where the cursor is, and its shape
    r")|[\r\x08]"
)


class Sink:
    """A text stream that writes only what can be printed onto another."""

    def __init__(self, raw: TextIO, *, styles: bool = False, is_paged: bool = False) -> None:
        """`styles` lets the sequences of our own libraries pass, where `raw` is a terminal.

        `is_paged` says that it's a pipe whose reader shows it on one.
        """
        self._raw, self._is_paged = raw, is_paged
        self._passes = styles and self.isatty()

    def styled(self) -> TextIO:
        """The same stream for what styles text by itself, and cleans what it's given."""
        return as_stream(Sink(self._raw, styles=True))

    def write(self, text: str) -> int:
        """Write text without what isn't printable; its length, as it was given."""
        self._raw.write(self._encodable(self._with_own(text) if self._passes else printable(text)))
        return len(text)

    def _with_own(self, text: str) -> str:
        pieces, end = [], 0
        for found in _OWN.finditer(text):
            pieces += [printable(text[end : found.start()]), found[0]]
            end = found.end()
        return "".join([*pieces, printable(text[end:])])

    def _encodable(self, text: str) -> str:
        return text if text.isascii() else text.encode(self.encoding, "replace").decode(self.encoding)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write lines, which have their ends."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush the stream below."""
        self._raw.flush()

    def close(self) -> None:
        """Close the stream below."""
        self._raw.close()

    @property
    def closed(self) -> bool:
        """Whether the stream below is closed."""
        return self._raw.closed

    @property
    def encoding(self) -> str:
        """How the stream below encodes text."""
        return getattr(self._raw, "encoding", None) or "utf-8"

    @property
    def errors(self) -> str:
        """What becomes of a letter that can't be encoded."""
        return "replace"

    def fileno(self) -> int:
        """The stream's descriptor. Raises `OSError` where it has none."""
        return self._raw.fileno()

    def isatty(self) -> bool:
        """Whether it's a terminal."""
        return self._is_paged or self._raw.isatty()

    def readable(self) -> bool:
        """It isn't."""
        return False

    def writable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It isn't."""
        return False


def as_stream(sink: Sink) -> TextIO:
    """A sink as a stream's type: what has no place in it, such as `buffer`, would lead around it."""
    return cast(TextIO, sink)


def styled(stream: TextIO) -> TextIO:
    """The way onto a stream for a library that styles text, whether or not the stream is a sink already."""
    sink = cast(object, stream)
    return sink.styled() if isinstance(sink, Sink) else Sink(stream).styled()


def paged(pipe: TextIO) -> TextIO:
    """The way to a pager, which shows on the terminal what it's given."""
    return as_stream(Sink(pipe, styles=True, is_paged=True))


@contextlib.contextmanager
def sinks() -> Iterator[None]:
    """Have stdout and stderr go through sinks within the block."""
    before = sys.stdout, sys.stderr
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        # Null where the program has no such stream at all.
        if stream is not None and not isinstance(stream, Sink):
            setattr(sys, name, Sink(stream))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
