"""Citations: whether a reading really has the value cited from it."""

import difflib
import json
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation

from agent.answer.diagnosis import Cause, Evidence, RuledOut
from tools.patterns import deferred
from tools.records import Reading, Scalar

_NUMBER = deferred(r"[-+]?\d{1,30}(\.\d{1,30})?([eE][-+]?\d{1,2})?")
PROPOSING = ("propose_config_set",)
"""Tools whose readings repeat their input, so they can't be evidence."""
SHOWN = 300
"""Most characters of a value in a message."""


def verify(cause: Cause, readings: Iterable[Reading]) -> Cause:
    """The cause with `verified` set on each piece of evidence."""
    return cause.model_copy(update={"evidence": checked(cause.evidence, readings)})


def verify_ruled_out(out: RuledOut, readings: Iterable[Reading]) -> RuledOut:
    """The look-alike with `verified` set on each piece of evidence."""
    return out.model_copy(update={"evidence": checked(out.evidence, readings)})


def checked(evidence: Sequence[Evidence], readings: Iterable[Reading]) -> tuple[Evidence, ...]:
    """The evidence, each with whether its reading has that value in that field."""
    by_id = {reading.id: reading for reading in readings}

    def holds(one: Evidence) -> bool:
        reading = by_id.get(one.reading)
        if reading is None or reading.tool in PROPOSING:
            return False
        return reading.has(one.field) and matches(one.value, reading.get(one.field))

    return tuple(one.model_copy(update={"verified": holds(one)}) for one in evidence)


def problems(at: str, evidence: Sequence[Evidence], readings: Iterable[Reading]) -> list[str]:
    """What is wrong with citations, worded for the model; `at` says where they are."""
    by_id = {reading.id: reading for reading in readings}
    found = []
    for number, one in enumerate(checked(evidence, by_id.values())):
        if not one.verified:
            found.append(f"{at}.evidence[{number}]: {_problem(one, by_id)}")
    return found


def matches(cited: Scalar, actual: Scalar) -> bool:
    """Whether a cited value matches the actual one: numbers at the precision cited, everything else exactly."""
    claimed, found = _number(cited), _number(actual)
    if claimed is None or found is None or (isinstance(cited, str) and isinstance(actual, str)):
        # A model may put a value of any type in quotes.
        return _plain(cited) == _plain(actual)
    decimals = max(0, -int(claimed.normalize().as_tuple().exponent))
    return abs(found - claimed) <= Decimal(5).scaleb(-decimals - 1)


def _plain(value: Scalar) -> str:
    if isinstance(value, str):
        return value.lower() if value in ("True", "False") else value
    return json.dumps(value)


def _number(value: Scalar) -> Decimal | None:
    if value is None or isinstance(value, bool) or not _NUMBER.fullmatch(text := str(value).strip()):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _problem(one: Evidence, by_id: dict[str, Reading]) -> str:
    reading = by_id.get(one.reading)
    if reading is None:
        return f"there is no reading {one.reading!r}; there are {', '.join(by_id)}"
    if reading.tool in PROPOSING:
        return f"{reading.id} is a proposal, and proves nothing; cite what was read"
    if not reading.has(one.field):
        return f"{reading.id} ({reading.tool}) has no field {one.field!r}{_hint(one.field, reading, by_id)}"
    return f"{reading.id} {one.field} is {_short(reading.get(one.field))}, not {_short(one.value)}"


def _hint(field: str, reading: Reading, by_id: dict[str, Reading]) -> str:
    fields = [*(reading.values or {}), *(["unavailable"] if reading.unavailable else [])]
    close = difflib.get_close_matches(field, fields, n=3, cutoff=0.5)
    if elsewhere := [other.id for other in by_id.values() if other.has(field)]:
        return f"; {', '.join(elsewhere[:3])} has it"
    return f"; closest: {', '.join(close)}" if close else ""


def _short(value: Scalar) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
