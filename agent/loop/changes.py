"""What a tool that is called again reports compared with before."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime

from agent.loop.digest import first_fields, literal
from tools.arguments import Adapter, deviating
from tools.records import Reading, Record, Scalar

LINES_MOST, LINE_BYTES = 40, 1500
HOW_LONG = frozenset(("window", "seconds", "count", "timeout", "sections", "parameters"))
"""Arguments that don't change the meaning of a field: how long to look, and at how much."""
ALIKE = 0.2
"""Deltas are comparable if their windows differ by no more than this share."""


class Since(Record):
    """How a reading differs from the previous one."""

    reading: str
    """The earlier one's id."""
    seconds: float
    """How much later this one began."""
    lines: tuple[str, ...]
    """`field: before -> now`, most important first; empty if nothing differs."""
    left_out: int = 0
    """How many more fields differ."""


def since(readings: Sequence[Reading], now: Reading, adapter: Adapter) -> Since | None:
    """What changed since the newest reading of the same tool, node and arguments; null if there is none."""
    same = (
        one
        for one in reversed(readings)
        if (one.tool, one.node) == (now.tool, now.node) and _number(one) < _number(now) and _asked(one, adapter)
        == _asked(now, adapter)
    )  # fmt: skip
    before = max(same, key=_number, default=None)
    if before is None:
        return None
    lines = list(_differences(before, now))
    shown = list[str]()
    for line in lines[:LINES_MOST]:
        if sum(len(one.encode()) + 3 for one in shown) + len(line.encode()) > LINE_BYTES:
            break
        shown.append(line)
    return Since(
        reading=before.id, seconds=_later(before, now), lines=tuple(shown), left_out=len(lines) - len(shown)
    )  # fmt: skip


def _number(reading: Reading) -> int:
    return int(reading.id[1:])


def _asked(reading: Reading, adapter: Adapter) -> str:
    args = {key: value for key, value in deviating(adapter, reading.args).items() if key not in HOW_LONG}
    return json.dumps(args, sort_keys=True)


def _differences(before: Reading, now: Reading) -> Iterator[str]:
    old, new = before.values or {}, now.values or {}
    if before.get("unavailable") != now.get("unavailable"):
        yield _line("unavailable", before.get("unavailable"), now.get("unavailable"))
    comparable = _alike(old.get("window_seconds"), new.get("window_seconds"))
    # What wasn't requested before isn't new, and what isn't requested now isn't gone.
    came, went = _covers(before, now), _covers(now, before)
    for field in dict.fromkeys((*first_fields(now), *first_fields(before), *new)):
        if field == "window_seconds" or (field.endswith(".delta") and not comparable):
            continue
        told = (field in old or came) and (field in new or went)
        if told and old.get(field) != new.get(field):
            yield _line(field, old.get(field), new.get(field))


def _covers(one: Reading, other: Reading) -> bool:
    """Whether a reading covered everything that another did."""
    if one.values is None:
        return False
    return all(
        set(_list(other.args.get(name))) <= set(_list(one.args.get(name))) for name in ("sections", "parameters")
    )


def _list(value: Scalar | list[str]) -> list[str]:
    return value if isinstance(value, list) else []


def _later(before: Reading, now: Reading) -> float:
    return (datetime.fromisoformat(now.at) - datetime.fromisoformat(before.at)).total_seconds()


def _alike(old: Scalar, new: Scalar) -> bool:
    if isinstance(old, int | float) and isinstance(new, int | float):
        return abs(old - new) <= ALIKE * max(old, new)
    return old == new


def _line(field: str, old: Scalar, new: Scalar) -> str:
    return f"{field}: {literal(old)} -> {literal(new)}"
