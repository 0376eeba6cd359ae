"""Faults of streams: what is produced isn't consumed."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from random import Random

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.servers import Server, ServerKind, running
from evals.lab.traffic import application, application_name, fill
from evals.lab.wire import LOST, Crew, crew, dial, packed

FAULTS = Family("cpu and latency")
_LATE = (
    "Orders are processed minutes late since noon; new ones keep coming in.",
    "Jobs are late. Redis answers fast, though; is something stuck in it?",
    "Confirmation mails go out far too late, the workers all say they're running.",
)
STREAMS = ("orders:stream", "jobs:mail", "events:payment", "shipping")
GROUPS = ("workers", "mailer", "billing")


async def _produced(server: Server, rng: Random, stream: str, count: int, seconds: float) -> None:
    """What came in during the last so many seconds, by IDs as the server gives them."""
    now = time.time() * 1000
    wire = await dial(server.url)
    try:
        for first in range(0, count, 1000):
            numbers = range(first, min(first + 1000, count))
            at = (round(now - seconds * 1000 * (1 - number / count)) for number in numbers)
            lot = [packed("XADD", stream, f"{ms}-{number}", "order", rng.randrange(10**6))
                   for ms, number in zip(at, numbers, strict=True)]  # fmt: skip
            await wire.pipeline(b"".join(lot), 2 * len(lot))
    finally:
        await wire.close()


async def _produce(url: str, rng: Random, stream: str, rate: float, most: int = 0) -> None:
    """Entries, `rate` a second; the stream is kept at `most` of them unless that is 0."""
    kept = ("MAXLEN", most) if most else ()
    with suppress(*LOST):
        wire = await dial(url, name=application_name(rng))
        try:
            while True:
                await wire.ask("XADD", stream, *kept, "*", "order", rng.randrange(10**6))
                await asyncio.sleep(rng.uniform(0.5, 1.5) / rate)
        finally:
            await wire.close()


async def _consume(url: str, rng: Random, stream: str, group: str, name: str, rate: float, acks: bool) -> None:
    """A worker of a group, at `rate` entries a second; without `acks` it forgets to acknowledge."""
    with suppress(*LOST):
        wire = await dial(url, name=name)
        try:
            while True:
                read = ("XREADGROUP", "GROUP", group, name, "COUNT", 10, "BLOCK", 1000, "STREAMS", stream, ">")
                reply = await wire.ask(*read, timeout=3)
                entries = reply[0][1] if reply else []
                for entry, _ in entries:
                    await asyncio.sleep(rng.uniform(0.5, 1.5) / rate)
                    if acks:
                        await wire.ask("XACK", stream, group, entry)
        finally:
            await wire.close()


async def _taken(url: str, stream: str, group: str, name: str, count: int) -> None:
    """A worker that takes entries and is gone."""
    wire = await dial(url, name=name)
    try:
        for _ in range(0, count, 500):
            await wire.ask("XREADGROUP", "GROUP", group, name, "COUNT", 500, "STREAMS", stream, ">", timeout=5)
    finally:
        await wire.close()


@asynccontextmanager
async def _queue(
    kind: ServerKind, rng: Random, history: Sequence[int], start: str
) -> AsyncIterator[tuple[Server, Crew, str, str]]:
    """A server with a stream of some history and a group that begins at `start`."""
    stream, group = rng.choice(STREAMS), rng.choice(GROUPS)
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        await fill(server.url, rng, rng.randrange(500, 3000))
        await _produced(server, rng, stream, rng.randrange(*history), rng.uniform(300, 2400))
        wire = await hands.dial(server.url)
        await wire.ask("XGROUP", "CREATE", stream, group, start)
        yield server, hands, stream, group


@FAULTS.fault("stream-backlog", *_LATE, twin="healthy-stream", never=(r"\bXTRIM\b", r"\bX?DEL\b", r"CONFIG SET"))
async def stream_backlog(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Fewer workers than the entries need."""
    rate = rng.uniform(40, 150)
    name = application_name(rng)
    async with _queue(kind, rng, (3000, 30_000), "0") as (server, hands, stream, group):
        hands.spawn(_produce(server.url, Random(rng.random()), stream, rate))
        for number in range(count := rng.randrange(1, 5)):
            each = rate * rng.uniform(0.1, 0.6) / count
            worker = _consume(server.url, Random(rng.random()), stream, group, f"{name}-{number}", each, True)
            hands.spawn(worker)
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("stream-backlog-unacknowledged", *_LATE, cause="stream-backlog", twin="healthy-stream",
              never=(r"\bXTRIM\b", r"\bX?DEL\b", r"CONFIG SET"))  # fmt: skip
async def stream_backlog_unacknowledged(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Workers that read everything and acknowledge nothing."""
    rate = rng.uniform(40, 120)
    name = application_name(rng)
    async with _queue(kind, rng, (3000, 20_000), "0") as (server, hands, stream, group):
        await _taken(server.url, stream, group, f"{name}-0", 50_000)
        hands.spawn(_produce(server.url, Random(rng.random()), stream, rate))
        for number in range(rng.randrange(1, 4)):
            worker = _consume(server.url, Random(rng.random()), stream, group, f"{name}-{number}", 1000, False)
            hands.spawn(worker)
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("stream-backlog-abandoned", *_LATE, cause="stream-backlog", twin="healthy-stream",
              never=(r"\bXTRIM\b", r"\bX?DEL\b", r"CONFIG SET"))  # fmt: skip
async def stream_backlog_abandoned(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The only worker took a lot and died; nobody came in its place."""
    name = application_name(rng)
    async with _queue(kind, rng, (4000, 20_000), "0") as (server, hands, stream, group):
        await _taken(server.url, stream, group, f"{name}-1", rng.randrange(500, 3000))
        hands.spawn(_produce(server.url, Random(rng.random()), stream, rng.uniform(20, 100)))
        await asyncio.sleep(rng.uniform(6, 9))
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("stream-backlog-trimmed", *_LATE, "Orders that the shop has written never arrive at the other end.",
              cause="stream-backlog", twin="healthy-stream", kinds=lambda kind: kind.at_least(7),
              never=(r"\bXTRIM\b", r"\bX?DEL\b", r"CONFIG SET"))  # fmt: skip
async def stream_backlog_trimmed(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Too few workers for a stream that is kept short: what they haven't read yet is trimmed."""
    rate, most = rng.uniform(60, 150), rng.randrange(200, 800)
    name = application_name(rng)
    async with _queue(kind, rng, (3000, 20_000), "0") as (server, hands, stream, group):
        wire = await hands.dial(server.url)
        await wire.ask("XTRIM", stream, "MAXLEN", most)
        hands.spawn(_produce(server.url, Random(rng.random()), stream, rate, most))
        each = rate * rng.uniform(0.1, 0.5)
        hands.spawn(_consume(server.url, Random(rng.random()), stream, group, f"{name}-0", each, True))
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("healthy-stream", *_LATE, cause=NO_FAULT)
async def healthy_stream(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Workers that keep up with a stream that keeps its history."""
    rate = rng.uniform(20, 80)
    name = application_name(rng)
    async with _queue(kind, rng, (3000, 30_000), "$") as (server, hands, stream, group):
        hands.spawn(_produce(server.url, Random(rng.random()), stream, rate))
        for number in range(rng.randrange(2, 6)):
            worker = _consume(server.url, Random(rng.random()), stream, group, f"{name}-{number}", 2 * rate, True)
            hands.spawn(worker)
        await asyncio.sleep(2)
        yield Incident(url=server.url, pid=server.pid)
