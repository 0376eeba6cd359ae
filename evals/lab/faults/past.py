"""Servers that are well, the morning after the primary changed: each way in which it can have."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from random import Random

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.faults.cluster import NODES, stock
from evals.lab.faults.failover import follows, moved
from evals.lab.routed import by_sentinels, by_slots, routed
from evals.lab.servers import ServerKind, start
from evals.lab.topologies import Deployment, Member, clustered, fields, in_step, replicated, sentinels, until
from evals.lab.traffic import application, fill

FAULTS = Family("replication and failover")
_WHY = (
    "Why did our Redis fail over at 03:00 this night? Everything works again since.",
    "For the review: the Redis primary isn't the one it was yesterday. When did that happen, and who decided it?",
)


@FAULTS.fault("healthy-after-a-crash", *_WHY, cause=NO_FAULT, twin="slowness-failover-pause")
async def healthy_after_a_crash(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The primary was killed, Sentinel promoted a replica, and the old one was started again and follows."""
    async with AsyncExitStack() as stack:
        deployment = await stack.enter_async_context(
            sentinels(kind, replicas=rng.randrange(1, 3), down_after=rng.randrange(2000, 3000))
        )
        await stack.enter_async_context(routed(by_sentinels(deployment), rng))
        await fill(deployment.url, rng, rng.randrange(500, 3000))
        old = deployment.primary.server
        old.signal(signal.SIGKILL)
        await until(partial(moved, deployment), "another master", 40)

        def keep_the_log(folder: Path) -> None:
            shutil.copy(old.log, folder / "server.log")

        again = await start(kind, config={"repl-diskless-sync-delay": "0", "logfile": "server.log"}, port=old.port,
                            prepare=keep_the_log)  # fmt: skip
        stack.push_async_callback(again.stop)
        now = Deployment((Member(again), *deployment.replicas), deployment.sentinels)
        await until(partial(follows, now), "the old master is a replica in sync", 60)
        await asyncio.sleep(rng.uniform(2, 4))
        yield Incident(url=rng.choice(now.members).url, pid=again.pid)


@FAULTS.fault("healthy-after-a-switchover", *_WHY, cause=NO_FAULT, twin="failover-stuck")
async def healthy_after_a_switchover(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Somebody had the primary hand over by FAILOVER."""
    async with replicated(kind, rng.randrange(1, 3)) as deployment:
        await fill(deployment.url, rng, rng.randrange(500, 3000))
        target = rng.choice(deployment.replicas)
        await deployment.primary.ask("FAILOVER", "TO", target.server.host, target.server.port)
        await _settled(deployment, target)
        async with application(target.url, rng, clients=rng.randrange(2, 5)):
            await asyncio.sleep(rng.uniform(1, 3))
            yield Incident(url=target.url, pid=target.server.pid)


@FAULTS.fault("healthy-after-a-promotion-by-hand", *_WHY, cause=NO_FAULT, twin="failover-stuck")
async def healthy_after_a_promotion_by_hand(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Somebody promoted a replica by REPLICAOF, and made the others follow it."""
    async with replicated(kind, rng.randrange(1, 3)) as deployment:
        await fill(deployment.url, rng, rng.randrange(500, 3000))
        target = rng.choice(deployment.replicas)
        await target.ask("REPLICAOF", "NO", "ONE")
        for one in deployment.members:
            if one is not target:
                await one.ask("REPLICAOF", target.server.host, target.server.port)
        await _settled(deployment, target)
        async with application(target.url, rng, clients=rng.randrange(2, 5)):
            await asyncio.sleep(rng.uniform(1, 3))
            yield Incident(url=target.url, pid=target.server.pid)


async def _settled(deployment: Deployment, target: Member) -> None:
    now = Deployment((target, *(one for one in deployment.members if one is not target)))
    await until(partial(in_step, now), "all follow the new primary", 30)


@FAULTS.fault("healthy-after-a-cluster-switchover", *_WHY, cause=NO_FAULT, twin="cluster-slots-down-frozen")
async def healthy_after_a_cluster_switchover(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Somebody had a replica take over by CLUSTER FAILOVER."""
    async with clustered(kind, nodes=NODES, replicas=1, node_timeout=rng.randrange(1500, 2500)) as deployment:
        await stock(by_slots(deployment), rng, 100)
        number = rng.randrange(NODES)
        await deployment.members[NODES + number].ask("CLUSTER", "FAILOVER")
        await until(partial(_handed, deployment, number), "the replica is the primary", 20)
        async with routed(by_slots(_swapped(deployment, number)), rng):
            # Before 7.0 the old primary holds its writers back for ten seconds, whatever becomes of it.
            await asyncio.sleep(rng.uniform(11, 12))
            asked = rng.choice(deployment.members)
            yield Incident(url=asked.url, pid=asked.server.pid)


def _swapped(deployment: Deployment, number: int) -> Deployment:
    """With a replica in its primary's place, as clients know it that have learnt the slots again."""
    members = list(deployment.members)
    members[number], members[NODES + number] = members[NODES + number], members[number]
    return Deployment(tuple(members))


@FAULTS.fault("healthy-after-an-election", *_WHY, cause=NO_FAULT, twin="cluster-slots-down-frozen")
async def healthy_after_an_election(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A primary stood still until its replica was elected, and follows that one since."""
    async with clustered(kind, nodes=NODES, replicas=1, node_timeout=rng.randrange(800, 1600)) as deployment:
        await stock(by_slots(deployment), rng, 100)
        number = rng.randrange(NODES)
        old = deployment.members[number].server
        old.signal(signal.SIGSTOP)
        await until(partial(_leads, deployment.members[NODES + number]), "its replica is elected", 30)
        await asyncio.sleep(rng.uniform(0.5, 1.5))
        old.signal(signal.SIGCONT)
        await until(partial(_handed, deployment, number), "the old primary follows", 30)
        async with routed(by_slots(_swapped(deployment, number)), rng):
            await asyncio.sleep(rng.uniform(2, 4))
            asked = rng.choice(deployment.members)
            yield Incident(url=asked.url, pid=asked.server.pid)


async def _leads(member: Member) -> bool:
    return (await member.info())["role"] == "master"


async def _handed(deployment: Deployment, number: int) -> bool:
    """Whether a primary follows its replica now, and the cluster is whole as each node sees it."""
    old = await deployment.members[number].info()
    states = [fields(str(await one.ask("CLUSTER", "INFO"))) for one in deployment.members]
    nodes = str(await deployment.members[NODES + number].ask("CLUSTER", "NODES"))
    return (
        old["role"] == "slave" and old["master_link_status"] == "up" and "fail" not in nodes
        and all(state["cluster_state"] == "ok" for state in states)
    )  # fmt: skip
