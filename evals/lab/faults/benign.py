"""Servers that are well, and look as if they weren't."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from random import Random

from hiredis import ReplyError

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.faults.designed import ACCUSED as _ACCUSED
from evals.lab.faults.designed import FAULTS as DESIGNED
from evals.lab.servers import ServerKind, running
from evals.lab.traffic import application, application_name, channel_name, fill, key_prefix, operator_name
from evals.lab.wire import LOST, Wire, crew, dial

FAULTS = Family("benign")
FAULTS.update(DESIGNED)


async def _paced(url: str, rng: Random, share: float) -> None:
    """Keep the server busy for about `share` of the time, with pipelines of small commands."""
    wire = await dial(url, name=application_name(rng))
    try:
        for number in range(20):
            await wire.ask("HSET", f"product:{number}:h", *(part for n in range(12) for part in (f"f{n}", "x" * 20)))
            await wire.ask("RPUSH", f"cart:{number}:l", *["x" * 20] * 20)
            await wire.ask("SET", f"session:{number}:s", "x" * 40)
        lines = {"HGETALL product:%d:h": 49, "LRANGE cart:%d:l 0 -1": 41, "GET session:%d:s": 2, "INCR stock:%d:n": 1}
        chosen = rng.choices(list(lines), (3, 3, 6, 2), k=600)
        data = "".join(f"{shape % rng.randrange(20)}\r\n" for shape in chosen).encode()
        replies = sum(lines[shape] for shape in chosen)
        while True:
            began = time.perf_counter()
            await wire.pipeline(data, replies)
            await asyncio.sleep((time.perf_counter() - began) * (1 - share) / share)
    finally:
        await wire.close()


@FAULTS.fault("healthy-load", *_ACCUSED, cause=NO_FAULT)
async def healthy_load(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Busy for a third of the time, as every day."""
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        await fill(server.url, rng, rng.randrange(5000, 50_000))
        hands.spawn(_paced(server.url, Random(rng.random()), rng.uniform(0.3, 0.45)))
        await asyncio.sleep(0.5)
        yield Incident(url=server.url, pid=server.pid)


async def _produce(url: str, rng: Random, queue: str, stream: str) -> None:
    wire = await dial(url, name=application_name(rng))
    try:
        while True:
            await wire.ask("LPUSH", queue, f"job-{rng.randrange(10**6)}")
            await wire.ask("XADD", stream, "MAXLEN", "1000", "*", "order", rng.randrange(10**6))
            await asyncio.sleep(rng.uniform(0.2, 2))
    finally:
        await wire.close()


async def _consume(url: str, name: str, *command: str) -> None:
    wire = await dial(url, name=name)
    try:
        while True:
            await wire.ask(*command, timeout=None)
    finally:
        await wire.close()


