"""Faults that hold the one thread up without a slow command of a client, and those of queues that grow."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import partial
from random import Random

from hiredis import ReplyError

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.faults.bulk import BLIPS, QUIET, monitor_threshold, pumped
from evals.lab.faults.bulk import FAULTS as BULK
from evals.lab.faults.queues import FAULTS as QUEUES
from evals.lab.group import cpu_share, limits
from evals.lab.servers import ServerKind, running
from evals.lab.shim import available, shim
from evals.lab.traffic import application, application_name, fill, operator_name
from evals.lab.wire import LOST, crew, dial, packed

FAULTS = Family("cpu and latency")
_SLOWER = (
    "Redis got slow at the same traffic, for all services alike. The host's CPU graph looks fine.",
    "Throughput of Redis is down since this morning and every call takes longer.",
    "All Redis calls take longer than usual, evenly, since the campaign began.",
)


async def _busy(url: str, rng: Random, share: float) -> None:
    """An application that keeps the server busy for about `share` of the time, by small commands in pipelines."""
    with suppress(*LOST):
        wire = await dial(url, name=application_name(rng))
        try:
            shapes = ("SET session:%d:s active", "INCR stock:%d:n", "EXISTS user:%d:h", "EXPIRE stock:%d:n 900")
            data = "".join(f"{rng.choice(shapes) % rng.randrange(3000)}\r\n" for _ in range(400)).encode()
            while True:
                began = time.perf_counter()
                await pumped(wire, data, 400)
                await asyncio.sleep((time.perf_counter() - began) * (1 - share) / share)
        finally:
            await wire.close()


@FAULTS.fault(
    "cpu-throttled", *_SLOWER, "Redis in its container: p99 at 90 ms, SLOWLOG nearly empty, CPU at a few percent.",
    needs=partial(limits, "cpu"), twin="cpu-saturated", never=(r"CONFIG SET",),
)  # fmt: skip
async def cpu_throttled(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A share of a core that is used up early in each period."""
    with cpu_share(rng.uniform(0.06, 0.2)) as group:
        async with running(kind, latency_monitor_threshold=monitor_threshold(rng)) as server, crew() as hands:
            await fill(server.url, rng, rng.randrange(1000, 20_000))
            (group / "cgroup.procs").write_text(str(server.pid))
            async with application(server.url, rng):
                for _ in range(rng.randrange(1, 4)):
                    hands.spawn(_busy(server.url, Random(rng.random()), rng.uniform(0.9, 0.98)))
                await asyncio.sleep(1)
                yield Incident(url=server.url, pid=server.pid)


async def _waves(url: str, rng: Random, count: int, period: float) -> None:
    """A cache that is written in waves; all keys of a wave expire at one moment."""
    with suppress(*LOST):
        wire = await dial(url, name=application_name(rng))
        try:
            mark, size = b"0" * 13, rng.randrange(16, 80)
            parts = [packed("SET", f"page:{number:07d}", "x" * size, "PXAT", mark) for number in range(count)]
            lots = [b"".join(parts[first : first + 5000]) for first in range(0, count, 5000)]
            took = 0.0
            while True:
                # On a machine that is slow a wave must be whole before it ends.
                began = time.time()
                ends = began + max(period, 2 * took)
                at = f"{round(ends * 1000):013d}".encode()
                for lot in lots:
                    await pumped(wire, lot.replace(mark, at), lot.count(mark))
                    await asyncio.sleep(0.005)
                took = time.time() - began
                await asyncio.sleep(max(0.0, ends + 0.2 - time.time()))
        finally:
            await wire.close()


