"""Three outcomes: a figure holds or is broken only where all that is known of it says so."""

import pytest

from evals.bench.look import best, calm, measured
from evals.bench.records import Gate, Part, Report, Row
from evals.bench.shown import as_text, growth


def gate(low: float | None, high: float | None, *, exact: bool = False) -> Gate:
    return Gate(name="p99", limit=1.1, floor=1.0, exact=exact, value=low, low=low, high=high)


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (0.9, 1.08, "held"), (1.0, 1.095, "can't tell here"), (1.0, 3.0, "can't tell here"), (1.11, 3.0, "broken"),
        (None, None, "can't tell here"),
    ],
)  # fmt: skip
def test_an_interval_against_its_limit(low: float | None, high: float | None, outcome: str) -> None:
    assert gate(low, high).outcome == outcome


def test_what_is_counted_may_reach_its_limit() -> None:
    assert gate(1.1, 1.1, exact=True).outcome == "held"
    assert gate(1.1, 1.1).outcome == "can't tell here"


def report(*gates: Gate, interrupted: bool = False) -> Report:
    row = Row(size="3 nodes", way="triage", cpu=0.5, wall=2.71, commands=90, answer="no-fault")
    part = Part(name="nodes", gates=gates, rows=(row,), seconds=3.0)
    return Report(
        at="2026-01-31T02:05:07+00:00", machine="2 cores", server="valkey-9.1", load=0.1, yardstick=12, parts=(part,),
        interrupted=interrupted,
    )  # fmt: skip


def test_each_outcome_has_its_own_status() -> None:
    held, broken, unknown = gate(1, 1), gate(2, 2), gate(None, None)
    assert report(held).status == 0
    assert report(held, unknown).status == 3
    assert report(held, unknown, broken).status == 1
    assert report().status == 3
    assert report(broken, interrupted=True).status == 130


def test_the_last_line_says_what_it_comes_to() -> None:
    text = as_text(report(gate(1, 1), gate(None, None)))
    assert text.splitlines()[-1] == "1 held, 1 can't tell here"
    assert "held: p99: 1, at most 1.1, held up to 1.09" in text
    assert "can't tell here: p99: not measured" in text


def test_the_growth_table_names_the_machine() -> None:
    table = growth(report(gate(1, 1)))
    assert table.startswith("2026-01-31, valkey-9.1, on 2 cores, with a load of 0.1")
    assert "| 3 nodes | triage | 0.50 | 2.71 | - | 90 | - | - | - | no-fault |" in table


def test_of_several_runs_the_cheapest_counts_and_every_answer() -> None:
    rows = [Row(size="1", way="triage", cpu=cpu, wall=1, answer=said) for cpu, said in ((2, "no-fault"), (1, "thp"))]
    assert best(rows).cpu == 1
    assert best(rows).answer == "no-fault 1 of 2, thp 1 of 2"
    rows.append(Row(size="1", way="triage", cpu=0.1, wall=1))
    assert best(rows).cpu == 1
    assert best(rows).answer == "no-fault 1 of 3, thp 1 of 3, no answer 1 of 3"


def test_a_cost_is_broken_only_where_every_run_is_above() -> None:
    assert measured("hold", [0.5, 0.8, 7.0], 1.0, "ms").outcome == "held"
    assert measured("hold", [0.5, 3.0, 7.0], 1.0, "ms").outcome == "can't tell here"
    assert measured("hold", [1.5, 3.0, 7.0], 1.0, "ms").outcome == "broken"
    assert measured("hold", [], 1.0, "ms").outcome == "can't tell here"


def test_a_cost_that_may_be_waiting_for_a_core_isnt_the_programs() -> None:
    assert measured("time", [7.0, 8.0], 6.0, "s", [0.1, 0.1]).outcome == "broken"
    assert measured("time", [7.0, 8.0], 6.0, "s", [0.1, 5.0]).outcome == "can't tell here"
    assert measured("time", [5.0, 8.0], 6.0, "s", [0.1, 5.0]).outcome == "held"


def test_a_run_without_an_answer_leaves_open_whether_servers_are_called_well() -> None:
    def rows(*answers: str) -> list[Row]:
        return [Row(size="3 nodes", way="triage", cpu=1, wall=1, answer=said) for said in answers]

    assert calm("3 nodes", rows("no-fault", "no-fault")).outcome == "held"
    assert calm("3 nodes", rows("no-fault", "")).outcome == "can't tell here"
    assert calm("3 nodes", rows("path-latency", "")).outcome == "broken"
