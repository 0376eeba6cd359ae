"""Faults of settings: what runs isn't what the file says, or nothing is kept to look at."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from random import Random

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.servers import Server, ServerKind, arguments, start
from evals.lab.traffic import application, application_name, fill, operator_name
from evals.lab.wire import LOST, crew, dial

FAULTS = Family("configuration and access")
MIB = 1 << 20
_LASTING = (
    "It comes back: after each restart of Redis we have to set our limits anew.",
    "The fix of last month was lost with the reboot of the host; we set it again today. Will it last this time?",
    "Redis restarted in the night and had its old settings again. It's mended by hand, please have a look.",
)


NAMES = (
    "maxmemory", "maxmemory-policy", "timeout", "maxclients", "hz", "client-output-buffer-limit",
    "tcp-keepalive",
)  # fmt: skip
"""The settings that are changed."""


def _choices(rng: Random) -> list[tuple[str, str, str]]:
    """Settings with the file's value and the one that somebody set at run time."""
    return [
        ("maxmemory", f"{rng.randrange(100, 400)}mb", f"{rng.randrange(500, 900) * MIB}"),
        ("maxmemory-policy", "noeviction", rng.choice(("allkeys-lru", "volatile-lru", "volatile-ttl"))),
        ("timeout", str(rng.randrange(120, 600)), "0"),
        ("maxclients", str(rng.randrange(300, 900)), str(rng.randrange(2000, 5000))),
        ("hz", "10", str(rng.randrange(15, 60))),
        ("client-output-buffer-limit", "pubsub 32mb 8mb 60", f"pubsub {rng.randrange(40, 90) * MIB} {16 * MIB} 60"),
        ("tcp-keepalive", "300", str(rng.randrange(30, 90))),
    ]  # fmt: skip


@asynccontextmanager
async def _started(kind: ServerKind, config: Mapping[str, str]) -> AsyncIterator[Server]:
    server = await start(kind, config=config)
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def _changed(kind: ServerKind, rng: Random, *, kept: bool) -> AsyncIterator[Incident]:
    chosen = rng.sample(_choices(rng), rng.randrange(1, 4))
    written = {name: before for name, before, _ in chosen}
    async with _started(kind, written) as server, application(server.url, rng):
        await fill(server.url, rng, rng.randrange(500, 3000))
        wire = await dial(server.url, name=operator_name(rng))
        try:
            for name, _, after in chosen:
                await wire.ask("CONFIG", "SET", name, after)
            if kept:
                await wire.ask("CONFIG", "REWRITE")
        finally:
            await wire.close()
        await asyncio.sleep(0.5)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("config-drift", *_LASTING, twin="healthy-config-kept", never=(r"^CONFIG REWRITE",))
