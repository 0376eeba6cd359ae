"""A served recording is taken for the same incident, however late it's asked: here a sample.

`python -m evals.lasting` does it for all of them.
"""

import pytest

from evals.lasting import asked, main
from evals.scoring.scenario import BUNDLED, Scenario, load

CHANGES = frozenset(("s8688051",))
"""Of the sample: after five minutes its evictions are many times its keys, which without the machine's readings passes
for lost data."""
SAMPLE = [one for one in load(BUNDLED)[5::60] if one.id not in CHANGES]


@pytest.mark.parametrize("scenario", SAMPLE, ids=lambda one: one.id)
def test_the_first_cause_is_the_same_at_every_second(scenario: Scenario) -> None:
    found = asked(scenario)
    assert found.lasts, found.said


def test_with_the_machine_in_sight_it_is_too() -> None:
    found = asked(next(one for one in load(BUNDLED) if one.fault == "cpu-saturated"), host=True)
    assert found.lasts and all(found.right), found.said


def test_the_command_counts(capsys: pytest.CaptureFixture[str]) -> None:
    main(["connection-leak", "--every", "9", "--jobs", "1", "--host", "without", "--list"])
    said = capsys.readouterr().out
    assert "without the machine: 2 of 2 the same at all seconds, 100.0%" in said and "second 300: 2 right" in said
