"""Faults of too many clients, or of clients that come and go."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from random import Random

from evals.lab.fault import Family, Incident
from evals.lab.servers import ServerKind, running
from evals.lab.traffic import application, application_name, fill, key, works
from evals.lab.wire import LOST, Crew, Wire, crew, dial

FAULTS = Family("clients")


async def _use(wire: Wire, rng: Random, seconds: float) -> None:
    ends = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < ends:
        await wire.ask("GET", f"{key(rng)}:s")
        await asyncio.sleep(rng.uniform(0.3, 1.2))


async def hold(url: str, rng: Random, name: str, first: Wire, mean: float | None) -> None:
    """Use one slot, for about `mean` seconds at a time if given; lost, it's tried for again."""
    wire: Wire | None = first
    while True:
        try:
            wire = wire or await dial(url, name=name)
            await _use(wire, rng, rng.expovariate(1 / mean) if mean else 1e9)
        except LOST:
            pass
        finally:
            if wire:
                await wire.close()
        wire = None
        await asyncio.sleep(rng.uniform(0.3, 0.8))


async def knock(url: str, rng: Random, name: str, pause: float = 0.4) -> None:
    """Connect for one command and go, over and over: what a refused caller's retries look like."""
    while True:
        try:
            wire = await dial(url, name=name)
            try:
                await wire.ask("GET", f"{key(rng)}:s")
            finally:
                await wire.close()
        except LOST:
            pass
        await asyncio.sleep(rng.uniform(0.5, 1.5) * pause)


async def leak(hands: Crew, url: str, rng: Random, name: str, *, pause: float, most: int) -> None:
    """Open a connection every `pause` seconds, use it once and forget it, until `most` are held or one is refused."""
    try:
        while len(hands.held) < most:
            wire = await hands.dial(url, name=name)
            await wire.ask("GET", f"{key(rng)}:s")
            await asyncio.sleep(rng.uniform(0.5, 1.5) * pause)
    except LOST:
        pass


async def leaking(hands: Crew, url: str, rng: Random, name: str, *, pause: float, most: int) -> None:
    """Go on leaking for ever, refused or not."""
    while True:
        await asyncio.sleep(rng.uniform(0.5, 1.5) * pause)
        await leak(hands, url, rng, name, pause=pause, most=most)


async def _taken(hands: Crew, url: str, rng: Random, limit: int, *, frees: bool) -> None:
    name = application_name(rng)
    # One after the other, because the slot of the connection before us may be free only a moment later.
    while len(hands.held) < limit:
        with suppress(*LOST):
            await hands.dial(url, name=name)
    for wire in hands.held:
        # With all of them together a slot is free for a moment every two seconds or so.
        hands.spawn(hold(url, Random(rng.random()), name, wire, 2.0 * limit if frees else None))
    for _ in range(rng.randrange(3, 7)):
        hands.spawn(knock(url, Random(rng.random()), name))
    await asyncio.sleep(0.5)


_REFUSED = (
    "redis.exceptions.ConnectionError: max number of clients reached, on about every new connection.",
    "New pods of the shop can't connect to Redis, those that have a connection work.",
    "Checkout fails for part of the users: 'ERR max number of clients reached'.",
)


@asynccontextmanager
async def _exhausted(kind: ServerKind, rng: Random, *, frees: bool) -> AsyncIterator[Incident]:
    limit = rng.randrange(10, 101)
    async with running(kind, maxclients=str(limit)) as server, crew() as hands:
        await fill(server.url, rng, rng.randrange(500, 3000))
        await _taken(hands, server.url, rng, limit, frees=frees)
        yield Incident(url=server.url, pid=server.pid, fixed=partial(works, server.url))


@FAULTS.fault("maxclients-exhausted", *_REFUSED)
async def maxclients_exhausted(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """All slots in honest use; now and then one is free for a moment."""
    async with _exhausted(kind, rng, frees=True) as incident:
        yield incident


@FAULTS.fault("maxclients-exhausted-for-good", *_REFUSED, cause="maxclients-exhausted")
async def maxclients_exhausted_for_good(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """All slots in honest use, and none ever free."""
    async with _exhausted(kind, rng, frees=False) as incident:
        yield incident


@FAULTS.fault(
    "leak-until-refused", *_REFUSED, "Checkout times out on Redis.", cause="maxclients-exhausted",
    also=("connection-leak",),
)  # fmt: skip
async def leak_until_refused(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """An application forgets connections until there are none left; now and then a forgotten one goes away."""
    limit, name = rng.randrange(40, 121), application_name(rng)
    async with running(kind, maxclients=str(limit)) as server, crew() as hands:
        await fill(server.url, rng, rng.randrange(500, 3000))
        while len(hands.held) < limit:
            await leak(hands, server.url, rng, name, pause=0.004, most=limit)
        hands.spawn(_go_away(hands, Random(rng.random())))
        hands.spawn(leaking(hands, server.url, Random(rng.random()), name, pause=0.6, most=limit + 300))
        for _ in range(2):
            hands.spawn(knock(server.url, Random(rng.random()), name, pause=0.6))
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid, fixed=partial(works, server.url))


async def _go_away(hands: Crew, rng: Random) -> None:
    while True:
        await asyncio.sleep(rng.uniform(1, 3))
        if hands.held:
            await hands.drop(rng.choice(sorted(hands.held, key=id)))


_MORE_AND_MORE = (
    "The number of Redis clients climbs from deploy to deploy and never goes down again.",
    "Alert: connected_clients is far above what our pools allow.",
    "redis: clients climbing, nobody knows where they come from",
)


@FAULTS.fault("connection-leak", *_MORE_AND_MORE)
async def connection_leak(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """An application that forgets the connections it opens, one after the other."""
    name, pause = application_name(rng), rng.uniform(0.05, 0.3)
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        await leak(hands, server.url, rng, name, pause=0.002, most=rng.randrange(100, 250))
        hands.spawn(leaking(hands, server.url, Random(rng.random()), name, pause=pause, most=1500))
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("connection-leak-standing", *_MORE_AND_MORE[1:], cause="connection-leak")
async def connection_leak_standing(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Forgotten connections that were opened in one go and just stay."""
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        await leak(hands, server.url, rng, application_name(rng), pause=0.002, most=rng.randrange(200, 400))
        await asyncio.sleep(2)
        yield Incident(url=server.url, pid=server.pid)
