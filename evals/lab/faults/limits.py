"""Faults of connections that come too often, or of a file limit too low for them."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from random import Random

import psutil

from evals.lab.fault import Family, Incident
from evals.lab.faults.clients import hold, knock
from evals.lab.servers import LabError, Server, ServerKind, running
from evals.lab.traffic import application, application_name, fill, key, works
from evals.lab.wire import LOST, Crew, crew, dial

FAULTS = Family("clients")
RESERVED = 32
"""File descriptors that the server keeps for itself."""


def _programs() -> str | None:
    lacking = [name for name in ("prlimit", "setpriv") if shutil.which(name) is None]
    return f"needs {' and '.join(lacking)}: apt-get install util-linux" if lacking else None


async def _pool(hands: Crew, server: Server, rng: Random, count: int) -> None:
    name = application_name(rng)
    for _ in range(count):
        wire = await hands.dial(server.url, name=name)
        hands.spawn(hold(server.url, Random(rng.random()), name, wire, 2.0 * count))
    for _ in range(rng.randrange(2, 5)):
        hands.spawn(knock(server.url, Random(rng.random()), name))
    await asyncio.sleep(0.5)


_LOWER = (
    "We set maxclients to 10000, yet Redis refuses connections long before: max number of clients reached.",
    "Redis takes fewer clients than configured since the move to the new image.",
)


@FAULTS.fault("fd-limit-clamp", *_LOWER, also=("maxclients-exhausted",), needs=_programs)
async def fd_limit_clamp(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Started under a file limit that leaves far fewer clients than configured, and all are taken."""
    limit = rng.choice((64, 96, 128, 160))
    # With this capability the server would just raise its own limit again.
    prefix = ["prlimit", f"--nofile={limit}:{limit}", "setpriv", "--bounding-set", "-sys_resource"]
    async with running(kind, prefix=prefix, maxclients="10000") as server, crew() as hands:
        await fill(server.url, rng, rng.randrange(500, 3000))
        async with asyncio.timeout(5):
            wire = await hands.dial(server.url)
            _, clamped = await wire.ask("CONFIG", "GET", "maxclients")
            await hands.drop(wire)
        if int(clamped) != limit - RESERVED:
            raise LabError(f"{kind.name} took {clamped} clients under a file limit of {limit}")
        await _pool_up_to(hands, server, rng, int(clamped))
        yield Incident(url=server.url, pid=server.pid, fixed=partial(works, server.url))


async def _pool_up_to(hands: Crew, server: Server, rng: Random, count: int) -> None:
    # The connection that looked may go a moment after it was closed.
    for _ in range(20):
        with suppress(*LOST):
            return await _pool(hands, server, rng, count)
        await asyncio.sleep(0.05)


@FAULTS.fault(
    "fd-limit-clamp-at-run-time",
    "Since the operations team lowered some limits new connections to Redis hang. The old ones work.",
    "New pods connect to Redis and then wait for ever; maxclients is 10000 and far away.",
    cause="fd-limit-clamp",
    needs=_programs,
)
async def fd_limit_clamp_at_run_time(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The file limit of the running process was lowered to about what is open."""
    async with running(kind, maxclients="10000") as server, crew() as hands:
        await fill(server.url, rng, rng.randrange(500, 3000))
        await asyncio.sleep(0.1)
        process, count = psutil.Process(server.pid), rng.randrange(30, 100)
        limit = process.num_fds() + count
        process.rlimit(psutil.RLIMIT_NOFILE, (limit, limit))
        await _pool(hands, server, rng, count)
        yield Incident(url=server.url, pid=server.pid, fixed=partial(works, server.url))


async def _come_and_go(url: str, rng: Random, name: str, rate: float) -> None:
    while True:
        began = asyncio.get_running_loop().time()
        with suppress(*LOST):
            wire = await dial(url, name=name if rng.random() < 0.1 else "")
            try:
                await wire.ask("GET", f"{key(rng)}:s")
            finally:
                await wire.close()
        spent = asyncio.get_running_loop().time() - began
        await asyncio.sleep(max(0.0, rng.uniform(0.5, 1.5) / rate - spent))


@FAULTS.fault(
    "connection-churn",
    "CPU of the Redis host is up although traffic and the number of clients are the same.",
    "Since the PHP release Redis needs much more CPU for the same number of commands.",
    "Each request got a few ms slower; connected_clients is flat and small.",
)
async def connection_churn(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A connection for each command."""
    workers, rate, name = rng.randrange(6, 13), rng.uniform(200, 400), application_name(rng)
    async with running(kind) as server, crew() as hands, application(server.url, rng, rate=rng.uniform(10, 40)):
        await fill(server.url, rng, rng.randrange(500, 3000))
        for _ in range(workers):
            hands.spawn(_come_and_go(server.url, Random(rng.random()), name, rate / workers))
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)
