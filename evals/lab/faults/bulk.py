"""Faults of too much at once: a key that is big to free, a transaction that is long to run."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from random import Random

from evals.lab.fault import Family, Incident
from evals.lab.servers import ServerKind, running
from evals.lab.traffic import application, application_name, fill, key_prefix
from evals.lab.wire import LOST, Argument, Wire, crew, dial, packed

FAULTS = Family("cpu and latency")
BLIPS = (
    "Redis stalls for a moment every couple of seconds: all requests wait at once, then it's fast again.",
    "p99 of every Redis call has regular spikes while the median is as always.",
    "checkout: short freezes of all Redis calls, again and again, whatever the key.",
)
QUIET = "Short spikes in the latency of all Redis calls, and SLOWLOG has nothing that explains them."
DELETION = 5000
"""Microseconds for which one deletion may hold the server up."""


def monitor_threshold(rng: Random) -> str:
    """latency-monitor-threshold in milliseconds: mostly off, as it comes."""
    return rng.choice(("0", "0", "10", "100"))


async def freed_elsewhere(url: str) -> bool:
    """Whether deletions hold nobody up, by the server's own figures: what else slows this machine isn't in them."""
    wire = await dial(url)
    try:
        before = await _deletions(wire)
        await asyncio.sleep(5)
        after = await _deletions(wire)
    finally:
        await wire.close()
    spent, count = after[0] - before[0], after[1] - before[1]
    return count > 0 and spent / count < DELETION


async def _deletions(wire: Wire) -> tuple[int, int]:
    """Microseconds that deletions and expiry took so far, and how many there were."""
    text = await wire.ask("INFO", "everything")
    calls, usec = re.findall(r"cmdstat_del:calls=(\d+),usec=(\d+)", text)[0] if "cmdstat_del:" in text else (0, 0)
    cycle, expired = (int(re.findall(rf"{name}:(\d+)", text)[0])
                      for name in ("expire_cycle_cpu_milliseconds", "expired_keys"))  # fmt: skip
    return int(usec) + 1000 * cycle, int(calls) + expired


async def pumped(wire: Wire, data: bytes, ends: int) -> None:
    """Send many commands, reading their `ends` lines of replies meanwhile."""
    sending = asyncio.create_task(wire.send(data))
    try:
        await wire.pipeline(b"", ends)
        await sending
    finally:
        sending.cancel()


def _lots(rng: Random, command: str, key: str, count: int) -> tuple[bytes, int]:
    """A collection's members in commands of 200 each, in no order; and how many commands."""
    numbers = list(range(count))
    rng.shuffle(numbers)
    lots = []
    for first in range(0, count, 200):
        members: list[Argument] = []
        for number in numbers[first : first + 200]:
            name = f"item-{number:08d}"
            match command:
                case "ZADD":
                    members += [number % 1000, name]
                case "HSET":
                    members += [name, f"v{number}"]
                case _:
                    members.append(name)
        lots.append(packed(command, key, *members))
    return b"".join(lots), len(lots)


async def _rebuild(url: str, name: str, data: bytes, commands: int, pause: float, *end: Argument) -> None:
    """Build a big key anew and end it, over and over."""
    with suppress(*LOST):
        wire = await dial(url, name=name)
        try:
            while True:
                await pumped(wire, data, commands)
                await wire.ask(*end, timeout=20)
                await asyncio.sleep(pause)
        finally:
            await wire.close()


@asynccontextmanager
async def _big_key(kind: ServerKind, rng: Random, pause: float, end: str, *more: Argument) -> AsyncIterator[Incident]:
    # Valkey 8 frees in the background by default; whoever tuned for older versions switched that off.
    at = f"{key_prefix(rng)}:next"
    data, commands = _lots(rng, rng.choice(("SADD", "HSET", "ZADD")), at, rng.randrange(500_000, 700_000))
    async with (
        running(
            kind, latency_monitor_threshold=monitor_threshold(rng), lazyfree_lazy_user_del="no",
            lazyfree_lazy_expire="no",
        ) as server,
        crew() as hands, application(server.url, rng),
    ):  # fmt: skip
        await fill(server.url, rng, rng.randrange(1000, 20_000))
        hands.spawn(_rebuild(server.url, application_name(rng), data, commands, pause, end, at, *more))
        await asyncio.sleep(rng.uniform(2.5, 4))
        yield Incident(url=server.url, pid=server.pid, fixed=partial(freed_elsewhere, server.url))


@FAULTS.fault("big-key-delete", *BLIPS, twin="fork-stall", never=(r"^DEL\b", r"slowlog-log-slower-than"))
async def big_key_delete(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A collection of half a million members that is built and deleted again and again."""
    async with _big_key(kind, rng, rng.uniform(0.3, 1.5), "DEL") as incident:
        yield incident


@FAULTS.fault("big-key-delete-by-expiry", *BLIPS, QUIET, cause="big-key-delete", twin="mass-expiry")
async def big_key_delete_by_expiry(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The same, and it's the time to live that ends it."""
    async with _big_key(kind, rng, rng.uniform(0.5, 1), "PEXPIRE", 100) as incident:
        yield incident


def _transaction(rng: Random) -> tuple[bytes, int]:
    """One MULTI of very many small commands, and how many lines of replies it has."""
    shape = rng.choice(("SET", "HSET", "SADD"))
    count = {"SET": 130_000, "HSET": 70_000, "SADD": 50_000}[shape] * rng.uniform(0.9, 1.4)
    parts = [packed("MULTI")]
    for number in range(round(count)):
        at = rng.randrange(20_000)
        match shape:
            case "SET":
                parts.append(packed("SET", f"stock:{at}:n", number))
            case "HSET":
                parts.append(packed("HSET", f"product:{at}:h", f"f{number % 20}", "x" * 20, "price", number))
            case _:
                parts.append(packed("SADD", f"seen:{at % 500}", *(f"m{rng.randrange(300)}" for _ in range(6))))
    # OK, QUEUED for each, and an array with a line for each.
    return b"".join([*parts, packed("EXEC")]), 2 * round(count) + 2


async def _import(url: str, name: str, data: bytes, ends: int, pause: float) -> None:
    with suppress(*LOST):
        wire = await dial(url, name=name)
        try:
            while True:
                await pumped(wire, data, ends)
                await asyncio.sleep(pause)
        finally:
            await wire.close()


@FAULTS.fault("huge-exec", *BLIPS, QUIET, twin="big-key-delete", never=(r"slowlog-log-slower-than",))
async def huge_exec(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """An import that puts tens of thousands of commands into one transaction, again and again."""
    data, ends = _transaction(rng)
    async with (
        running(kind, latency_monitor_threshold=monitor_threshold(rng)) as server, crew() as hands,
        application(server.url, rng),
    ):  # fmt: skip
        await fill(server.url, rng, rng.randrange(1000, 20_000))
        hands.spawn(_import(server.url, application_name(rng), data, ends, rng.uniform(0.5, 1.3)))
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)
