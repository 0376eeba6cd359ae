"""Faults of what grows because nobody takes it away, while the number of keys stays."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from random import Random

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.faults.queues import GROUPS, STREAMS
from evals.lab.servers import Server, ServerKind, running
from evals.lab.traffic import application, application_name, fill, works
from evals.lab.wire import LOST, Crew, crew, dial, packed

FAULTS = Family("memory")
_CLIMBS = (
    "used_memory of Redis climbs since this morning, the number of keys doesn't.",
    "Memory alert on Redis: +30 % since noon with the same traffic. What fills it?",
    "Redis memory only goes up. Nothing new was deployed on our side.",
)
_LATE = (
    "Mails go out half an hour late, and Redis' memory climbs.",
    "Jobs are late since the release of the workers. Redis itself answers fast.",
)
QUEUES = ("queue:mail", "jobs:render", "celery", "resque:queue:default", "work:images")
_WIPES = r"FLUSH(ALL|DB)"


async def _push(url: str, rng: Random, queue: str, rate: float, size: int) -> None:
    """A producer: `rate` jobs a second."""
    with suppress(*LOST):
        wire, batch = await dial(url, name=application_name(rng)), max(1, round(rate / 20))
        try:
            while True:
                await wire.pipeline(b"".join(packed("LPUSH", queue, "x" * size) for _ in range(batch)), batch)
                await asyncio.sleep(rng.uniform(0.5, 1.5) * batch / rate)
        finally:
            await wire.close()


async def _pop(url: str, rng: Random, name: str, queue: str, seconds: float) -> None:
    """A worker that needs so long for a job."""
    with suppress(*LOST):
        wire = await dial(url, name=name)
        try:
            while True:
                await wire.ask("BRPOP", queue, 1, timeout=5)
                await asyncio.sleep(rng.uniform(0.5, 1.5) * seconds)
        finally:
            await wire.close()


@asynccontextmanager
async def _queue(
    kind: ServerKind, rng: Random, waiting: int, rate: float, workers: int, seconds: float
) -> AsyncIterator[Incident]:
    queue, size = rng.choice(QUEUES), rng.randrange(100, 900)
    limit = rng.choice(("", "256mb"))
    async with running(kind, maxmemory=limit) as server, application(server.url, rng, rate=30) as hands:
        await fill(server.url, rng, rng.randrange(500, 3000))
        wire = await hands.dial(server.url)
        for begin in range(0, waiting, 1000):
            count = min(1000, waiting - begin)
            await wire.pipeline(b"".join(packed("LPUSH", queue, "x" * size) for _ in range(count)), count)
        name = application_name(rng)
        for _ in range(workers):
            hands.spawn(_pop(server.url, Random(rng.random()), name, queue, seconds))
        hands.spawn(_push(server.url, Random(rng.random()), queue, rate, size))
        await asyncio.sleep(1.5)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("queue-backlog", *_LATE, *_CLIMBS[:2], twin="healthy-queue",
              never=(r"CONFIG SET maxmemory", r"\b(DEL|UNLINK|LTRIM)\b", _WIPES))  # fmt: skip
async def queue_backlog(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A list that is pushed to at hundreds a second, and workers that get a handful done."""
    waiting, rate = rng.randrange(3000, 30_000), rng.uniform(150, 800)
    async with _queue(kind, rng, waiting, rate, rng.randrange(1, 4), rng.uniform(0.3, 1)) as incident:
        yield incident


@FAULTS.fault("queue-backlog-abandoned", *_LATE, *_CLIMBS[:2], cause="queue-backlog", twin="healthy-queue",
              never=(r"CONFIG SET maxmemory", r"\b(DEL|UNLINK|LTRIM)\b", _WIPES))  # fmt: skip
