"""What clients do to no end: each on a live server."""

import random

import pytest

from evals.lab.catalogue import FAULTS
from evals.lab.faults import vain
from evals.lab.servers import installed
from tests.program import checked, triage

pytestmark = pytest.mark.live
OURS = tuple(vain.FAULTS)
KINDS = installed()


@pytest.mark.parametrize("number", range(len(OURS)), ids=OURS)
async def test_a_cause_is_named_first_and_a_healthy_server_is_not_accused(number: int) -> None:
    fault = FAULTS[OURS[number]]
    # One kind each, in turn: the lab runs them on all.
    kinds = [kind for kind in KINDS if fault.unavailable(kind) is None]
    if not kinds:
        pytest.skip("no server here that has it")
    async with fault.begin(kinds[number % len(kinds)], random.Random(number)) as incident:
        answer = await triage(incident.url, incident.ticket)
    checked(answer)
    named = answer["causes"][0]["id"] if answer["causes"] else answer["outcome"]
    assert named == fault.cause, answer["unknown"]
