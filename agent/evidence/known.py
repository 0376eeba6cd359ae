"""Which fields the tools' readings have, from a generated list: a misspelt one would silently never match.

`python -m evals.fields` writes the list from all recordings and from the tools' code. In its lines `#` stands for a
number and `*` for a name.
"""

import re
from functools import cache
from pathlib import Path

from tools.patterns import deferred

FILE = Path(__file__).with_name("fields.txt")
_PIECES = deferred(r"[#*]|[^#*]+")


@cache
def fields() -> dict[str, tuple[str, ...]]:
    """The fields of each tool's readings, patterns among them."""
    tools: dict[str, list[str]] = {}
    for line in FILE.read_text("utf-8").splitlines():
        if line.startswith("["):
            tools[line.strip("[]")] = []
        elif line and not line.startswith("# "):
            tools[next(reversed(tools))].append(line)
    return {tool: tuple(names) for tool, names in tools.items()}


def is_known(tool: str, field: str) -> bool:
    """Whether a tool's readings can have a field (`*` in it matches anything); every reading has `unavailable`."""
    if field == "unavailable":
        return True
    if "*" in field:
        asked = re.compile("".join(".*" if piece == "*" else re.escape(piece) for piece in _PIECES.findall(field)))
        return any(asked.fullmatch(example) for example in examples(tool)) or bool(_pattern(tool).fullmatch(field))
    return _pattern(tool).fullmatch(field) is not None


@cache
def examples(tool: str) -> tuple[str, ...]:
    """Each field of a tool by example, with a number and a name filled into the patterns."""
    return tuple(name.replace("#", "1").replace("*", "x") for name in fields().get(tool, ()))


@cache
def _pattern(tool: str) -> re.Pattern[str]:
    stands_for = {"#": r"\d+", "*": r"[^\s]+?"}
    return re.compile(
        "|".join(
            "".join(stands_for.get(piece) or re.escape(piece) for piece in _PIECES.findall(name))
            for name in fields().get(tool, ())
        )
    )
