"""Whether what a server prints is the value it was given, and how a file writes it."""

import re

from tools.gate.bounds import size
from tools.gate.policy import canonical_name, command_line

_CLASSES = {"slave": "replica"}


def equal_values(parameter: str, given: str, printed: str | None) -> bool:
    """Whether a parameter set to `given` would be printed like that: servers reformat sizes and flags."""
    if printed is None:
        return False
    if given == printed:
        return True
    name = canonical_name(parameter)
    if name == "client-output-buffer-limit":
        whole = _limits(printed)
        return bool(parts := _limits(given)) and all(whole.get(kind) == bounds for kind, bounds in parts.items())
    if name == "notify-keyspace-events":
        return _flags(given) == _flags(printed)
    one, other = size(given), size(printed)
    return one is not None and one == other


def _limits(text: str) -> dict[str, tuple[int | None, ...]]:
    words = text.split()
    rows = [words[at : at + 4] for at in range(0, len(words), 4)]
    return {_CLASSES.get(row[0], row[0]): tuple(size(word) for word in row[1:]) for row in rows if len(row) == 4}


def _flags(text: str) -> set[str]:
    # A stands for all of these.
    return set(re.sub("A", "g$lshzxetd", text))


def config_lines(parameter: str, value: str) -> list[str]:
    """The lines that set a value in a configuration file."""
    words = value.split()
    each = {"client-output-buffer-limit": 4, "save": 2}.get(canonical_name(parameter), 0)
    if each and words and len(words) % each == 0:
        return [" ".join((parameter, *words[at : at + each])) for at in range(0, len(words), each)]
    return [
        f"{parameter} {value}"
        if words and canonical_name(parameter) != "save"
        else f"{parameter} {command_line((value,))}"
    ]
