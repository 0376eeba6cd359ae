"""Every recorded incident is answered as its golden file says, by claims that hold; nothing gives its fault away."""

import difflib
from functools import cache

import pytest

from agent.answer.diagnosis import Diagnosis
from agent.evidence.known import is_known
from agent.evidence.view import Readings
from evals.export.answer import answer_of
from evals.export.given.score import score
from evals.export.leaks import in_text
from evals.export.task import truth
from evals.lab.score import ranked, wrong
from evals.scoring.scenario import BUNDLED, Scenario, load
from evals.unknown_fields import is_explained
from tests.commented import sound_comment
from tests.golden.entries import FOLDER, REWRITE, answer, entries, entry, golden_file
from tests.program import checked
from tests.remedied import all_faults
from tests.screened import sound_screens

SCENARIOS = load(BUNDLED)


@cache
def golden(family: str) -> dict[str, str]:
    return entries(golden_file(family))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_the_answer_is_the_golden_one(scenario: Scenario) -> None:
    answered = answer(scenario)
    now, before = entry(scenario, answered), golden(scenario.family).get(scenario.id, "")
    if now != before:
        path = golden_file(scenario.family)
        diff = difflib.unified_diff(before.splitlines(), now.splitlines(), path.name, "now", lineterm="", n=2)
        pytest.fail("\n".join([f"if it's meant: {REWRITE}, and commit the diff", *diff]), pytrace=False)
    checked(answered.model_dump(mode="json", by_alias=True))
    sound_comment(scenario.ticket, answered)
    sound_screens(answered)
    fields = {(one.tool, field) for one in answered.readings for field in one.values or {}}
    assert [one for one in fields if not is_known(*one)] == [], "run python -m evals.fields"
    assert [one for one in fields if not is_explained(*one)] == [], "weigh it, or say in unremarkable.toml why not"
    deployment = Readings(answered.readings)
    assert all_faults(answered.plan, {node: deployment.view(node) for node in deployment.nodes}) == []
    # An answer that says what's wrong says what to do, and no other one does.
    assert bool(answered.plan) == (answered.outcome == "diagnosed")
    scored_alike(scenario, answered)
    if scenario.file == f"{scenario.id}.jsonl.gz":
        gives_nothing_away(scenario, answered)


def scored_alike(scenario: Scenario, answered: Diagnosis) -> None:
    """What goes out with an exported incident scores an answer as the evaluation does."""
    first, top3 = ranked(scenario, answered)
    details = score(truth("incident", scenario), answer_of(answered))
    assert (details["problem"], details["unknown_ids"]) == (None, [])
    assert (details["right"], details["complete"]) == (first, top3)
    assert details["safe"] == (not list(wrong(scenario, answered.plan))), details["wrong"]


def gives_nothing_away(scenario: Scenario, answered: Diagnosis) -> None:
    """What an agent sees of an incident doesn't name its fault, nor tell that it was made."""
    values = [value for reading in answered.readings for value in (reading.values or {}).values()]
    for text in [*(value for value in values if isinstance(value, str)), scenario.ticket]:
        found = in_text(text)
        assert not found, f"{scenario.id} ({scenario.fault}): {found!r} in {text[:200]!r}"
        assert scenario.id not in text


def test_the_golden_files_hold_all_incidents_and_no_others() -> None:
    held = [id for path in FOLDER.glob("*.txt") for id in entries(path)]
    assert sorted(held) == sorted(scenario.id for scenario in SCENARIOS)
