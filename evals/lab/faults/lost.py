"""Faults of data that went by itself: evicted for something else, or copied from a primary that began empty."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from random import Random

from hiredis import ReplyError

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.faults.data import _GONE, _OVERWRITES, looks_up
from evals.lab.machine import Place, place, server_in
from evals.lab.servers import Server, ServerKind, running
from evals.lab.topologies import Member, until
from evals.lab.traffic import application, application_name, fill
from evals.lab.wire import Crew, crew, packed

FAULTS = Family("data")
_COPY = {"repl_diskless_sync": "yes", "repl_diskless_sync_delay": "0", "repl_ping_replica_period": "1"}


async def _pages(hands: Crew, url: str, name: str, count: int, size: int) -> None:
    """A batch that writes pages of a size once and is gone."""
    wire = await hands.dial(url, name=name)
    for begin in range(0, count, 1000):
        numbers = range(begin, min(begin + 1000, count))
        await wire.pipeline(b"".join(packed("SET", f"page:{n}", "x" * size) for n in numbers), len(numbers))
    await hands.drop(wire)


@asynccontextmanager
async def _beside(kind: ServerKind, rng: Random, asked: str, pages: int) -> AsyncIterator[Incident]:
    """Sessions on a server that evicts any key, and `pages` MiB of pages that a batch wrote after them."""
    limit, count = rng.randrange(10, 30), rng.randrange(3000, 9000)
    policy = rng.choice(("allkeys-lru", "allkeys-random"))
    async with running(kind, maxmemory=f"{limit}mb", maxmemory_policy=policy) as server, crew() as hands:
        await fill(server.url, rng, count, size=300, prefix="session:")
        await asyncio.sleep(1.5)
        await _pages(hands, server.url, application_name(rng), pages * limit * 1024, 1000)
        if asked == "page:":
            await fill(server.url, rng, 500, size=300, prefix="page:hot:")
            asked, count = "page:hot:", 500
        name = application_name(rng)
        for _ in range(3):
            hands.spawn(looks_up(server.url, Random(rng.random()), name, asked, count, 0.03))
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("data-gone-evicted", *_GONE[:1], "All sessions vanish from Redis again and again. It never restarted.",
              cause="data-gone", twin="healthy-evicted-pages",
              never=(*_OVERWRITES, r"restart\b.*\bserver"))  # fmt: skip
async def evicted(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A batch of pages pushed the sessions out of a server that is configured as a cache; it's over."""
    async with _beside(kind, rng, "session:", 3) as incident:
        yield incident


@FAULTS.fault("healthy-evicted-pages", "evicted_keys was high last night, did we lose sessions?", *_GONE[:1],
              cause=NO_FAULT, twin="data-gone-evicted")  # fmt: skip
async def healthy_evicted(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A cache that evicted pages which nobody asks for; what is asked for is here."""
    async with _beside(kind, rng, "page:", 2) as incident:
        yield incident


@asynccontextmanager
async def _emptied(kind: ServerKind, rng: Random, at_replica: bool, keeps: bool) -> AsyncIterator[Incident]:
    """A primary that restarts, and the replica that copies what it then has."""
    with place() as here, place() as other:
        async with AsyncExitStack() as stack, crew() as hands:
            count, saves = rng.randrange(3000, 20_000), "3600 1" if keeps else '""'
            primary, replica = await _restarting(stack, kind, rng, here, count, saves, other)
            await until(partial(_follows, Member(replica), Member(primary)), "the replica's link up")
            asked = replica if at_replica else primary
            name = application_name(rng)
            for _ in range(3):
                hands.spawn(looks_up(asked.url, Random(rng.random()), name, "session:", count, 0.03))
            await asyncio.sleep(1.5)
            yield Incident(url=asked.url, pid=asked.pid)


async def _restarting(
    stack: AsyncExitStack, kind: ServerKind, rng: Random, here: Place, count: int, saves: str, other: Place
) -> tuple[Server, Server]:
    """The primary after its restart, and its replica, which lived on."""
    async with server_in(kind, here, save=saves, **_COPY) as first:
        await fill(first.url, rng, count, size=rng.randrange(100, 400), prefix="session:")
        replica = await stack.enter_async_context(
            server_in(kind, other, replicaof=f"127.0.0.1 {first.port}", save=saves, **_COPY)
        )
        await until(partial(_linked, Member(replica)), "the replica's link up")
        if saves != '""':
            await until(partial(_saved, Member(first)), "the primary's snapshot")
        port = first.port
    second = await stack.enter_async_context(server_in(kind, here, port=str(port), save=saves, **_COPY))
    return second, replica


async def _saved(primary: Member) -> bool:
    with suppress(ReplyError):
        # While a child feeds the replica, no other save begins.
        return bool(await primary.ask("SAVE", timeout=10))
    return False


async def _linked(replica: Member) -> bool:
    return (await replica.info())["master_link_status"] == "up"


async def _follows(replica: Member, primary: Member) -> bool:
    """Whether the replica copied this life of the primary, which takes a new id for its first replica."""
    told, other = await replica.info(), await primary.info()
    return told["master_link_status"] == "up" and told["master_replid"] == other["master_replid"]


def _synced(id: str, at_replica: bool, *tickets: str) -> None:
    @FAULTS.fault(id, *tickets, cause="data-gone", twin="healthy-primary-restart", never=_OVERWRITES)
    async def make(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
        async with _emptied(kind, rng, at_replica, False) as incident:
            yield incident


_synced("data-gone-synced-from-empty", True,
        "The read replica is empty, all sessions are gone. It wasn't restarted.", *_GONE[:1])  # fmt: skip
_synced("data-gone-primary-restarted-empty", False, *_GONE,
        "Redis lost everything, and the replica that was our backup is empty as well.")  # fmt: skip


@FAULTS.fault("healthy-primary-restart", "The primary was restarted as planned; is any data gone at the replica?",
              "Checkout times out on Redis since the primary was restarted.", cause=NO_FAULT,
              twin="data-gone-synced-from-empty")  # fmt: skip
async def healthy_primary_restart(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A primary that saved before it was restarted: its replica copied all of it again."""
    async with AsyncExitStack() as stack:
        at_replica = rng.random() < 0.5
        async with _emptied(kind, rng, at_replica, True) as incident:
            await stack.enter_async_context(application(incident.url, rng, rate=5)) if not at_replica else None
            yield incident
