"""Faults of a server that is full while nobody writes: what it will refuse stands in its state, in no counter."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from random import Random

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.faults.memory import MIB, until_refused
from evals.lab.servers import Server, ServerKind, running
from evals.lab.traffic import application_name, fill, works
from evals.lab.wire import LOST, Crew, Wire, crew, dial, packed

FAULTS = Family("memory")
_REFUSED = (
    "Our nightly job died with: OOM command not allowed when used memory > 'maxmemory'.",
    "redis.exceptions.OutOfMemoryError: command not allowed when used memory > 'maxmemory'. Came up twice this hour.",
    "The import stops with ERR from Redis: OOM command not allowed. Reading works.",
)
_WIPES = r"FLUSH(ALL|DB)"
_PREFIXES = ("order:", "profile:", "document:")


async def read(url: str, rng: Random, name: str, prefix: str, keys: int, rate: float) -> None:
    """Reads alone."""
    with suppress(*LOST):
        wire = await dial(url, name=name)
        try:
            while True:
                await wire.ask("GET", f"{prefix}{rng.randrange(keys):07d}")
                await asyncio.sleep(rng.uniform(0.5, 1.5) / rate)
        finally:
            await wire.close()


@asynccontextmanager
async def _filled(
    kind: ServerKind, rng: Random, policy: str, limit: str = "", keys: int = 0, size: int = 0
) -> AsyncIterator[tuple[Server, Crew, str]]:
    """A server that holds so many keys, with an application that only reads them."""
    prefix = rng.choice(_PREFIXES)
    async with running(kind, maxmemory=limit, maxmemory_policy=policy) as server, crew() as hands:
        with suppress(*LOST):
            await fill(server.url, rng, keys, size=size, prefix=prefix)
        name = application_name(rng)
        for _ in range(rng.randrange(2, 6)):
            hands.spawn(read(server.url, Random(rng.random()), name, prefix, keys, rng.uniform(5, 40)))
        yield server, hands, prefix


@asynccontextmanager
async def _until_full(kind: ServerKind, rng: Random, policy: str) -> AsyncIterator[Incident]:
    limit, size = rng.randrange(8, 60), rng.randrange(200, 3000)
    async with _filled(kind, rng, policy, f"{limit}mb", limit * MIB // size, size) as (server, hands, prefix):
        await until_refused(await hands.dial(server.url), prefix, size)
        await asyncio.sleep(rng.uniform(1, 3))
        yield Incident(url=server.url, pid=server.pid, fixed=partial(works, server.url))


@FAULTS.fault("oom-noeviction-quiet", *_REFUSED, cause="oom-noeviction", twin="healthy-nearly-full",
              never=(r"maxmemory-policy\s+\"?allkeys", _WIPES))  # fmt: skip
async def oom_noeviction_quiet(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """It's full, the job that filled it gave up, and everybody else only reads."""
    async with _until_full(kind, rng, "noeviction") as incident:
        yield incident


@FAULTS.fault("oom-noeviction-over", *_REFUSED, cause="oom-noeviction", also=("maxmemory-shrunk",),
              twin="healthy-nearly-full", never=(r"maxmemory-policy\s+\"?allkeys", _WIPES))  # fmt: skip
async def oom_noeviction_over(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """maxmemory was set far below what is in use, nothing may be evicted, and nobody writes just now."""
    held, size = rng.randrange(10, 60), rng.randrange(200, 2000)
    async with _filled(kind, rng, "noeviction", "", held * MIB // size, size) as (server, hands, _):
        wire = await hands.dial(server.url)
        await wire.ask("CONFIG", "SET", "maxmemory", round(held * MIB * rng.uniform(0.4, 0.8)))
        await asyncio.sleep(rng.uniform(0.5, 2))
        yield Incident(url=server.url, pid=server.pid, fixed=partial(works, server.url))


@FAULTS.fault("oom-volatile-no-ttl-quiet", *_REFUSED, cause="oom-volatile-no-ttl", twin="healthy-nearly-full",
              never=(r"CONFIG SET maxmemory ", _WIPES))  # fmt: skip
async def oom_volatile_quiet(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """It may evict what expires, nothing does, and nobody writes just now."""
    policy = rng.choice(("volatile-lru", "volatile-lfu", "volatile-ttl", "volatile-random"))
    async with _until_full(kind, rng, policy) as incident:
        yield incident


@FAULTS.fault("healthy-nearly-full", *_REFUSED[:1], "Memory of Redis is at 80 %. Is that why the checkout is slow?",
              cause=NO_FAULT, twin="oom-noeviction-quiet")  # fmt: skip
async def nearly_full_quiet(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """It was full, somebody deleted what wasn't needed, and there is room again."""
    limit, size = rng.randrange(16, 60), rng.randrange(500, 3000)
    keys = limit * MIB // size
    async with _filled(kind, rng, "noeviction", f"{limit}mb", keys, size) as (server, hands, prefix):
        wire = await hands.dial(server.url)
        await until_refused(wire, prefix, size)
        await _deleted(wire, prefix, round(keys * rng.uniform(0.25, 0.5)))
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)


async def _deleted(wire: Wire, prefix: str, count: int) -> None:
    for begin in range(0, count, 1000):
        numbers = range(begin, min(begin + 1000, count))
        await wire.pipeline(b"".join(packed("UNLINK", f"{prefix}{number:07d}") for number in numbers), len(numbers))


@FAULTS.fault(
    "maxclients-exhausted-quiet",
    "Deploys fail: the new pods get 'max number of clients reached'. We stopped trying.",
    "ERR max number of clients reached, an hour ago on all new pods. The old ones work.",
    cause="maxclients-exhausted", twin="healthy-pool", never=(r"CLIENT KILL TYPE normal",),
)  # fmt: skip
async def maxclients_quiet(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Nearly every slot is held by a pool that works; the last one is ours, and nobody else tries any more."""
    limit = rng.randrange(40, 120)
    async with running(kind, maxclients=str(limit)) as server, crew() as hands:
        await fill(server.url, rng, rng.randrange(500, 2000), prefix="order:")
        name = application_name(rng)
        for _ in range(limit - 1):
            hands.spawn(read(server.url, Random(rng.random()), name, "order:", 500, rng.uniform(0.3, 2)))
        await asyncio.sleep(2)
        yield Incident(url=server.url, pid=server.pid, fixed=partial(works, server.url))
