"""Parts of a screen with limited lines: each has a minimum, and the rest is distributed by rank."""

from collections.abc import Sequence
from typing import NamedTuple

from agent.report.wrapping import command_lines, wrapped
from tools.text import one_line

LABEL = 10
"""Columns of the label before a part."""
COMMAND = "$ "


class Section(NamedTuple):
    """A part of the screen: its label and its pieces, of which the last are left out first."""

    label: str
    pieces: Sequence[str]
    least: int
    """Its minimum of lines, if it has that much."""
    rank: int
    """The lower, the sooner it gets more lines."""
    joint: str = " "
    """The separator of pieces; a line break for pieces that have lines of their own."""
    left_out: str = ""
    """The note that pieces were left out; {} is how many."""
    style: str | None = None
    most: int = 99
    """Its maximum of lines, if the screen is bounded."""
    whole: bool = False
    """Whether nothing of it may be left out, whatever the bound."""


class Styled(NamedTuple):
    """A line of the answer and its style on a terminal."""

    text: str
    style: str | None = None


def laid_out(sections: Sequence[Section], width: int, most: int | None = None) -> list[Styled]:
    """The sections' lines, within the bound if their minimums allow it; all of them without a bound."""
    full = [_lines(section, section.pieces, width) for section in sections]
    if most is None:
        return [Styled(line, one.style) for one, lines in zip(sections, full, strict=True) for line in lines]
    given = [len(lines) if one.whole else min(len(lines), one.least) for one, lines in zip(sections, full, strict=True)]
    left = most - sum(given)
    for index in sorted(range(len(sections)), key=lambda index: sections[index].rank):
        bound = max(given[index], min(len(full[index]), sections[index].most))
        more = min(max(left, 0), bound - given[index])
        given[index] += more
        left -= more
    return [
        Styled(line, section.style)
        for section, lines, count in zip(sections, full, given, strict=True)
        for line in (lines if len(lines) <= count else _shortened(section, width, count))
    ]


def _lines(section: Section, pieces: Sequence[str], width: int) -> list[str]:
    label = f"{section.label:<{LABEL}}" if section.label else ""
    indent = " " * len(label)
    if section.joint != "\n":
        return wrapped(section.joint.join(map(one_line, pieces)), width, label, indent) if pieces else []
    lines: list[str] = []
    for number, piece in enumerate(map(one_line, pieces)):
        first = indent if number else label
        if piece.startswith(COMMAND):
            lines += command_lines(piece.removeprefix(COMMAND), width, f"{first}{COMMAND}", f"{indent}    ")
        else:
            lines += wrapped(piece, width, first, indent)
    return lines


def _shortened(section: Section, width: int, most: int) -> list[str]:
    """As many pieces as there is room for and how many remain; if the first is too long, as much of it as fits."""
    for count in range(len(section.pieces) - 1, 0, -1):
        kept = list(section.pieces[:count])
        if section.left_out:
            kept.append(section.left_out.format(len(section.pieces) - count))
        if len(lines := _lines(section, kept, width)) <= most:
            return lines
    if not section.least or most < 1:
        return []
    if "{}" in section.left_out:
        count = len(section.pieces)
        return _lines(section, [f"{count} thing{'' if count == 1 else 's'}, shown by -v."], width)[:most]
    words = section.pieces[0].split()
    while len(words) > 1 and len(lines := _lines(section, [" ".join(words), _MORE], width)) > most:
        words.pop()
    return _lines(section, [" ".join(words), _MORE], width)[:most]


_MORE = "(the rest: -v)"
