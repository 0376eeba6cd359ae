"""Faults of who decides, asked from the master, without a majority, or the morning after."""

import asyncio
import signal
from collections.abc import AsyncIterator
from functools import partial
from random import Random

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.faults.cluster import NODES, fails, stock
from evals.lab.faults.failover import follows, moved, no_quorum
from evals.lab.routed import by_sentinels, by_slots, routed
from evals.lab.servers import ServerKind
from evals.lab.topologies import clustered, sentinels, until
from evals.lab.traffic import fill

FAULTS = Family("replication and failover")
_READY = (
    "Would our Redis survive the loss of the primary tonight? Please check, we have maintenance.",
    "Two of the machines with Redis sentinels were switched off last week. Is everything all right?",
)


@FAULTS.fault(
    "sentinel-noquorum-from-master", *_READY, cause="sentinel-noquorum", twin="healthy-sentinels-from-master",
    never=(r"quorum 1\b", r"replicaof no one"),
)  # fmt: skip
async def sentinel_noquorum_from_master(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Two of three sentinels are dead, and only the address of the master is given."""
    async with (
        sentinels(kind, replicas=1, down_after=rng.randrange(800, 1600)) as deployment,
        routed(by_sentinels(deployment), rng),
    ):
        await fill(deployment.url, rng, rng.randrange(500, 3000))
        for one in deployment.sentinels[1:]:
            one.server.signal(signal.SIGKILL)
        await until(partial(no_quorum, deployment.sentinels[0]), "a sentinel that says NOQUORUM")
        yield Incident(url=deployment.url, pid=deployment.primary.server.pid)


@FAULTS.fault("healthy-sentinels-from-master", *_READY, cause=NO_FAULT, twin="sentinel-noquorum-from-master")
async def healthy_sentinels_from_master(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """All three live."""
    async with (
        sentinels(kind, replicas=1, down_after=rng.randrange(1500, 3000)) as deployment,
        routed(by_sentinels(deployment), rng),
    ):
        await fill(deployment.url, rng, rng.randrange(500, 3000))
        await asyncio.sleep(rng.uniform(1, 3))
        yield Incident(url=rng.choice(deployment.members).url, pid=deployment.primary.server.pid)


_WHY = (
    "Why did our Redis fail over at 03:00 this night? Everything works again since.",
    "For the review: the Redis master isn't the one it was yesterday. When did that happen, and who decided it?",
)


@FAULTS.fault("healthy-after-a-failover", *_WHY, cause=NO_FAULT, twin="slowness-failover-pause")
async def healthy_after_a_failover(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Somebody restarted the master's machine, another one took over, and the old one follows it."""
    async with (
        sentinels(kind, replicas=2, down_after=rng.randrange(800, 1500)) as deployment,
        routed(by_sentinels(deployment), rng),
    ):
        await fill(deployment.url, rng, rng.randrange(500, 3000))
        await deployment.sentinels[0].ask("SENTINEL", "FAILOVER", "mymaster")
        await until(partial(moved, deployment), "another master", 30)
        await until(partial(follows, deployment), "the old master is a replica in sync", 40)
        await asyncio.sleep(rng.uniform(1, 4))
        at = rng.choice((deployment.members[0], deployment.members[1]))
        yield Incident(url=at.url, pid=deployment.primary.server.pid)


@FAULTS.fault(
    "cluster-majority-lost", "CLUSTERDOWN The cluster is down, for all keys, since two machines died.",
    "Two machines of our Redis cluster died at once, and no replica takes over.",
    cause="cluster-slots-down", also=("process-down",), twin="cluster-failed-over",
    never=(r"failover force on", "full-coverage", "flushslots"),
)  # fmt: skip
async def cluster_majority_lost(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Most primaries die at once: their replicas live, and nobody can elect one."""
    async with clustered(kind, nodes=NODES, replicas=1, node_timeout=rng.randrange(800, 1600)) as deployment:
        await stock(by_slots(deployment), rng, 100)
        dead = rng.sample(range(NODES), 2)
        for number in dead:
            deployment.members[number].server.signal(signal.SIGKILL)
        living = [one for number, one in enumerate(deployment.members) if number not in dead]
        asked = rng.choice(living)
        await until(partial(fails, asked), "cluster_state:fail")
        await asyncio.sleep(rng.uniform(2, 4))
        yield Incident(url=asked.url, pid=deployment.members[dead[0]].server.pid)