async def queue_abandoned(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Nobody pops at all: the workers are gone, or listen to another name."""
    async with _queue(kind, rng, rng.randrange(2000, 20_000), rng.uniform(60, 500), 0, 1) as incident:
        yield incident


@FAULTS.fault("healthy-queue", *_LATE, *_CLIMBS[:1], cause=NO_FAULT, twin="queue-backlog")
async def healthy_queue(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A pool of workers in BRPOP that takes each job at once."""
    async with _queue(kind, rng, 0, rng.uniform(50, 150), rng.randrange(8, 16), 0.02) as incident:
        yield incident


async def _tracking(hands: Crew, url: str, name: str, keys: int, prefix: str, broadcast: bool) -> None:
    """A client of client-side caching that reads every key once, its invalidations sent to a second connection."""
    told = await hands.dial(url, name=name)
    number = await told.ask("CLIENT", "ID")
    await told.ask("SUBSCRIBE", "__redis__:invalidate")
    wire = await hands.dial(url, name=name)
    await wire.ask("CLIENT", "TRACKING", "ON", "REDIRECT", number, *(("BCAST", "PREFIX", prefix) if broadcast else ()))
    for begin in range(0, keys, 1000):
        numbers = range(begin, min(begin + 1000, keys))
        await wire.pipeline(b"".join(packed("EXISTS", f"{prefix}{n:07d}") for n in numbers), len(numbers))


async def _one_by_one(hands: Crew, url: str, name: str, keys: int, prefix: str, pause: float) -> None:
    """One client more after the other, as a fleet without a shared cache starts."""
    with suppress(*LOST):
        while True:
            told = await hands.dial(url, name=name)
            number = await told.ask("CLIENT", "ID")
            await told.ask("SUBSCRIBE", "__redis__:invalidate")
            wire = await hands.dial(url, name=name)
            await wire.ask("CLIENT", "TRACKING", "ON", "REDIRECT", number)
            for number in range(keys):
                await wire.ask("EXISTS", f"{prefix}{number:07d}")
                await asyncio.sleep(pause)


@asynccontextmanager
async def _cached(kind: ServerKind, rng: Random, broadcast: bool) -> AsyncIterator[tuple[Server, Crew, int, str]]:
    keys, prefix = rng.randrange(30_000, 60_000), rng.choice(("product:", "price:", "article:"))
    async with running(kind) as server, application(server.url, rng, rate=30) as hands:
        await fill(server.url, rng, keys, size=rng.randrange(50, 300), prefix=prefix)
        name = application_name(rng)
        for _ in range(rng.randrange(3, 6)):
            await _tracking(hands, server.url, name, keys, prefix, broadcast)
        yield server, hands, keys, prefix


@FAULTS.fault("tracking-table-growth", *_CLIMBS, "Redis memory rose with the new client library (client-side caching).",
              twin="healthy-tracking", never=(r"CONFIG SET maxmemory", _WIPES))  # fmt: skip
async def tracking_table_growth(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Many clients with client-side caching, each of which reads every key."""
    async with _cached(kind, rng, False) as (server, hands, keys, prefix):
        name = application_name(rng)
        for _ in range(2):
            hands.spawn(_one_by_one(hands, server.url, name, keys, prefix, rng.uniform(0.001, 0.004)))
        await asyncio.sleep(1.5)
        yield Incident(url=server.url, pid=server.pid, fixed=partial(works, server.url))


@FAULTS.fault("healthy-tracking", *_CLIMBS[:1], cause=NO_FAULT, twin="tracking-table-growth")
async def healthy_tracking(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Client-side caching by prefix, for which the server keeps nothing by key."""
    async with _cached(kind, rng, True) as (server, _, _, _):
        await asyncio.sleep(1.5)
        yield Incident(url=server.url, pid=server.pid)


async def _started(url: str, rng: Random, stream: str, group: str, count: int, pause: float) -> None:
    """Workers that each read once under a name of their own and go: `count` at once, then one after the other."""
    owner = application_name(rng)
    with suppress(*LOST):
        wire = await dial(url, name=owner)
        try:
            while True:
                name = f"{owner}-{rng.randrange(16**8):08x}"
                # Redis 7.0 makes no consumer of one that found nothing to read.
                await wire.ask("XGROUP", "CREATECONSUMER", stream, group, name)
                await wire.ask("XREADGROUP", "GROUP", group, name, "COUNT", 1, "STREAMS", stream, ">")
                count -= 1
                if count <= 0:
                    await asyncio.sleep(rng.uniform(0.5, 1.5) * pause)
        finally:
            await wire.close()


@FAULTS.fault("stream-consumer-leak", *_CLIMBS, "A stream of a few hundred entries takes more memory than all else.",
              twin="healthy-stream", never=(r"\bXTRIM\b", r"\bXDEL\b", r"CONFIG SET maxmemory", _WIPES))  # fmt: skip
async def stream_consumer_leak(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Each start of a worker is a new consumer of the group, and nobody takes the old ones away."""
    stream, group, count = rng.choice(STREAMS), rng.choice(GROUPS), rng.randrange(2000, 8000)
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        await fill(server.url, rng, rng.randrange(500, 3000))
        wire = await hands.dial(server.url)
        for _ in range(rng.randrange(50, 300)):
            await wire.ask("XADD", stream, "*", "order", rng.randrange(10**6))
        await wire.ask("XGROUP", "CREATE", stream, group, "$")
        hands.spawn(_started(server.url, Random(rng.random()), stream, group, count, rng.uniform(0.05, 0.3)))
        async with asyncio.timeout(60):
            while (await wire.ask("XINFO", "GROUPS", stream))[0][3] < count:
                await asyncio.sleep(0.3)
        yield Incident(url=server.url, pid=server.pid)
