"""How well probabilities were chosen, and that the gate closes when they're distorted."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from evals.lab.score import Term
from evals.scoring.calibrated import calibrated, ece
from evals.scoring.command import score
from evals.scoring.gate import LEAST
from evals.scoring.result import Result
from evals.scoring.scenario import Scenario
from tests.stand_in import always, answer, done, options, scenario, written

FULL, BUSY, WELL = scenario("s1"), scenario("s2", "lua-busy"), scenario("s3", "no-fault")
NAMED = {one.id: one for one in (FULL, BUSY, WELL)}


def term(p: float, present: bool) -> Term:
    return Term(id="x", p=p, present=present)


def result(of: Scenario, *terms: Term, outcome: str = "diagnosed") -> Result:
    return Result(scenario=of.id, arm="offline", epoch=0, outcome=outcome, terms=terms)


@pytest.mark.parametrize(
    ("said", "there", "expected"),
    [([0.9] * 10, 9, 0.0), ([0.9] * 10, 4, 0.5), ([0.0] * 10, 0, 0.0), ([0.0] * 10, 10, 1.0), ([], 0, 0.0)],
)
def test_the_expected_error_is_how_far_what_was_said_is_from_what_was_there(
    said: Sequence[float], there: int, expected: float
) -> None:
    assert ece([term(p, number < there) for number, p in enumerate(said)]) == pytest.approx(expected)


def test_errors_of_two_bins_do_not_cancel_out() -> None:
    assert ece([term(0.9, False), term(0.1, True)]) == pytest.approx(0.9)


def test_the_whole_comes_first_and_then_each_outcome_and_family() -> None:
    found = list(calibrated(
        [result(FULL, term(0.9, True), term(0.3, False)), result(BUSY, term(0.0, True), outcome="no-fault"),
         result(WELL, outcome="no-fault")], NAMED,
    ))  # fmt: skip
    assert [(one.by, one.name, one.terms, one.there) for one in found] == [
        ("all", "", 3, 2), ("outcome", "diagnosed", 2, 1), ("outcome", "no-fault", 1, 1),
        ("family", "clients", 2, 1), ("family", "cpu and latency", 1, 1),
    ]  # fmt: skip
    assert found[0].brier == pytest.approx((0.05 + 1) / 2) and found[1].brier == 0.05
    assert found[2].ece == 1


MANY = [scenario(f"s{number}") for number in range(LEAST)] + [scenario("s900", "lua-busy")]


def closed(tmp_path: Path, limits: str, probability: float, *more: str) -> int:
    gate = tmp_path / "known.toml"
    gate.write_text(f"[calibration]\noffline = {limits}\n")
    told = always(lambda one, arm: done(answer(*one.expected, probability=probability)))
    return score(options("--gate", str(gate), *more), written(tmp_path, *MANY), told)


@pytest.mark.parametrize(
    ("limits", "line"),
    [
        ("{ brier = 0.02 }", "all answers: Brier score 0.1600 is above 0.02"),
        ("{ ece = 0.12 }", "all answers: ECE 0.4000 is above 0.12"),
        ("{ outcome = { ece = 0.12 } }", "outcome diagnosed: ECE 0.4000"),
        ("{ family = { brier = 0.02 } }", "family clients: Brier score 0.1600"),
    ],
)
def test_the_gate_closes_where_confidence_is_distorted(
    limits: str, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert closed(tmp_path, limits, 0.9) == 0
    assert capsys.readouterr().err == ""
    assert closed(tmp_path, limits, 0.6) == 1
    err = capsys.readouterr().err
    # A family of one incident isn't judged by itself.
    assert f"gate: calibration: offline, {line}" in err and len(err.splitlines()) == 1
    # Nor is a part of the scenarios.
    assert closed(tmp_path, limits, 0.6, "-k", "clients") == 0


def test_the_report_shows_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    score(options(), written(tmp_path, *MANY), always(lambda one, arm: done(answer(*one.expected))))
    out = capsys.readouterr().out
    title = "Calibration, offline (0 is best, without attacks)"
    rows = out[out.index(title) :].splitlines()[:6]
    assert next(row.split()[-3:] for row in rows if row.startswith("  all ")) == [str(len(MANY)), "0.010", "0.100"]
    assert any(row.startswith("  answered diagnosed") for row in rows)


def test_suspicions_about_healthy_servers_are_not_judged_by_themselves(tmp_path: Path) -> None:
    well = [scenario(f"w{number}", "no-fault") for number in range(LEAST)]
    suspected = answer("no-fault").model_copy(update={"findings": answer("lua-busy", probability=0.4).causes})
    gate = tmp_path / "known.toml"
    gate.write_text("[calibration]\noffline = { outcome = { brier = 0.02 } }\n")
    told = always(lambda one, arm: done(suspected))
    assert score(options("--gate", str(gate)), written(tmp_path, *well), told) == 0
    gate.write_text("[calibration]\noffline = { brier = 0.02 }\n")
    assert score(options("--gate", str(gate)), written(tmp_path, *well), told) == 1
