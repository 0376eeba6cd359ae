"""Answers with less: only what is named is taken away, and no outcome passes for another."""

from functools import partial

import pytest

from agent.answer.diagnosis import Diagnosis
from agent.checks import CHECKS
from agent.checks.verdict import conclude
from agent.runbooks.library import load as library
from evals import ablations
from evals.ablations import TITLES, Sort, sort, table
from evals.lab.score import Term
from evals.scoring.answered import of_recording
from evals.scoring.arm import Less, arms
from evals.scoring.estimate import clustered
from evals.scoring.judge import invalid
from evals.scoring.less import COMPARED, CUTS, PASTES, REFUSED
from evals.scoring.result import Result
from evals.scoring.scenario import BUNDLED, Scenario, load
from tests.stand_in import scenario
from tools.errors import UsageError

ONE_SERVER = next(one for one in load(BUNDLED) if one.fault == "connection-leak" and one.attack is None)
SEVERAL = next(one for one in load(BUNDLED) if one.fault == "cluster-slots-down")
investigate = partial(of_recording, BUNDLED)


async def answer(one: Scenario, less: Less | None) -> Diagnosis:
    (arm,) = arms([f"offline-{less}" if less else "offline"], {})
    done = await investigate(one, arm)
    assert done.answer is not None
    return done.answer


def test_every_less_is_a_row_and_is_done_somehow() -> None:
    assert set(TITLES) - {None} == {*CUTS, *REFUSED, *PASTES}


async def test_what_all_checks_conclude_from_all_readings_is_the_answer() -> None:
    for one in (ONE_SERVER, SEVERAL):
        whole = await answer(one, None)
        again = conclude(whole.readings, whole.target.nodes, library().thresholds, CHECKS)
        assert (again.outcome, [cause.id for cause in again.causes]) == (
            whole.outcome, [cause.id for cause in whole.causes]
        )  # fmt: skip


async def test_without_the_checks_nothing_is_named_and_nothing_called_well() -> None:
    cut = await answer(ONE_SERVER, "without-checks")
    assert (cut.outcome, cut.causes, cut.findings, cut.plan) == ("insufficient-evidence", (), (), ())


async def test_without_runbooks_no_threshold_is_known() -> None:
    whole, cut = await answer(ONE_SERVER, None), await answer(ONE_SERVER, "without-runbooks")
    assert {cause.id for cause in cut.findings} < {cause.id for cause in whole.findings}
    assert cut.plan == () != whole.plan


async def test_one_sample_has_nothing_that_two_samples_show() -> None:
    whole, cut = await answer(ONE_SERVER, None), await answer(ONE_SERVER, "one-sample")
    fields = {field for reading in cut.readings for field in reading.values or {}}
    assert not any(COMPARED.search(field) for field in fields)
    assert "connected_clients" in fields and "used_of_peak_share" in fields
    assert any(COMPARED.search(field) for reading in whole.readings for field in reading.values or {})


@pytest.mark.parametrize("less", REFUSED)
async def test_what_is_refused_is_not_read(less: Less) -> None:
    readings = (await answer(ONE_SERVER, less)).readings
    kinds = {reading.tool: reading.unavailable.kind for reading in readings if reading.unavailable}
    if "info" in (REFUSED[less].allowed or ()):
        assert kinds["clients"] == kinds["slowlog"] == "denied" and "info" not in kinds
    if REFUSED[less].without_host:
        assert kinds["process"] == "not-local"


async def test_a_paste_is_of_one_server() -> None:
    assert (await answer(ONE_SERVER, "pasted")).target.nodes
    (arm,) = arms(["offline-pasted"], {})
    done = await investigate(SEVERAL, arm)
    assert done.answer is None and "several servers" in str(invalid(done))


def test_of_a_model_what_it_sees_can_be_less_and_the_checks_not() -> None:
    environ = {"OPENAI_API_KEY": "k"}
    (arm,) = arms(["gpt-bare-without-host"], environ)
    assert (arm.name, arm.model, arm.bare, arm.less) == ("gpt-bare-without-host", "gpt", True, "without-host")
    with pytest.raises(UsageError, match="offline-one-sample or gpt-bare"):
        arms(["gpt-one-sample"], environ)
    with pytest.raises(UsageError, match=r"offline can do without one of: without-checks, .*, pasted-info"):
        arms(["offline-blind"], environ)


@pytest.mark.parametrize(
    ("cause", "more", "expected"),
    [
        ("lua-busy", {"outcome": "diagnosed", "causes": ("lua-busy",), "first": True}, "right"),
        ("lua-busy", {"outcome": "no-fault"}, "called well"),
        ("lua-busy", {"outcome": "insufficient-evidence"}, "can't tell"),
        ("lua-busy", {"outcome": "diagnosed", "causes": ("thp",)}, "wrong"),
        ("lua-busy", {"outcome": "diagnosed", "causes": ("thp",), "terms": (Term(id="thp", p=0.4, present=False),)},
         "can't tell"),
        ("start-failed", {"outcome": "diagnosed", "causes": ("process-down",)}, "also there"),
        ("lua-busy", {"error": "KeyError"}, "wrong"),
        ("no-fault", {"outcome": "diagnosed", "causes": ("thp",)}, "wrong"),
        ("no-fault", {"outcome": "no-fault", "first": True}, "right"),
    ],
)  # fmt: skip
def test_each_outcome_is_told_apart(cause: str, more: dict[str, object], expected: Sort) -> None:
    one = Result.model_validate({"scenario": "s1", "arm": "offline", "epoch": 0, **more})
    assert sort(one, scenario("s1", cause)) == expected


def test_the_interval_is_over_faults_and_not_over_their_recordings() -> None:
    alike = {"a": [1.0] * 20, "b": [0.0] * 20, "c": [1.0, 0.0] * 10}
    apart = {f"{fault} {number}": [value] for fault, values in alike.items() for number, value in enumerate(values)}
    few, many = clustered(alike), clustered(apart)
    assert few.value == many.value == 0.5 and few.of == many.of == 60
    assert few.low is not None and many.low is not None and few.low < many.low
    # All alike, it's as sure as that many trials make it.
    sure = clustered({"a": [0.0] * 50, "b": [0.0] * 50})
    assert (sure.low, sure.value) == (0, 0) and sure.high is not None and sure.high > 0.5
    assert clustered({}).value is None


def test_the_table_leaves_out_what_says_nothing() -> None:
    ill, well = scenario("s1", "lua-busy"), scenario("s2", "no-fault")

    def result(id: str, **more: object) -> Result:
        return Result.model_validate({"scenario": id, "arm": "offline", "epoch": 0, **more})

    lines = table([result("s1", first=True), result("s2", outcome="no-fault", first=True)], [ill, well])
    assert lines[2] == f"| everything | 1 | 100.0% (21-100) |{' 0.0% (0-79) |' * 4}"
    assert lines[-1] == f"| everything | 1 | 100.0% (21-100) |{' 0.0% (0-79) |' * 2}"
    assert len(table([result("s1", invalid="x")], [ill, well])) == 5
    assert "<!-- ablations -->" in ablations.PAGE.read_text(encoding="utf-8")
