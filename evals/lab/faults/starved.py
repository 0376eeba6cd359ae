"""Faults of a server whose machine gives it less memory than it needs: swap, and the kernel's killing."""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from random import Random

from evals.lab.fault import Family, Incident
from evals.lab.group import control_group, limits
from evals.lab.machine import Place, place, server_in
from evals.lab.servers import LabError, Server, ServerKind
from evals.lab.traffic import application, application_name, fill
from evals.lab.wire import LOST, dial

FAULTS = Family("memory")
MIB = 1 << 20
SWAP = 320 * MIB
"""Bytes of the swap file."""
VALUE = 3000
_SLOW = (
    "Even a GET of one small key takes tens of milliseconds now and then, at random keys.",
    "Redis got slow for no reason: same traffic, same commands, and p99 is a hundred times the usual.",
)
_GONE = (
    "redis.exceptions.ConnectionError: Error 111 connecting to redis. Connection refused. All pods.",
    "Redis died during the import, without any error in its log.",
)
_EMPTY = (
    "All sessions were gone at once; everybody had to log in again.",
    "Redis connections broke for some seconds, and afterwards the cache was empty.",
)


def _memory() -> str | None:
    return limits("memory")


def _swap() -> str | None:
    if lacking := [name for name in ("mkswap", "swapon", "swapoff") if shutil.which(name) is None]:
        return f"needs {', '.join(lacking)}: apt-get install util-linux mount"
    return "needs root, to have a swap file" if os.geteuid() else limits("memory")


@contextmanager
def _swap_file() -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="redis-", dir="/var/tmp") as folder:
        file = Path(folder) / "swap"
        with file.open("wb") as opened:
            os.fchmod(opened.fileno(), 0o600)
            os.posix_fallocate(opened.fileno(), 0, SWAP)
        for program in (["mkswap", str(file)], ["swapon", str(file)]):
            done = subprocess.run(program, capture_output=True, text=True, check=False)
            if done.returncode:
                raise LabError(f"{program[0]}: {done.stderr.strip()}")
        try:
            yield
        finally:
            subprocess.run(["swapoff", str(file)], capture_output=True, check=False)


async def _touch(url: str, rng: Random, name: str, keys: int, rate: float) -> None:
    """Any key is as likely as any other, so that most of them are cold."""
    while True:
        with suppress(*LOST):
            wire = await dial(url, name=name)
            try:
                while True:
                    await wire.ask("GET", f"profile:{rng.randrange(keys):07d}", timeout=5)
                    await asyncio.sleep(rng.uniform(0.5, 1.5) / rate)
            finally:
                await wire.close()
        await asyncio.sleep(0.5)


@FAULTS.fault("swapping", *_SLOW, needs=_swap, twin="cpu-throttled", never=(r"\brestart\b", r"FLUSH(ALL|DB)"))
async def swapping(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The control group has room for a part of the data; the rest lies in swap."""
    megabytes, share = rng.randrange(90, 180), rng.uniform(0.4, 0.65)
    keys, name = megabytes * MIB // VALUE, application_name(rng)
    with _swap_file(), control_group("memory") as group, place() as here:
        async with server_in(kind, here, save='""') as server, application(server.url, rng) as hands:
            (group / "cgroup.procs").write_text(str(server.pid))
            (group / "memory.swappiness").write_text("60")
            (group / "memory.limit_in_bytes").write_text(str(round(megabytes * share) * MIB))
            await fill(server.url, rng, keys, size=VALUE, prefix="profile:")
            for _ in range(rng.randrange(2, 5)):
                hands.spawn(_touch(server.url, Random(rng.random()), name, keys, rng.uniform(30, 80)))
            await asyncio.sleep(1)
            yield Incident(url=server.url, pid=server.pid)


async def _until_killed(server: Server, rng: Random, size: int) -> None:
    """An import that writes until nobody answers any more."""
    number = 0
    async with asyncio.timeout(30):
        while server.running:
            with suppress(*LOST):
                await fill(server.url, rng, 4000, size=size, prefix=f"import:{number}:")
            number += 1


def _limited(group: Path, rng: Random) -> None:
    megabytes = rng.randrange(30, 90)
    # Swap that somebody else has would only put the end off.
    (group / "memory.swappiness").write_text("0")
    (group / "memory.limit_in_bytes").write_text(str(megabytes * MIB))


@FAULTS.fault(
    "oom-killed", *_GONE, needs=_memory, twin="process-down", never=(r"CONFIG SET maxmemory", r"FLUSH(ALL|DB)")
)
async def oom_killed(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """An import without a maxmemory grows into the control group's limit."""
    with control_group("memory") as group, place() as here:
        async with server_in(kind, here, save='""') as server, application(server.url, rng):
            (group / "cgroup.procs").write_text(str(server.pid))
            _limited(group, rng)
            await _until_killed(server, rng, rng.randrange(200, 2000))
            await asyncio.sleep(rng.uniform(0, 3))
            yield Incident(url=server.url, pid=server.pid, server_log=here.log)


@asynccontextmanager
async def _again(kind: ServerKind, rng: Random, here: Place, group: Path) -> AsyncIterator[Server]:
    """A server in the group that takes the place of one that was killed there, with the same files."""
    async with server_in(kind, here, save='""') as first, application(first.url, rng):
        (group / "cgroup.procs").write_text(str(first.pid))
        await _until_killed(first, rng, rng.randrange(200, 2000))
    async with server_in(kind, here, save='""') as second:
        (group / "cgroup.procs").write_text(str(second.pid))
        yield second


@FAULTS.fault(
    "oom-killed-and-back", *_EMPTY, cause="oom-killed", needs=_memory, twin="maxmemory-shrunk",
    never=(r"CONFIG SET maxmemory", r"FLUSH(ALL|DB)"),
)  # fmt: skip
async def oom_killed_and_back(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The same, and whoever minds the server has started it again: it's empty, and looks well."""
    with control_group("memory") as group, place() as here:
        _limited(group, rng)
        async with _again(kind, rng, here, group) as server, application(server.url, rng):
            await asyncio.sleep(rng.uniform(1, 6))
            yield Incident(url=server.url, pid=server.pid)
