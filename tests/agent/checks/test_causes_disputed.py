"""Sentinels with different primaries under one name: the cause comes first; two names are well."""

import random
from typing import Any

import pytest

from evals.lab.catalogue import FAULTS
from evals.lab.fault import Incident
from evals.lab.faults.disputed import FAULTS as FAMILY
from evals.lab.wire import dial
from tests.program import triage
from tests.rotation import one_of, right, told

pytestmark = pytest.mark.live


async def named(incident: Incident) -> set[tuple[str, str]]:
    """The names and addresses of all primaries, by every sentinel of an incident, asked by hand."""
    first = await dial(incident.url)
    try:
        name = pairs((await first.ask("SENTINEL", "MASTERS"))[0])["name"]
        others = [pairs(one) for one in await first.ask("SENTINEL", "SENTINELS", name)]
    finally:
        await first.close()
    found: set[tuple[str, str]] = set()
    for url in (incident.url, *(f"redis://{one['ip']}:{one['port']}" for one in others)):
        wire = await dial(url)
        try:
            masters = [pairs(one) for one in await wire.ask("SENTINEL", "MASTERS")]
        finally:
            await wire.close()
        found |= {(one["name"], f"{one['ip']}:{one['port']}") for one in masters}
    return found


def pairs(reply: list[Any]) -> dict[str, str]:
    return dict(zip(reply[::2], reply[1::2], strict=True))


async def disputed(incident: Incident) -> bool:
    found = await named(incident)
    return len(found) == 2 and len({name for name, _ in found}) == 1


async def apart(incident: Incident) -> bool:
    found = await named(incident)
    return len(found) == 2 and len({name for name, _ in found}) == 2


EVIDENCE = {"sentinels-disagree": disputed, "healthy-two-masters": apart}


@pytest.mark.parametrize("id", FAMILY)
async def test_the_cause_comes_first(id: str) -> None:
    right(FAULTS[id], await told(id, random.Random(id).randrange(1000, 2000), evidence=EVIDENCE[id]))


async def test_the_odd_sentinel_is_given_the_others_primary() -> None:
    kind = one_of("sentinels-disagree")
    async with FAULTS["sentinels-disagree"].begin(kind, random.Random(1003)) as incident:
        answer = await triage(incident.url, incident.ticket)
        first = answer["plan"][0]
        assert "SENTINEL REMOVE mymaster, then SENTINEL MONITOR mymaster" in first["action"]
        assert not [step for step in answer["plan"] if "Fence" in step["action"]]
