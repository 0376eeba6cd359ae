"""Two looks at the same servers: which figures changed, and what became of the findings."""

from collections.abc import Iterable, Sequence
from math import log

from agent.answer.diagnosis import Cause
from agent.evidence.fields import FIGURES
from tools.patterns import deferred
from tools.records import Reading, Record, Scalar

NOTICED = 1.1
"""Figures that differ by less than this factor count as the same: healthy servers vary that much."""
FLOOR = 1.0
"""Added to both sides of a ratio, so that a change from nothing to a little isn't infinite."""
SMALL_MS = 1.0
"""Least milliseconds that say anything about a server."""
MOST = 15
_AGES = deferred(r"(.*[._])?age|.*idle_(median|max)|dns_ms")
"""Fields that change by themselves."""


class Moved(Record):
    """A figure of one node that has changed."""

    node: str | None
    tool: str
    field: str
    was: Scalar
    now: Scalar
    reading: str
    """The newer reading, for a citation."""
    cited: bool
    """Whether a cause cited it."""

    @property
    def factor(self) -> float:
        """How much it changed, as the logarithm of a ratio; changed text counts as a factor of e."""
        one, other = _number(self.was), _number(self.now)
        if one is None or other is None:
            return 1.0
        return abs(log((abs(other) + FLOOR) / (abs(one) + FLOOR)))


def moved(before: Iterable[Reading], after: Iterable[Reading], causes: Sequence[Cause]) -> list[Moved]:
    """The figures that changed: first those that a cause cited, then those that changed most.

    Of repeated readings in the earlier look, the first counts: later ones may be from after a step.
    """
    old, new = _by_tool(reversed(list(before))), _by_tool(after)
    cited = {(one.reading, one.field) for cause in causes for one in cause.evidence}
    found = []
    for key, now in new.items():
        if (was := old.get(key)) is None:
            continue
        named = [field for id, field in cited if id == was.id]
        # Becoming readable or unreadable is one change, not one for each figure.
        figures = () if was.unavailable or now.unavailable else FIGURES.get(now.tool, ())
        for field in dict.fromkeys((*named, "unavailable", *figures)):
            one, other = was.get(field), now.get(field)
            if one == other or _AGES.fullmatch(field) or _tiny(field, one, other):
                continue
            move = Moved(
                node=now.node, tool=now.tool, field=field, was=one, now=other, reading=now.id,
                cited=(was.id, field) in cited,
            )  # fmt: skip
            if move.factor >= log(NOTICED):
                found.append(move)
    return sorted(found, key=lambda move: (not move.cited, -move.factor))[:MOST]


def became(before: Sequence[Cause], after: Sequence[Cause]) -> list[str]:
    """What became of each cause, one line each, new ones last."""
    now = {cause.id: cause for cause in after}
    lines = []
    for cause in before:
        is_ = now.pop(cause.id, None)
        how = f"{is_.probability:.0%}" if is_ else "no longer found"
        lines.append(f"{cause.id}: {cause.probability:.0%} -> {how}")
    return [*lines, *(f"{cause.id}: new, {cause.probability:.0%}. {cause.why}" for cause in now.values())]


def _tiny(field: str, *values: Scalar) -> bool:
    return field.endswith("_ms") and all((_number(one) or 0) < SMALL_MS for one in values)


def _by_tool(readings: Iterable[Reading]) -> dict[tuple[str | None, str], Reading]:
    return {(reading.node, reading.tool): reading for reading in readings if reading.tool != "symptom"}


def _number(value: Scalar) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
