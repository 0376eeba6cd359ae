"""Regular expressions that are compiled on first use: of hundreds, one incident needs a few dozen."""

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any, cast

_PIECE = re.compile(
    r"[A-Za-z0-9 ,;:='\"/_\-<>%&#!@~]+|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{[^}]*\}|\(\?(?:[:=!]|<[=!]|P<\w+>|.)|.",
    re.DOTALL,
)
"""Of a pattern: letters that stand for themselves, or what doesn't as far as it belongs together."""
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ,;:='\"/_-<>%&#!@~")
_GROUPS, _AROUND = ("(", "(?:"), ("(?=", "(?!", "(?<=", "(?<!")
"""How a group begins, one with a name aside, and how one whose content need not be in what matches."""


def deferred(text: str, flags: int = 0) -> re.Pattern[str]:
    """A pattern like that of `re.compile`, compiled on first use.

    Its text is a constant: an error only shows then. It isn't the `re` of a match, so don't compare it with that.
    """
    return cast("re.Pattern[str]", _Deferred(text, flags))


def literals(text: str) -> tuple[str, ...]:
    """Texts of which one is in whatever matches a pattern, some of each alternative; none if one isn't known."""
    pieces = _PIECE.findall(text)
    known = (*_GROUPS, *_AROUND)
    if any(one[:1] == "(" and one not in known and not one.startswith("(?P<") for one in pieces):
        return ()
    return _certain(iter(pieces))


def _certain(pieces: Iterator[str]) -> tuple[str, ...]:
    """What is certain of a pattern or of a group up to its end: of each alternative what has the longest texts."""
    alternatives: list[list[tuple[str, ...]]] = [[("",)]]
    for piece in pieces:
        first, parts = piece[0], alternatives[-1]
        if piece == ")":
            break
        if piece == "|":
            alternatives.append([("",)])
        elif piece.startswith("("):
            inner = _certain(pieces)
            parts += [() if piece in _AROUND else inner, ("",)]
        elif first in "?*{":
            # What precedes it needn't be there.
            if parts[-1] == ("",) and len(parts) > 1:
                parts[-2] = ()
            parts[-1:] = [(parts[-1][0][:-1],), ("",)]
        elif first in _PLAIN:
            parts[-1] = (parts[-1][0] + piece,)
        elif first == "\\" and not piece[1].isalnum():
            parts[-1] = (parts[-1][0] + piece[1],)
        else:
            parts += [(), ("",)]
    found = [max(parts, key=lambda one: min(map(len, one), default=0)) for parts in alternatives]
    return tuple(one for some in found for one in some) if all(map(all, found)) and all(found) else ()


def possible(pattern: re.Pattern[str], text: str) -> bool:
    """Whether a text has what is certain of a deferred pattern: to ask that first spares most from being compiled."""
    held: object = pattern
    if not isinstance(held, _Deferred) or not held.certain:
        return True
    if held.caseless:
        if not text.isascii():
            # Beyond it a letter's other case may be another letter: the long s is an s.
            return True
        text = text.lower()
    return any(one in text for one in held.certain)


def certain(pattern: re.Pattern[str]) -> tuple[str, ...]:
    """Texts of which one is in whatever matches a deferred pattern; none if that isn't known, or case doesn't count."""
    held: object = pattern
    return held.certain if isinstance(held, _Deferred) and not held.caseless else ()


def compiled(value: object) -> object:
    """The pattern of a deferred one; anything else as it is."""
    return re.compile(*value._given) if isinstance(value, _Deferred) else value


class _Deferred:
    """Stands for a pattern; what was asked of it once is its own attribute from then on, and costs no detour."""

    def __init__(self, text: str, flags: int) -> None:
        self._given = text, flags
        self.caseless = bool(flags & re.IGNORECASE)

    @cached_property
    def certain(self) -> tuple[str, ...]:
        """Of which one is in every match, as `literals` finds them; in small letters where case doesn't count."""
        text, flags = self._given
        found = () if flags & re.VERBOSE else literals(text)
        return tuple(one.lower() for one in found) if self.caseless else found

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = getattr(re.compile(*self._given), name)
        setattr(self, name, found)
        return found
