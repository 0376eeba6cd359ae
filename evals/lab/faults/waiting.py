"""Faults of clients that are made to wait, or lose connections they thought they had."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from random import Random

from evals.lab.fault import Family, Incident
from evals.lab.proxy import Route, proxy
from evals.lab.servers import ServerKind, running
from evals.lab.traffic import application, application_name, fill, key, works
from evals.lab.wire import LOST, Wire, crew, dial

FAULTS = Family("clients")


@asynccontextmanager
async def _paused(kind: ServerKind, rng: Random, mode: str, seconds: float) -> AsyncIterator[Incident]:
    async with running(kind) as server, application(server.url, rng, timeout=3):
        await fill(server.url, rng, rng.randrange(500, 3000))
        await asyncio.sleep(0.3)
        wire = await dial(server.url)
        try:
            await wire.ask("CLIENT", "PAUSE", round(seconds * 1000), mode)
        finally:
            await wire.close()
        await asyncio.sleep(0.7)
        yield Incident(url=server.url, pid=server.pid, fixed=partial(works, server.url))


@FAULTS.fault(
    "client-paused",
    "Writes to Redis hang, reads still work. Began during last night's maintenance.",
    "SET and INCR run into their timeouts, GET is fast as always.",
    "Checkout can't store carts: Timeout reading from socket. Showing carts works.",
)
async def client_paused(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Clients that write are paused, for many minutes."""
    async with _paused(kind, rng, "WRITE", rng.uniform(600, 3600)) as incident:
        yield incident


@FAULTS.fault(
    "client-paused-all",
    "Everything that goes to Redis hangs, from one second to the next.",
    "Redis accepts connections and then answers nothing at all; CPU is idle.",
    cause="client-paused",
)
async def client_paused_all(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """All clients are paused, for a few minutes."""
    async with _paused(kind, rng, "ALL", rng.uniform(120, 300)) as incident:
        yield incident


async def _in_bursts(url: str, rng: Random, name: str, rest: float) -> None:
    """A pooled connection: a few commands, a rest of about so many seconds, and so on; reconnects when it's lost."""
    wire: Wire | None = None
    try:
        while True:
            try:
                wire = wire or await dial(url, name=name)
                for _ in range(rng.randrange(2, 6)):
                    await wire.ask("GET", f"{key(rng)}:s")
                    await asyncio.sleep(0.02)
                await asyncio.sleep(rng.uniform(0.8, 1.5) * rest)
            except LOST:
                if wire:
                    await wire.close()
                wire = None
                await asyncio.sleep(0.2)
    finally:
        if wire:
            await wire.close()


_AFTER_REST = (
    "The first Redis request after a quiet while fails: Connection closed by server. The next one works.",
    "Night jobs fail on their first Redis call, Connection reset by peer; by day all is well.",
    "redis.exceptions.ConnectionError on connections that were idle for a bit.",
)


@FAULTS.fault("idle-timeout", *_AFTER_REST)
async def idle_timeout(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The server closes connections that rest for a few seconds, and a pool rests longer."""
    timeout, name = rng.randrange(2, 6), application_name(rng)
    async with (
        running(kind, timeout=str(timeout)) as server, crew() as hands,
        application(server.url, rng, clients=4, rate=20),
    ):  # fmt: skip
        await fill(server.url, rng, rng.randrange(500, 3000))
        for _ in range(rng.randrange(4, 10)):
            hands.spawn(_in_bursts(server.url, Random(rng.random()), name, timeout + 2.0))
        await asyncio.sleep(0.5)
        yield Incident(url=server.url, pid=server.pid)


@asynccontextmanager
async def _forgetful(kind: ServerKind, rng: Random, route: Route) -> AsyncIterator[Incident]:
    assert route.idle is not None
    keepalive, name = rng.choice(("0", "300")), application_name(rng)
    async with running(kind, tcp_keepalive=keepalive) as server, proxy(server.url, route) as far, crew() as hands:
        await fill(server.url, rng, rng.randrange(500, 3000))
        async with application(far, rng, clients=4, rate=20):
            for _ in range(rng.randrange(4, 8)):
                hands.spawn(_in_bursts(far, Random(rng.random()), name, route.idle + 3))
            await asyncio.sleep(0.5)
            yield Incident(url=far, pid=server.pid, own_url=server.url)


@FAULTS.fault(
    "idle-drop-by-network",
    "The first Redis request after a quiet while runs into its timeout. The next one works.",
    "Night jobs hang on their first Redis call for the whole socket timeout; by day all is well.",
)
async def idle_drop_by_network(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Something on the way forgets flows that rest, and drops what comes afterwards."""
    async with _forgetful(kind, rng, Route(idle=rng.uniform(3, 5))) as incident:
        yield incident


@FAULTS.fault("idle-drop-by-network-reset", *_AFTER_REST, cause="idle-drop-by-network")
async def idle_drop_by_network_reset(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Something on the way forgets flows that rest, and resets the client that goes on."""
    async with _forgetful(kind, rng, Route(idle=rng.uniform(3, 5), forgotten="reset")) as incident:
        yield incident
