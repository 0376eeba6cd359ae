"""Saves and rewrites that have no place to go to, or that don't get on."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random

import psutil
from hiredis import ReplyError

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.group import control_group, limits
from evals.lab.machine import Place, own_disk, place, server_in
from evals.lab.servers import LabError, Server, ServerKind, start
from evals.lab.traffic import application, fill
from evals.lab.wire import dial

FAULTS = Family("persistence")
NOBODY = 65534
_REFUSED = (
    "Since tonight no write reaches Redis any more: MISCONF. Reads work.",
    "checkout can't store carts, every SET fails with a MISCONF error. GET is fine.",
    "MISCONF since the volume was moved, although the disk is nearly empty.",
)
_NEVER = (
    r"make room", r"chmod( -R)? 777", r"\bas root\b", r"stop-writes-on-bgsave-error", r"SHUTDOWN NOSAVE",
    r"\b(rm|delete|remove)\b.*\b(rdb|aof|dump)\b", r"\bflush(all|db)\b", r"appendonly no\b",
)  # fmt: skip
_SAVE = ("3600 1", "900 1")


def _root() -> str | None:
    return None if os.geteuid() == 0 else "needs root, to start a server as another user"


@asynccontextmanager
async def _as_nobody(kind: ServerKind, rng: Random, here: Place, **more: str) -> AsyncIterator[Server]:
    """A server with a user of its own, and an application that writes."""
    here.log.parent.chmod(0o755)
    os.chown(here.data, NOBODY, NOBODY)
    here.log.touch()
    os.chown(here.log, NOBODY, NOBODY)
    other = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    settings = {"save": rng.choice(_SAVE), **{name.replace("_", "-"): value for name, value in more.items()}}
    settings |= {"dir": str(here.data), "logfile": str(here.log)}
    # Its own folder, with its configuration, is for its user too.
    server = await start(kind, config=settings, prefix=other, prepare=lambda folder: folder.chmod(0o755))
    try:
        async with application(server.url, rng):
            await fill(server.url, rng, rng.randrange(1000, 8000), size=rng.randrange(50, 300))
            yield server
    finally:
        await server.stop()


async def _asked(url: str, command: str) -> None:
    wire = await dial(url)
    with suppress(ReplyError):
        await wire.ask(command)
    await wire.close()


async def _persistence(url: str) -> dict[str, str]:
    wire = await dial(url, timeout=10)
    try:
        text = await wire.ask("INFO", "persistence", timeout=10)
    finally:
        await wire.close()
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


async def _ends(url: str, command: str, field: str, status: str) -> None:
    """Ask for a save or a rewrite, and wait until it ended so."""
    for _ in range(3):
        await _asked(url, command)
        for _ in range(100):
            await asyncio.sleep(0.1)
            info = await _persistence(url)
            if info["rdb_bgsave_in_progress"] == info["aof_rewrite_in_progress"] == "0":
                break
        if info[field] == status:
            return
    raise LabError(f"{command} doesn't end in {status}")


def _take_away(here: Place) -> None:
    """What a restore, a chart or a hand as root leaves behind: the folder belongs to root."""
    os.chown(here.data, 0, 0)
    here.data.chmod(0o755)


@FAULTS.fault(
    "save-path-permission", *_REFUSED, cause="save-path-unwritable", needs=_root, twin="bgsave-disk-full", never=_NEVER
)  # fmt: skip
async def save_path_permission(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The data's folder belongs to root since somebody restored something into it."""
    with place() as here:
        async with _as_nobody(kind, rng, here) as server:
            if rng.random() < 0.5:
                await _ends(server.url, "BGSAVE", "rdb_last_bgsave_status", "ok")
            _take_away(here)
            await _ends(server.url, "BGSAVE", "rdb_last_bgsave_status", "err")
            await asyncio.sleep(rng.uniform(0.5, 3))
            yield Incident(url=server.url, pid=server.pid)


def _read_only() -> str | None:
    return own_disk() or (None if shutil.which("nsenter") else "needs nsenter: apt-get install util-linux")


