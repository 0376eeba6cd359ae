"""What somebody wrote around the pieces of a paste: it's the report."""

import re
from collections.abc import Iterable

from tools.paste.found import hidden
from tools.paste.headings import label
from tools.paste.lines import Lines

MOST, LINES_MOST = 2000, 60
"""Characters and lines that are kept: nobody reports more than that."""
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
FRAMES = ("    at ", "        at ")
"""How the frames of a long trace begin: there may be more of them than of anything else, each another line."""
LEAST = 3
"""Words of a sentence at least."""


def is_prose(text: str) -> bool:
    """Whether a line is mostly words, as people write them."""
    parts = text.split()
    words = [part for part in parts if _WORD.fullmatch(part.strip(".,;:!?()*\"'`>#-"))]
    return len(words) >= LEAST and len(words) >= 0.6 * len(parts)


def prose(lines: Lines, stretches: Iterable[tuple[int, int]]) -> str:
    """The sentences of what couldn't be recognised as anything else, in their order."""
    written: list[str] = []
    for begin, end in stretches:
        for text in lines.texts(begin, min(end, begin + LINES_MOST)):
            if is_prose(text) and not label(text):
                written.append(text.strip().lstrip("#*> ").rstrip("*"))
            if len(written) >= LINES_MOST:
                break
    return hidden(written)[:MOST].strip()
