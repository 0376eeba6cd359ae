"""Faults of reaching the server at all."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from random import Random

from evals.lab.fault import Family, Incident
from evals.lab.servers import Server, ServerKind, running
from evals.lab.traffic import application, fill, works
from evals.lab.wire import LOST, crew, dial

FAULTS = Family("connectivity")


@FAULTS.fault(
    "process-down",
    "Since a few minutes ago every Redis call of checkout fails with 'Connection refused'.",
    "redis.exceptions.ConnectionError: Error 111 connecting to redis. Connection refused. All pods.",
    "Redis can't be reached any more, the health check went red at once.",
)
async def process_down(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Killed; nothing listens any more."""
    async with running(kind) as server, application(server.url, rng, clients=rng.randrange(3, 7)):
        await fill(server.url, rng, rng.randrange(500, 3000))
        server.signal(signal.SIGKILL)
        while server.running:
            await asyncio.sleep(0.01)
        yield Incident(url=server.url, pid=server.pid, fixed=partial(works, server.url))


@FAULTS.fault(
    "process-frozen",
    "All Redis commands time out. Connecting works, then nothing comes back.",
    "redis.exceptions.TimeoutError: Timeout reading from socket, on every call, since about a minute.",
    "Checkout hangs, every request to Redis runs into its timeout.",
)
async def process_frozen(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Stopped by SIGSTOP: the kernel accepts for it, and nobody answers."""
    async with running(kind) as server, application(server.url, rng, clients=rng.randrange(2, 5), timeout=3):
        await fill(server.url, rng, rng.randrange(500, 3000))
        server.signal(signal.SIGSTOP)
        yield Incident(url=server.url, pid=server.pid, fixed=partial(works, server.url))


def _history(rng: Random, folder: Path) -> None:
    count, nouns = rng.randrange(700_000, 1_000_000), rng.choice(("cart", "sess"))
    with (folder / "appendonly.aof").open("wb") as file:
        for first in range(0, count, 50_000):
            file.write(
                b"".join(
                    b"*3\r\n$3\r\nSET\r\n$18\r\n%s:%07d:items\r\n$8\r\nx%07d\r\n" % (nouns.encode(), number, number)
                    for number in range(first, first + 50_000)
                )
            )


@FAULTS.fault(
    "loading-dataset",
    "Redis was restarted for the patch and still refuses everything.",
    "redis.exceptions.BusyLoadingError on every call since the node came back.",
    "After the reboot of the Redis host checkout is down; the process runs.",
)
async def loading_dataset(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A restart that reads a long history first."""
    async with (
        # Microseconds a command, and the sleep itself takes as long again: one to three minutes altogether.
        running(
            kind, ready="listens", prepare=partial(_history, rng), appendonly="yes", key_load_delay="100",
            aof_use_rdb_preamble="yes",
        ) as server,
        application(server.url, rng),
    ):  # fmt: skip
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid, fixed=partial(works, server.url))


_RANDOM_TIMEOUTS = (
    "Connecting to Redis times out at random, mostly when many pods start at the same time.",
    "redis.exceptions.TimeoutError: Timeout connecting to server, for a part of the pods.",
    "checkout: connect timeouts to Redis, sometimes it works on the third try",
)


async def _connect(url: str, rng: Random) -> None:
    while True:
        with suppress(*LOST):
            wire = await dial(url, timeout=rng.uniform(0.8, 2))
            try:
                await wire.ask("GET", "cart:1:items")
            finally:
                await wire.close()
        await asyncio.sleep(rng.uniform(0.1, 0.4))


async def _stutter(server: Server, rng: Random) -> None:
    while True:
        server.signal(signal.SIGSTOP)
        await asyncio.sleep(rng.uniform(1.5, 3))
        server.signal(signal.SIGCONT)
        await asyncio.sleep(rng.uniform(0.05, 0.15))


@asynccontextmanager
async def _overrun(kind: ServerKind, rng: Random, *, for_good: bool) -> AsyncIterator[Incident]:
    async with running(kind, tcp_backlog="8") as server, crew() as hands:
        await fill(server.url, rng, rng.randrange(500, 3000))
        if for_good:
            server.signal(signal.SIGSTOP)
        else:
            hands.spawn(_stutter(server, rng))
        for _ in range(rng.randrange(30, 60)):
            hands.spawn(_connect(server.url, Random(rng.random())))
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid, fixed=partial(works, server.url))


@FAULTS.fault("listen-backlog-overflow", *_RANDOM_TIMEOUTS)
async def listen_backlog_overflow(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A short accept queue before a server that comes to it only now and then."""
    async with _overrun(kind, rng, for_good=False) as incident:
        yield incident


@FAULTS.fault(
    "listen-backlog-overflow-frozen", *_RANDOM_TIMEOUTS[1:], cause="listen-backlog-overflow", also=("process-frozen",)
)
async def listen_backlog_overflow_frozen(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A short accept queue before a server that never comes to it: it's stopped."""
    async with _overrun(kind, rng, for_good=True) as incident:
        yield incident
