"""Faults of what clients make the server keep for them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.servers import ServerKind, running
from evals.lab.traffic import application, application_name, channel_name, fill, key_prefix
from evals.lab.wire import LOST, Wire, crew, dial, packed

FAULTS = Family("clients")
MIB = 1 << 20
MESSAGE = 4096
"""Bytes of a published message. From 16 KiB Valkey 9 only refers to it, and counts it in no client's omem."""
SMALL = 4096
"""Bytes of receive buffer of a client that doesn't read, so that the server has to keep the output."""
_DROPPED = (
    "Memory of Redis jumped although we store no more than before.",
    "used_memory climbs, the number of keys doesn't.",
)


async def _publish(url: str, rng: Random, channel: str, rate: float) -> None:
    """`rate` bytes a second."""
    wire = await dial(url, name=application_name(rng))
    batch = packed("PUBLISH", channel, "x" * MESSAGE) * 16
    try:
        while True:
            await wire.pipeline(batch, 16)
            await asyncio.sleep(rng.uniform(0.5, 1.5) * 16 * MESSAGE / rate)
    finally:
        await wire.close()


async def _subscribe(url: str, name: str, channel: str) -> Wire:
    wire = await dial(url, name=name, receive_buffer=SMALL)
    try:
        await wire.ask("SUBSCRIBE", channel)
    except BaseException:
        await wire.close()
        raise
    # Nothing is read from now on.
    wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
    return wire


