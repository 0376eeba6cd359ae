"""Faults of memory that is full: what the server then does, and what filled it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from random import Random

from hiredis import ReplyError

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.faults import footprint, starved
from evals.lab.servers import LabError, ServerKind, running
from evals.lab.traffic import application, application_name, fill, works
from evals.lab.wire import LOST, Wire, dial, packed

FAULTS = Family("memory")
MIB = 1 << 20
_REFUSED = (
    "Writes to Redis fail with OOM command not allowed when used memory > 'maxmemory'; reads still work.",
    "Since this morning nothing can be saved to Redis any more, although everything can be read.",
    "redis.exceptions.OutOfMemoryError in all services that write.",
)
_VANISHING = (
    "The cache hit rate has collapsed and the database behind it is drowning in queries.",
    "Keys that we wrote minutes ago are gone from Redis.",
    "Cache misses everywhere; our pages take seconds again.",
)
_GROWING = (
    "Redis memory grows day by day and nobody knows what fills it.",
    "Memory alert on Redis again: used_memory only ever goes up, traffic is the same.",
)
_EMPTY_AND_FULL = (
    "Redis is at its memory limit although we store hardly anything in it.",
    "used_memory climbs, the number of keys doesn't.",
)
_WIPES = r"FLUSH(ALL|DB)"


async def _write(url: str, rng: Random, name: str, prefix: str, size: int, rate: float) -> None:
    """New keys without a time to live, `rate` a second, whatever the server answers."""
    wire, number = await dial(url, name=name), rng.randrange(10**9)
    batch = max(1, round(rate / 20))
    try:
        while True:
            numbers = range(number, number + batch)
            await wire.pipeline(b"".join(packed("SET", f"{prefix}{n}", "x" * size) for n in numbers), batch)
            number += batch
            await asyncio.sleep(rng.uniform(0.5, 1.5) * batch / rate)
    finally:
        await wire.close()


async def cache(url: str, rng: Random, name: str, keys: int, size: int, rate: float) -> None:
    """A cache as applications have it: read, and on a miss written."""
    wire = await dial(url, name=name)
    try:
        while True:
            at = f"page:{rng.randrange(keys):07d}"
            if await wire.ask("GET", at) is None:
                await wire.ask("SET", at, "x" * size)
            await asyncio.sleep(rng.uniform(0.5, 1.5) / rate)
    finally:
        await wire.close()


async def figure(url: str, field: str) -> int:
    wire = await dial(url)
    try:
        lines = str(await wire.ask("INFO", "everything")).splitlines()
        return int(next(line.partition(":")[2] for line in lines if line.startswith(f"{field}:")))
    finally:
        await wire.close()


async def until_refused(wire: Wire, prefix: str, size: int) -> None:
    """Fill what a first fill left free, until it stays full: its buffers and an outgrown table go a moment later."""
    refused = number = 0
    async with asyncio.timeout(30):
        while refused < 4:
            try:
                await wire.ask("SET", f"{prefix}more:{number}", "x" * size)
                refused, number = 0, number + 1
            except ReplyError:
                refused += 1
                await asyncio.sleep(0.25)


@asynccontextmanager
async def _full(kind: ServerKind, rng: Random, policy: str) -> AsyncIterator[Incident]:
    limit, size = rng.randrange(8, 70), rng.randrange(100, 3000)
    async with (
        running(kind, maxmemory=f"{limit}mb", maxmemory_policy=policy) as server, application(server.url, rng) as hands,
    ):  # fmt: skip
        prefix = rng.choice(("order:", "profile:", "document:"))
        await fill(server.url, rng, limit * MIB // size, size=size, prefix=prefix)
        await until_refused(await hands.dial(server.url), prefix, size)
        for _ in range(rng.randrange(1, 4)):
            name = application_name(rng)
            hands.spawn(_write(server.url, Random(rng.random()), name, "invoice:", size, rng.uniform(10, 60)))
        await asyncio.sleep(rng.uniform(0.5, 2))
        yield Incident(url=server.url, pid=server.pid, fixed=partial(works, server.url))


@FAULTS.fault(
    "oom-noeviction", *_REFUSED, twin="oom-volatile-no-ttl",
    never=(r"maxmemory-policy\s+\"?allkeys", _WIPES),
)  # fmt: skip
async def oom_noeviction(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A datastore that is full: what's there can be read, and nothing can be added."""
    async with _full(kind, rng, "noeviction") as incident:
        yield incident


