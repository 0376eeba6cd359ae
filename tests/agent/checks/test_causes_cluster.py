"""Cluster: the fault is there, its cause comes first, and its twin with the same ticket is told apart."""

import asyncio
from typing import Any

import pytest

from evals.lab.catalogue import FAULTS
from evals.lab.fault import Incident
from evals.lab.faults.cluster import FAULTS as FAMILY
from evals.lab.topologies import SLOTS, fields
from evals.lab.wire import LOST, dial
from tests.rotation import right, told
from tools.server.cluster import parse_nodes

pytestmark = pytest.mark.live


async def ask(url: str, *command: str) -> Any:
    wire = await dial(url)
    try:
        return await wire.ask(*command)
    finally:
        await wire.close()


async def everywhere(incident: Incident, *command: str) -> list[str]:
    """What each node that answers says."""
    login = incident.url.rpartition("/")[2].rpartition("@")[0]
    found = []
    for one in parse_nodes(await ask(incident.url, "CLUSTER", "NODES")):
        try:
            found.append(str(await ask(f"redis://{login}{'@' if login else ''}{one.host}:{one.port}", *command)))
        except LOST:
            continue
    return found


async def unserved(incident: Incident) -> bool:
    return int(fields(await ask(incident.url, "CLUSTER", "INFO"))["cluster_slots_ok"]) < SLOTS


def growing(*words: str) -> Any:
    async def grows(incident: Incident) -> bool:
        before = await everywhere(incident, "INFO", "errorstats")
        await asyncio.sleep(3)
        after = await everywhere(incident, "INFO", "errorstats")
        told = [(fields(old).get(f"errorstat_{word}"), fields(new).get(f"errorstat_{word}"))
                for old, new in zip(before, after, strict=True) for word in words]  # fmt: skip
        return not await unserved(incident) and any(old != new for old, new in told)

    return grows


async def is_open(incident: Incident) -> bool:
    lines = await everywhere(incident, "CLUSTER", "NODES")
    return any(one.myself and one.migrating for text in lines for one in parse_nodes(text))


async def uneven(incident: Incident) -> bool:
    done = [int(fields(text)["total_commands_processed"]) for text in await everywhere(incident, "INFO", "stats")]
    return max(done) > 100 * sorted(done)[-2]


async def whole(incident: Incident) -> bool:
    return fields(await ask(incident.url, "CLUSTER", "INFO"))["cluster_state"] == "ok" and not await unserved(incident)


EVIDENCE = {
    "cluster-slots-down": unserved,
    "cluster-slots-down-unassigned": unserved,
    "cluster-slots-down-partial": unserved,
    "non-cluster-client": growing("MOVED"),
    "non-cluster-client-keys": growing("CROSSSLOT"),
    "open-slot": is_open,
    "hot-shard": uneven,
    "healthy-cluster": whole,
    "healthy-resharding": whole,
}


@pytest.mark.parametrize("id", FAMILY)
async def test_the_cause_comes_first(id: str) -> None:
    right(FAULTS[id], await told(id, 1001, evidence=EVIDENCE[id]))
