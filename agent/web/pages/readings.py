"""The readings of an answer: the table of one, in which a citation finds its value."""

from collections.abc import Iterator
from typing import NamedTuple

from agent.answer.diagnosis import Diagnosis, Evidence
from agent.report.page import anchor
from agent.report.render import figures_text, printed_value
from tools.records import Reading


class Row(NamedTuple):
    """One value."""

    place: str
    field: str
    value: str
    is_cited: bool


def rows(answer: Diagnosis, reading: Reading) -> list[Row]:
    """The values of a reading, and which of them the answer cites."""
    cited = {(one.reading, one.field) for one in _evidence(answer)}
    lost = [("unavailable", reading.unavailable.kind)] if reading.unavailable else []
    return [
        Row(anchor(reading.id, field), field, printed_value(value), (reading.id, field) in cited)
        for field, value in (*lost, *(reading.values or {}).items())
    ]


def arguments(reading: Reading) -> str:
    """What the tool was called with."""
    given = {name: ", ".join(one) if isinstance(one, list) else one for name, one in reading.args.items()}
    return "; ".join(f"{name} {value}" for name, value in given.items())


def listed(answer: Diagnosis) -> list[tuple[Reading, str]]:
    """All readings, each with its most important figures."""
    return [(one, figures_text(one)) for one in answer.readings if one.tool != "symptom"]


def reading_of(answer: Diagnosis, id: str) -> Reading | None:
    """The reading with this id."""
    return next((one for one in answer.readings if one.id == id), None)


def _evidence(answer: Diagnosis) -> Iterator[Evidence]:
    for part in (answer.causes, answer.findings, answer.ruled_out, answer.complaints):
        for one in part:
            yield from one.evidence
    yield from answer.evidence