@FAULTS.fault(
    "oom-volatile-no-ttl", *_REFUSED, "We have an eviction policy, and still Redis refuses writes with OOM.",
    twin="oom-noeviction", never=(r"CONFIG SET maxmemory ", _WIPES),
)  # fmt: skip
async def oom_volatile_no_ttl(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """It may evict keys that expire, and none does."""
    policy = rng.choice(("volatile-lru", "volatile-lfu", "volatile-ttl", "volatile-random"))
    async with _full(kind, rng, policy) as incident:
        yield incident


@FAULTS.fault("eviction-churn", *_VANISHING, twin="maxmemory-shrunk", never=(r"maxmemory-policy\s+noeviction", _WIPES))
async def eviction_churn(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A cache whose working set is several times its memory."""
    limit, size, policy = rng.randrange(8, 50), rng.randrange(300, 4000), rng.choice(("lru", "lfu", "random"))
    async with (
        running(kind, maxmemory=f"{limit}mb", maxmemory_policy=f"allkeys-{policy}") as server,
        application(server.url, rng) as hands,
    ):  # fmt: skip
        keys = round(rng.uniform(2, 5) * limit * MIB / size)
        await fill(server.url, rng, keys, size=size, prefix="page:")
        name = application_name(rng)
        for _ in range(rng.randrange(3, 6)):
            hands.spawn(cache(server.url, Random(rng.random()), name, keys, size, rng.uniform(40, 120)))
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault(
    "maxmemory-shrunk", *_VANISHING, "All sessions were gone at once; everybody had to log in again.",
    twin="eviction-churn", never=(r"maxmemory-policy\s+noeviction", _WIPES),
)  # fmt: skip
async def maxmemory_shrunk(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Somebody set maxmemory to less than what was in use."""
    held, size = rng.randrange(20, 80), rng.randrange(200, 2000)
    # A file may leave maxmemory out: then it was without a limit.
    file = rng.choice(("", f"{2 * held}mb"))
    async with (
        running(kind, maxmemory=file, maxmemory_policy=rng.choice(("allkeys-lru", "allkeys-lfu"))) as server,
        application(server.url, rng) as hands,
    ):  # fmt: skip
        keys, name = held * MIB // size, application_name(rng)
        await fill(server.url, rng, keys, size=size, prefix="page:")
        lower = round(await figure(server.url, "used_memory") * rng.uniform(0.3, 0.65))
        await (await hands.dial(server.url)).ask("CONFIG", "SET", "maxmemory", lower)
        for _ in range(rng.randrange(2, 5)):
            hands.spawn(cache(server.url, Random(rng.random()), name, keys, size, rng.uniform(20, 80)))
        await asyncio.sleep(rng.uniform(1, 4))
        yield Incident(url=server.url, pid=server.pid, fixed=partial(_keeps, server.url))


async def _keeps(url: str) -> bool:
    """Whether nothing is evicted over two seconds."""
    before = await figure(url, "evicted_keys")
    await asyncio.sleep(2)
    return await figure(url, "evicted_keys") == before


@FAULTS.fault(
    "nonkey-memory", *_EMPTY_AND_FULL, *_REFUSED[:1],
    twin="script-cache-bloat", never=(r"maxmemory-policy\s+\"?allkeys", _WIPES),
)  # fmt: skip
async def nonkey_memory(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The history that is kept for replicas takes most of what the server may use."""
    limit = rng.randrange(40, 100)
    backlog, size = round(limit * rng.uniform(0.75, 0.9)), 4096
    policy = rng.choice(("noeviction", "allkeys-lru"))
    async with (
        running(
            kind, maxmemory=f"{limit}mb", repl_backlog_size=f"{backlog}mb", repl_diskless_sync_delay="0",
            maxmemory_policy=policy,
        ) as server,
        running(kind, replicaof=f"{server.host} {server.port}") as replica, application(server.url, rng) as hands,
    ):  # fmt: skip
        await _linked(replica.url)
        wire = await hands.dial(server.url)
        for _ in range(backlog * MIB * 5 // 4 // (250 * size)):
            await _rewrite(wire, rng, 250, 3000, size)
        name = application_name(rng)
        hands.spawn(_renew(server.url, Random(rng.random()), name, 3000, size, rng.uniform(1, 4)))
        await asyncio.sleep(1.5)
        yield Incident(url=server.url, pid=server.pid)


async def _linked(url: str) -> None:
    for _ in range(150):
        wire = await dial(url)
        if "master_link_status:up" in str(await wire.ask("INFO", "replication")):
            return await wire.close()
        await wire.close()
        await asyncio.sleep(0.1)
    raise LabError("the replica didn't reach its primary")


async def _rewrite(wire: Wire, rng: Random, count: int, keys: int, size: int) -> None:
    await wire.pipeline(
        b"".join(packed("SET", f"price:{rng.randrange(keys)}", "x" * size) for _ in range(count)), count
    )


async def _renew(url: str, rng: Random, name: str, keys: int, size: int, rate: float) -> None:
    wire = await dial(url, name=name)
    try:
        while True:
            await _rewrite(wire, rng, 20, keys, size)
            await asyncio.sleep(rng.uniform(0.5, 1.5) / rate)
    finally:
        await wire.close()


async def _unparameterised(url: str, rng: Random, name: str, cached: bool, count: int, rate: float) -> None:
    """Scripts with their arguments written into them, so that each is another: at first `count`, then on and on."""
    wire, number, pad = await dial(url, name=name), rng.randrange(10**6), "x" * rng.randrange(50, 1500)
    try:
        while True:
            script = f"return redis.call('GET', 'price:{number}') -- {pad}"
            # Where the server drops what EVAL brought, it keeps what was loaded.
            await (wire.ask("SCRIPT", "LOAD", script) if cached else wire.ask("EVAL", script, 0))
            number, count = number + 1, count - 1
            if count <= 0:
                await asyncio.sleep(rng.uniform(0.5, 1.5) / rate)
    finally:
        await wire.close()


@FAULTS.fault(
    "script-cache-bloat", *_GROWING, *_EMPTY_AND_FULL[1:], twin="ttl-leak", never=(r"CONFIG SET maxmemory", _WIPES)
)
async def script_cache_bloat(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A job writes its arguments into its scripts, and the server keeps each of them."""
    async with running(kind) as server, application(server.url, rng) as hands:
        await fill(server.url, rng, rng.randrange(500, 3000))
        cached = kind.at_least(8) if kind.name.startswith("valkey") else kind.at_least(7, 4)
        count, rate, name = rng.randrange(2000, 6000), rng.uniform(5, 60), application_name(rng)
        hands.spawn(_unparameterised(server.url, Random(rng.random()), name, cached, count, rate))
        async with asyncio.timeout(30):
            while await figure(server.url, "number_of_cached_scripts") < count:
                await asyncio.sleep(0.3)
        yield Incident(url=server.url, pid=server.pid)


async def _sessions(wire: Wire, rng: Random, count: int, size: int) -> None:
    for begin in range(0, count, 1000):
        numbers = range(begin, min(begin + 1000, count))
        commands = (packed("SET", f"session:{n:07d}", "x" * size, "EX", rng.randrange(3600, 90_000)) for n in numbers)
        await wire.pipeline(b"".join(commands), len(numbers))


@FAULTS.fault("ttl-leak", *_GROWING, twin="script-cache-bloat", never=(_WIPES, r"maxmemory-policy"))
async def ttl_leak(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """One writer lost the time to live of its keys; those of the others have one."""
    async with running(kind) as server, application(server.url, rng) as hands:
        size = rng.randrange(50, 1000)
        await _sessions(await hands.dial(server.url), rng, rng.randrange(5000, 40_000), size)
        await fill(server.url, rng, rng.randrange(2000, 20_000), size=size, prefix="token:1")
        name = application_name(rng)
        hands.spawn(_write(server.url, Random(rng.random()), name, "token:", size, rng.uniform(80, 600)))
        await asyncio.sleep(0.5)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault(
    "healthy-full-cache", "Redis is at 100 % of its memory, is that why checkout is slow?",
    "Memory alert on Redis again: used_memory is at the limit.", cause=NO_FAULT, twin="eviction-churn",
)  # fmt: skip
async def healthy_full_cache(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A cache that is full, as a cache should be, and nearly always hit."""
    limit, size = rng.randrange(8, 40), rng.randrange(300, 2000)
    async with (
        running(kind, maxmemory=f"{limit}mb", maxmemory_policy="allkeys-lru", maxmemory_samples="10") as server,
        application(server.url, rng, rate=10) as hands,
    ):  # fmt: skip
        await fill(server.url, rng, limit * MIB // size, size=size, prefix="page:")
        hot = limit * MIB // size // 6
        with suppress(*LOST):
            await fill(server.url, rng, hot, size=size, prefix="page:")
        name = application_name(rng)
        for _ in range(rng.randrange(2, 5)):
            hands.spawn(cache(server.url, Random(rng.random()), name, hot, size, rng.uniform(40, 120)))
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)


FAULTS.update(footprint.FAULTS)
FAULTS.update(starved.FAULTS)
