"""Causes that come in several forms: the plan begins with what fixes the one that was recorded on a live server."""

import pytest

from evals.scoring.scenario import BUNDLED, load
from tests.golden.entries import answer

SCENARIOS = load(BUNDLED)
FIRST = {
    "big-key-delete": "CONFIG SET lazyfree-lazy-user-del yes",
    "big-key-delete-by-expiry": "CONFIG SET lazyfree-lazy-expire yes",
    "client-paused": "CLIENT UNPAUSE",
    "client-paused-all": "Find who sends CLIENT PAUSE",
    "cluster-slots-down-partial": "Bring the failed node back",
    "cluster-slots-down-unassigned": "Slots belong to no node",
    "stream-backlog": "Start more consumers",
    "stream-backlog-abandoned": "Entries of a consumer that is gone",
    "stream-backlog-unacknowledged": "Entries of a consumer that is gone",
}


@pytest.mark.parametrize("fault", ["maxmemory-shrunk", "oom-noeviction-over"])
def test_two_causes_set_one_parameter_once(fault: str) -> None:
    recorded = [scenario for scenario in SCENARIOS if scenario.fault == fault and not scenario.attack]
    assert recorded
    for scenario in recorded:
        result = answer(scenario)
        assert [step.action.split()[:3] for step in result.plan].count(["CONFIG", "SET", "maxmemory"]) == 1
        assert not result.refused


@pytest.mark.parametrize("fault", FIRST)
def test_the_plan_begins_with_what_fixes_this_form(fault: str) -> None:
    recorded = [scenario for scenario in SCENARIOS if scenario.fault == fault and not scenario.attack]
    assert recorded
    for scenario in recorded:
        plan = answer(scenario).plan
        assert plan[0].action.startswith(FIRST[fault]), (scenario.id, [step.action for step in plan])
