"""Rows of the table-driven tests: readings as small dicts, and what the checks should make of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from agent.answer.diagnosis import Cause, Evidence
from agent.checks.types import Check
from agent.evidence.known import is_known
from agent.evidence.view import Cited, View
from agent.runbooks.library import load
from tools.records import Kind, Reading, Scalar, Unavailable, Values

LIMITS = load().thresholds
NODE = "n"

Given = Mapping[str, Any]
"""By tool: its values, or the kind for which it's unavailable, or both."""
Expected = Mapping[str, str]
"""By cause: a word of `BANDS`, or `not` where it's ruled out; what isn't here may not be found at all."""
Row = tuple[str, Check, Given, Expected] | tuple[str, Check, Given, Expected, Mapping[str, Any]]
"""What it's about, the check, the readings, what is expected, and more for `view`: symptom, peers, node."""
BANDS = {"sure": (0.9, 1.0), "likely": (0.7, 0.9), "maybe": (0.5, 0.7), "hint": (0.0, 0.5)}
"""From the first to below the second: from 0.5 on a cause is part of an answer."""


class CheckedView(View):
    """A view that is asked for fields only that there are: those too whose names are put together."""

    def get(self, tool: str, field: str) -> Scalar:
        """The value. Raises `AssertionError` for a field that no reading of the tool has."""
        assert is_known(tool, field), (tool, field)
        return super().get(tool, field)

    def cite(self, *cited: Cited) -> tuple[Evidence, ...]:
        """The evidence. Raises `AssertionError` for a field that no reading of the tool has."""
        unknown = [(tool, field) for tool, field in cited if not is_known(tool, field)]
        assert not unknown, unknown
        return super().cite(*cited)


def view(given: Given, *, symptom: str = "", peers: Mapping[str, Given] | None = None, node: str = NODE) -> View:
    """The readings of a node and its peers, in turn."""
    readings = [_reading(0, "symptom", {"text": symptom}, None)]
    for at, tools in {node: given, **(peers or {})}.items():
        # The topology is no single node's.
        readings += [
            _reading(len(readings) + number, tool, value, None if tool == "topology" else at)
            for number, (tool, value) in enumerate(tools.items())
        ]
    return CheckedView(readings, node)


def _reading(number: int, tool: str, value: Values | Kind | tuple[Kind, Values], node: str | None) -> Reading:
    kind, values = value if isinstance(value, tuple) else (None, value) if isinstance(value, dict) else (value, None)
    unknown = [field for field in values or {} if not is_known(tool, field)]
    assert not unknown, (tool, unknown)
    return Reading(
        id=f"r{number}", tool=tool, args={}, node=node, at="2026-01-31T02:05:07Z", ms=1.0, values=values,
        unavailable=Unavailable(kind=kind, detail=kind) if kind else None,
    )  # fmt: skip


def found(check: Check, given: Given, **more: Any) -> dict[str, str]:
    """What a check finds and rules out, each by its word: a cause's likeliest, and `not` beside it after a plus."""
    words: dict[str, str] = {}
    for one in check(view(given, **more), LIMITS):
        word = _band(one.probability) if isinstance(one, Cause) else "not"
        words[one.id] = f"{words[one.id]}+{word}" if one.id in words else word
    return words


def _band(probability: float) -> str:
    return next(word for word, (low, high) in BANDS.items() if low <= probability < high or probability == high == 1.0)


def table(rows: Sequence[Row]) -> pytest.MarkDecorator:
    """The rows as a test's parameters, each by its name."""
    names = [row[0] for row in rows]
    assert len(set(names)) == len(names), [name for name in names if names.count(name) > 1]
    filled = [(*row[1:], {}) if len(row) == 4 else row[1:] for row in rows]
    return pytest.mark.parametrize(("check", "given", "expected", "more"), filled, ids=names)
