"""Faults of a cluster: slots that nobody serves, clients that don't know them, and work that isn't spread."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from random import Random

from hiredis import ReplyError

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.repaired import reunited, whole
from evals.lab.routed import Route, by_slots, key_at, routed, slot_of
from evals.lab.servers import ServerKind
from evals.lab.topologies import SLOTS, Deployment, Member, clustered, fields, until
from evals.lab.traffic import application, application_name
from evals.lab.wire import LOST, Wire, dial
from tools.server.cluster import parse_nodes

FAULTS = Family("cluster")
NODES = 3
"""Primaries of each cluster."""


async def _state(member: Member) -> dict[str, str]:
    return fields(str(await member.ask("CLUSTER", "INFO")))


async def fails(member: Member) -> bool:
    return (await _state(member))["cluster_state"] == "fail"


async def _failed(member: Member) -> bool:
    return int((await _state(member))["cluster_slots_fail"]) > 0


async def stock(route: Route, rng: Random, count: int) -> None:
    """Some keys all over the cluster."""
    for _ in range(count):
        name = f"product:{rng.randrange(10**6)}:view"
        with suppress(*LOST):
            wire = await dial(await route(name))
            await wire.ask("SET", name, "x" * rng.randrange(16, 200))
            await wire.close()


def _range(number: int) -> tuple[int, int]:
    """First and last slot of a primary, as they were handed out."""
    return SLOTS * number // NODES, SLOTS * (number + 1) // NODES - 1


_ALL_DOWN = (
    "All calls to the Redis cluster fail with CLUSTERDOWN, from one minute to the next.",
    "CLUSTERDOWN in the log of checkout, and carts don't load.",
)
_A_PART = (
    "About a third of the keys in the Redis cluster can't be reached, the others work as always.",
    "Some carts load and some never do; it's always the same ones that fail.",
)
_WRONG = (r"flushslots", r"cluster reset", r"require-full-coverage no")


@FAULTS.fault("cluster-slots-down", *_ALL_DOWN, also=("process-down",), twin="healthy-cluster", never=_WRONG)
async def cluster_slots_down(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A primary dies, and has no replica, or one that may not take over."""
    replicas = rng.randrange(0, 2)
    async with (
        clustered(kind, nodes=NODES, replicas=replicas, node_timeout=rng.randrange(800, 1600),
                  password=rng.choice(("", "hush"))) as deployment,
        routed(by_slots(deployment), rng),
    ):  # fmt: skip
        await stock(by_slots(deployment), rng, 100)
        for one in deployment.members[NODES:]:
            await one.ask("CONFIG", "SET", "cluster-replica-no-failover", "yes")
        dead, asked = rng.sample(range(NODES), 2)
        deployment.members[dead].server.signal(signal.SIGKILL)
        await until(partial(fails, deployment.members[asked]), "cluster_state:fail")
        yield Incident(url=deployment.members[asked].url, pid=deployment.members[dead].server.pid)


