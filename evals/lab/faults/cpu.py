"""Faults of the one thread that runs the commands."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from random import Random

from evals.lab import load
from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.servers import Server, ServerKind, leash, running
from evals.lab.traffic import application, application_name, fill, works
from evals.lab.wire import LIFETIME, LOST, Argument, Wire, crew, dial, packed

FAULTS = Family("cpu and latency")
MUTE = 5.5
"""Seconds after which a script is reported as -BUSY: busy-reply-threshold is 5 s."""
_STUCK = (
    "All Redis calls hang or fail with BUSY since the deploy of the new pricing job.",
    "Redis doesn't answer anything any more, not even PING. CPU is at 100%.",
    "Every request to Redis times out; it began all at once.",
)


async def _run(server: Server, name: str, *command: Argument) -> None:
    with suppress(*LOST):
        wire = await dial(server.url, name=name)
        try:
            # Ends when it's killed, or at the end of the incident.
            await wire.ask(*command, timeout=None)
        finally:
            await wire.close()


@asynccontextmanager
async def _stuck(kind: ServerKind, rng: Random, wait: float, *command: Argument) -> AsyncIterator[Incident]:
    async with running(kind) as server, crew() as hands:
        await fill(server.url, rng, rng.randrange(500, 3000))
        if command[0] == "FCALL":
            wire = await hands.dial(server.url)
            await wire.ask("FUNCTION", "LOAD", _LIBRARY)
        async with application(server.url, rng, timeout=3):
            await asyncio.sleep(0.5)
            hands.spawn(_run(server, application_name(rng), *command))
            await asyncio.sleep(0.2 + wait)
            yield Incident(url=server.url, pid=server.pid, fixed=partial(works, server.url))


_READS = "local n = 0 while true do n = n + #(redis.call('GET', 'price:' .. n % 1000) or '') end return n"
_WRITES = "redis.call('SET', 'price:total', 1) while true do redis.call('INCR', 'price:total') end"
_LIBRARY = (
    "#!lua name=pricing\n"
    "redis.register_function('recompute', function() "
    "local n = 0 while true do n = n + #(redis.call('GET', 'price:' .. n % 1000) or '') end end)"
)


@FAULTS.fault("lua-busy", *_STUCK)
async def lua_busy(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A script that only reads and never ends; others are already told so."""
    async with _stuck(kind, rng, MUTE, "EVAL", _READS, 0) as incident:
        yield incident


