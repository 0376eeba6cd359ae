"""Faults of a cluster's elections: a replica that could be elected and doesn't stand, and one that was elected."""

import asyncio
import signal
from collections.abc import AsyncIterator
from functools import partial
from random import Random

from evals.lab.fault import Family, Incident
from evals.lab.faults.cluster import NODES, fails, stock
from evals.lab.routed import by_slots, routed
from evals.lab.servers import ServerKind
from evals.lab.topologies import Deployment, Member, clustered, fields, until

FAULTS = Family("cluster")
_PART_GONE = (
    "A node of our Redis cluster went away and its replica doesn't take over: CLUSTERDOWN everywhere.",
    "CLUSTERDOWN for some minutes. We do have replicas; why doesn't one of them step in?",
)
_WRONG = ("takeover", r"full-coverage no", "flushslots", "cluster reset")


def _of(deployment: Deployment, number: int) -> Member:
    """The replica of a primary."""
    return deployment.members[NODES + number]


@FAULTS.fault(
    "cluster-slots-down-frozen", *_PART_GONE, cause="cluster-slots-down", also=("process-frozen",),
    twin="cluster-failed-over", never=_WRONG,
)  # fmt: skip
async def cluster_slots_down_frozen(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A primary stands still, and its replica may not take over by itself."""
    async with (
        clustered(kind, nodes=NODES, replicas=1, node_timeout=rng.randrange(800, 1600)) as deployment,
        routed(by_slots(deployment), rng),
    ):
        await stock(by_slots(deployment), rng, 100)
        dead, asked = rng.sample(range(NODES), 2)
        await _of(deployment, dead).ask("CONFIG", "SET", "cluster-replica-no-failover", "yes")
        deployment.members[dead].server.signal(signal.SIGSTOP)
        await until(partial(fails, deployment.members[asked]), "cluster_state:fail")
        yield Incident(url=deployment.members[asked].url, pid=deployment.members[dead].server.pid)


@FAULTS.fault(
    "cluster-slots-down-old-replica", *_PART_GONE, cause="cluster-slots-down",
    also=("process-down", "masterauth-mismatch"), twin="cluster-failed-over", never=_WRONG,
)  # fmt: skip
async def cluster_slots_down_old_replica(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A replica had lost its link, unnoticed, and is too far behind to be elected when its primary dies."""
    async with (
        clustered(kind, nodes=NODES, replicas=1, node_timeout=1000, cluster_replica_validity_factor="1",
                  repl_ping_replica_period="1") as deployment,
        routed(by_slots(deployment), rng),
    ):  # fmt: skip
        await stock(by_slots(deployment), rng, 100)
        dead, asked = rng.sample(range(NODES), 2)
        primary = deployment.members[dead]
        # Somebody took from everybody what a replica needs to attach again.
        await primary.ask("ACL", "SETUSER", "default", "on", "nopass", "~*", "&*", "+@all", "-psync", "-sync")
        await primary.ask("CLIENT", "KILL", "TYPE", "replica")
        await asyncio.sleep(rng.uniform(5, 7))
        primary.server.signal(signal.SIGKILL)
        await until(partial(fails, deployment.members[asked]), "cluster_state:fail")
        await asyncio.sleep(rng.uniform(1, 2))
        yield Incident(url=deployment.members[asked].url, pid=primary.server.pid)


@FAULTS.fault(
    "cluster-failed-over", "Two machines of our Redis cluster died at once, and no replica takes over.", *_PART_GONE,
    cause="process-down", twin="cluster-majority-lost", never=("takeover", "failover force", "flushslots"),
)  # fmt: skip
async def cluster_failed_over(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A primary died and its replica was elected: every slot is served, and the dead node is missing."""
    async with (
        clustered(kind, nodes=NODES, replicas=1, node_timeout=rng.randrange(800, 1600)) as deployment,
        routed(by_slots(deployment), rng),
    ):
        await stock(by_slots(deployment), rng, 100)
        dead, asked = rng.sample(range(NODES), 2)
        deployment.members[dead].server.signal(signal.SIGKILL)
        await until(partial(_leads, _of(deployment, dead)), "its replica is elected", 30)
        await asyncio.sleep(rng.uniform(2, 4))
        yield Incident(url=deployment.members[asked].url, pid=deployment.members[dead].server.pid)


async def _leads(member: Member) -> bool:
    info = fields(str(await member.ask("CLUSTER", "INFO")))
    return (await member.info())["role"] == "master" and info["cluster_state"] == "ok"
