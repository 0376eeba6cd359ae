"""Servers that are ended soon after each start, and starts that the machine refuses: the cause comes first."""

import random
from typing import Any

import pytest

from evals.lab.catalogue import FAULTS
from evals.lab.fault import Incident
from evals.lab.faults.ended import FAULTS as FAMILY
from tests.program import triage
from tests.rotation import one_of, right

pytestmark = pytest.mark.live


async def answer_of(incident: Incident) -> dict[str, Any]:
    log = incident.server_log
    return await triage(incident.url, incident.ticket, *(("--server-log", str(log)) if log else ()))


@pytest.mark.parametrize("id", FAMILY)
async def test_the_cause_comes_first(id: str) -> None:
    async with FAULTS[id].begin(one_of(id), random.Random(id)) as incident:
        right(FAULTS[id], await answer_of(incident))
