"""Servers that are well at a moment that looks as if they weren't: a large reply or request is on its way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from random import Random

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.servers import ServerKind, running
from evals.lab.traffic import application, application_name, fill, key_prefix
from evals.lab.wire import LOST, Wire, crew, dial, packed

FAULTS = Family("benign")
MIB = 1 << 20
_ACCUSED = (
    "Memory of Redis goes up and down by megabytes. Is a client too slow?",
    "checkout was slow for a moment. Is something wrong with Redis?",
)


async def _read(wire: Wire, size: int, speed: float | None) -> None:
    """A reply of so many bytes, taken at `speed` bytes a second, or at once."""
    left = size
    while left > 0:
        left -= len(await wire.reader.read(min(left, 2**16)))
        await asyncio.sleep(2**16 / speed if speed else 0)


async def _download(
    url: str, rng: Random, at: str, size: int, speed: float | None, pause: tuple[float, float] = (0.1, 0.5)
) -> None:
    """One client that fetches something big and reads it as fast as its link allows, again and again."""
    with suppress(*LOST):
        wire = await dial(url, name=application_name(rng))
        try:
            while True:
                await wire.send(packed("GET", at))
                await _read(wire, len(b"$%d\r\n" % size) + size + 2, speed)
                await asyncio.sleep(rng.uniform(*pause))
        finally:
            await wire.close()


@FAULTS.fault("healthy-big-reply", *_ACCUSED, cause=NO_FAULT, twin="slow-consumer-output-normal")
async def healthy_big_reply(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A report of tens of megabytes is fetched again and again, by a client that reads it."""
    size = rng.randrange(6, 12) * MIB
    async with running(kind) as server, crew() as hands, application(server.url, rng, rate=30):
        await fill(server.url, rng, rng.randrange(500, 3000))
        wire = await hands.dial(server.url)
        at = f"{key_prefix(rng)}:rows"
        await wire.ask("SET", at, "x" * size, timeout=10)
        hands.spawn(_download(server.url, Random(rng.random()), at, size, rng.uniform(6, 10) * MIB))
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("healthy-huge-reply", *_ACCUSED, cause=NO_FAULT, twin="slow-consumer-output-normal")
async def healthy_huge_reply(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A model of dozens of megabytes is fetched now and then, by a client that reads it at once.

    From some fifty on the copy into the reply itself holds others up for longer than a slow command.
    """
    size = rng.randrange(20, 32) * MIB
    async with running(kind) as server, crew() as hands, application(server.url, rng, rate=30):
        await fill(server.url, rng, rng.randrange(500, 3000))
        wire = await hands.dial(server.url)
        at = f"{key_prefix(rng)}:rows"
        await wire.ask("SET", at, "x" * size, timeout=20)
        # How it came there, in a request as large, is long over and leaves no peak.
        await wire.ask("MEMORY", "PURGE")
        await wire.ask("CONFIG", "RESETSTAT")
        hands.spawn(_download(server.url, Random(rng.random()), at, size, None, (0.5, 3)))
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)


async def _load(url: str, rng: Random, size: int, batch: int, keys: int) -> None:
    """An import: pipelines of so many values of `size` bytes, whose keys it writes over and over."""
    with suppress(*LOST):
        wire = await dial(url, name=application_name(rng))
        prefix = key_prefix(rng)
        try:
            while True:
                commands = (packed("SET", f"{prefix}:{rng.randrange(keys)}", "x" * size) for _ in range(batch))
                await wire.pipeline(b"".join(commands), batch)
                await asyncio.sleep(rng.uniform(0.05, 0.2))
        finally:
            await wire.close()


@FAULTS.fault("healthy-bulk-load", *_ACCUSED, "The import runs. Redis' memory goes up, is that all right?",
              cause=NO_FAULT, twin="query-buffer-hog")  # fmt: skip
async def healthy_bulk_load(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A pipelined import of large values, each of which is a request of a megabyte or more while it comes in."""
    size = rng.randrange(1, 3) * MIB
    async with running(kind) as server, crew() as hands, application(server.url, rng, rate=30):
        await fill(server.url, rng, rng.randrange(500, 3000))
        hands.spawn(_load(server.url, Random(rng.random()), size, rng.randrange(2, 6), 10))
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)
