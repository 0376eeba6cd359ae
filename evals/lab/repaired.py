"""Whether a deployment of several servers is whole again after it was repaired."""

from collections.abc import Sequence
from contextlib import suppress

from evals.lab.routed import Route, slot_of
from evals.lab.topologies import MASTER, SLOTS, Deployment, Member, fields
from evals.lab.traffic import works
from evals.lab.wire import LOST
from tools.server.cluster import parse_nodes

FAILS_OVER_WITHIN = 40.0
"""Seconds in which sentinels replace a master once nothing keeps them from it: they try again only after a while."""


async def whole(deployment: Deployment) -> bool:
    """Whether every node calls its cluster whole. Raises one of `LOST`."""
    states = [fields(str(await member.ask("CLUSTER", "INFO"))) for member in deployment.members]
    return all(one["cluster_state"] == "ok" and one["cluster_slots_ok"] == str(SLOTS) for one in states)


async def reunited(deployment: Deployment, halves: Sequence[Sequence[str]]) -> bool:
    """Whether no slot is open any more, and the keys of each that was can be read together. Raises one of `LOST`."""
    owners: dict[int, Member] = {}
    for member in deployment.members:
        own = next(one for one in parse_nodes(str(await member.ask("CLUSTER", "NODES"))) if one.myself)
        if own.migrating or own.importing:
            return False
        owners |= {slot: member for first, last in own.ranges for slot in range(first, last + 1)}
    for names in halves:
        owner = owners.get(slot_of(names[0]))
        if owner is None or None in await owner.ask("MGET", *names):
            return False
    return True


async def served(route: Route) -> bool:
    """Whether the master that the sentinels name is one, and takes writes."""
    with suppress(*LOST):
        return await works(await route(""), times=2)
    return False


async def state_of(one: Member) -> dict[str, str]:
    """What a sentinel says of the master."""
    return _pairs(await one.ask("SENTINEL", "MASTER", MASTER))


async def trusted(deployment: Deployment) -> bool:
    """Whether every sentinel takes the master and its replicas for alive. Raises one of `LOST`."""
    for one in deployment.sentinels:
        replicas = map(_pairs, await one.ask("SENTINEL", "REPLICAS", MASTER))
        if any("down" in of["flags"] for of in (await state_of(one), *replicas)):
            return False
    return True


def _pairs(reply: Sequence[str]) -> dict[str, str]:
    return dict(zip(reply[::2], reply[1::2], strict=True))