@FAULTS.fault(
    "cluster-slots-down-unassigned", *_ALL_DOWN, cause="cluster-slots-down", twin="healthy-cluster", never=_WRONG
)
async def cluster_slots_down_unassigned(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Every node lives, and some slots belong to nobody."""
    async with (
        clustered(kind, nodes=NODES, node_timeout=rng.randrange(800, 1600)) as deployment,
        routed(by_slots(deployment), rng),
    ):
        begin = rng.randrange(0, SLOTS - 1000)
        lost = range(begin, begin + rng.randrange(1, 900))
        await _forget(deployment, lost)
        asked = rng.choice(deployment.members)
        await until(partial(fails, asked), "cluster_state:fail")
        yield Incident(url=asked.url, pid=asked.server.pid, fixed=partial(whole, deployment))


async def _forget(deployment: Deployment, lost: range) -> None:
    """Have every node give the slots up; what another one's gossip brought back in between is given up again."""
    for _ in range(20):
        left = 0
        for member in deployment.members:
            mine = sorted(await _assigned(member) & set(lost))
            left += len(mine)
            if mine:
                await member.ask("CLUSTER", "DELSLOTS", *mine)
        if not left:
            return
        await asyncio.sleep(0.1)


async def _assigned(member: Member) -> set[int]:
    nodes = parse_nodes(str(await member.ask("CLUSTER", "NODES")))
    return {slot for one in nodes for first, last in one.ranges for slot in range(first, last + 1)}


@FAULTS.fault(
    "cluster-slots-down-partial", *_A_PART, cause="cluster-slots-down", also=("process-frozen",),
    twin="non-cluster-client", never=_WRONG,
)  # fmt: skip
async def cluster_slots_down_partial(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A primary stands still in a cluster that goes on with what is left."""
    async with (
        clustered(kind, nodes=NODES, node_timeout=rng.randrange(800, 1600),
                  cluster_require_full_coverage="no") as deployment,
        routed(by_slots(deployment), rng),
    ):  # fmt: skip
        await stock(by_slots(deployment), rng, 100)
        dead, asked = rng.sample(range(NODES), 2)
        deployment.members[dead].server.signal(signal.SIGSTOP)
        await until(partial(_failed, deployment.members[asked]), "slots that are down")
        yield Incident(url=deployment.members[asked].url, pid=deployment.members[dead].server.pid)


_REDIRECTED = (
    "Since the Redis cluster was extended some of our calls fail with redirections.",
    "redis.exceptions.ResponseError from the cluster for some keys, not for others.",
)


@FAULTS.fault("non-cluster-client", *_A_PART, *_REDIRECTED, twin="cluster-slots-down-partial", never=(r"reshard",))
async def non_cluster_client(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """An application that sends every key to the one node that it knows, beside one that knows better."""
    async with (
        clustered(kind, nodes=NODES) as deployment, routed(by_slots(deployment), rng),
        application(rng.choice(deployment.members).url, rng, clients=rng.randrange(4, 12)),
    ):  # fmt: skip
        await asyncio.sleep(1)
        asked = rng.choice(deployment.members)
        yield Incident(url=asked.url, pid=asked.server.pid)


@FAULTS.fault(
    "non-cluster-client-keys", "Reading several carts at once fails since we moved to the Redis cluster.", *_REDIRECTED,
    cause="non-cluster-client", twin="open-slot", never=(r"reshard",),
)  # fmt: skip
async def non_cluster_client_keys(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A client that knows the slots, and asks for keys of several in one command."""
    async with clustered(kind, nodes=NODES) as deployment, routed(by_slots(deployment), rng) as hands:
        for _ in range(rng.randrange(1, 4)):
            hands.spawn(_several(by_slots(deployment), Random(rng.random()), rng.uniform(0.1, 0.4)))
        await asyncio.sleep(1)
        asked = rng.choice(deployment.members)
        yield Incident(url=asked.url, pid=asked.server.pid)


async def _several(route: Route, rng: Random, pause: float) -> None:
    wire = await dial(await route(f"{rng.random()}"), name=application_name(rng))
    try:
        while True:
            with suppress(ReplyError):
                await wire.ask("MGET", *(f"cart:{rng.randrange(10**6)}:items" for _ in range(rng.randrange(2, 6))))
            await asyncio.sleep(rng.uniform(0.5, 1.5) * pause)
    finally:
        await wire.close()


@FAULTS.fault("open-slot", *_REDIRECTED, twin="non-cluster-client-keys", never=(r"setslot \S+ node",))
async def open_slot(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A migration that was broken off: some keys are here, some there, and nobody goes on."""
    async with clustered(kind, nodes=NODES) as deployment, routed(by_slots(deployment), rng) as hands:
        source, target = rng.sample(range(NODES), 2)
        ends = [await hands.dial(deployment.members[number].url) for number in (source, target)]
        halves: list[list[str]] = []
        for _ in range(rng.randrange(1, 4)):
            tag = key_at(*_range(source), rng)
            _, names = await _split(ends[0], ends[1], deployment.members[target], tag, rng)
            halves.append(names)
            hands.spawn(_together(deployment.members[source].url, names, Random(rng.random())))
        await asyncio.sleep(0.5)
        asked = rng.choice(deployment.members)
        yield Incident(url=asked.url, pid=asked.server.pid, fixed=partial(reunited, deployment, halves))


async def _split(source: Wire, target: Wire, to: Member, tag: str, rng: Random) -> tuple[int, list[str]]:
    """Open a tag's slot and move a part of its keys; the slot and all its keys."""
    names = [f"{{{tag}}}:{number}" for number in range(rng.randrange(6, 30))]
    for name in names:
        await source.ask("SET", name, "x" * rng.randrange(10, 100))
    here, there = await source.ask("CLUSTER", "MYID"), await target.ask("CLUSTER", "MYID")
    await target.ask("CLUSTER", "SETSLOT", slot_of(tag), "IMPORTING", here)
    await source.ask("CLUSTER", "SETSLOT", slot_of(tag), "MIGRATING", there)
    for name in names[: len(names) // 2]:
        await source.ask("MIGRATE", to.server.host, to.server.port, name, 0, 1000)
    return slot_of(tag), names


async def _together(url: str, names: list[str], rng: Random) -> None:
    """A client that reads keys of that slot, one by one and together."""
    wire = await dial(url, name=application_name(rng))
    try:
        while True:
            for command in (("GET", rng.choice(names)), ("MGET", *rng.sample(names, 3))):
                with suppress(ReplyError):
                    await wire.ask(*command)
            await asyncio.sleep(rng.uniform(0.2, 0.8))
    finally:
        await wire.close()


_SLOWER = (
    "Calls to the Redis cluster take longer since the campaign began, but only some of them.",
    "p99 of the Redis cluster doubled this afternoon. Do we need more nodes?",
)


@FAULTS.fault("hot-shard", *_SLOWER, twin="healthy-cluster", never=(r"add\w* (empty )?nodes", r"cluster meet"))
async def hot_shard(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Everybody reads the same few keys, which live on one node."""
    async with clustered(kind, nodes=NODES) as deployment, routed(by_slots(deployment), rng) as hands:
        hot = rng.randrange(NODES)
        tag = key_at(*_range(hot), rng)
        for _ in range(2):
            hands.spawn(_hammer(deployment.members[hot].url, tag, Random(rng.random()), rng.uniform(0.6, 0.85)))
        await asyncio.sleep(1)
        asked = rng.choice(deployment.members)
        yield Incident(url=asked.url, pid=asked.server.pid)


async def _hammer(url: str, tag: str, rng: Random, share: float) -> None:
    """Read and count a few keys for about `share` of the time, in pipelines of commands with replies of one line."""
    wire = await dial(url, name=application_name(rng))
    try:
        shapes = ("INCR campaign:{%s}:hits", "EXISTS campaign:{%s}:banner", "SET campaign:{%s}:last x")
        data = "".join(f"{rng.choice(shapes) % tag}\r\n" for _ in range(1500)).encode()
        while True:
            began = time.perf_counter()
            await wire.pipeline(data, 1500)
            await asyncio.sleep((time.perf_counter() - began) * (1 - share) / share)
    finally:
        await wire.close()


@FAULTS.fault("healthy-cluster", *_ALL_DOWN[1:], *_SLOWER, cause=NO_FAULT)
async def healthy_cluster(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Every slot is served, and the work is about even."""
    async with (
        clustered(kind, nodes=NODES, replicas=rng.randrange(0, 2)) as deployment,
        routed(by_slots(deployment), rng, rate=rng.uniform(60, 200)),
    ):
        await stock(by_slots(deployment), rng, 100)
        await asyncio.sleep(1)
        asked = rng.choice(deployment.members)
        yield Incident(url=asked.url, pid=asked.server.pid)


@FAULTS.fault("healthy-resharding", *_REDIRECTED, cause=NO_FAULT)
async def healthy_resharding(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A migration that goes on: slot after slot is opened, emptied and closed."""
    async with clustered(kind, nodes=NODES) as deployment, routed(by_slots(deployment), rng) as hands:
        source, target = rng.sample(range(NODES), 2)
        ends = [await hands.dial(deployment.members[number].url) for number in (source, target)]
        tags = Random(rng.random())
        hands.spawn(_reshard(ends, deployment.members[target], _range(source), tags))
        await asyncio.sleep(1)
        asked = rng.choice(deployment.members)
        yield Incident(url=asked.url, pid=asked.server.pid)


async def _reshard(ends: list[Wire], to: Member, slots: tuple[int, int], rng: Random) -> None:
    source, target = ends
    there = await target.ask("CLUSTER", "MYID")
    moved: set[int] = set()
    while True:
        tag = key_at(*slots, rng)
        if slot_of(tag) in moved:
            continue
        slot, names = await _split(source, target, to, tag, rng)
        for name in names[len(names) // 2 :]:
            await source.ask("MIGRATE", to.server.host, to.server.port, name, 0, 1000)
            await asyncio.sleep(rng.uniform(0.05, 0.2))
        # What the application has there goes too.
        while left := await source.ask("CLUSTER", "GETKEYSINSLOT", slot, 100):
            for name in left:
                await source.ask("MIGRATE", to.server.host, to.server.port, name, 0, 1000)
        for end in (target, source):
            await end.ask("CLUSTER", "SETSLOT", slot, "NODE", there)
        moved.add(slot)
