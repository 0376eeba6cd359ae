"""What clients do to no end: entries that fail each time, results that nobody fetches, locks and waits in vain."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from random import Random

from hiredis import ReplyError

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.faults.growing import QUEUES
from evals.lab.faults.queues import GROUPS, STREAMS
from evals.lab.servers import ServerKind, running
from evals.lab.topologies import replicated
from evals.lab.traffic import application, application_name, channel_name, fill, key_prefix
from evals.lab.wire import LOST, Argument, Crew, Wire, crew, dial, packed

FAULTS = Family("addresses and clients")
_FROZEN = (
    "Indexing is frozen: the container is healthy, there are no errors, but nothing gets indexed since yesterday.",
    "The mail worker does something all the time, yet no mail has been sent since noon.",
    "One consumer logs that it recovers its own message, over and over. New orders aren't processed.",
)
_CLIMBS = (
    "Memory of Redis keeps growing although the number of keys stays the same, until we restart the web processes.",
    "used_memory climbs day by day. FLUSHALL of the task results changed nothing.",
)
_UNREAD = (
    "Redis grew from 5 MB to 220 MB over a couple of days, and our task queues are empty.",
    "Memory of the broker climbs slowly. Monitoring events are switched on since last week.",
)
_LOCKS = (
    "Pages hang for 30 seconds and then load, always for logged in users; all php workers are stuck waiting.",
    "The nightly invoices never run since a pod was killed in a deploy. Is Redis stuck?",
)
_CUT = (
    "Workers lose the connection every few seconds: timeout reading from socket. The rest of the site is fine.",
    "redis.exceptions.ConnectionError: Connection closed by server, again and again in the idle queue workers.",
)
_SCRIPTS = (
    "Locks fail in one service only: its script ends with an error each time it is called.",
    "EVALSHA of our rate limiter fails since we read from the nearest node. Plain GETs work.",
)
_ANY = ("Some requests are slow now and then, could it be Redis?", "Users see time-outs at times; please check Redis.")
DAY_MS = 86_400_000


async def _pending(
    wire: Wire, rng: Random, stream: str, group: str, consumer: str, age_ms: int, deliveries: int
) -> None:
    """A group with some entries of the past that a consumer took, each handed out so often."""
    await wire.ask("XGROUP", "CREATE", stream, group, "0", "MKSTREAM")
    began = round(time.time() * 1000) - age_ms
    for number in range(count := rng.randrange(1, 6)):
        await wire.ask("XADD", stream, f"{began}-{number + 1}", "document", rng.randrange(10**6))
    await wire.ask("XREADGROUP", "GROUP", group, consumer, "COUNT", count, "STREAMS", stream, ">")
    for id, *_ in await wire.ask("XPENDING", stream, group, "-", "+", 10):
        await wire.ask("XCLAIM", stream, group, consumer, 0, id, "RETRYCOUNT", deliveries)


async def _often(url: str, name: str, pause: float, *command: Argument, timeout: float = 3.0) -> None:
    """One command again and again, whatever it answers."""
    with suppress(*LOST):
        wire = await dial(url, name=name)
        try:
            while True:
                with suppress(ReplyError):
                    await wire.ask(*command, timeout=timeout)
                await asyncio.sleep(pause)
        finally:
            await wire.close()


async def _work(url: str, name: str, stream: str, group: str) -> None:
    with suppress(*LOST):
        wire = await dial(url, name=name)
        try:
            while True:
                read = ("XREADGROUP", "GROUP", group, name, "COUNT", 10, "BLOCK", 500, "STREAMS", stream, ">")
                reply = await wire.ask(*read, timeout=3)
                for entry, _ in reply[0][1] if reply else []:
                    await wire.ask("XACK", stream, group, entry)
        finally:
            await wire.close()


@FAULTS.fault("stream-backlog-poison", *_FROZEN, cause="stream-backlog", twin="healthy-stream-retried",
              never=(r"\bXTRIM\b", r"\bX?DEL\b", r"CONFIG SET", r"[Mm]ore consumers"))  # fmt: skip
async def stream_backlog_poison(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A consumer that reads what it failed on again and again, and never anything new."""
    stream, group, name = rng.choice(STREAMS), rng.choice(GROUPS), application_name(rng)
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        wire = await hands.dial(server.url)
        age, deliveries = rng.randrange(DAY_MS // 8, DAY_MS), rng.randrange(200, 900)
        await _pending(wire, rng, stream, group, f"{name}-1", age, deliveries)
        own = ("XREADGROUP", "GROUP", group, f"{name}-1", "COUNT", 10, "STREAMS", stream, "0")
        hands.spawn(_often(server.url, f"{name}-1", rng.uniform(0.3, 0.8), *own))
        added = ("XADD", stream, "*", "document", 1)
        hands.spawn(_often(server.url, application_name(rng), rng.uniform(0.3, 0.9), *added))
        await asyncio.sleep(rng.uniform(3, 5))
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("healthy-stream-retried", *_FROZEN[:2], cause=NO_FAULT, twin="stream-backlog-poison")
async def healthy_stream_retried(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """An entry that failed twice and is tried again, while another worker does the rest at once."""
    stream, group, name = rng.choice(STREAMS), rng.choice(GROUPS), application_name(rng)
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        wire = await hands.dial(server.url)
        await _pending(wire, rng, stream, group, f"{name}-1", rng.randrange(20_000, 60_000), 2)
        hands.spawn(_work(server.url, f"{name}-2", stream, group))
        added = ("XADD", stream, "*", "document", 1)
        hands.spawn(_often(server.url, application_name(rng), rng.uniform(0.1, 0.5), *added))
        await asyncio.sleep(rng.uniform(2, 4))
        yield Incident(url=server.url, pid=server.pid)


async def _subscribe(wire: Wire, channel: str, first: int, count: int) -> None:
    for begin in range(first, first + count, 500):
        names = (f"{channel}:{number:036d}" for number in range(begin, min(begin + 500, first + count)))
        await wire.send(packed("SUBSCRIBE", *names))


async def _subscribe_on(wire: Wire, channel: str, first: int, each: int) -> None:
    with suppress(*LOST):
        while True:
            await _subscribe(wire, channel, first, each)
            first += each
            await asyncio.sleep(0.2)


@FAULTS.fault("nonkey-memory-subscriptions", *_CLIMBS, cause="nonkey-memory", twin="healthy-many-channels",
              never=(r"CONFIG SET maxmemory", r"FLUSH(ALL|DB)"))  # fmt: skip
async def nonkey_memory_subscriptions(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A client that subscribes to a channel for each result, and leaves none."""
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        await fill(server.url, rng, rng.randrange(500, 5000))
        channel, count = channel_name(rng), rng.randrange(80_000, 200_000)
        wire = await hands.dial(server.url, name=application_name(rng))
        hands.spawn(wire.discard())
        await _subscribe(wire, channel, 0, count)
        hands.spawn(_subscribe_on(wire, channel, count, rng.randrange(20, 100)))
        await asyncio.sleep(2)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("healthy-many-channels", *_ANY, "pubsub_channels is at ten thousand, is that why it's slow?",
              cause=NO_FAULT, twin="nonkey-memory-subscriptions")  # fmt: skip
async def healthy_many_channels(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A chat whose nodes listen to the rooms of their users."""
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        await fill(server.url, rng, rng.randrange(500, 5000))
        name, channel = application_name(rng), channel_name(rng)
        for number in range(rng.randrange(10, 25)):
            wire = await hands.dial(server.url, name=f"{name}-{number}")
            hands.spawn(wire.discard())
            await _subscribe(wire, channel, number * 1000, 500)
        hands.spawn(_often(server.url, f"{name}-0", 0.05, "PUBLISH", f"{channel}:{5:036d}", "x" * 100))
        await asyncio.sleep(1.5)
        yield Incident(url=server.url, pid=server.pid)


async def _events(wire: Wire, prefix: str, lists: int, each: int) -> None:
    for number in range(lists):
        for _ in range(0, each, 250):
            await wire.ask("LPUSH", f"{prefix}:events.{number}af70be1c", *["x" * 400] * 250)


@FAULTS.fault("queue-backlog-unread", *_UNREAD, cause="queue-backlog", twin="healthy-queue",
              never=(r"CONFIG SET maxmemory", r"FLUSH(ALL|DB)"))  # fmt: skip
async def queue_backlog_unread(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Lists of events that a library fills, slowly, for a monitor that was switched off."""
    async with running(kind) as server, crew() as hands, application(server.url, rng, rate=20):
        wire, lists = await hands.dial(server.url), rng.randrange(1, 4)
        name, prefix = application_name(rng), key_prefix(rng)
        await _events(wire, prefix, lists, rng.randrange(3000, 8000))
        for number in range(lists):
            pushes = ("LPUSH", f"{prefix}:events.{number}af70be1c", "x" * 400)
            hands.spawn(_often(server.url, name, rng.uniform(0.15, 0.3), *pushes))
        await asyncio.sleep(2)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("replica-write-or-stale-scripts", *_SCRIPTS, cause="replica-write-or-stale", twin="healthy-replica",
              kinds=lambda kind: not kind.at_least(7), never=(r"replica-read-only no",))  # fmt: skip
async def replica_write_scripts(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A client that sends its scripts to a replica, where the older server counts their errors as ERR."""
    async with replicated(kind, 1) as deployment, application(deployment.primary.url, rng) as hands:
        replica, name = deployment.replicas[0].server, application_name(rng)
        script = ("EVAL", "return redis.call('SET', KEYS[1], ARGV[1])", 1, f"{key_prefix(rng)}:lock", "x")
        for _ in range(rng.randrange(2, 5)):
            hands.spawn(_often(replica.url, name, rng.uniform(0.04, 0.1), *script))
            hands.spawn(_often(replica.url, name, rng.uniform(0.01, 0.05), "GET", "cart:1:items"))
        await asyncio.sleep(2)
        yield Incident(url=replica.url, pid=replica.pid)


def _ask_for_lock(hands: Crew, url: str, name: str, rng: Random, lock: str, hold_ms: int, pause: float) -> None:
    hands.spawn(_often(url, name, rng.uniform(0.5, 1.5) * pause, "SET", lock, "owner", "PX", hold_ms, "NX"))


@FAULTS.fault("held-lock", *_LOCKS, cause="outside-redis", twin="healthy-locks")
async def held_lock(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Workers that ask for a lock whose holder died."""
    async with running(kind) as server, crew() as hands, application(server.url, rng, rate=15):
        wire = await hands.dial(server.url)
        name, lock = application_name(rng), f"{key_prefix(rng)}:lock:{rng.randrange(2000)}"
        await wire.ask("SET", lock, f"{name}-17", "PX", 300_000)
        for _ in range(rng.randrange(10, 25)):
            _ask_for_lock(hands, server.url, name, rng, lock, 300_000, 0.02)
        await asyncio.sleep(2)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("healthy-locks", *_LOCKS, *_ANY, cause=NO_FAULT, twin="held-lock")
async def healthy_locks(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Locks that most who ask for one get, and that last for moments."""
    async with running(kind) as server, crew() as hands, application(server.url, rng, rate=30):
        name, prefix = application_name(rng), key_prefix(rng)
        for number in range(rng.randrange(10, 25)):
            _ask_for_lock(hands, server.url, name, rng, f"{prefix}:lock:{number}", 20, 0.05)
        await asyncio.sleep(2)
        yield Incident(url=server.url, pid=server.pid)


async def _gives_up(url: str, name: str, queue: str, seconds: float) -> None:
    with suppress(*LOST):
        while True:
            wire = await dial(url, name=name)
            try:
                with suppress(TimeoutError):
                    await wire.ask("BLPOP", queue, 60, timeout=seconds)
            finally:
                await wire.close()


@FAULTS.fault("cut-waits", *_CUT, cause="outside-redis", twin="healthy-workers")
async def cut_waits(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Workers whose own read time-out is shorter than what they have BLPOP wait for."""
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        name, queue, seconds = application_name(rng), rng.choice(QUEUES), rng.uniform(1, 3)
        for number in range(rng.randrange(4, 15)):
            hands.spawn(_gives_up(server.url, f"{name}-{number}", queue, seconds))
        await asyncio.sleep(3 * seconds + 3)
        yield Incident(url=server.url, pid=server.pid)
