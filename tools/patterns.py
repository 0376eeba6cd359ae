"""Regular expressions that are compiled when they're first used: of hundreds one incident needs a few dozen."""

import re
from typing import Any, cast

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ,;:='\"/_-<>%&#!@~")

_SET = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)


def deferred(text: str, flags: int = 0) -> re.Pattern[str]:
    """A pattern as `re.compile` gives it, compiled on first use. Its text is a constant: a mistake shows only then.

    It isn't what a match has as its `re`: nothing can be compared with that.
    """
    return cast("re.Pattern[str]", _Deferred(text, flags))


def literals(text: str) -> tuple[str, ...]:
    """Texts of which one is in whatever matches a pattern, one of each outer alternative; none where one isn't known.

    To look for them first is cheap, and spares most patterns from being compiled at all.
    """
    alternatives, depth, at = [[""]], 0, 0
    while at < len(text):
        letter, runs = text[at], alternatives[-1]
        if text.startswith(("(?i", "(?x"), at):
            return ()
        if letter == "[":
            # A set, in which a bracket may come first or behind a backslash.
            at = _SET.match(text, at).end() - 1  # type: ignore[union-attr]
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and letter == "|":
            alternatives.append([""])
        elif depth == 0 and letter in "?*{":
            # What stands before it need not be there.
            runs[-1] = runs[-1][:-1]
            at = text.index("}", at) if letter == "{" else at
            runs.append("")
        elif depth == 0 and letter in _PLAIN:
            runs[-1] += letter
        else:
            runs.append("")
        at += 2 if letter == "\\" else 1
    found = tuple(max(runs, key=len) for runs in alternatives)
    return found if all(found) else ()


def compiled(value: object) -> object:
    """The pattern of a deferred one; anything else as it is."""
    return re.compile(*value._given) if isinstance(value, _Deferred) else value


class _Deferred:
    """Stands for a pattern; what was asked of it once is its own attribute from then on, and costs no detour."""

    def __init__(self, text: str, flags: int) -> None:
        self._given = text, flags

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = getattr(re.compile(*self._given), name)
        setattr(self, name, found)
        return found