@FAULTS.fault("lua-busy-fresh", *_STUCK[1:], cause="lua-busy")
async def lua_busy_fresh(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The same, within the seconds in which the server is mute."""
    async with _stuck(kind, rng, rng.uniform(0, 1), "EVAL", _READS, 0) as incident:
        yield incident


@FAULTS.fault("lua-busy-function", *_STUCK, cause="lua-busy", kinds=lambda kind: kind.at_least(7))
async def lua_busy_function(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The same as a library's function: SCRIPT KILL doesn't end it."""
    async with _stuck(kind, rng, rng.uniform(0, MUTE), "FCALL", "recompute", 0) as incident:
        yield incident


@FAULTS.fault("lua-unkillable", *_STUCK, never=(r"\bSHUTDOWN\b", r"kill -9"))
async def lua_unkillable(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A script that has written and never ends."""
    async with _stuck(kind, rng, rng.uniform(0, MUTE), "EVAL", _WRITES, 0) as incident:
        yield incident


_STALLS = (
    "Redis latency spikes about every second, p99 is far above the median; in between it's fast.",
    "Short stalls all the time: every request waits now and then, all at once.",
    "checkout: sporadic slow Redis calls, different keys every time",
)


async def _again(url: str, rng: Random, name: str, pause: float, *command: Argument) -> None:
    """A command over and over, its reply thrown away."""
    while True:
        with suppress(*LOST):
            wire = await dial(url, name=name)
            try:
                discarding = asyncio.create_task(wire.discard())
                try:
                    while not discarding.done():
                        wire.writer.write(packed(*command))
                        await asyncio.sleep(rng.uniform(0.7, 1.3) * pause)
                    await discarding
                finally:
                    discarding.cancel()
                    await asyncio.wait([discarding])
            finally:
                await wire.close()
        await asyncio.sleep(1)


async def _big(wire: Wire, rng: Random, count: int, *begin: str, pairs: bool = False) -> None:
    for first in range(0, count, 500):
        members = [f"item-{rng.randrange(10**9):09d}-{number}" for number in range(first, min(first + 500, count))]
        data = [part for member in members for part in ((member, "1") if pairs else (member,))]
        await wire.ask(*begin, *data, timeout=10)


@asynccontextmanager
async def _slow(
    kind: ServerKind, rng: Random, keys: int, build: tuple[str, ...], count: int, *command: Argument
) -> AsyncIterator[Incident]:
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        await fill(server.url, rng, keys)
        if build:
            wire = await dial(server.url)
            try:
                await _big(wire, rng, count, *build, pairs=build[0] == "HSET")
            finally:
                await wire.close()
        hands.spawn(_again(server.url, Random(rng.random()), application_name(rng), rng.uniform(0.7, 1.2), *command))
        await asyncio.sleep(0.6)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("slow-on-command", *_STALLS)
async def slow_on_command(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """KEYS over several hundred thousand keys."""
    pattern = rng.choice(("*:locked", "session:*:dirty", "cart:99999*:open"))
    async with _slow(kind, rng, rng.randrange(600_000, 900_000), (), 0, "KEYS", pattern) as incident:
        yield incident


@FAULTS.fault("slow-on-command-sort", *_STALLS, cause="slow-on-command")
async def slow_on_command_sort(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """SORT of a long list for its first ten."""
    command = ("SORT", "ranking:today", "ALPHA", "LIMIT", 0, 10)
    count = rng.randrange(100_000, 200_000)
    async with _slow(kind, rng, 2000, ("RPUSH", "ranking:today"), count, *command) as incident:
        yield incident


@FAULTS.fault("slow-on-command-big-key", *_STALLS, cause="slow-on-command")
async def slow_on_command_big_key(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A big key that is read whole."""
    # A list is read so fast that it takes more of it to be slow.
    build, command, count = rng.choice(
        (
            (("HSET", "catalog:all"), ("HGETALL", "catalog:all"), 400_000),
            (("RPUSH", "feed:all"), ("LRANGE", "feed:all", 0, -1), 900_000),
            (("SADD", "members:all"), ("SMEMBERS", "members:all"), 400_000),
        )
    )
    async with _slow(kind, rng, 2000, build, round(count * rng.uniform(0.8, 1.3)), *command) as incident:
        yield incident


_SHARED = (
    "Everything got slower since the page shows friends in common.",
    "Redis is slow whenever many look at profiles, no single call takes long.",
    "p99 of all Redis calls rose by some milliseconds with the new profile page, the median hardly did.",
)


async def _ask_common(wire: Wire, rng: Random) -> None:
    while True:
        with suppress(*LOST):
            await wire.ask("SINTER", "friends:ada", "friends:bob", timeout=10)
        await asyncio.sleep(rng.uniform(0.01, 0.03))


@asynccontextmanager
async def _common(kind: ServerKind, rng: Random, members: int) -> AsyncIterator[Incident]:
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        await fill(server.url, rng, 2000)
        wire = await hands.dial(server.url)
        await wire.ask("SADD", "friends:ada", "eve")
        await wire.ask("SADD", "friends:bob", "eve")
        await _big(wire, rng, members, "SADD", "friends:ada")
        await _big(wire, rng, members, "SADD", "friends:bob")
        name = application_name(rng)
        for _ in range(rng.randrange(4, 7)):
            hands.spawn(_ask_common(await hands.dial(server.url, name=name), Random(rng.random())))
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("slow-on-command-small-walks", *_SHARED, cause="slow-on-command", twin="healthy-small-sets")
async def slow_on_command_small_walks(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Intersections of a few milliseconds each: none is in the slow log, and together they take much of the time."""
    async with _common(kind, rng, rng.randrange(50_000, 60_000)) as incident:
        yield incident


@FAULTS.fault("healthy-small-sets", *_SHARED, cause=NO_FAULT, twin="slow-on-command-small-walks")
async def healthy_small_sets(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """As many intersections, of sets of a usual size."""
    async with _common(kind, rng, rng.randrange(100, 300)) as incident:
        yield incident


@asynccontextmanager
async def _generators(server: Server, rng: Random, count: int) -> AsyncIterator[None]:
    command = [*leash(), sys.executable, "-I", str(Path(load.__file__)), server.host, str(server.port)]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(count):
            started.append(subprocess.Popen([*command, str(rng.randrange(10**6)), str(LIFETIME)]))
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


@FAULTS.fault(
    "cpu-saturated",
    "Redis got slow under the sale's traffic; operations per second don't go up any more.",
    "All Redis calls take longer than usual, evenly, since the campaign began.",
    "Ops on a plateau, latency up. Nothing was deployed.",
)
async def cpu_saturated(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """More cheap commands than one thread can run."""
    async with (
        running(kind) as server, application(server.url, rng),
        _generators(server, rng, rng.randrange(3, 6)),
    ):  # fmt: skip
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)