@FAULTS.fault("mass-expiry", *BLIPS, QUIET, twin="healthy-short-sessions", never=(r"CONFIG SET hz",))
async def mass_expiry(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A few hundred thousand keys that expire at one moment, again and again."""
    async with _expiring(kind, rng, rng.randrange(150_000, 350_000), rng.uniform(1.2, 1.8)) as incident:
        yield incident


@FAULTS.fault("mass-expiry-rare", *BLIPS, cause="mass-expiry", twin="healthy-short-sessions", never=(r"CONFIG SET hz",))
async def mass_expiry_rare(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The same with seconds in between, in which all is well."""
    async with _expiring(kind, rng, rng.randrange(250_000, 350_000), rng.uniform(4.5, 6)) as incident:
        yield incident


@asynccontextmanager
async def _expiring(
    kind: ServerKind, rng: Random, count: int, period: float, waves: Callable[..., Coroutine[None, None, None]] = _waves
) -> AsyncIterator[Incident]:
    async with (
        running(kind, latency_monitor_threshold=monitor_threshold(rng)) as server, crew() as hands,
        application(server.url, rng),
    ):  # fmt: skip
        await fill(server.url, rng, rng.randrange(1000, 50_000))
        hands.spawn(waves(server.url, Random(rng.random()), count, period))
        await asyncio.sleep(rng.uniform(1.1, 2) * period)
        yield Incident(url=server.url, pid=server.pid)


async def _sessions(url: str, rng: Random, rate: int) -> None:
    """Sessions that live for a second or three, each for its own time."""
    with suppress(*LOST):
        wire = await dial(url, name=application_name(rng))
        try:
            while True:
                lives = (rng.randrange(1000, 3000) for _ in range(rate // 20))
                lot = [packed("SET", f"session:{rng.randrange(10**9)}", "x" * 40, "PX", life) for life in lives]
                await pumped(wire, b"".join(lot), len(lot))
                await asyncio.sleep(0.05)
        finally:
            await wire.close()


@FAULTS.fault("healthy-short-sessions", *BLIPS, cause=NO_FAULT)
async def healthy_short_sessions(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Thousands of keys expire every second, evenly."""
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        hands.spawn(_sessions(server.url, Random(rng.random()), rng.randrange(1500, 9000)))
        await asyncio.sleep(3.2)
        yield Incident(url=server.url, pid=server.pid)


def _expires_fields(kind: ServerKind) -> bool:
    """Whether fields of hashes can expire, and be set with their time to live in one command."""
    return kind.at_least(9) if kind.name.startswith("valkey") else kind.at_least(8)


async def _field_waves(url: str, rng: Random, fields: int, period: float) -> None:
    """Large hashes whose fields all are held until one and the same moment."""
    with suppress(*LOST):
        wire = await dial(url, name=application_name(rng))
        try:
            mark, each = b"0" * 13, rng.choice((1000, 2000, 4000))
            lots = [
                packed("HSETEX", f"catalogue:{first // each:05d}", "PXAT", mark, "FIELDS", 100,
                       *(part for number in range(first, first + 100) for part in (f"item:{number}", "x" * 24)))
                for first in range(0, fields, 100)
            ]  # fmt: skip
            # A round trip for each command would take longer than a wave may.
            batched = [b"".join(lots[first : first + 40]) for first in range(0, len(lots), 40)]
            took = 0.0
            while True:
                began = time.time()
                ends = began + max(period, 2 * took)
                at = f"{round(ends * 1000):013d}".encode()
                for many in batched:
                    await pumped(wire, many.replace(mark, at), many.count(mark))
                    await asyncio.sleep(0)
                took = time.time() - began
                await asyncio.sleep(max(0.0, ends + 0.2 - time.time()))
        finally:
            await wire.close()


@FAULTS.fault(
    "mass-expiry-fields", *BLIPS, QUIET, cause="mass-expiry", twin="healthy-short-fields", kinds=_expires_fields,
    never=(r"CONFIG SET hz", r"lazyfree"),
)  # fmt: skip
async def mass_expiry_fields(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A few hundred thousand fields of hashes that expire at one moment, again and again."""
    count, period = rng.randrange(300_000, 400_000), rng.uniform(1.2, 1.8)
    async with _expiring(kind, rng, count, period, _field_waves) as incident:
        yield incident


async def _items(url: str, rng: Random, rate: int) -> None:
    """Items in baskets that are held for a second or three, each for its own time."""
    with suppress(*LOST):
        wire = await dial(url, name=application_name(rng))
        try:
            while True:
                lot = [
                    packed("HSETEX", f"basket:{rng.randrange(3000)}", "PX", rng.randrange(1000, 3000), "FIELDS", 1,
                           f"item:{rng.randrange(10**6)}", "x" * 24)
                    for _ in range(rate // 20)
                ]  # fmt: skip
                await pumped(wire, b"".join(lot), len(lot))
                await asyncio.sleep(0.05)
        finally:
            await wire.close()


@FAULTS.fault("healthy-short-fields", *BLIPS, cause=NO_FAULT, kinds=_expires_fields, twin="mass-expiry-fields")
async def healthy_short_fields(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Thousands of fields of hashes expire every second, evenly."""
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        hands.spawn(_items(server.url, Random(rng.random()), rng.randrange(1500, 8000)))
        await asyncio.sleep(3.2)
        yield Incident(url=server.url, pid=server.pid)


async def _snapshots(url: str, name: str, period: float) -> None:
    with suppress(*LOST):
        wire = await dial(url, name=name)
        try:
            while True:
                with suppress(*LOST):
                    await wire.ask("BGSAVE", timeout=10)
                await asyncio.sleep(period)
        finally:
            await wire.close()


@FAULTS.fault("fork-stall", *BLIPS, QUIET, needs=available, twin="mass-expiry", never=(r"CONFIG SET save\b",))
async def fork_stall(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Snapshots every second or two, each of which begins with a fork that takes long."""
    with shim() as kernel:
        kernel.fork(rng.randrange(60, 350))
        # The server saves by itself after a second and a write, or a script of the operators does it.
        by_itself = rng.random() < 0.5
        async with (
            running(
                kind, prefix=kernel.prefix, latency_monitor_threshold=monitor_threshold(rng),
                save="1 1" if by_itself else '""',
            ) as server,
            crew() as hands, application(server.url, rng),
        ):  # fmt: skip
            await fill(server.url, rng, rng.randrange(5000, 60_000), size=rng.randrange(50, 500))
            if not by_itself:
                hands.spawn(_snapshots(server.url, operator_name(rng), rng.uniform(1, 1.8)))
            await asyncio.sleep(2)
            yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault(
    "monitor-attached", *_SLOWER, "Redis sends far more over the network since the cart was debugged, and got slower.",
    twin="cpu-saturated", never=(r"CONFIG SET", r"\b(scale|resize|bigger)\b"),
)  # fmt: skip
async def monitor_attached(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """One to four terminals with MONITOR that somebody left open, beside a busy application."""
    async with (
        running(kind, latency_monitor_threshold=monitor_threshold(rng)) as server, crew() as hands,
        application(server.url, rng),
    ):  # fmt: skip
        await fill(server.url, rng, rng.randrange(1000, 20_000))
        hands.spawn(_busy(server.url, Random(rng.random()), rng.uniform(0.2, 0.5)))
        for _ in range(rng.randrange(1, 5)):
            wire = await hands.dial(server.url, name=rng.choice(("", operator_name(rng))))
            await wire.ask("MONITOR")
            hands.spawn(wire.discard())
        await asyncio.sleep(0.7)
        yield Incident(url=server.url, pid=server.pid, fixed=partial(_unwatched, server.url))


async def _unwatched(url: str) -> bool:
    wire = await dial(url)
    try:
        return "cmd=monitor" not in await wire.ask("CLIENT", "LIST")
    finally:
        await wire.close()


_WRITES = "redis.call('SET', 'price:total', 1) while true do redis.call('INCR', 'price:total') end"


@FAULTS.fault(
    "lua-unkillable-tried", "All calls fail with BUSY. We sent SCRIPT KILL, Redis answers UNKILLABLE. What now?",
    "BUSY everywhere. SCRIPT KILL says: Sorry the script already executed write commands against the dataset.",
    "A Lua job hangs and blocks Redis (BUSY on all pods), and SCRIPT KILL fails.",
    cause="lua-unkillable", never=(r"\bSHUTDOWN\b", r"kill -9", r"^SCRIPT KILL"),
)  # fmt: skip
async def lua_unkillable_tried(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A script that has written and never ends, and somebody tried to kill it."""
    async with running(kind) as server, crew() as hands, application(server.url, rng, timeout=3):
        await fill(server.url, rng, rng.randrange(500, 3000))
        script, tried = await hands.dial(server.url), await hands.dial(server.url)
        script.writer.write(packed("EVAL", _WRITES, 0))
        await asyncio.sleep(5.5 + rng.uniform(0, 1))
        with suppress(ReplyError):
            await tried.ask("SCRIPT", "KILL")
        yield Incident(url=server.url, pid=server.pid)


FAULTS.update(BULK)
FAULTS.update(QUEUES)
