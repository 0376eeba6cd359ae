"""What happened long before anybody was paged: the servers hardly show it any more, and only a history does."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from random import Random

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.faults.clients import leak
from evals.lab.faults.data import looks_up
from evals.lab.faults.memory import cache, figure
from evals.lab.servers import ServerKind, running
from evals.lab.traffic import application, application_name, fill, operator_name
from evals.lab.wire import Crew, crew, dial

FAULTS = Family("before the page")
MIB = 1 << 20
_later = partial(FAULTS.fault, later=True)
_SLOW_CACHE = (
    "Since this morning the database behind the cache is drowning in queries.",
    "Our cache hit rate is half of what it was, and nobody deployed anything.",
)
_LOGGED_OUT = (
    "Customers report that they were logged out some twenty minutes ago; sessions are missing from Redis.",
    "Nearly all keys are gone from Redis, we noticed only now.",
)
_CLIMBING = (
    "Redis: the number of connections climbs slowly since the deploy.",
    "Is the new release leaking Redis connections?",
)
_SETTINGS = (
    "Somebody changed Redis' memory settings before checkout became slow; is that the reason?",
    "Checkout is slow since operations worked on Redis' maxmemory.",
)
_WIPES = r"FLUSH(ALL|DB)"


def _moment(rng: Random) -> float:
    """Seconds after which it happens: by then the watch knows what was usual."""
    return rng.uniform(190, 290)


async def _set_memory(url: str, name: str, after: float, share: float) -> None:
    """Set maxmemory to a share of what is in use, and write the file, so that it stays."""
    await asyncio.sleep(after)
    wanted = round(await figure(url, "used_memory") * share)
    wire = await dial(url, name=name)
    try:
        await wire.ask("CONFIG", "SET", "maxmemory", wanted)
        await wire.ask("CONFIG", "REWRITE")
    finally:
        await wire.close()


async def _delete(url: str, name: str, after: float, prefix: str, count: int) -> None:
    """Remove keys in batches, and go."""
    await asyncio.sleep(after)
    wire = await dial(url, name=name)
    try:
        for begin in range(0, count, 50):
            await wire.ask("UNLINK", *(f"{prefix}{n:07d}" for n in range(begin, min(begin + 50, count))))
            await asyncio.sleep(0.05)
    finally:
        await wire.close()


async def _released(hands: Crew, url: str, rng: Random, after: float, name: str) -> None:
    """A release that forgets a connection now and then."""
    await asyncio.sleep(after)
    await leak(hands, url, rng, name, pause=rng.uniform(28, 36), most=60)


async def _joined(url: str, rng: Random, after: float, name: str, clients: int) -> None:
    """More instances of an application, all of them at work."""
    await asyncio.sleep(after)
    async with application(url, rng, clients=clients, name=name):
        await asyncio.Event().wait()


@_later("maxmemory-shrunk-earlier", *_SLOW_CACHE, cause="maxmemory-shrunk", twin="eviction-churn",
        never=(r"maxmemory-policy\s+noeviction", _WIPES))  # fmt: skip
async def shrunk(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Somebody lowered maxmemory and wrote the file: nothing on the server says that it was another."""
    held, size, name = rng.randrange(20, 50), rng.randrange(400, 2000), application_name(rng)
    async with (
        running(kind, maxmemory=f"{2 * held}mb", maxmemory_policy=rng.choice(("allkeys-lru", "allkeys-lfu"))) as server,
        application(server.url, rng) as hands,
    ):  # fmt: skip
        keys = held * MIB // size
        await fill(server.url, rng, keys, size=size, prefix="page:")
        for _ in range(3):
            hands.spawn(cache(server.url, Random(rng.random()), name, keys, size, rng.uniform(20, 60)))
        hands.spawn(_set_memory(server.url, operator_name(rng), _moment(rng), rng.uniform(0.35, 0.6)))
        yield Incident(url=server.url, pid=server.pid)


@_later("data-gone-deleted-earlier", *_LOGGED_OUT, cause="data-gone", twin="healthy-expiry",
        never=(_WIPES, r"\brestore\b.*\bover this server\b"))  # fmt: skip
async def deleted(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A job deleted nearly all keys and went: neither a flush nor a restart."""
    count = rng.randrange(5000, 20_000)
    # Without the usual application, whose new keys would soon be more than were deleted.
    async with running(kind) as server, crew() as hands:
        await fill(server.url, rng, count, size=rng.randrange(50, 400), prefix="session:")
        name = application_name(rng)
        for _ in range(3):
            hands.spawn(looks_up(server.url, Random(rng.random()), name, "session:", count, 0.05))
        hands.spawn(_delete(server.url, operator_name(rng), _moment(rng), "session:", count))
        yield Incident(url=server.url, pid=server.pid)


@_later("connection-leak-earlier", *_CLIMBING, cause="connection-leak", twin="healthy-scaled-out-earlier")
async def leaking(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A release forgets a connection every half minute: a look of seconds sees none come."""
    name = application_name(rng)
    async with running(kind) as server, crew() as hands, application(server.url, rng, name=name):
        hands.spawn(_released(hands, server.url, Random(rng.random()), _moment(rng), name))
        yield Incident(url=server.url, pid=server.pid)


@_later("healthy-scaled-out-earlier", *_CLIMBING, cause=NO_FAULT, twin="connection-leak-earlier")
async def scaled_out(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A release with more instances, each of which uses its connections."""
    name = application_name(rng)
    async with running(kind) as server, crew() as hands, application(server.url, rng, name=name):
        await fill(server.url, rng, rng.randrange(500, 3000))
        more = rng.randrange(20, 40)
        hands.spawn(_joined(server.url, Random(rng.random()), _moment(rng), name, more))
        yield Incident(url=server.url, pid=server.pid)


@_later("healthy-memory-raised-earlier", *_SETTINGS, cause=NO_FAULT, twin="maxmemory-shrunk-earlier")
async def raised(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """maxmemory was changed, to more than it was."""
    held, size, name = rng.randrange(20, 40), rng.randrange(400, 2000), application_name(rng)
    async with (
        running(kind, maxmemory=f"{round(1.5 * held)}mb", maxmemory_policy="allkeys-lru") as server,
        application(server.url, rng) as hands,
    ):  # fmt: skip
        keys = held * MIB // size
        await fill(server.url, rng, keys, size=size, prefix="page:")
        for _ in range(3):
            hands.spawn(cache(server.url, Random(rng.random()), name, keys, size, rng.uniform(20, 60)))
        hands.spawn(_set_memory(server.url, operator_name(rng), _moment(rng), rng.uniform(2, 3)))
        yield Incident(url=server.url, pid=server.pid)