async def config_drift(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Settings that were changed at run time and stand otherwise in the file."""
    async with _changed(kind, rng, kept=False) as incident:
        yield incident


@FAULTS.fault("healthy-config-kept", *_LASTING, cause=NO_FAULT, twin="config-drift")
async def healthy_config_kept(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The same, and this time the file was written too."""
    async with _changed(kind, rng, kept=True) as incident:
        yield incident


def _arguments(rng: Random) -> dict[str, str]:
    """What containers and charts put onto a command line."""
    more = {name: after for name, _, after in rng.sample(_choices(rng), rng.randrange(2, 5))}
    return {"save": rng.choice(('""', "900 1")), "appendonly": rng.choice(("yes", "no")), **more}


@asynccontextmanager
async def _used(server: Server, rng: Random) -> AsyncIterator[Incident]:
    """An application's traffic on a server, which is ended with it."""
    try:
        async with application(server.url, rng):
            await fill(server.url, rng, rng.randrange(500, 3000))
            await asyncio.sleep(0.5)
            yield Incident(url=server.url, pid=server.pid)
    finally:
        await server.stop()


_CONTAINERS = (
    "Redis runs in a container since last week. Do its settings survive a restart?",
    "The pod of Redis was rescheduled; does it run with the settings that we gave it?",
)


def _counts_changes(kind: ServerKind) -> bool:
    """Whether CONFIG SET is counted apart from CONFIG GET: else nobody knows what an argument set and what a person."""
    return kind.at_least(7)


@FAULTS.fault(
    "healthy-arguments", *_CONTAINERS, *_LASTING, cause=NO_FAULT, twin="config-drift-arguments", kinds=_counts_changes
)
async def healthy_arguments(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A server without a configuration file: all is said on its command line, and comes back with each start."""
    server = await start(kind, config=_arguments(rng), file=False)
    async with _used(server, rng) as incident:
        yield incident


@FAULTS.fault("healthy-arguments-over-a-file", *_CONTAINERS, *_LASTING, cause=NO_FAULT, twin="config-drift")
async def healthy_arguments_over_a_file(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A file of defaults, and arguments that say otherwise, as charts have them."""
    chosen = rng.sample(_choices(rng), rng.randrange(2, 5))
    given = arguments({name: after for name, _, after in chosen})
    server = await start(kind, config={name: before for name, before, _ in chosen}, args=tuple(given))
    async with _used(server, rng) as incident:
        yield incident


@FAULTS.fault(
    "config-drift-arguments", *_LASTING[1:], cause="config-drift", twin="healthy-arguments", kinds=_counts_changes,
    never=(r"^CONFIG REWRITE",),
)  # fmt: skip
async def config_drift_arguments(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """All was said on the command line, and then somebody changed some of it at run time."""
    server = await start(kind, config=_arguments(rng), file=False)
    try:
        async with application(server.url, rng):
            await fill(server.url, rng, rng.randrange(500, 3000))
            wire = await dial(server.url, name=operator_name(rng))
            await wire.ask("CONFIG", "SET", "maxmemory", f"{rng.randrange(910, 1900) * MIB}")
            await wire.close()
            await asyncio.sleep(0.5)
            yield Incident(url=server.url, pid=server.pid)
    finally:
        await server.stop()


@FAULTS.fault(
    "config-drift-edited",
    "We changed the limits in redis.conf, and they are not applied: CONFIG GET still says the old ones.",
    "redis.conf and what CONFIG GET says differ. What happens at the next restart?",
    cause="config-drift", twin="healthy-config-kept", never=(r"^CONFIG REWRITE",),
)  # fmt: skip
async def config_drift_edited(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The file was edited while the server ran, and nobody has restarted it."""
    chosen = rng.sample(_choices(rng), rng.randrange(1, 4))
    async with _started(kind, {name: before for name, before, _ in chosen}) as server, application(server.url, rng):
        await fill(server.url, rng, rng.randrange(500, 3000))
        await asyncio.sleep(6)
        file = server.folder / "redis.conf"
        kept = [
            line for line in file.read_text().splitlines() if line.split(" ", 1)[0] not in {one[0] for one in chosen}
        ]
        file.write_text("\n".join([*kept, *(f"{name} {after}" for name, _, after in chosen)]) + "\n")
        yield Incident(url=server.url, pid=server.pid)


RANKING = "ranking:today"


async def ranking(url: str, rng: Random) -> None:
    """Write a long list, in parts that hold nobody up."""
    wire = await dial(url)
    try:
        for _ in range(rng.randrange(320, 500)):
            await wire.ask("RPUSH", RANKING, *(f"item-{rng.randrange(10**9):09d}" for _ in range(500)))
    finally:
        await wire.close()


async def ranked(url: str, rng: Random, name: str) -> None:
    """Ask for the first ten of the list about every second; each time it's sorted as a whole."""
    while True:
        with suppress(*LOST):
            wire = await dial(url, name=name)
            try:
                while True:
                    await wire.ask("SORT", RANKING, "ALPHA", "LIMIT", 0, 10, timeout=10)
                    await asyncio.sleep(rng.uniform(0.5, 1))
            finally:
                await wire.close()
        await asyncio.sleep(0.3)


@FAULTS.fault(
    "diagnostics-disabled",
    "Checkout waits for Redis now and then, all requests at once. SLOWLOG GET is empty.",
    "Short stalls all the time, and Redis keeps no trace of them.",
    cause="slow-on-command",
    also=("diagnostics-disabled",),
    twin="healthy-slowlog-off",
    never=(r"slowlog-log-slower-than (0|-1)$",),
)
async def diagnostics_disabled(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A command that walks through a long list again and again, and a slow log that is switched off."""
    off = rng.choice(({"slowlog-log-slower-than": "-1"}, {"slowlog-max-len": "0"}))
    async with _started(kind, off) as server, crew() as hands, application(server.url, rng):
        await fill(server.url, rng, rng.randrange(500, 3000))
        await ranking(server.url, rng)
        hands.spawn(ranked(server.url, Random(rng.random()), application_name(rng)))
        await asyncio.sleep(0.6)
        yield Incident(url=server.url, pid=server.pid)
