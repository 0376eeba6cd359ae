"""Sentinels that were given different primaries under one name, and the like that is well."""

import asyncio
from collections.abc import AsyncIterator
from random import Random

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.servers import ServerKind, running
from evals.lab.topologies import MASTER, sentinels
from evals.lab.traffic import application, fill

FAULTS = Family("replication and failover")
_HALF = (
    "Half of our pods write to another Redis than the other half since the sentinels were set up again.",
    "Data is there or isn't, by which pod one asks. Sentinel says that all is well.",
)
SETTLES = 11.0
"""Seconds after which a sentinel has seen its primary for long enough."""


@FAULTS.fault("sentinels-disagree", *_HALF, cause="split-brain", twin="healthy-two-masters", never=(r"^CONFIG SET",))
async def sentinels_disagree(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """One sentinel was given another server under the same name."""
    async with sentinels(kind, 1) as deployment, running(kind) as other:
        await fill(other.url, rng, rng.randrange(200, 2000))
        wrong, asked = rng.sample(deployment.sentinels, 2)
        await wrong.ask("SENTINEL", "REMOVE", MASTER)
        await wrong.ask("SENTINEL", "MONITOR", MASTER, other.host, other.port, 2)
        async with application(deployment.members[0].url, rng), application(other.url, rng):
            await asyncio.sleep(SETTLES)
            yield Incident(url=asked.url, pid=other.pid)


@FAULTS.fault("healthy-two-masters", *_HALF, cause=NO_FAULT, twin="sentinels-disagree")
async def healthy_two_masters(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The same sentinels watch two deployments, each under a name of its own."""
    async with sentinels(kind, 1) as deployment, running(kind) as other:
        await fill(other.url, rng, rng.randrange(200, 2000))
        for one in deployment.sentinels:
            await one.ask("SENTINEL", "MONITOR", "billing", other.host, other.port, 2)
        async with application(deployment.members[0].url, rng), application(other.url, rng):
            await asyncio.sleep(SETTLES)
            yield Incident(url=deployment.sentinels[0].url, pid=other.pid)
