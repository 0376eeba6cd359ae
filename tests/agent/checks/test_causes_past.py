"""The morning after: a server that is well is called so, and the answer says when the primary changed, and by whom."""

import random

import pytest

from evals.lab.catalogue import FAULTS
from evals.lab.faults import past
from tests.program import checked, triage
from tests.rotation import one_of

SAID = {
    "healthy-after-a-crash": ("sentinel", "died or was stopped before, and was started again"),
    "healthy-after-a-switchover": ("failover-command", "planned switch"),
    "healthy-after-a-promotion-by-hand": ("client", "asked for it by REPLICAOF"),
    "healthy-after-a-cluster-switchover": ("cluster-manual", "CLUSTER FAILOVER on"),
    "healthy-after-an-election": ("cluster", "had been marked as failed"),
}


def test_each_is_here() -> None:
    assert SAID.keys() == past.FAULTS.keys()


@pytest.mark.live
@pytest.mark.parametrize("id", SAID)
async def test_the_answer_tells_the_failover(id: str) -> None:
    async with FAULTS[id].begin(one_of(id), random.Random(21)) as incident:
        answer = await triage(incident.url, incident.ticket)
        other = await triage(incident.url, "Checkout times out on Redis.")
    checked(answer)
    by, words = SAID[id]
    told = answer["failover"]
    assert answer["causes"] == []
    assert told["by"] == by and words in told["told"]
    assert told["old"] and told["new"] and told["at"]
    assert all(one["verified"] for one in told["evidence"]) and told["evidence"]
    assert told["asked"] and not other["failover"]["asked"]
