"""Servers that are well, and do what they were set up to do: evict, expire, refuse writes, copy, publish."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from random import Random

from hiredis import ReplyError

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.servers import ServerKind, running
from evals.lab.topologies import in_step, replicated, until
from evals.lab.traffic import application, application_name, channel_name, fill, key, operator_name
from evals.lab.wire import LOST, Argument, Wire, crew, dial, packed

FAULTS = Family("benign")
ACCUSED = (
    "Checkout times out on Redis.",
    "The shop is slow, we suspect Redis.",
    "p99 of the cart service doubled this afternoon. Is Redis all right?",
    "Users report errors at the checkout; please check Redis first.",
)
MIB = 1 << 20


async def _cached(
    url: str, rng: Random, name: str, keys: int, size: int, pause: float, expires: tuple[int, int] | None
) -> None:
    """A cache's reader: hot keys mostly, and what is missing is written."""
    wire = await dial(url, name=name)
    try:
        while True:
            # Half of the reads go to one key in 256.
            at = f"price:{round(keys * rng.random() ** 8)}:view"
            if await wire.ask("GET", at) is None:
                ex: list[Argument] = ["EX", rng.randrange(*expires)] if expires else []
                await wire.ask("SET", at, "x" * size, *ex)
            await asyncio.sleep(rng.uniform(0.5, 1.5) * pause)
    finally:
        await wire.close()


@FAULTS.fault("healthy-evictions", *ACCUSED, "evicted_keys grows on the price cache, do we lose data?", cause=NO_FAULT,
              twin="eviction-churn", never=(r"maxmemory-policy noeviction",))  # fmt: skip
