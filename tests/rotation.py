"""A family's faults through the program: each on one server by rotation, and with its twin's ticket."""

import random
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from evals.lab.catalogue import FAULTS
from evals.lab.fault import NO_FAULT, Fault, Incident
from evals.lab.servers import ServerKind, installed
from tests.program import checked, triage

Evidence = Callable[[Incident], Awaitable[bool]]
"""Whether a look of one's own shows that the fault is there."""


def one_of(id: str) -> ServerKind:
    """The server on which a fault is tried: another one for the next. Skips where there is none."""
    usable = [kind for kind in installed() if FAULTS[id].unavailable(kind) is None]
    if not usable:
        pytest.skip("; ".join({str(FAULTS[id].unavailable(kind)) for kind in installed()}) or "no server here")
    return usable[sorted(FAULTS).index(id) % len(usable)]


async def told(id: str, seed: int, ticket: str | None = None, evidence: Evidence | None = None) -> dict[str, Any]:
    """What the program makes of a fault that is there, with its own ticket or another one."""
    async with FAULTS[id].begin(one_of(id), random.Random(seed)) as incident:
        assert evidence is None or await evidence(incident), f"{id} isn't there"
        answer = await triage(incident.url, ticket or incident.ticket)
    checked(answer)
    return answer


def right(fault: Fault, answer: dict[str, Any]) -> None:
    """The fault's cause comes first, its companions are named too, and no step is a wrong remedy."""
    ids = [cause["id"] for cause in answer["causes"]]
    if fault.cause == NO_FAULT:
        # On a machine that is busy otherwise a server that is well may look too slow to say so.
        assert answer["causes"] == []
    else:
        assert ids[:1] == [fault.cause], answer["findings"]
        assert set(fault.also) <= set(ids)
        assert answer["plan"]
    for step in answer["plan"]:
        assert not [wrong for wrong in fault.never if re.search(wrong, step["action"], re.IGNORECASE)], step["action"]
