"""Faults of the append-only file: a full disk, a slow one, a damaged file, and one that came by a restart."""

import asyncio
import re
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from random import Random

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.machine import Place, own_disk, place, server_in
from evals.lab.servers import LabError, Server, ServerKind, free_port, leash
from evals.lab.shim import Shim, available, shim
from evals.lab.traffic import application, fill, works
from evals.lab.wire import LOST, dial

FAULTS = Family("persistence")
MB = 2**20
_REFUSED = (
    "Since tonight no write reaches Redis any more: MISCONF. Reads work.",
    "checkout can't store carts, every SET fails with a MISCONF error. GET is fine.",
)
GONE = (
    "Redis can't be reached any more, the health check went red at once.",
    "Since a few minutes ago every Redis call of checkout fails with 'Connection refused'.",
    "Redis doesn't come back after the restart: connection refused.",
)
NO_AOF = (r"appendonly no", r"\b(rm|delete|remove)\b.*\b(aof|appendonly)\b", r"\bflush(all|db)\b", r"appendfsync no\b")


async def _status(url: str, field: str) -> str:
    wire = await dial(url)
    try:
        found = re.search(rf"^{field}:(\w+)", await wire.ask("INFO", "persistence", timeout=10), re.MULTILINE)
        return found[1] if found else ""
    finally:
        await wire.close()


async def _until_full(server: Server, rng: Random) -> None:
    for batch in range(200):
        with suppress(*LOST):
            await fill(server.url, rng, 500, size=1000, prefix=f"event:{batch}:")
            if await _status(server.url, "aof_last_write_status") == "err":
                return
        await asyncio.sleep(0.05)
        if not server.running:
            return
    raise LabError("the disk doesn't get full")


