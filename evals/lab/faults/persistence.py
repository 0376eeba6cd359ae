"""Faults of saving: snapshots that fail or cost too much. Those of the append-only file are in `appendonly`."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from random import Random

from hiredis import ReplyError

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.faults import appendfiles, appendonly, saving, startfiles, starting
from evals.lab.group import control_group, limits
from evals.lab.machine import Place, own_disk, place, server_in
from evals.lab.servers import LabError, Server, ServerKind
from evals.lab.shim import available, shim
from evals.lab.traffic import application, application_name, fill, operator_name, works
from evals.lab.wire import LOST, Wire, dial

FAULTS = Family("persistence")
FAULTS.update(appendonly.FAULTS)
FAULTS.update(appendfiles.FAULTS)
FAULTS.update(starting.FAULTS)
FAULTS.update(startfiles.FAULTS)
FAULTS.update(saving.FAULTS)
MB = 2**20
REFUSED = (
    "Since tonight no write reaches Redis any more: MISCONF. Reads work.",
    "checkout can't store carts, every SET fails with a MISCONF error. GET is fine.",
    "redis.exceptions.ResponseError: MISCONF Redis is configured to save RDB snapshots, but it's currently unable to "
    "persist to disk. Commands that may modify the data set are disabled.",
)
_FOREIGN = ("core.4711", "backup-march.tar", "heap.hprof", "old-dump.copy")
_SAVE = ("3600 1", "900 1", "300 10", "60 100")
"""One save point, without quotes: 6.2 takes neither more in a line nor quotes."""
_NO_SWITCH = (r"stop-writes-on-bgsave-error", r"\b(rm|delete|remove)\b.*\b(rdb|aof|dump)\b", r"\bflush(all|db)\b")


@asynccontextmanager
async def _saving(kind: ServerKind, rng: Random, here: Place, *prefix: str, **more: str) -> AsyncIterator[Server]:
    settings = {"save": rng.choice(_SAVE), "rdbcompression": "no", **more}
    async with server_in(kind, here, *prefix, **settings) as server:
        yield server


async def save(wire: Wire) -> str:
    """Ask for a snapshot, wait for its end, and say what came of it."""
    with suppress(ReplyError):
        await wire.ask("BGSAVE")
    for _ in range(600):
        fields = dict(
            line.split(":", 1) for line in (await wire.ask("INFO", "persistence")).splitlines() if ":" in line
        )
        if fields["rdb_bgsave_in_progress"] == "0":
            return str(fields["rdb_last_bgsave_status"])
        await asyncio.sleep(0.1)
    raise LabError("a snapshot takes longer than a minute")


async def _failed(server: Server) -> None:
    wire = await dial(server.url)
    try:
        if await save(wire) != "err":
            raise LabError("the snapshot went well")
    finally:
        await wire.close()


async def _fill_disk(server: Server, rng: Random, here: Place) -> list[str]:
    """Somebody else's file takes the room that a snapshot needs, or nearly all of it."""
    name, left = rng.choice(_FOREIGN), rng.randrange(0, 300_000)
    with (here.inside(server.pid) / name).open("wb") as file:
        file.write(b"\1" * max(0, here.free(server.pid) - left))
    return [name]


