"""Servers that are well, each with something that looks like a fault: the answer is that they're well."""

import random
import re

import pytest

from evals.lab.catalogue import FAULTS
from evals.lab.fault import NO_FAULT
from evals.lab.servers import installed
from tests.program import checked, triage

BENIGN = [fault.id for fault in FAULTS.values() if fault.cause == NO_FAULT and fault.attack is None]
LEADING = ("a leak", "lose data", "vanish", "fragmented", "too slow", "too large", "pooling", "far behind", "refused")
"""Words of tickets that suspect a cause by name."""


def test_there_are_many_and_they_are_told_by_their_id() -> None:
    assert len(BENIGN) >= 14
    assert all(id.startswith("healthy-") for id in BENIGN)


# That nothing is slow is a measurement too.
@pytest.mark.live
@pytest.mark.alone
@pytest.mark.parametrize("id", BENIGN)
async def test_it_is_well(id: str) -> None:
    fault = FAULTS[id]
    usable = [kind for kind in installed() if fault.unavailable(kind) is None]
    if not usable:
        pytest.skip(f"{id}: no server here can have it")
    kind = usable[BENIGN.index(id) % len(usable)]
    # The ticket that suspects most, where there is one.
    leading = [ticket for ticket in fault.tickets if any(word in ticket for word in LEADING)]
    async with fault.begin(kind, random.Random(41)) as incident:
        answer = await triage(incident.url, (leading or [incident.ticket])[0], *incident.arguments)
    checked(answer)
    assert answer["outcome"] == NO_FAULT, answer["causes"]
    assert not [step for step in answer["plan"] if step["needs_approval"]]
    for step in answer["plan"]:
        assert not any(re.search(pattern, step["action"], re.IGNORECASE) for pattern in fault.never)
