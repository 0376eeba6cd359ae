"""Causes of growth, and of limits that nobody runs into just now: each on a live server."""

import random

import pytest

from evals.lab.catalogue import FAULTS
from evals.lab.faults import growing, moments, quiet
from evals.lab.servers import installed
from tests.program import checked, triage

pytestmark = pytest.mark.live
OURS = (*growing.FAULTS, *quiet.FAULTS, *moments.FAULTS)
KINDS = installed()


@pytest.mark.parametrize("number", range(len(OURS)), ids=OURS)
async def test_a_cause_is_named_first_and_a_healthy_server_is_not_accused(number: int) -> None:
    fault = FAULTS[OURS[number]]
    # One kind each, in turn: the lab runs them on all.
    kind = KINDS[number % len(KINDS)]
    async with fault.begin(kind, random.Random(number)) as incident:
        answer = await triage(incident.url, incident.ticket)
    checked(answer)
    named = answer["causes"][0]["id"] if answer["causes"] else answer["outcome"]
    assert named == fault.cause, answer["unknown"]