async def healthy_evictions(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A full cache that makes room as designed, and answers nearly all from what it holds."""
    size = rng.randrange(900, 1400)
    # A little more than fits, so that it's the coldest that are missing.
    keys = round(13 * MIB / (size + 150))
    async with (
        running(kind, maxmemory="14mb", maxmemory_policy="allkeys-lru", maxmemory_samples="10") as server,
        crew() as hands, application(server.url, rng, rate=10),
    ):  # fmt: skip
        # Coldest first, so that the hottest are the youngest.
        wire = await hands.dial(server.url)
        for begin in range(14_000, 0, -1000):
            lines = (packed("SET", f"price:{number}:view", "x" * size) for number in range(begin, begin - 1000, -1))
            await wire.pipeline(b"".join(lines), 1000)
        name = application_name(rng)
        for _ in range(4):
            hands.spawn(_cached(server.url, Random(rng.random()), name, keys, size, 0.006, None))
        await asyncio.sleep(2)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("healthy-expiry", *ACCUSED, "Thousands of keys vanish from Redis every minute!", cause=NO_FAULT,
              twin="maxmemory-shrunk")  # fmt: skip
async def healthy_expiry(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Sessions that end as designed, each at its own time."""
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        count, wire = rng.randrange(4000, 12_000), await hands.dial(server.url)
        lines = (packed("SET", f"session:{n}:state", "x" * 60, "PX", rng.randrange(500, 90_000)) for n in range(count))
        await wire.pipeline(b"".join(lines), count)
        hands.spawn(_cached(server.url, Random(rng.random()), application_name(rng), 500, 100, 0.02, (5, 60)))
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("healthy-fragmentation", *ACCUSED, "mem_fragmentation_ratio is far above 1.5, alert says fragmented.",
              cause=NO_FAULT, twin="allocator-fragmentation", never=(r"activedefrag yes", r"FLUSH"))  # fmt: skip
async def healthy_fragmentation(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A small instance, on which the ratio is high and the bytes are few."""
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        await fill(server.url, rng, rng.randrange(20_000, 60_000), size=200, prefix="import:")
        wire = await hands.dial(server.url)
        await wire.ask("FLUSHALL", timeout=10)
        await fill(server.url, rng, 500)
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)


async def _bursts(url: str, rng: Random, channel: str) -> None:
    wire = await dial(url, name=application_name(rng))
    try:
        while True:
            count = rng.randrange(50, 300)
            await wire.pipeline(packed("PUBLISH", channel, "x" * rng.randrange(100, 1000)) * count, count)
            await asyncio.sleep(rng.uniform(0.5, 2))
    finally:
        await wire.close()


async def _hears(url: str, name: str, channel: str) -> None:
    wire = await dial(url, name=name)
    try:
        await wire.ask("SUBSCRIBE", channel)
        await wire.discard()
    finally:
        await wire.close()


@FAULTS.fault("healthy-bursts", *ACCUSED, "Output of Redis comes in peaks, is a subscriber too slow?", cause=NO_FAULT,
              twin="slow-consumer-output")  # fmt: skip
async def healthy_bursts(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Bursts of messages that all subscribers read at once."""
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        await fill(server.url, rng, rng.randrange(500, 3000))
        name, channel = application_name(rng), channel_name(rng)
        for _ in range(rng.randrange(8, 25)):
            hands.spawn(_hears(server.url, name, channel))
        hands.spawn(_bursts(server.url, Random(rng.random()), channel))
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)


async def _pages(url: str, rng: Random, name: str, pause: float) -> None:
    wire = await dial(url, name=name)
    try:
        while True:
            await wire.ask("GET", f"page:{rng.randrange(10)}:rendered")
            await asyncio.sleep(rng.uniform(0.5, 1.5) * pause)
    finally:
        await wire.close()


@FAULTS.fault("healthy-big-values", *ACCUSED, "We keep rendered pages in Redis, are they too large?", cause=NO_FAULT,
              twin="bandwidth-cap")  # fmt: skip
async def healthy_big_values(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Large values that are read often, over a link that has room."""
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        wire = await hands.dial(server.url)
        for number in range(10):
            await wire.ask("SET", f"page:{number}:rendered", "x" * rng.randrange(40_000, 150_000))
        name = application_name(rng)
        for _ in range(rng.randrange(2, 5)):
            hands.spawn(_pages(server.url, Random(rng.random()), name, rng.uniform(0.05, 0.2)))
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)


async def _job(url: str, rng: Random, pause: float) -> None:
    while True:
        with suppress(*LOST):
            wire = await dial(url, name=application_name(rng))
            try:
                for _ in range(rng.randrange(5, 30)):
                    await wire.ask("GET", f"{key(rng)}:s")
            finally:
                await wire.close()
        await asyncio.sleep(rng.uniform(0.5, 1.5) * pause)


@FAULTS.fault("healthy-jobs", *ACCUSED, "There are new connections to Redis all the time, is our pooling broken?",
              cause=NO_FAULT, twin="connection-churn")  # fmt: skip
async def healthy_jobs(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Short jobs that connect, do their work and go, a few a second."""
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        await fill(server.url, rng, rng.randrange(500, 3000))
        for _ in range(rng.randrange(3, 7)):
            hands.spawn(_job(server.url, Random(rng.random()), rng.uniform(0.8, 1.5)))
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("healthy-append-only", *ACCUSED, "Redis writes to the disk all day, does that slow it down?",
              cause=NO_FAULT, twin="fsync-everysec-slow", never=(r"appendonly no",))  # fmt: skip
async def healthy_append_only(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """An append-only file that is fsynced each second and was rewritten a moment ago."""
    async with running(kind, appendonly="yes") as server, application(server.url, rng):
        await fill(server.url, rng, rng.randrange(20_000, 60_000))
        wire = await dial(server.url, name=operator_name(rng))
        try:
            await wire.ask("BGREWRITEAOF")
        finally:
            await wire.close()
        await asyncio.sleep(rng.uniform(1, 3))
        yield Incident(url=server.url, pid=server.pid)


async def _refused(wire: Wire, rng: Random) -> None:
    for _ in range(rng.randrange(3, 20)):
        with suppress(ReplyError):
            await wire.ask("SET", f"{key(rng)}:s", "1")


@FAULTS.fault("healthy-replica", *ACCUSED, "Is our replica all right? It refused a write of mine last week.",
              cause=NO_FAULT, twin="replica-write-or-stale",
              never=(r"replica-read-only", r"REPLICAOF NO ONE"))  # fmt: skip
async def healthy_replica(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A replica that is in step, serves reads, and refused some writes long ago, as it should."""
    async with replicated(kind, 1) as both, application(both.url, rng), crew() as hands:
        replica = both.replicas[0]
        await fill(both.url, rng, rng.randrange(500, 3000))
        await _refused(await hands.dial(replica.url), rng)
        for wire in list(hands.held):
            await hands.drop(wire)
        name = application_name(rng)
        for _ in range(3):
            hands.spawn(_reads(replica.url, Random(rng.random()), name))
        await asyncio.sleep(2)
        yield Incident(url=rng.choice((both.url, replica.url)), pid=both.primary.server.pid)


async def _reads(url: str, rng: Random, name: str) -> None:
    wire = await dial(url, name=name)
    try:
        while True:
            await wire.ask("GET", f"{key(rng)}:s")
            await asyncio.sleep(rng.uniform(0.02, 0.1))
    finally:
        await wire.close()


@FAULTS.fault("healthy-caught-up", *ACCUSED, "The replica was far behind after the import, reads were old.",
              cause=NO_FAULT, twin="replica-lag", never=(r"REPLICAOF",))  # fmt: skip
async def healthy_caught_up(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A replica that fell behind while much was imported, and has caught up."""
    async with replicated(kind, 1) as both, application(both.url, rng):
        await fill(both.url, rng, rng.randrange(60_000, 150_000), size=150, prefix="import:")
        await until(lambda: in_step(both), "the replica is back in step")
        await asyncio.sleep(2)
        yield Incident(url=both.url, pid=both.primary.server.pid)
