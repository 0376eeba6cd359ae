"""Slots that move as a whole, as Valkey has it from 9.0 on: migrations that fail, and those that went well."""

import asyncio
from collections.abc import AsyncIterator
from random import Random

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.routed import by_slots, key_at, routed
from evals.lab.servers import ServerKind
from evals.lab.topologies import Deployment, clustered, until

FAULTS = Family("cluster")
NODES, SLOTS_MOVED = 3, 200
_STUCK = (
    "Rebalancing of the Redis cluster makes no progress: the new node stays without its slots.",
    "The operator resizes the Redis cluster since this morning and isn't done. Services work.",
)


def _moves_slots(kind: ServerKind) -> bool:
    return kind.name.startswith("valkey") and kind.at_least(9)


async def _heavy(deployment: Deployment, rng: Random, megabytes: float) -> None:
    """Keys in the slots that are to move."""
    source = deployment.members[0]
    tags = [key_at(0, SLOTS_MOVED, rng) for _ in range(8)]
    for number in range(int(megabytes * 100)):
        await source.ask("SET", f"{{{rng.choice(tags)}}}:{number}", "x" * 10_000)


async def _moved(deployment: Deployment) -> str:
    """Ask for the slots to move from the first node to the second, and how that ended."""
    source, target = deployment.members[:2]
    there = await target.ask("CLUSTER", "MYID")
    await source.ask("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", 0, SLOTS_MOVED, "NODE", there)
    state = ""

    async def ended() -> bool:
        nonlocal state
        newest = (await source.ask("CLUSTER", "GETSLOTMIGRATIONS"))[0]
        state = newest[newest.index("state") + 1]
        return state in ("success", "failed", "cancelled")

    await until(ended, "a migration's end", 20)
    return state


@FAULTS.fault(
    "open-slot-no-room", *_STUCK, cause="open-slot", twin="healthy-moved-slots", kinds=_moves_slots,
    never=(r"setslot \S+ node", r"cluster fix"),
)  # fmt: skip
async def open_slot_no_room(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Slots are to move again and again to a node that has no memory for them."""
    async with clustered(kind, nodes=NODES) as deployment, routed(by_slots(deployment), rng):
        await _heavy(deployment, rng, rng.uniform(4, 8))
        target = deployment.members[1]
        used = int((await target.info("memory"))["used_memory"])
        await target.ask("CONFIG", "SET", "maxmemory", used + (1 << 20))
        for _ in range(rng.randrange(2, 4)):
            assert await _moved(deployment) == "failed"
            await asyncio.sleep(0.2)
        asked = rng.choice(deployment.members)
        yield Incident(url=asked.url, pid=asked.server.pid)


@FAULTS.fault(
    "healthy-moved-slots", *_STUCK, cause=NO_FAULT, twin="open-slot-no-room", kinds=_moves_slots
)  # fmt: skip
async def healthy_moved_slots(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Slots that have just moved, perhaps after a first time in vain."""
    async with clustered(kind, nodes=NODES) as deployment, routed(by_slots(deployment), rng):
        await _heavy(deployment, rng, rng.uniform(1, 3))
        assert await _moved(deployment) == "success"
        asked = rng.choice(deployment.members)
        yield Incident(url=asked.url, pid=asked.server.pid)
