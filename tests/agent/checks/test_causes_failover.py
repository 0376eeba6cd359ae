"""Sentinel and failover: the fault is there, its cause comes first, and its twin with the same ticket is told apart."""

import asyncio
import random
from typing import Any
from urllib.parse import urlsplit

import pytest

from evals.lab.catalogue import FAULTS
from evals.lab.fault import Incident
from evals.lab.faults.failover import FAULTS as FAMILY
from evals.lab.topologies import MASTER, sentinels
from evals.lab.wire import LOST, dial
from tests.program import triage
from tests.rotation import one_of, right, told

pytestmark = pytest.mark.live


async def ask(place: str, *command: str, password: str = "") -> Any:
    wire = await dial(f"redis://:{password}@{place}" if password else f"redis://{place}")
    try:
        return await wire.ask(*command)
    finally:
        await wire.close()


def pairs(reply: list[str]) -> dict[str, str]:
    return dict(zip(reply[::2], reply[1::2], strict=True))


class Seen:
    """What a sentinel of an incident says, asked by hand."""

    def __init__(self, incident: Incident) -> None:
        parts = urlsplit(incident.url)
        self.password = parts.password or ""
        self.sentinel = parts.netloc.rpartition("@")[2].split(",")[0]

    async def master(self) -> dict[str, str]:
        return pairs(await ask(self.sentinel, "SENTINEL", "MASTER", MASTER))

    async def replicas(self) -> list[dict[str, str]]:
        return [pairs(one) for one in await ask(self.sentinel, "SENTINEL", "REPLICAS", MASTER)]

    async def roles(self) -> list[str]:
        """The role that each data node claims; none of those that are dead."""
        master, found = await self.master(), []
        for one in (master, *await self.replicas()):
            try:
                text = await ask(f"{one['ip']}:{one['port']}", "INFO", "replication", password=self.password)
                found.append(text.partition("role:")[2].partition("\r\n")[0])
            except LOST:
                continue
        return found


async def no_quorum(incident: Incident) -> bool:
    try:
        return await ask(Seen(incident).sentinel, "SENTINEL", "CKQUORUM", MASTER) is None
    except LOST as error:
        return "NOQUORUM" in str(error)


async def nobody_to_promote(incident: Incident) -> bool:
    seen = Seen(incident)
    barred = [one["slave-priority"] == "0" or "s_down" in one["flags"] for one in await seen.replicas()]
    return "s_down" in (await seen.master())["flags"] and all(barred) and bool(barred)


async def replaced_alive(incident: Incident) -> bool:
    seen = Seen(incident)
    return int((await seen.master())["config-epoch"]) > 0 and len(await seen.roles()) == 3


async def two_masters(incident: Incident) -> bool:
    return sorted(await Seen(incident).roles()) == ["master", "master", "slave"]


async def one_master(incident: Incident) -> bool:
    return await replaced_alive(incident) and sorted(await Seen(incident).roles()) == ["master", "slave", "slave"]


EVIDENCE = {
    "sentinel-noquorum": no_quorum,
    "sentinel-noquorum-latent": no_quorum,
    "sentinel-no-good-replica": nobody_to_promote,
    "sentinel-no-good-replica-dead": nobody_to_promote,
    "slowness-failover": replaced_alive,
    "slowness-failover-pause": replaced_alive,
    "split-brain": two_masters,
    "healthy-failover": one_master,
}


@pytest.mark.parametrize("id", FAMILY)
async def test_the_cause_comes_first(id: str) -> None:
    right(FAULTS[id], await told(id, 1001, evidence=EVIDENCE[id]))


async def test_the_priority_is_what_mends_it() -> None:
    kind = one_of("sentinel-no-good-replica")
    async with FAULTS["sentinel-no-good-replica"].begin(kind, random.Random(1003)) as incident:
        answer = await triage(incident.url, incident.ticket)
        step = next(step for step in answer["plan"] if step["kind"] == "config_set")
        assert (step["action"], step["before"]) == ("CONFIG SET replica-priority 100", "0")
        await ask(step["node"], *step["action"].split(), password=Seen(incident).password)
        assert incident.fixed and await incident.fixed()


async def test_a_sentinel_that_died_is_no_fault_of_the_data() -> None:
    async with sentinels(one_of("healthy-failover")) as deployment:
        first, second, gone = deployment.sentinels
        await gone.server.stop()
        await asyncio.sleep(2)
        answer = await triage(f"redis+sentinel://{first.name},{second.name}/{MASTER}", "is Redis all right?")
    assert answer["causes"] == []
    assert [one["where"] for one in answer["findings"] if one["id"] == "process-down"] == [gone.name]