@FAULTS.fault(
    "aof-disk-full", *_REFUSED, "MISCONF Errors writing to the AOF file, on every write since 20 minutes ago.",
    needs=own_disk, twin="bgsave-disk-full", never=NO_AOF,
)  # fmt: skip
async def aof_disk_full(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The file grew until the disk was full."""
    with place(rng.uniform(2, 8)) as here:
        settings = {"auto_aof_rewrite_percentage": "0", "appendfsync": rng.choice(("everysec", "everysec", "no"))}
        async with server_in(kind, here, appendonly="yes", **settings) as server, application(server.url, rng):
            await _until_full(server, rng)
            await asyncio.sleep(rng.uniform(0.5, 3))
            yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault(
    "aof-disk-full-ended", *GONE[:2], cause="aof-disk-full", also=("process-down",), needs=own_disk,
    twin="process-down", never=NO_AOF,
)  # fmt: skip
async def aof_disk_full_ended(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """With appendfsync always a server that can't write any more ends itself."""
    with place(rng.uniform(2, 8)) as here:
        settings = {"auto_aof_rewrite_percentage": "0", "appendfsync": "always"}
        async with server_in(kind, here, appendonly="yes", **settings) as server, application(server.url, rng):
            await _until_full(server, rng)
            for _ in range(100):
                if not server.running:
                    break
                await asyncio.sleep(0.05)
            yield Incident(url=server.url, pid=server.pid, server_log=here.log)


_SLOW = (
    "Redis is slow: each call takes several hundred ms, and its CPU is idle.",
    "Since the move to the new storage class the writes of checkout take most of a second.",
    "p50 of every Redis call went from 1 ms to some hundred ms. The slow log is empty.",
)


@FAULTS.fault("fsync-always-slow", *_SLOW, needs=available, twin="path-latency", never=NO_AOF)
async def fsync_always_slow(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Every write waits for a disk that takes long."""
    watched = rng.choice(("0", "0", "100"))
    with shim() as disk, place() as here:
        settings = {"appendfsync": "always", "latency_monitor_threshold": watched}
        async with (
            server_in(kind, here, *disk.prefix, appendonly="yes", **settings) as server,
            application(server.url, rng, clients=rng.randrange(6, 13), rate=rng.uniform(80, 160), timeout=5),
        ):
            await fill(server.url, rng, rng.randrange(500, 3000))
            disk.fsync(rng.randrange(150, 800))
            await asyncio.sleep(3)
            yield Incident(url=server.url, pid=server.pid, fixed=partial(works, server.url))


_STOPS = (
    "Every few seconds Redis stands still for a second or two, then it goes on.",
    "Timeouts in waves: for seconds all is well, then nothing comes back from Redis for a while.",
    "Periodic latency spikes of Redis of more than a second; the slow log is empty.",
)


@asynccontextmanager
async def _stalling(kind: ServerKind, rng: Random, disk: Shim, here: Place, **more: str) -> AsyncIterator[Server]:
    settings = {"appendfsync": "everysec", "latency_monitor_threshold": rng.choice(("0", "0", "100")), **more}
    async with (
        server_in(kind, here, *disk.prefix, appendonly="yes", **settings) as server,
        application(server.url, rng, clients=rng.randrange(5, 10), rate=rng.uniform(60, 160), timeout=5),
    ):
        await fill(server.url, rng, rng.randrange(3000, 6000))
        yield server


async def _delayed(server: Server) -> None:
    """Wait until a write had to wait for the disk."""
    for _ in range(60):
        await asyncio.sleep(0.5)
        wire = await dial(server.url, timeout=10)
        try:
            text = await wire.ask("INFO", "persistence", timeout=10)
        finally:
            await wire.close()
        if int(re.search(r"aof_delayed_fsync:(\d+)", text)[1]) > 0:  # type: ignore[index]
            return
    raise LabError("no write had to wait for the disk")


@FAULTS.fault("fsync-everysec-slow", *_STOPS, needs=available, twin="slow-on-command", never=NO_AOF)
async def fsync_everysec_slow(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The flush of each second takes longer than two: the next write waits for it."""
    with shim() as disk, place() as here:
        async with _stalling(kind, rng, disk, here) as server:
            disk.fsync(rng.randrange(2600, 4500))
            await _delayed(server)
            await asyncio.sleep(rng.uniform(0, 4))
            yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault(
    "fsync-everysec-slow-rewrite", *_STOPS, cause="fsync-everysec-slow", needs=available, twin="slow-on-command",
    never=NO_AOF,
)  # fmt: skip
async def fsync_everysec_slow_rewrite(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A rewrite of the file takes the disk's time, and the flush of each second waits behind it."""
    with shim() as disk, place() as here:
        more = {"rdb_key_save_delay": "20000", "aof_use_rdb_preamble": "yes"}
        async with _stalling(kind, rng, disk, here, **more) as server:
            wire = await dial(server.url)
            await wire.ask("BGREWRITEAOF")
            await wire.close()
            disk.fsync(rng.randrange(2600, 4500))
            await _delayed(server)
            await asyncio.sleep(rng.uniform(0, 4))
            yield Incident(url=server.url, pid=server.pid, fixed=partial(works, server.url, pause=1.0))


def _newest(folder: Path) -> Path:
    """The file that commands were appended to."""
    return max(folder.rglob("*.aof"), key=lambda path: (path.stat().st_size, path.name))


async def written(kind: ServerKind, rng: Random, here: Place, **more: str) -> None:
    """A life of a server that ends by a power cut."""
    async with (
        server_in(kind, here, appendonly="yes", appendfsync="always", aof_load_truncated="no", **more) as server,
        application(server.url, rng),
    ):
        await fill(server.url, rng, rng.randrange(500, 3000))
        await asyncio.sleep(rng.uniform(0.5, 1))
        server.signal(signal.SIGKILL)


def _damage(path: Path, rng: Random, *, tail: bool) -> None:
    data = path.read_bytes()
    if tail:
        path.write_bytes(data[: data.rindex(b"\r\n$") + 1])
        return
    # A run of lost bytes in the middle, as a bad sector or a half restored backup leaves it.
    at = data.index(b"*", rng.randrange(len(data) // 4, 3 * len(data) // 4))
    path.write_bytes(data[:at] + b"\0" * rng.randrange(8, 64) + data[at + 64 :])


def attempt(kind: ServerKind, here: Place, port: int) -> tuple[int, int]:
    """One start that fails; the pid and the exit status."""
    file = here.log.with_name("redis.conf")
    lines = {
        "bind": "127.0.0.1", "port": port, "dir": here.data, "logfile": here.log, "save": '""', "appendonly": "yes",
        "aof-load-truncated": "no",
    }  # fmt: skip
    file.write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
    process = subprocess.Popen([*leash(), str(kind.binary), str(file)], stdin=subprocess.DEVNULL)
    try:
        return process.pid, process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        raise LabError("the server started on a damaged file") from None
    finally:
        process.kill()
        process.wait()


@FAULTS.fault(
    "aof-corrupt-start", *GONE, also=("process-down",), twin="process-down",
    never=(*NO_AOF, r"aof-load-truncated"),
)  # fmt: skip
async def aof_corrupt_start(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The file is damaged in its middle, or cut off where that isn't allowed: the server gives up."""
    with place() as here:
        await written(kind, rng, here)
        _damage(_newest(here.data), rng, tail=rng.random() < 0.25)
        port, pid = free_port(), 0
        # A supervisor tries again and again.
        for _ in range(rng.randrange(1, 5)):
            pid, status = attempt(kind, here, port)
            if status != 1:
                raise LabError(f"the server ended with {status}")
        async with application(f"redis://127.0.0.1:{port}", rng):
            yield Incident(url=f"redis://127.0.0.1:{port}", pid=pid, server_log=here.log)


_EMPTY = (
    "After the maintenance Redis is empty: sessions and carts are gone.",
    "All users are logged out since the restart of Redis, the keys are missing.",
    "Redis was restarted with a new configuration and nearly all keys are missing.",
)


@FAULTS.fault(
    "aof-enabled-by-restart",
    *_EMPTY,
    twin="healthy-new-and-empty",
    never=(r"\bBGSAVE\b", r"BGREWRITEAOF", *NO_AOF[1:]),
)
async def aof_enabled_by_restart(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The file said appendonly yes at the last start, and there was only a snapshot."""
    with place() as here:
        saves = {"save": rng.choice(("3600 1", "900 1"))}
        async with server_in(kind, here, appendonly="no", **saves) as server:
            await fill(server.url, rng, rng.randrange(3000, 30_000), size=rng.randrange(20, 200))
            wire = await dial(server.url)
            await wire.ask("SAVE", timeout=10)
            await wire.close()
        async with server_in(kind, here, appendonly="yes", **saves) as server, application(server.url, rng):
            await asyncio.sleep(rng.uniform(1, 6))
            yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("healthy-new-and-empty", *_EMPTY, cause=NO_FAULT)
async def healthy_new_and_empty(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A new server with an append-only file, which never had any data."""
    with place() as here:
        async with server_in(kind, here, appendonly="yes", save="3600 1") as server, application(server.url, rng):
            await asyncio.sleep(rng.uniform(1, 6))
            yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault(
    "healthy-truncated-tail", *_EMPTY[:2], "Redis came back after the power cut; did we lose data?", cause=NO_FAULT
)
async def healthy_truncated_tail(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The last command of the file was cut off by a power cut; the server left it out and went on."""
    with place() as here:
        await written(kind, rng, here)
        _damage(_newest(here.data), rng, tail=True)
        async with (
            server_in(kind, here, appendonly="yes", aof_load_truncated="yes") as server,
            application(server.url, rng),
        ):
            await asyncio.sleep(1)
            yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("healthy-disk-was-slow", *_STOPS, cause=NO_FAULT, needs=available)
async def healthy_disk_was_slow(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The disk was slow for a while, and no longer is."""
    with shim() as disk, place() as here:
        async with _stalling(kind, rng, disk, here, latency_monitor_threshold="0") as server:
            disk.fsync(rng.randrange(2600, 3500))
            await _delayed(server)
            disk.fsync(0)
            # A check takes it for history after some seconds.
            await asyncio.sleep(25)
            yield Incident(url=server.url, pid=server.pid)