@FAULTS.fault("bgsave-disk-full", *REFUSED, needs=own_disk, twin="fork-denied", never=_NO_SWITCH)
async def bgsave_disk_full(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The snapshot doesn't fit: the disk is small, or somebody's file fills it."""
    megabytes = rng.uniform(2, 6)
    # With a file of somebody else's the data would fit; without it's larger than the disk.
    foreign = rng.random() < 0.6
    size = rng.randrange(300, 900)
    count = round(megabytes * MB / size * (rng.uniform(0.3, 0.6) if foreign else rng.uniform(1.2, 2)))
    with place(megabytes) as here:
        async with _saving(kind, rng, here) as server, application(server.url, rng):
            await fill(server.url, rng, count, size=size)
            if foreign:
                await _fill_disk(server, rng, here)
            await _failed(server)
            await asyncio.sleep(rng.uniform(0.5, 3))
            yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault(
    "bgsave-disk-was-full",
    "We made room on the Redis host's disk, yet writes still fail with MISCONF.",
    *REFUSED[:2],
    cause="bgsave-disk-full",
    needs=own_disk,
    twin="fork-denied",
    never=_NO_SWITCH,
)
async def bgsave_disk_was_full(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """There is room again, and no snapshot was tried since: writes stay refused."""
    megabytes, size = rng.uniform(3, 6), rng.randrange(300, 900)
    with place(megabytes) as here:
        # Save points that don't come round within the incident.
        async with _saving(kind, rng, here, save="3600 1") as server, application(server.url, rng):
            await fill(server.url, rng, round(megabytes * MB / size * rng.uniform(0.3, 0.5)), size=size)
            for name in await _fill_disk(server, rng, here):
                await _failed(server)
                (here.inside(server.pid) / name).unlink()
            await asyncio.sleep(rng.uniform(0.5, 3))
            yield Incident(url=server.url, pid=server.pid, fixed=partial(works, server.url))


def _pids() -> str | None:
    return limits("pids")


@FAULTS.fault("fork-denied", *REFUSED, needs=_pids, twin="bgsave-disk-full", never=_NO_SWITCH)
async def fork_denied(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Its control group lets the server have no process more."""
    with control_group("pids") as group, place() as here:
        async with _saving(kind, rng, here) as server, application(server.url, rng):
            (group / "cgroup.procs").write_text(str(server.pid))
            await fill(server.url, rng, rng.randrange(2000, 20_000), size=rng.randrange(50, 300))
            (group / "pids.max").write_text((group / "pids.current").read_text())
            await _failed(server)
            await asyncio.sleep(rng.uniform(0.5, 3))
            yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault(
    "fork-denied-memory", *REFUSED, cause="fork-denied", needs=available, twin="bgsave-disk-full", never=_NO_SWITCH
)
async def fork_denied_memory(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The kernel won't promise the memory of a second process."""
    with shim() as kernel, place() as here:
        async with _saving(kind, rng, here, *kernel.prefix) as server, application(server.url, rng):
            await fill(server.url, rng, rng.randrange(2000, 20_000), size=rng.randrange(50, 300))
            kernel.forks(False)
            await _failed(server)
            await asyncio.sleep(rng.uniform(0.5, 3))
            yield Incident(url=server.url, pid=server.pid)


async def _rewrite(url: str, rng: Random, count: int, size: int) -> None:
    """Write every key anew, again and again, in an order that touches all pages."""
    wire = await dial(url, name=application_name(rng))
    data = rng.randbytes(16).hex() * (size // 32)
    try:
        while True:
            keys = [f"doc:{rng.randrange(count):07d}" for _ in range(50)]
            with suppress(ReplyError):
                await wire.ask("MSET", *(part for key in keys for part in (key, f"{rng.random()}{data}")), timeout=20)
            await asyncio.sleep(0.004)
    finally:
        await wire.close()


def _memory() -> str | None:
    return limits("memory")


async def _snapshots(url: str, name: str) -> None:
    """A snapshot after the other, as with save points that every minute of traffic reaches."""
    wire = await dial(url, name=name)
    try:
        while True:
            with suppress(ReplyError):
                await wire.ask("BGSAVE", timeout=20)
            await asyncio.sleep(1)
    finally:
        await wire.close()


@asynccontextmanager
async def _copied(kind: ServerKind, rng: Random, room: float) -> AsyncIterator[Server]:
    """All is written anew while it's saved, in a control group with `room` times the data's size and some more."""
    size = rng.randrange(2000, 6000)
    count = round(rng.uniform(50, 80) * MB / size)
    with control_group("memory") as group, place() as here:
        # The child is preferred by the kernel, as a careful operator configures it. A key takes its microseconds twice.
        delay = str(round(rng.uniform(6, 10) * 1e6 / count / 2))
        settings = {"save": "60 1000", "oom_score_adj": "yes", "rdb_key_save_delay": delay}
        async with _saving(kind, rng, here, **settings) as server, application(server.url, rng) as hands:
            (group / "cgroup.procs").write_text(str(server.pid))
            await fill(server.url, rng, count, size=size, prefix="doc:")
            used = int((group / "memory.usage_in_bytes").read_text())
            (group / "memory.limit_in_bytes").write_text(str(round(used * room) + 10 * MB))
            hands.spawn(_rewrite(server.url, Random(rng.random()), count, size))
            hands.spawn(_snapshots(server.url, operator_name(rng)))
            yield server


async def _until(server: Server, pattern: str) -> None:
    """Wait until INFO persistence says this."""
    for _ in range(200):
        with suppress(*LOST):
            wire = await dial(server.url, timeout=5)
            try:
                if re.search(pattern, await wire.ask("INFO", "persistence", timeout=5)):
                    return
            finally:
                await wire.close()
        if not server.running:
            raise LabError("the server was killed, not its child")
        await asyncio.sleep(0.2)
    raise LabError(f"INFO never says {pattern}")


_GROWS = (
    "Memory of the Redis container goes to its limit at every backup; we fear that it's killed soon.",
    "The memory alarm of the Redis host fires again and again, yet the dataset is only half of the memory.",
)


@FAULTS.fault("cow-blowup", *_GROWS, needs=_memory, twin="healthy-snapshot-memory", never=(r"overcommit",))
async def cow_blowup(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """While a snapshot is written nearly all pages are copied, and the memory is nearly out."""
    async with _copied(kind, rng, rng.uniform(2.1, 2.3)) as server:
        # One snapshot at least was written to its end, and then it's any moment of the next.
        await _until(server, r"rdb_last_cow_size:\d{8}")
        await asyncio.sleep(rng.uniform(0, 6))
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault(
    "cow-blowup-killed", *REFUSED, cause="cow-blowup", needs=_memory, twin="bgsave-disk-full",
    never=(*_NO_SWITCH, r"overcommit"),
)  # fmt: skip
async def cow_blowup_killed(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The copies go beyond the memory limit: the kernel kills the child that saves."""
    async with _copied(kind, rng, rng.uniform(1.3, 1.4)) as server:
        await _until(server, "rdb_last_bgsave_status:err")
        await asyncio.sleep(rng.uniform(0.5, 3))
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("healthy-snapshot-memory", *_GROWS, cause=NO_FAULT)
async def healthy_snapshot_memory(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A snapshot that copies little of the data."""
    with place() as here:
        async with _saving(kind, rng, here, rdb_key_save_delay="50") as server, application(server.url, rng):
            await fill(server.url, rng, rng.randrange(10_000, 20_000), size=rng.randrange(2000, 5000))
            wire = await dial(server.url)
            await save(wire)
            await wire.ask("BGSAVE")
            await wire.close()
            yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("healthy-after-a-failed-save", *REFUSED[:2], cause=NO_FAULT, needs=own_disk)
async def healthy_after_a_failed_save(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A snapshot failed and writes were refused; both are over."""
    megabytes, size = rng.uniform(3, 6), rng.randrange(300, 900)
    with place(megabytes) as here:
        async with _saving(kind, rng, here) as server, application(server.url, rng):
            await fill(server.url, rng, round(megabytes * MB / size * rng.uniform(0.2, 0.3)), size=size)
            for name in await _fill_disk(server, rng, here):
                await _failed(server)
                await asyncio.sleep(rng.uniform(0.5, 2))
                (here.inside(server.pid) / name).unlink()
            wire = await dial(server.url)
            if await save(wire) != "ok":
                raise LabError("the second snapshot failed too")
            await wire.close()
            # The application comes back within its longest pause between two attempts.
            await asyncio.sleep(6)
            yield Incident(url=server.url, pid=server.pid)