@FAULTS.fault("slow-consumer-output", *_DROPPED, "A subscriber gets its events minutes late.")
async def slow_consumer_output(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A subscriber doesn't read what is published, and the limit lets it."""
    channel, size = channel_name(rng), rng.randrange(10, 60)
    limit = "pubsub 1gb 0 0"
    async with (
        running(kind, client_output_buffer_limit=limit) as server, crew() as hands, application(server.url, rng)
    ):  # fmt: skip
        await fill(server.url, rng, rng.randrange(500, 3000))
        hands.held.add(await _subscribe(server.url, application_name(rng), channel))
        wire = await hands.dial(server.url)
        for _ in range(size):
            await wire.pipeline(packed("PUBLISH", channel, "x" * MESSAGE) * (MIB // MESSAGE), MIB // MESSAGE)
        await hands.drop(wire)
        hands.spawn(_publish(server.url, Random(rng.random()), channel, rng.uniform(0.2, 0.6) * MIB))
        yield Incident(url=server.url, pid=server.pid)


async def _resubscribe(url: str, rng: Random, name: str, channel: str) -> None:
    while True:
        with suppress(*LOST):
            wire = await _subscribe(url, name, channel)
            try:
                await asyncio.sleep(rng.uniform(1, 1.6))
            finally:
                await wire.close()
        await asyncio.sleep(rng.uniform(0.05, 0.2))


@FAULTS.fault(
    "slow-consumer-output-dropped",
    "Our event subscriber loses its connection to Redis every second or two and misses events.",
    "A subscriber drops and comes back all the time: Connection closed by server.",
    cause="slow-consumer-output",
)
async def slow_consumer_output_dropped(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A subscriber that doesn't read is closed at the limit, and subscribes again."""
    channel = channel_name(rng)
    async with (
        running(kind, client_output_buffer_limit="pubsub 1mb 256kb 1") as server, crew() as hands,
        application(server.url, rng),
    ):  # fmt: skip
        await fill(server.url, rng, rng.randrange(500, 3000))
        hands.spawn(_resubscribe(server.url, Random(rng.random()), application_name(rng), channel))
        hands.spawn(_publish(server.url, Random(rng.random()), channel, rng.uniform(6, 9) * MIB))
        await asyncio.sleep(2)
        yield Incident(url=server.url, pid=server.pid)


async def _ask_unread(wire: Wire, rng: Random, at: str, pause: float) -> None:
    while True:
        wire.writer.write(packed("LRANGE", at, 0, -1))
        await asyncio.sleep(rng.uniform(0.5, 1.5) * pause)


async def _feed(url: str, at: str, count: int) -> None:
    wire = await dial(url)
    try:
        for _ in range(count // 1000):
            await wire.ask("RPUSH", at, *(["x" * 100] * 1000))
    finally:
        await wire.close()


@FAULTS.fault("slow-consumer-output-normal", *_DROPPED, cause="slow-consumer-output")
async def slow_consumer_output_normal(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """An ordinary client asks for much, again and again, and doesn't read it."""
    at, size = f"{key_prefix(rng)}:rows", rng.randrange(10, 60)
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        await _feed(server.url, at, 5000)
        wire = await hands.dial(server.url, name=application_name(rng), receive_buffer=SMALL)
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        wire.writer.write(packed("LRANGE", at, 0, -1) * (2 * size))
        hands.spawn(_ask_unread(wire, Random(rng.random()), at, 2))
        await asyncio.sleep(0.5)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("query-buffer-hog", *_DROPPED, "The Redis host runs out of memory, with hardly any keys in it.")
async def query_buffer_hog(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A few clients begin to send something big and don't end it."""
    # A client that was named has run a command; one that wasn't shows none.
    count, name = rng.randrange(2, 6), rng.choice(("", application_name(rng)))
    size = rng.randrange(20, 200) * MIB // count
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        await fill(server.url, rng, rng.randrange(500, 3000))
        for number in range(count):
            wire = await hands.dial(server.url, name=name)
            await wire.send(b"*3\r\n$3\r\nSET\r\n$8\r\nexport:%d\r\n$%d\r\n" % (number, size * 4 // 3))
            for _ in range(size // MIB):
                await wire.send(b"x" * MIB)
            hands.spawn(_trickle(wire, Random(rng.random())))
        await asyncio.sleep(0.5)
        yield Incident(url=server.url, pid=server.pid)


async def _trickle(wire: Wire, rng: Random) -> None:
    while True:
        await asyncio.sleep(rng.uniform(1, 3))
        await wire.send(b"x" * 512)


async def _gorge(url: str, rng: Random, name: str, at: str, count: int) -> None:
    while True:
        with suppress(*LOST):
            wire = await dial(url, name=name, receive_buffer=SMALL)
            try:
                wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
                wire.writer.write(packed("LRANGE", at, 0, -1) * count)
                await asyncio.sleep(rng.uniform(0.5, 1.5))
            finally:
                await wire.close()
        await asyncio.sleep(rng.uniform(0.1, 0.5))


@FAULTS.fault(
    "client-evicted",
    "Connections to Redis are reset at random, mostly those of the export job.",
    "redis.exceptions.ConnectionError: Connection reset by peer, many times a minute, from one service.",
    kinds=lambda kind: kind.at_least(7),
)
async def client_evicted(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Clients with big buffers are thrown out, because all clients together may use little."""
    at, name, limit = f"{key_prefix(rng)}:rows", application_name(rng), rng.randrange(4, 9)
    async with (
        running(kind, maxmemory_clients=f"{limit}mb") as server, crew() as hands, application(server.url, rng)
    ):  # fmt: skip
        await _feed(server.url, at, 5000)
        for _ in range(rng.randrange(5, 9)):
            hands.spawn(_gorge(server.url, Random(rng.random()), name, at, 2 * limit))
        await asyncio.sleep(1.5)
        yield Incident(url=server.url, pid=server.pid)


_REFUSED = (
    "The importer loses its connection to Redis whenever it stores a large document, smaller ones go through.",
    "Connection reset by peer while uploading reports into Redis; everything else works.",
)


async def _store(url: str, rng: Random, name: str) -> None:
    prefix = key_prefix(rng)
    while True:
        with suppress(*LOST):
            wire = await dial(url, name=name)
            try:
                for _ in range(20):
                    size = rng.randrange(2, 5) * MIB
                    await wire.ask("SET", f"{prefix}:{rng.randrange(5)}", "x" * size, timeout=5)
                    await asyncio.sleep(rng.uniform(0.2, 0.5))
            finally:
                await wire.close()
        await asyncio.sleep(rng.uniform(0.1, 0.3))


@asynccontextmanager
async def _stored(kind: ServerKind, rng: Random, limit: str) -> AsyncIterator[Incident]:
    async with (
        running(kind, client_query_buffer_limit=limit) as server, crew() as hands, application(server.url, rng)
    ):  # fmt: skip
        await fill(server.url, rng, rng.randrange(500, 3000))
        hands.spawn(_store(server.url, Random(rng.random()), application_name(rng)))
        await asyncio.sleep(3)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("query-buffer-limit", *_REFUSED, cause="query-buffer-hog", twin="healthy-large-values")
async def query_buffer_limit(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Requests that are longer than the server accepts, each of which ends its connection."""
    async with _stored(kind, rng, "1mb") as incident:
        yield incident


@FAULTS.fault("healthy-large-values", *_REFUSED, cause=NO_FAULT, twin="query-buffer-limit")
async def healthy_large_values(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The same values, which the server accepts."""
    async with _stored(kind, rng, "1gb") as incident:
        yield incident