@FAULTS.fault("healthy-workers", *_ACCUSED, "blocked_clients is high, is that why jobs are late?", cause=NO_FAULT)
async def healthy_workers(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A fleet of workers that wait for jobs, which is their job."""
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        queue, stream = "jobs:mail", f"{key_prefix(rng)}:stream"
        name, other = application_name(rng), application_name(rng)
        for _ in range(rng.randrange(10, 40)):
            hands.spawn(_consume(server.url, name, "BLPOP", queue, "0"))
        for _ in range(rng.randrange(5, 20)):
            hands.spawn(_consume(server.url, other, "XREAD", "BLOCK", "0", "STREAMS", stream, "$"))
        hands.spawn(_produce(server.url, Random(rng.random()), queue, stream))
        await asyncio.sleep(0.7)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault(
    "healthy-pool", *_ACCUSED, "We have far over a hundred Redis connections, is that a leak?", cause=NO_FAULT
)
async def healthy_pool(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A large pool, of which each connection is used within seconds."""
    count = rng.randrange(100, 201)
    async with running(kind) as server, application(server.url, rng, clients=count, rate=count * rng.uniform(0.6, 1)):
        await fill(server.url, rng, rng.randrange(500, 3000))
        await asyncio.sleep(2)
        yield Incident(url=server.url, pid=server.pid)


async def _announce(url: str, rng: Random, channel: str) -> None:
    wire = await dial(url, name=application_name(rng))
    try:
        while True:
            await wire.ask("PUBLISH", channel, f"changed {rng.randrange(10**6)}")
            await asyncio.sleep(rng.uniform(5, 15))
    finally:
        await wire.close()


async def _listen(url: str, name: str, channel: str) -> None:
    wire = await dial(url, name=name)
    try:
        await wire.ask("SUBSCRIBE", channel)
        await wire.discard()
    finally:
        await wire.close()


@FAULTS.fault("healthy-subscribers", *_ACCUSED, cause=NO_FAULT)
async def healthy_subscribers(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Subscribers that hear something now and then, and read it."""
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        await fill(server.url, rng, rng.randrange(500, 3000))
        name, channel = application_name(rng), channel_name(rng)
        for _ in range(rng.randrange(20, 81)):
            hands.spawn(_listen(server.url, name, channel))
        hands.spawn(_announce(server.url, Random(rng.random()), channel))
        await asyncio.sleep(0.7)
        yield Incident(url=server.url, pid=server.pid)


PAST = 12.0
"""Seconds after which what happened once is history to whoever looks."""


async def _slow_once(wire: Wire, rng: Random) -> None:
    """One command that really is slow: the sum of a big set and itself."""
    for first in range(0, 40_000, 1000):
        await wire.ask("SADD", "members:2019", *(f"m{rng.randrange(10**9)}-{first + n}" for n in range(1000)))
    await wire.ask("SORT", "members:2019", "ALPHA", "LIMIT", 0, 3, timeout=10)
    await wire.ask("UNLINK", "members:2019")


@FAULTS.fault("healthy-old-slowlog", *_ACCUSED, cause=NO_FAULT)
async def healthy_old_slowlog(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """One slow command of the past is still in the log."""
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        await _slow_once(await hands.dial(server.url), rng)
        await asyncio.sleep(PAST)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("healthy-old-counters", *_ACCUSED, cause=NO_FAULT)
async def healthy_old_counters(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Rejections, errors and a slow command, all over before anybody looked."""
    async with running(kind, maxclients="8") as server, crew() as hands:
        wire = await hands.dial(server.url)
        await _slow_once(wire, rng)
        for _ in range(rng.randrange(10, 60)):
            with suppress(*LOST):
                await hands.dial(server.url)
        for _ in range(rng.randrange(5, 40)):
            with suppress(ReplyError):
                await wire.ask("LPUSH", "session:1:state", "x")
                await wire.ask("INCR", "session:1:state")
        await wire.ask("CONFIG", "SET", "maxclients", 10000)
        for held in list(hands.held):
            await hands.drop(held)
        async with application(server.url, rng):
            await asyncio.sleep(PAST)
            yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("healthy-slowlog-off", *_ACCUSED, cause=NO_FAULT)
async def healthy_slowlog_off(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Well, and nobody would see if it weren't: the slow log is switched off."""
    async with running(kind, slowlog_log_slower_than="-1") as server, application(server.url, rng):
        await fill(server.url, rng, rng.randrange(500, 3000))
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("healthy-snapshot", *_ACCUSED, "Is the nightly snapshot what makes checkout slow?", cause=NO_FAULT)
async def healthy_snapshot(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The nightly snapshot is being written, and holds nobody up."""
    # Microseconds for each key, and the sleep itself takes as long again: a minute or two altogether.
    async with running(kind, rdb_key_save_delay="500") as server, crew() as hands, application(server.url, rng):
        await fill(server.url, rng, rng.randrange(120_000, 200_000))
        await (await hands.dial(server.url, name=operator_name(rng))).ask("BGSAVE")
        await asyncio.sleep(0.5)
        yield Incident(url=server.url, pid=server.pid)
