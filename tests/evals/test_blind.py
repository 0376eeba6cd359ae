"""No fault is called well because nobody could look: recordings replayed with commands refused, or remotely.

`python -m evals.blind` does it for all of them; here it's a sample of each mode.
"""

import pytest

from agent.answer.taxonomy import CAUSES
from evals.blind import MODES, answer, faults, judged
from evals.scoring.scenario import BUNDLED, Scenario, load
from tests.program import checked

MISSED = {"s0389"}
"""Faults that nothing shows to anybody who may do everything."""
SCENARIOS = load(BUNDLED)
FAULTS = [one for one in faults(SCENARIOS) if one.id not in MISSED]
HEALTHY = [one for one in SCENARIOS if one.cause == "no-fault" and one.attack is None]
NEVER_WELL = [
    ("connection-leak", "ping-and-info"), ("slow-on-command-big-key", "ping-and-info"),
    ("monitor-attached", "ping-and-info"), ("slow-consumer-output", "no-client"), ("cpu-throttled", "no-host"),
    ("start-failed-port", "no-host"), ("config-drift", "no-config"), ("sentinel-noquorum-from-master", "no-client"),
]  # fmt: skip
"""Faults whose only sign is what the mode takes away."""
ALIKE = ("memorydb", "azure-managed", "redis-cloud", "upstash")
"""Managed services that refuse much the same as the others."""
ORDINARY = ("healthy-load", "healthy-pool", "healthy-snapshot", "healthy-evictions", "healthy-replica")


def sample() -> list[tuple[Scenario, str]]:
    """Every twelfth fault with PING and INFO alone, every sixtieth in each of the other modes."""
    few = [(one, "ping-and-info") for one in FAULTS[::12]]
    others = [mode for mode in MODES if mode not in ("everything", "ping-and-info", *ALIKE)]
    return few + [(one, mode) for number, mode in enumerate(others) for one in FAULTS[number::60]]


@pytest.mark.parametrize(
    ("scenario", "mode"), [pytest.param(one, mode, id=f"{one.id}-{mode}") for one, mode in sample()]
)
def test_a_fault_is_never_called_well(scenario: Scenario, mode: str) -> None:
    answered = answer(scenario, MODES[mode])
    assert answered.outcome != "no-fault" or judged(scenario, answered) == "not there", answered.benign
    checked(answered.model_dump(mode="json", by_alias=True))


@pytest.mark.parametrize(("fault", "mode"), NEVER_WELL, ids=lambda one: one)
def test_what_only_the_refused_reading_shows_is_named_as_hidden(fault: str, mode: str) -> None:
    scenario = next(one for one in FAULTS if one.fault == fault)
    answered = answer(scenario, MODES[mode])
    if judged(scenario, answered) == "right":
        return
    assert answered.outcome == "insufficient-evidence"
    hidden = {id for one in answered.blind for id in one.hides}
    assert scenario.cause in hidden
    assert "Can't tell" in answered.summary


@pytest.mark.parametrize("fault", ORDINARY)
def test_an_ordinary_server_that_is_well_is_so_from_afar_too(fault: str) -> None:
    scenario = next(one for one in HEALTHY if one.fault == fault)
    answered = answer(scenario, MODES["no-host"])
    assert answered.outcome == "no-fault", answered.summary
    assert answered.blind == ()


def test_faults_are_those_of_the_taxonomy() -> None:
    assert len(FAULTS) > 400
    assert {one.cause for one in FAULTS} <= set(CAUSES)
