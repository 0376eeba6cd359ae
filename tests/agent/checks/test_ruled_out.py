"""What a check rules out rests on values that were read: without the readings that it cites nothing is ruled out."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from agent.answer.diagnosis import RuledOut
from agent.checks.types import Check
from agent.checks.verdict import conclude
from tests.agent.checks import (
    test_clients_table,
    test_data_table,
    test_deployment_table,
    test_growth_table,
    test_memory_table,
    test_reach_table,
    test_stalls_table,
    test_start_and_save_table,
)
from tests.agent.checks.rows import LIMITS, NODE, Given, Row, view
from tools.records import Reading

MODULES = (
    test_clients_table, test_data_table, test_deployment_table, test_growth_table, test_memory_table, test_reach_table,
    test_stalls_table, test_start_and_save_table,
)  # fmt: skip
ROWS: list[Row] = [
    row for module in MODULES for rows in vars(module).values() if isinstance(rows, list) for row in rows
    if isinstance(row, tuple) and len(row) in (4, 5) and callable(row[1])
]  # fmt: skip


def out(check: Check, given: Given, more: Mapping[str, Any]) -> dict[str, RuledOut]:
    return {one.id: one for one in check(view(given, **more), LIMITS) if isinstance(one, RuledOut)}


def rows() -> Iterator[tuple[str, Check, Given, Mapping[str, Any]]]:
    for name, check, given, expected, *more in ROWS:
        if any("not" in word for word in expected.values()):
            yield name, check, given, more[0] if more else {}


OUT = list(rows())


def test_there_are_many() -> None:
    assert len(OUT) > 150
    assert len({check.__name__ for _, check, _, _ in OUT}) > 40


@pytest.mark.parametrize(("check", "given", "more"), [one[1:] for one in OUT], ids=[one[0] for one in OUT])
def test_without_what_it_cites_nothing_is_ruled_out(check: Check, given: Given, more: Mapping[str, Any]) -> None:
    whole = view(given, **more)
    tools = {reading.id: reading.tool for reading in whole.readings}
    # Where a refusal is itself what was read.
    said = {tool for tool, values in given.items() if not isinstance(values, dict)}
    for id, found in out(check, given, more).items():
        assert found.rests_on_readings, f"{id} is ruled out by nothing that was read"
        cited = {tools[one.reading] for one in found.evidence if one.reading in tools}
        if "symptom" in cited:
            continue
        unread = {tool: values for tool, values in given.items() if tool not in cited}
        nulled = {tool: dict.fromkeys(values) if tool in cited - said else values for tool, values in given.items()}
        refused = {**unread, **dict.fromkeys(cited, "denied")}
        for less in (unread, *(() if cited & said else (nulled, refused))):
            assert id not in out(check, less, more), (id, less)


def test_a_verdict_keeps_nothing_that_rests_on_nothing() -> None:
    reading = Reading(
        id="r1", tool="memory", args={}, node=NODE, at="2026-01-31T02:05:07Z", ms=1.0, values={}, unavailable=None
    )
    assert conclude([reading], [NODE], LIMITS).ruled_out == ()
