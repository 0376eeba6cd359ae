"""A served recording is taken for the same incident, however late it's asked: those that once weren't, and a share.

`python -m evals.lasting` does it for all of them. The share is another one whenever what decides it is changed, and the
same on every run until then.
"""

import re
import zlib
from pathlib import Path

import pytest

from evals.lasting import asked, main, share
from evals.scoring.scenario import BUNDLED, Scenario, load
from tools.record import continuation

EVERY = 90
"""Of so many incidents one is asked."""
ONCE_CHANGED = (
    "s8688051", "s2991266a", "s8636703", "s1615420", "s3448522", "s0282", "s0047", "s0221", "s0303", "s0504", "s0236",
    "s0396", "s0389", "s0275", "s0205", "s4619346", "s4483019", "s8613438", "s4570499", "s2120469", "s3008832",
)  # fmt: skip
"""Incidents that were taken for others after minutes, by what one sees from another machine."""
ONCE_CHANGED_WITH_MACHINE = (
    "s5691963", "s0389", "s2471582", "s0194", "s0034a", "s0034b", "s0260", "s0303", "s0504",
)  # fmt: skip
"""The same with the machine in sight."""


def turn() -> int:
    """Which share it is: given by the code that makes a recording last."""
    code = sorted(Path(continuation.__file__).parent.glob("*.*"))
    return zlib.crc32(b"".join(file.read_bytes() for file in code if file.suffix in (".py", ".toml")))


BECOMES_CLEAR = {"s0021", "s0234", "s0376", "s0376a", "s2946052", "s3088151", "s5446988", "s7309216"}
"""Incidents of which one can't tell at one of the seconds and can at another: they come and go, or take long."""
SCENARIOS = {one.id: one for one in load(BUNDLED)}
SAMPLE = {
    one.id: one
    for one in (*(SCENARIOS[id] for id in ONCE_CHANGED), *share([*SCENARIOS.values()], EVERY, turn()))
    if one.id not in BECOMES_CLEAR
}


@pytest.mark.parametrize("scenario", SAMPLE.values(), ids=lambda one: one.id)
def test_the_first_cause_is_the_same_at_every_second(scenario: Scenario) -> None:
    found = asked(scenario)
    assert found.lasts, found.said


@pytest.mark.parametrize("id", sorted(BECOMES_CLEAR))
def test_what_becomes_clear_is_never_taken_for_something_else(id: str) -> None:
    found = asked(SCENARIOS[id])
    assert all(right or said == "insufficient-evidence" for right, said in zip(found.right, found.said, strict=True))


@pytest.mark.parametrize("id", ONCE_CHANGED_WITH_MACHINE)
def test_with_the_machine_in_sight_it_is_too(id: str) -> None:
    found = asked(SCENARIOS[id], host=True)
    assert found.lasts, found.said


def test_the_command_counts(capsys: pytest.CaptureFixture[str]) -> None:
    main(["connection-leak", "--every", "9", "--jobs", "1", "--host", "without", "--list", "--least", "1"])
    said = capsys.readouterr().out
    counted = re.search(r"without the machine: (\d+) of \1 the same at all seconds, 100.0%", said)
    assert counted and f"second 300: {counted[1]} right" in said


def test_shares_have_each_incident_once() -> None:
    every = [*SCENARIOS.values()]
    found = [one.id for turn in range(7) for one in share(every, 7, turn)]
    assert sorted(found) == sorted(SCENARIOS)
