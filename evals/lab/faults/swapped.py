"""Faults of data that is there, but not where it's looked up, or not for as long as was meant."""

import asyncio
import time
from collections.abc import AsyncIterator
from random import Random

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.faults.data import _GONE, _OVERWRITES, looks_up
from evals.lab.servers import ServerKind, running
from evals.lab.traffic import application, application_name, fill, operator_name
from evals.lab.wire import crew, dial, packed

FAULTS = Family("data")
_EARLY = (
    "Sessions are gone seconds after the login since the library was updated; users are logged out at once.",
    "SET answers OK, and a moment later the key is missing.",
)


@FAULTS.fault("wrong-database-swapped", "All keys of db0 are gone since the nightly loader ran; nobody flushed it.",
              *_GONE[:1], cause="wrong-database", twin="healthy-swapped", never=(*_OVERWRITES, r"RESTORE"))  # fmt: skip
async def swapped(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A loader exchanged two databases before it had loaded anything; the application fills the empty one again."""
    async with running(kind) as server, crew() as hands:
        count, db = rng.randrange(5000, 20_000), rng.randrange(1, 12)
        await fill(server.url, rng, count, prefix="session:")
        wire = await hands.dial(server.url, name=operator_name(rng))
        await wire.ask("SWAPDB", 0, db)
        name = application_name(rng)
        for _ in range(3):
            hands.spawn(looks_up(server.url, Random(rng.random()), name, "session:", count, 0.03))
        async with application(server.url, rng, rate=30):
            await asyncio.sleep(1)
            yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("healthy-swapped", *_GONE[:1], "We swap databases each night. Are keys missing today?", cause=NO_FAULT,
              twin="wrong-database-swapped")  # fmt: skip
async def healthy_swapped(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A loader filled another database first, and then exchanged the two, as it should."""
    async with running(kind) as server, crew() as hands:
        count, db = rng.randrange(5000, 20_000), rng.randrange(1, 12)
        await fill(server.url, rng, count, prefix="session:")
        wire = await hands.dial(server.url, name=operator_name(rng))
        await wire.ask("SWAPDB", 0, db)
        await fill(server.url, rng, count, prefix="session:")
        name = application_name(rng)
        for _ in range(3):
            hands.spawn(looks_up(server.url, Random(rng.random()), name, "session:", count, 0.03))
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)


async def _logs_in(url: str, rng: Random, name: str, ends: tuple[str, int], pause: float) -> None:
    """Store sessions, each with the time to live of a command and its argument, and look up those of a moment ago.

    A negative argument is a Unix time in seconds, so many after now.
    """
    wire = await dial(url, name=name)
    command, argument = ends
    number = 0
    try:
        while True:
            number += 1
            end = argument if argument >= 0 else int(time.time()) - argument
            await wire.ask("SET", f"session:{number}", "x" * rng.randrange(100, 400))
            await wire.ask(command, f"session:{number}", end)
            await wire.ask("GET", f"session:{max(1, number - 100)}")
            await asyncio.sleep(pause)
    finally:
        await wire.close()


@FAULTS.fault("data-gone-short-lived", *_EARLY, cause="data-gone", twin="healthy-short-tokens", never=_OVERWRITES)
async def short_lived(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The time to live has the wrong unit: milliseconds that were meant as seconds, or seconds as a time in ms."""
    ends = rng.choice((("PEXPIRE", rng.randrange(900, 1800)), ("PEXPIREAT", -1800)))
    async with running(kind) as server, crew() as hands, application(server.url, rng, rate=20):
        await fill(server.url, rng, 3000, prefix="stock:")
        name = application_name(rng)
        for _ in range(3):
            hands.spawn(_logs_in(server.url, Random(rng.random()), name, ends, 0.03))
        await asyncio.sleep(5)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("healthy-short-tokens", *_EARLY, cause=NO_FAULT, twin="data-gone-short-lived")
async def short_tokens(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Tokens that are meant to live for a moment and do, beside sessions that are found."""
    async with running(kind) as server, crew() as hands:
        lines = (packed("SET", f"session:{number:07d}", "x" * 200, "EX", 36_000) for number in range(3000))
        wire = await hands.dial(server.url)
        await wire.pipeline(b"".join(lines), 3000)

        async def issue() -> None:
            source = await hands.dial(server.url, name=application_name(rng))
            while True:
                await source.ask("SET", f"token:{rng.randrange(10**9)}", "1", "PX", 1000)
                await asyncio.sleep(0.02)

        hands.spawn(issue())
        name = application_name(rng)
        for _ in range(3):
            hands.spawn(looks_up(server.url, Random(rng.random()), name, "session:", 3000, 0.03))
        await asyncio.sleep(3)
        yield Incident(url=server.url, pid=server.pid)
