"""Two faults at once in one server: neither explains the other, and fixing one leaves the other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from random import Random

from hiredis import ReplyError

from evals.lab.fault import Family, Incident
from evals.lab.faults.clients import hold, knock, leak, leaking
from evals.lab.faults.settings import ranked, ranking
from evals.lab.proxy import Route, proxy
from evals.lab.servers import Server, ServerKind, running
from evals.lab.traffic import APPLICATIONS, application, application_name, channel_name, fill, key
from evals.lab.wire import LOST, Crew, crew, dial, packed

FAULTS = Family("double")
MIB = 1 << 20


async def _taken(hands: Crew, server: Server, rng: Random, count: int, name: str) -> None:
    """Take all slots that are left, and have some more that knock; now and then one is free for a moment."""
    while len(hands.held) < count:
        with suppress(*LOST):
            await hands.dial(server.url, name=name)
    for wire in hands.held:
        hands.spawn(hold(server.url, Random(rng.random()), name, wire, 2.0 * count))
    for _ in range(rng.randrange(3, 6)):
        hands.spawn(knock(server.url, Random(rng.random()), name))
    await asyncio.sleep(0.5)


@FAULTS.fault(
    "double-refused-and-slow",
    "New pods can't connect to Redis (max number of clients reached), and those that can are slow now and then.",
    "Checkout fails for part of the users, for the others it stalls about every second.",
    cause="maxclients-exhausted",
    also=("slow-on-command",),
    twin="maxclients-exhausted",
    never=(r"CLIENT KILL TYPE", r"slowlog-log-slower-than"),
)
async def refused_and_slow(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """All slots taken, and one of their holders sorts a long list over and over."""
    limit, (name, others) = rng.randrange(20, 80), rng.sample(APPLICATIONS, 2)
    async with running(kind, maxclients=str(limit)) as server, crew() as hands:
        await ranking(server.url, rng)
        hands.spawn(ranked(server.url, Random(rng.random()), others))
        await asyncio.sleep(0.3)
        await _taken(hands, server, rng, limit - 1, name)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault(
    "double-full-and-leaking",
    "Writes to Redis fail with OOM, and the number of clients climbs and climbs.",
    "Two alerts at once: OOM command not allowed, and connected_clients far above what our pools allow.",
    cause="oom-noeviction",
    also=("connection-leak",),
    twin="connection-leak",
    never=(r"maxmemory-policy allkeys", r"CLIENT KILL TYPE"),
)
async def full_and_leaking(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A store without eviction that is full, and an application that forgets its connections."""
    name, others = rng.sample(APPLICATIONS, 2)
    limit = rng.randrange(12, 20) * MIB
    async with running(kind, maxmemory=str(limit)) as server, crew() as hands:
        await leak(hands, server.url, rng, name, pause=0.002, most=rng.randrange(100, 160))
        # A client's first buffer is given back after some seconds, and would leave room.
        await asyncio.sleep(4)
        with suppress(*LOST):
            await _fill_up(server.url, rng)
        hands.spawn(_order(server.url, Random(rng.random())))
        hands.spawn(leaking(hands, server.url, Random(rng.random()), name, pause=rng.uniform(0.1, 0.3), most=600))
        async with application(server.url, rng, name=others):
            await asyncio.sleep(0.7)
            yield Incident(url=server.url, pid=server.pid)


async def _fill_up(url: str, rng: Random) -> None:
    """Write until it's refused."""
    wire = await dial(url)
    try:
        for number in range(30_000):
            await wire.ask("SET", f"order:{number}:state", "x" * rng.randrange(800, 1600))
    finally:
        await wire.close()


async def _order(url: str, rng: Random) -> None:
    """Go on writing, refused or not: what clients free is taken at once."""
    wire = await dial(url, name=application_name(rng))
    try:
        for number in range(30_000, 100_000):
            with suppress(ReplyError):
                await wire.ask("SET", f"order:{number}:state", "x" * rng.randrange(800, 1600))
            await asyncio.sleep(0.003)
    finally:
        await wire.close()


@FAULTS.fault(
    "double-unread-and-far",
    "Every Redis call takes tens of milliseconds since the move, and used_memory climbs.",
    "All calls are slow, evenly. The memory of Redis grows too, the number of keys doesn't.",
    cause="slow-consumer-output",
    also=("path-latency",),
    twin="path-latency",
    never=(r"maxmemory", r"client-output-buffer-limit.* 0 0 0"),
)
async def unread_and_far(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A long path to the server, and a subscriber that doesn't read."""
    delay, channel = rng.randrange(15, 80) / 1000, channel_name(rng)
    async with (
        running(kind, client_output_buffer_limit="pubsub 1gb 0 0") as server,
        proxy(server.url, Route(delay=delay)) as far, crew() as hands, application(far, rng),
    ):  # fmt: skip
        await fill(server.url, rng, rng.randrange(500, 3000))
        deaf = await hands.dial(server.url, name=application_name(rng), receive_buffer=4096)
        await deaf.ask("SUBSCRIBE", channel)
        deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]
        wire, each = await hands.dial(server.url, name=application_name(rng)), 256
        for _ in range(rng.randrange(10, 40)):
            await wire.pipeline(packed("PUBLISH", channel, "x" * 4096) * each, each)
        yield Incident(url=far, pid=server.pid, own_url=server.url)


