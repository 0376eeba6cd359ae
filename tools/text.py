"""Text that others wrote, as it may be shown: without anything that steers a terminal or can't be seen."""

import re
import unicodedata
from collections.abc import Iterable

MARKS_MOST = 3
"""Combining marks on one letter: as many as any language has; a flood of them covers the lines around it."""
LINE_MOST = 4000
"""Characters of one line of an answer: what else is in it is somebody else's flood."""
_RANGES = (
    (0x00AD, 0x00AD),  # soft hyphen
    (0x034F, 0x034F),  # combining grapheme joiner
    (0x061C, 0x061C),  # Arabic letter mark
    (0x115F, 0x1160),  # Hangul fillers
    (0x17B4, 0x17B5),  # Khmer inherent vowels
    (0x180B, 0x180F),  # Mongolian variation selectors
    (0x200B, 0x200F),  # zero-width space and joiners, direction marks
    (0x202A, 0x202E),  # embedding and overriding of direction
    (0x2060, 0x206F),  # word joiner, invisible operators, isolates, deprecated format characters
    (0x3164, 0x3164),  # Hangul filler
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFEFF, 0xFEFF),  # byte order mark
    (0xFFA0, 0xFFA0),  # halfwidth Hangul filler
    (0xFFF0, 0xFFFB),  # interlinear annotation among them
    (0x13430, 0x13440),  # hieroglyph format controls
    (0x1BCA0, 0x1BCA3),  # shorthand format controls
    (0x1D173, 0x1D17A),  # musical format characters
    (0xE0000, 0xE0FFF),  # tags, variation selectors
)
"""What is drawn as nothing (Default_Ignorable_Code_Point of Unicode, and other format characters)."""
_UNSEEN = "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in _RANGES)
_IGNORED = re.compile(f"[{_UNSEEN}]")
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,8}[@-~]"  # CSI
    # OSC, DCS, PM, APC, SOS: up to the next one at most, or many that aren't ended take the square of their number.
    r"|(?:\x1b[\]P^_X]|[\x9d\x90\x9e\x9f\x98])[^\x07\x1b\x9c\n\x9d\x90\x9e\x9f\x98]{0,4096}(?:\x07|\x1b\\|\x9c)"
)
_PLAIN = re.compile(r"[\n\t -~]*")
_BLANK = "\u2800"
"""A Braille cell without a dot: a letter, and nothing is seen of it."""


def printable(text: str) -> str:
    """Text that can't steer a terminal, and of which everything is seen; line ends and tabs stay.

    Escape sequences and unseen characters go; a control character, a strange space or half a letter becomes a space.
    """
    if _PLAIN.fullmatch(text):
        return text
    return _without_floods("".join(map(_shown, _SEQUENCE.sub("", text.replace("\r\n", "\n")))))


def one_line(text: str, most: int = LINE_MOST) -> str:
    """Printable text on one line: line ends and tabs are spaces, and what is beyond `most` characters is cut."""
    line = printable(text).replace("\n", " ").replace("\t", " ")
    return line if len(line) <= most else f"{line[: most - 1]}…"


def did_you_mean(word: str, names: Iterable[str], most: int = 3) -> str:
    """The end of an error's line about a word that isn't one of the names: those that it may have been meant as."""
    # It takes a while to load, and only a mistake needs it.
    from difflib import SequenceMatcher

    likeness = {name: SequenceMatcher(None, name.lower(), word.lower()).ratio() for name in names}
    least = max(0.6, max(likeness.values(), default=0) - 0.1)
    close = sorted((name for name in likeness if likeness[name] >= least), key=lambda name: -likeness[name])[:most]
    return f"; did you mean {' or '.join(close)}?" if close else ""


def escaped_json(text: str) -> str:
    r"""JSON whose strings have what `printable` would change as \u escapes, so that their values stay what they are."""
    if _PLAIN.fullmatch(text):
        return text
    return "".join(letter if letter in "\n\t" or _stays(letter) else _json_escape(letter) for letter in text)


def _stays(letter: str) -> bool:
    return _shown(letter) == letter and unicodedata.category(letter) not in ("Mn", "Me")


def _json_escape(letter: str) -> str:
    units = letter.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))


def _shown(letter: str) -> str:
    if letter.isprintable():
        return "" if _IGNORED.fullmatch(letter) else " " if letter == _BLANK else letter
    if letter in "\n\t":
        return letter
    return "" if unicodedata.category(letter) == "Cf" or _IGNORED.fullmatch(letter) else " "


def _without_floods(text: str) -> str:
    """Text in which a combining mark stands on a letter, and few of them on one."""
    if text.isascii():
        return text
    letters: list[str] = []
    marks, on_letter = 0, False
    for letter in text:
        category = unicodedata.category(letter)
        if category in ("Mn", "Me"):
            marks += 1
            if not on_letter or marks > MARKS_MOST:
                continue
        else:
            marks, on_letter = 0, category[0] in "LM"
        letters.append(letter)
    return "".join(letters)
