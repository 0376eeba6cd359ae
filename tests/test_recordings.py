"""Every recorded incident is answered as its golden file says, by claims that hold; nothing gives its fault away."""

import difflib
import re
from functools import cache

import pytest

from agent.answer.diagnosis import Diagnosis
from agent.evidence.known import is_known
from agent.evidence.view import Readings
from evals.lab.catalogue import FAULTS
from evals.scoring.scenario import BUNDLED, Scenario, load
from evals.unknown_fields import is_explained
from tests.commented import sound_comment
from tests.golden.entries import FOLDER, REWRITE, answer, entries, entry, golden_file
from tests.program import checked
from tests.remedied import all_faults
from tests.screened import sound_screens

SCENARIOS = load(BUNDLED)
GIVEAWAY = re.compile(
    r"(?<!no-)\b(?:rediagnose[ -]lab|lab|scenario|fault|evals?(?! )|evaluation|tests?|benchmark|shim|pytest)\b(?!\.)",
    re.IGNORECASE,
)
"""Words that an incident of a running system has no reason to hold."""
COMMAND_NAMES = re.compile(r"\beval(sha)?(_ro)?\b", re.IGNORECASE)


@cache
def golden(family: str) -> dict[str, str]:
    return entries(golden_file(family))


@cache
def fault_names() -> re.Pattern[str]:
    """The faults' names that aren't a cause's."""
    names = {*FAULTS} - {scenario.cause for scenario in SCENARIOS}
    return re.compile("|".join(sorted(map(re.escape, names), reverse=True)))


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
    if scenario.file == f"{scenario.id}.jsonl.gz":
        gives_nothing_away(scenario, answered)


def gives_nothing_away(scenario: Scenario, answered: Diagnosis) -> None:
    """What an agent sees of an incident doesn't name its fault, nor tell that it was made."""
    values = [value for reading in answered.readings for value in (reading.values or {}).values()]
    for text in [*(value for value in values if isinstance(value, str)), scenario.ticket]:
        found = GIVEAWAY.search(COMMAND_NAMES.sub("", text)) or fault_names().search(text)
        assert not found, f"{scenario.id} ({scenario.fault}): {found[0]!r} in {text[:200]!r}"
        assert scenario.id not in text


def test_the_golden_files_hold_all_incidents_and_no_others() -> None:
    held = [id for path in FOLDER.glob("*.txt") for id in entries(path)]
    assert sorted(held) == sorted(scenario.id for scenario in SCENARIOS)