@FAULTS.fault(
    "double-churning-and-slow",
    "Redis is slow in two ways: stalls about every second, and CPU is up since the PHP release.",
    "Short stalls all the time, and far more new connections than before the release.",
    cause="slow-on-command",
    also=("connection-churn",),
    twin="slow-on-command-sort",
    never=(r"CONFIG SET maxclients", r"slowlog-log-slower-than"),
)
async def churning_and_slow(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """One service connects for each command, another one sorts a long list."""
    name, others = rng.sample(APPLICATIONS, 2)
    async with running(kind) as server, crew() as hands, application(server.url, rng, rate=rng.uniform(10, 30)):
        await ranking(server.url, rng)
        for _ in range(rng.randrange(6, 12)):
            hands.spawn(knock(server.url, Random(rng.random()), name, pause=rng.uniform(0.02, 0.05)))
        hands.spawn(ranked(server.url, Random(rng.random()), others))
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault(
    "double-refused-and-drifted",
    "max number of clients reached on Redis, although redis.conf has a maxclients of thousands.",
    "Redis turns clients away at a maxclients that stands in no redis.conf of ours.",
    cause="maxclients-exhausted",
    also=("config-drift",),
    twin="fd-limit-clamp",
    never=(r"CLIENT KILL TYPE", r"^CONFIG REWRITE"),
)
async def refused_and_drifted(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Somebody lowered the limit at run time, below what the application needs and what the file says."""
    limit, name = rng.randrange(20, 100), application_name(rng)
    async with running(kind, maxclients=str(rng.randrange(2000, 8000))) as server, crew() as hands:
        await fill(server.url, rng, rng.randrange(500, 3000))
        wire = await dial(server.url)
        try:
            await wire.ask("CONFIG", "SET", "maxclients", limit)
        finally:
            await wire.close()
        await _taken(hands, server, rng, limit, name)
        yield Incident(url=server.url, pid=server.pid)


async def _rests(url: str, rng: Random, name: str, rest: float) -> None:
    """A pooled connection that rests for longer than the server lets it."""
    while True:
        with suppress(*LOST):
            wire = await dial(url, name=name)
            try:
                while True:
                    await wire.ask("GET", f"{key(rng)}:s")
                    await asyncio.sleep(rng.uniform(0.8, 1.5) * rest)
            finally:
                await wire.close()
        await asyncio.sleep(0.2)


@FAULTS.fault(
    "double-closed-and-slow",
    "The first Redis request after a quiet while fails with Connection closed, and by day there are stalls.",
    "Connection reset by peer after idle times, and all requests wait now and then.",
    cause="idle-timeout",
    also=("slow-on-command",),
    twin="idle-timeout",
    never=(r"slowlog-log-slower-than",),
)
async def closed_and_slow(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The server closes what rests for some seconds, and a long list is sorted over and over."""
    timeout, (name, others) = rng.randrange(2, 6), rng.sample(APPLICATIONS, 2)
    async with running(kind, timeout=str(timeout)) as server, crew() as hands, application(server.url, rng, rate=30):
        await ranking(server.url, rng)
        for _ in range(rng.randrange(4, 9)):
            hands.spawn(_rests(server.url, Random(rng.random()), name, timeout + 2.0))
        hands.spawn(ranked(server.url, Random(rng.random()), others))
        await asyncio.sleep(0.6)
        yield Incident(url=server.url, pid=server.pid)


async def _refused(url: str, rng: Random) -> None:
    """A service with an old password, that tries again about twice a second."""
    while True:
        with suppress(*LOST):
            wire = await dial(url)
            try:
                await wire.ask("AUTH", "rotated-last-week")
            finally:
                await wire.close()
        await asyncio.sleep(rng.uniform(0.3, 0.8))


@FAULTS.fault(
    "double-locked-out-and-churning",
    "One service gets WRONGPASS from Redis since the rotation, and CPU of the Redis host is up since the PHP release.",
    "Two things on Redis today: a service that can't log in, and far more CPU for the same traffic.",
    cause="connection-churn",
    also=("auth-failure",),
    twin="auth-failure-application",
    never=(r"\+@all", r"CONFIG SET maxclients"),
)
async def locked_out_and_churning(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """One service has an old password, another one is let in and connects for each command."""
    password = "".join(rng.choices("abcdefghjkmnpqrstuvwxyz23456789", k=20))
    async with running(kind, requirepass=password) as server, crew() as hands:
        url, name = server.url.replace("//", f"//:{password}@"), application_name(rng)
        await fill(url, rng, rng.randrange(500, 3000))
        async with application(url, rng, rate=rng.uniform(10, 30)):
            for _ in range(rng.randrange(2, 5)):
                hands.spawn(_refused(server.url, Random(rng.random())))
            for _ in range(rng.randrange(6, 12)):
                hands.spawn(knock(url, Random(rng.random()), name, pause=rng.uniform(0.02, 0.05)))
            await asyncio.sleep(1)
            yield Incident(url=url, pid=server.pid, own_url=url)
