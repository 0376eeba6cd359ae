"""Faults of one node among several, which are there to be repaired: no recording is of them."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from random import Random

from hiredis import ReplyError

from evals.lab.fault import Family, Incident
from evals.lab.faults.cluster import NODES
from evals.lab.faults.failover import down, no_quorum, url_of
from evals.lab.faults.memory import until_refused
from evals.lab.repaired import FAILS_OVER_WITHIN, served
from evals.lab.routed import by_sentinels, by_slots, key_at, routed
from evals.lab.servers import ServerKind
from evals.lab.topologies import SLOTS, Member, clustered, sentinels, until
from evals.lab.traffic import application_name, fill
from evals.lab.wire import LOST, dial

FAULTS = Family("several nodes")
_MIB = 1 << 20


def _tag(number: int, rng: Random) -> str:
    """A hash tag whose slot is a primary's."""
    return key_at(SLOTS * number // NODES, SLOTS * (number + 1) // NODES - 1, rng)


async def _writes(member: Member, tag: str) -> bool:
    """Whether new connections may write there, several times in a row."""
    for _ in range(8):
        try:
            wire = await dial(member.url, timeout=1)
            try:
                await wire.ask("SET", f"{{{tag}}}:probe", "1", "EX", 60, timeout=1)
            finally:
                await wire.close()
        except LOST:
            return False
        await asyncio.sleep(0.3)
    return True


async def _store(member: Member, tag: str, rng: Random) -> None:
    """A job whose documents all belong to one node."""
    wire, number = await dial(member.url, name=application_name(rng)), 0
    try:
        while True:
            number += 1
            with suppress(ReplyError):
                await wire.ask("SET", f"{{{tag}}}:invoice:{number}", "x" * rng.randrange(100, 2000))
            await asyncio.sleep(rng.uniform(0.02, 0.1))
    finally:
        await wire.close()


@FAULTS.fault(
    "oom-noeviction-shard", "Some writes to the Redis cluster fail with OOM command not allowed, most of them work.",
    "Orders of about a third of our customers can't be saved, the Redis cluster says OOM.",
    cause="oom-noeviction", never=(r"maxmemory-policy\s+\"?allkeys", r"maxmemory 0\b", r"\bflush(all|db)\b"),
)  # fmt: skip
async def oom_noeviction_shard(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """One node of a cluster was given less memory than the others, and it's full."""
    limit = rng.randrange(64, 200)
    async with (
        clustered(kind, nodes=NODES, replicas=1, maxmemory=f"{limit}mb", maxmemory_policy="noeviction") as deployment,
        routed(by_slots(deployment), rng) as hands,
    ):
        small = rng.randrange(NODES)
        member, tag = deployment.members[small], _tag(small, rng)
        used = int((await member.info("memory"))["used_memory"])
        await member.ask("CONFIG", "SET", "maxmemory", used + rng.randrange(3, 9) * _MIB)
        await until_refused(await hands.dial(member.url), f"{{{tag}}}:", 4000)
        hands.spawn(_store(member, tag, Random(rng.random())))
        await asyncio.sleep(0.5)
        asked = rng.choice(deployment.members[:NODES])
        yield Incident(url=asked.url, pid=member.server.pid, fixed=partial(_writes, member, tag))


async def _hold(member: Member, tag: str, rng: Random, name: str, mean: float) -> None:
    """Use one slot for about `mean` seconds at a time, for keys of that node; lost, it's tried for again."""
    while True:
        with suppress(*LOST):
            wire = await dial(member.url, name=name)
            try:
                async with asyncio.timeout(rng.expovariate(1 / mean)):
                    while True:
                        await wire.ask("GET", f"{{{tag}}}:cart:{rng.randrange(100)}")
                        await asyncio.sleep(rng.uniform(0.3, 1.2))
            finally:
                await wire.close()
        await asyncio.sleep(rng.uniform(0.3, 0.8))


async def _refuses(member: Member) -> bool:
    try:
        await member.ask("PING")
    except LOST:
        return True
    return False


@FAULTS.fault(
    "maxclients-exhausted-shard", "The shop can't connect to one node of the Redis cluster: max number of clients.",
    "ERR max number of clients reached, for some keys of the Redis cluster only.", cause="maxclients-exhausted",
)  # fmt: skip
async def maxclients_exhausted_shard(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """One node of a cluster lets far fewer clients in than the others, and all are in."""
    async with (
        clustered(kind, nodes=NODES) as deployment, routed(by_slots(deployment), rng) as hands,
    ):  # fmt: skip
        small, limit, name = rng.randrange(NODES), rng.randrange(20, 60), application_name(rng)
        member, tag = deployment.members[small], _tag(small, rng)
        await member.ask("CONFIG", "SET", "maxclients", limit)
        for _ in range(limit):
            # With all of them together a slot is free for a moment every second or so.
            hands.spawn(_hold(member, tag, Random(rng.random()), name, 1.2 * limit))
        await until(partial(_refuses, member), "connections are refused")
        await asyncio.sleep(1)
        others = [one for one in deployment.members if one is not member]
        yield Incident(url=rng.choice(others).url, pid=member.server.pid, fixed=partial(_writes, member, tag))


@FAULTS.fault(
    "sentinel-noquorum-too-many", "The Redis master is dead and no replica takes over, although all sentinels live.",
    "Since we scaled the sentinels down again there is no automatic failover, and now the Redis master is gone.",
    cause="sentinel-noquorum", also=("process-down",), never=(r"quorum 1\b", r"(replica|slave)of no one"),
)  # fmt: skip
async def sentinel_noquorum_too_many(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """More sentinels have to agree than there are left; then the master dies."""
    async with sentinels(
        kind, quorum=rng.randrange(4, 6), replicas=rng.randrange(1, 3), down_after=rng.randrange(800, 1600),
        failover_timeout=3000, password=rng.choice(("", "hush")),
    ) as deployment, routed(by_sentinels(deployment), rng):  # fmt: skip
        await fill(deployment.url, rng, rng.randrange(500, 3000))
        await until(partial(no_quorum, deployment.sentinels[0]), "a sentinel that says NOQUORUM")
        deployment.primary.server.signal(signal.SIGKILL)
        await until(partial(down, deployment), "the master is seen down")
        yield Incident(
            url=url_of(deployment, rng), pid=deployment.primary.server.pid,
            fixed=partial(served, by_sentinels(deployment)), gone_within=FAILS_OVER_WITHIN,
        )  # fmt: skip