@FAULTS.fault(
    "save-path-read-only", *_REFUSED, cause="save-path-unwritable", needs=_read_only, twin="bgsave-disk-full",
    never=_NEVER,
)  # fmt: skip
async def save_path_read_only(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The volume is mounted read-only, as a kernel does after errors of its disk."""
    with place(200) as here:
        async with server_in(kind, here, save=rng.choice(_SAVE)) as server, application(server.url, rng):
            await fill(server.url, rng, rng.randrange(1000, 8000), size=rng.randrange(50, 300))
            mount = ["mount", "-o", "remount,ro", str(here.data)]
            subprocess.run(["nsenter", "-t", str(server.pid), "-m", *mount], check=True, capture_output=True)
            await _ends(server.url, "BGSAVE", "rdb_last_bgsave_status", "err")
            await asyncio.sleep(rng.uniform(0.5, 3))
            yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault(
    "save-path-missing", *_REFUSED, cause="save-path-unwritable", twin="bgsave-disk-full", never=_NEVER,
)  # fmt: skip
async def save_path_missing(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The folder that it works in was deleted."""
    with place() as here:
        async with server_in(kind, here, save=rng.choice(_SAVE)) as server, application(server.url, rng):
            await fill(server.url, rng, rng.randrange(1000, 8000), size=rng.randrange(50, 300))
            shutil.rmtree(here.data)
            await _ends(server.url, "BGSAVE", "rdb_last_bgsave_status", "err")
            await asyncio.sleep(rng.uniform(0.5, 3))
            yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault(
    "healthy-after-save-path", *_REFUSED[:2], cause=NO_FAULT, needs=_root, twin="save-path-permission",
)  # fmt: skip
async def healthy_after_save_path(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The folder wasn't the server's for a while; it's put right, and a snapshot was written since."""
    with place() as here:
        async with _as_nobody(kind, rng, here) as server:
            _take_away(here)
            await _ends(server.url, "BGSAVE", "rdb_last_bgsave_status", "err")
            os.chown(here.data, NOBODY, NOBODY)
            await _ends(server.url, "BGSAVE", "rdb_last_bgsave_status", "ok")
            # The application comes back within its longest pause between two attempts.
            await asyncio.sleep(6)
            yield Incident(url=server.url, pid=server.pid)


_OLD = (
    "The last backup of Redis is days old. BGSAVE says that a background save is already in progress.",
    "Monitoring: no snapshot of Redis for far too long. The application sees nothing of it.",
    "LASTSAVE doesn't move any more, we'd lose everything since then.",
)


def _child_of(server: Server) -> psutil.Process | None:
    return next(iter(psutil.Process(server.pid).children()), None)


async def _child(server: Server) -> psutil.Process:
    for _ in range(100):
        if child := _child_of(server):
            return child
        await asyncio.sleep(0.02)
    raise LabError("no child")


@FAULTS.fault("save-stuck", *_OLD, twin="healthy-long-save", never=(*_NEVER[1:], r"restart the server"))
async def save_stuck(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The child that saves is stopped, and every further save waits for it."""
    rewrite = rng.random() < 0.3
    more = {"appendonly": "yes", "auto_aof_rewrite_percentage": "0"} if rewrite else {}
    command = "BGREWRITEAOF" if rewrite else "BGSAVE"
    with place() as here:
        settings = {"save": rng.choice(_SAVE), "rdb_key_save_delay": "300", **more}
        async with server_in(kind, here, **settings) as server, application(server.url, rng):
            await fill(server.url, rng, rng.randrange(3000, 6000), size=rng.randrange(50, 300))
            await _ends(server.url, command, "rdb_last_bgsave_status", "ok")
            await _asked(server.url, command)
            child = await _child(server)
            child.send_signal(signal.SIGSTOP)
            await asyncio.sleep(rng.uniform(20, 32))
            yield Incident(url=server.url, pid=server.pid)
            with suppress(psutil.NoSuchProcess):
                child.kill()


@FAULTS.fault("healthy-long-save", *_OLD[:2], cause=NO_FAULT, twin="save-stuck")
async def healthy_long_save(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A save that takes its time and gets on."""
    with place() as here:
        settings = {"save": rng.choice(_SAVE), "rdb_key_save_delay": "4000"}
        async with server_in(kind, here, **settings) as server, application(server.url, rng):
            await fill(server.url, rng, rng.randrange(15_000, 20_000), size=rng.randrange(50, 300))
            await _asked(server.url, "BGSAVE")
            await asyncio.sleep(rng.uniform(8, 16))
            yield Incident(url=server.url, pid=server.pid)


_GROWS = (
    "The append-only file of Redis grows and grows, the volume is full in a few days.",
    "Redis takes longer and longer to start; its appendonlydir has many gigabytes for a small dataset.",
    "Alert: the AOF of Redis is far larger than its data.",
)


@FAULTS.fault(
    "aof-rewrite-permission", *_GROWS, cause="aof-rewrite-failing", needs=_root, twin="healthy-growing-aof",
    never=_NEVER[1:],
)  # fmt: skip
async def aof_rewrite_permission(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A rewrite can't make its file: the folder isn't the server's."""
    with place() as here:
        async with _as_nobody(kind, rng, here, appendonly="yes", save='""') as server:
            _take_away(here)
            for _ in range(rng.randrange(1, 4)):
                await _ends(server.url, "BGREWRITEAOF", "aof_last_bgrewrite_status", "err")
            await asyncio.sleep(rng.uniform(0.5, 2))
            yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault(
    "aof-rewrite-disk", *_GROWS, cause="aof-rewrite-failing", needs=own_disk, twin="healthy-growing-aof",
    never=_NEVER[1:],
)  # fmt: skip
async def aof_rewrite_disk(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """There is room for what is appended, and none for a second copy of the data."""
    with place(8) as here:
        more = {"appendonly": "yes", "save": '""', "auto_aof_rewrite_percentage": "0", "aof_use_rdb_preamble": "no"}
        async with server_in(kind, here, **more) as server, application(server.url, rng, rate=20):
            await fill(server.url, rng, 5500, size=800)
            for _ in range(rng.randrange(1, 3)):
                await _ends(server.url, "BGREWRITEAOF", "aof_last_bgrewrite_status", "err")
            await asyncio.sleep(rng.uniform(0.5, 2))
            yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault(
    "aof-rewrite-fork", *_GROWS, cause="aof-rewrite-failing", needs=lambda: limits("pids"),
    # 6.2 keeps a rewrite's status where it couldn't fork for it.
    kinds=lambda kind: kind.at_least(7),
    twin="healthy-growing-aof", never=_NEVER[1:],
)  # fmt: skip
async def aof_rewrite_fork(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Its control group lets the server have no process more."""
    with control_group("pids") as group, place() as here:
        async with server_in(kind, here, appendonly="yes", save='""') as server, application(server.url, rng):
            (group / "cgroup.procs").write_text(str(server.pid))
            await fill(server.url, rng, rng.randrange(2000, 9000), size=rng.randrange(50, 300))
            (group / "pids.max").write_text((group / "pids.current").read_text())
            await _ends(server.url, "BGREWRITEAOF", "aof_last_bgrewrite_status", "err")
            await asyncio.sleep(rng.uniform(0.5, 2))
            yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("healthy-growing-aof", *_GROWS, cause=NO_FAULT, twin="aof-rewrite-permission")
async def healthy_growing_aof(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """An append-only file that grows until its next rewrite, as it should; the last one went well."""
    with place() as here:
        async with server_in(kind, here, appendonly="yes", save='""') as server, application(server.url, rng):
            await fill(server.url, rng, rng.randrange(500, 2000), size=rng.randrange(50, 300))
            await _ends(server.url, "BGREWRITEAOF", "aof_last_bgrewrite_status", "ok")
            await fill(server.url, rng, rng.randrange(3000, 9000), size=rng.randrange(50, 300))
            await asyncio.sleep(1)
            yield Incident(url=server.url, pid=server.pid)
