"""Regular expressions that are compiled on first use: of hundreds, one incident needs a few dozen."""

import re
from functools import cached_property
from typing import Any, cast

_PIECE = re.compile(r"[A-Za-z0-9 ,;:='\"/_\-<>%&#!@~]+|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{[^}]*\}|\(\?[ix]|.", re.DOTALL)
"""Of a pattern: letters that stand for themselves, or what doesn't as far as it belongs together."""
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ,;:='\"/_-<>%&#!@~")


def deferred(text: str, flags: int = 0) -> re.Pattern[str]:
    """A pattern like that of `re.compile`, compiled on first use.

    Its text is a constant: an error only shows then. It isn't the `re` of a match, so don't compare it with that.
    """
    return cast("re.Pattern[str]", _Deferred(text, flags))


def literals(text: str) -> tuple[str, ...]:
    """Texts of which one is in whatever matches a pattern, one of each outer alternative; none if one isn't known."""
    alternatives, depth = [[""]], 0
    for piece in _PIECE.findall(text):
        first, runs = piece[0], alternatives[-1]
        if piece in ("(?i", "(?x"):
            return ()
        depth += (first == "(") - (first == ")")
        if depth == 0 and first == "|":
            alternatives.append([""])
        elif depth == 0 and first in "?*{":
            # What precedes it needn't be there.
            runs[-1] = runs[-1][:-1]
            runs.append("")
        elif depth == 0 and first in _PLAIN:
            runs[-1] += piece
        else:
            runs.append("")
    found = tuple(max(runs, key=len) for runs in alternatives)
    return found if all(found) else ()


def possible(pattern: re.Pattern[str], text: str) -> bool:
    """Whether a text has what is certain of a deferred pattern: to ask that first spares most from being compiled."""
    held: object = pattern
    certain = held.certain if isinstance(held, _Deferred) else ()
    return not certain or any(one in text for one in certain)


def compiled(value: object) -> object:
    """The pattern of a deferred one; anything else as it is."""
    return re.compile(*value._given) if isinstance(value, _Deferred) else value


class _Deferred:
    """Stands for a pattern; what was asked of it once is its own attribute from then on, and costs no detour."""

    def __init__(self, text: str, flags: int) -> None:
        self._given = text, flags

    @cached_property
    def certain(self) -> tuple[str, ...]:
        """Of which one is in every match, as `literals` finds them."""
        text, flags = self._given
        return () if flags & (re.IGNORECASE | re.VERBOSE) else literals(text)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = getattr(re.compile(*self._given), name)
        setattr(self, name, found)
        return found
