"""Causes that come in several forms: the plan begins with what mends the one that was recorded on a live server."""

import json
from pathlib import Path

import pytest

from agent.answer.diagnosis import Diagnosis
from agent.recordings.replay import case, on_virtual_time
from evals.scoring.scenario import BUNDLED
from tools.record.load import load
from tools.record.tape import Tape

SCENARIOS = json.loads((BUNDLED / "index.json").read_text())["scenarios"]
FIRST = {
    "big-key-delete": "CONFIG SET lazyfree-lazy-user-del yes",
    "big-key-delete-by-expiry": "CONFIG SET lazyfree-lazy-expire yes",
    "client-paused": "CLIENT UNPAUSE",
    "client-paused-all": "Find who sends CLIENT PAUSE",
    "cluster-slots-down-partial": "Restore the failed node",
    "cluster-slots-down-unassigned": "Slots belong to nobody",
    "stream-backlog": "Start more consumers",
    "stream-backlog-abandoned": "Entries of a consumer that is gone",
    "stream-backlog-unacknowledged": "Entries of a consumer that is gone",
}


async def answer(file: Path, ticket: str) -> Diagnosis:
    async with case(Tape(load(file)), ticket) as incident:
        return incident.answer()


@pytest.mark.parametrize("fault", FIRST)
def test_the_plan_begins_with_what_mends_this_form(fault: str) -> None:
    recorded = [one for one in SCENARIOS if one["fault"] == fault and not one["attack"]]
    assert recorded
    for one in recorded:
        told = on_virtual_time(answer(BUNDLED / one["file"], one["ticket"]))
        assert told.plan[0].action.startswith(FIRST[fault]), (one["id"], [step.action for step in told.plan])


def test_no_cause_is_left_without_a_step() -> None:
    for one in {entry["fault"]: entry for entry in SCENARIOS}.values():
        told = on_virtual_time(answer(BUNDLED / one["file"], one["ticket"]))
        assert bool(told.plan) == (told.outcome == "diagnosed"), one["id"]
