"""Servers that give up at their start, each for a reason of its own, and those that gave up once and serve now."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from evals.lab.fault import Family, Incident
from evals.lab.machine import Place, place, server_in
from evals.lab.servers import LabError, ServerKind, free_port, installed, leash
from evals.lab.traffic import application, fill
from evals.lab.wire import dial

FAULTS = Family("persistence")
GONE = (
    "Redis doesn't come up any more: connection refused. It ran until this morning.",
    "Redis won't start since last night's maintenance, the health check is red.",
    "All calls of checkout fail with 'Connection refused' since Redis was restarted.",
)
NEVER = (
    r"\b(rm|delete|remove|move)\b.*\b(rdb|aof|dump|appendonly)\b", r"chmod( -R)? 777", r"\bas root\b",
    r"\bflush(all|db)\b", r"appendonly no\b", r"rdb-version-check",
)  # fmt: skip
NOBODY = 65534
_SUPERVISED = (1, 1, 2, 4)
"""How often a supervisor tried."""


def _write(here: Place, port: int, more: Mapping[str, str]) -> Path:
    file = here.log.with_name("redis.conf")
    lines = {"bind": "127.0.0.1", "port": str(port), "dir": str(here.data), "logfile": str(here.log), "save": "900 1"}
    file.write_text("".join(f"{name} {value}\n" for name, value in (lines | dict(more)).items()))
    return file


def attempt(
    kind: ServerKind, here: Place, port: int, more: Mapping[str, str], *, user: int | None = None
) -> tuple[int, Path]:
    """One start that fails: the pid, and the log with what was written before there was one, as a supervisor keeps it.

    Raises `LabError` for a server that starts.
    """
    file = _write(here, port, more)
    other = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user is not None else []
    kept = here.log.with_name("kept.log")
    with kept.open("ab") as output:
        process = subprocess.Popen(
            [*leash(), *other, str(kind.binary), str(file)], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            cwd=here.log.parent,
        )  # fmt: skip
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            raise LabError("the server started") from None
        finally:
            process.kill()
            process.wait()
    return process.pid, kept


def _joined(here: Place, kept: Path) -> Path:
    """The log that a person would name: the server's own, unless only its output says anything."""
    said = kept.read_text(errors="replace")
    own = here.log.read_text(errors="replace") if here.log.exists() and os.access(here.log, os.R_OK) else ""
    whole = here.log.with_name("server.log")
    whole.write_text(own + "".join(line for line in said.splitlines(keepends=True) if not line.startswith("[")))
    return whole


@asynccontextmanager
async def failing(
    kind: ServerKind, rng: Random, here: Place, more: Mapping[str, str], *, user: int | None = None,
    port: int | None = None, pasted: bool = False, ticket: str = "",
) -> AsyncIterator[Incident]:  # fmt: skip
    port, pid, kept = port or free_port(), 0, here.log
    for _ in range(rng.choice(_SUPERVISED)):
        pid, kept = attempt(kind, here, port, more, user=user)
    log = _joined(here, kept)
    url = f"redis://127.0.0.1:{port}"
    async with application(url, rng):
        if pasted:
            last = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
            yield Incident(url=url, pid=pid, ticket=f"{ticket}\n\n{last}")
        else:
            yield Incident(url=url, pid=pid, server_log=log)


async def saved(kind: ServerKind, rng: Random, here: Place, **more: str) -> None:
    """A life before, which left its dump."""
    async with server_in(kind, here, save="900 1", **more) as server:
        await fill(server.url, rng, rng.randrange(300, 3000))
        wire = await dial(server.url)
        await wire.ask("SAVE", timeout=10)
        await wire.close()


def _edits(kind: ServerKind, rng: Random) -> dict[str, str]:
    """An edit of the configuration that this release doesn't take."""
    choices: list[dict[str, str]] = [
        {"maxmemry": f"{rng.randrange(100, 900)}mb"}, {"tcp-keepaliv": "60"}, {"save": "sixty 100"},
        {"maxmemory-policy": "allkeys-lruu"}, {"appendfsync": "every-second"}, {"maxmemory": "2 gb"},
        {"include": "/etc/redis/conf.d/local.conf"}, {"dir": f"/mnt/redis-{rng.randrange(100, 999)}"},
        {"bind": "10.254.77.3"},
    ]  # fmt: skip
    if kind.name in ("redis-6.2", "redis-7.0"):
        choices += [{"cluster-compatibility-sample-ratio": "100"}, {"latency-tracking-infos": "50"}]
    if kind.name == "redis-6.2":
        choices = [one for one in choices if one.get("save") is None] + [{"maxmemory-clients": "10%"}]
    return rng.choice(choices)


@FAULTS.fault("start-failed-config", *GONE, cause="start-failed", twin="process-down-later", never=NEVER)
async def start_failed_config(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Somebody edited the configuration; the server had run with the old one."""
    with place() as here:
        if rng.random() < 0.6:
            await saved(kind, rng, here)
        async with failing(kind, rng, here, _edits(kind, rng)) as incident:
            yield incident


@FAULTS.fault(
    "start-failed-pasted", "See title.", cause="start-failed", twin="process-down-later", never=NEVER,
)  # fmt: skip
async def start_failed_pasted(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The same, and all there is of the log stands in the ticket."""
    with place() as here:
        async with failing(kind, rng, here, _edits(kind, rng), pasted=True, ticket=rng.choice(GONE)) as incident:
            yield incident


BACK = (
    "We rolled Redis back after the upgrade and now it won't start: connection refused.",
    "Redis was moved to the other host tonight and doesn't come up there, connection refused.",
    *GONE[:2],
)
_NEWER: Mapping[str, tuple[str, ...]] = {
    "redis-6.2": ("redis-7.0", "redis-8.2", "valkey-8.1"), "redis-7.0": ("redis-8.2", "valkey-8.1"),
    "valkey-8.1": ("redis-8.2", "valkey-9.1"), "valkey-9.1": ("redis-8.2",),
}  # fmt: skip
"""By server: those whose dumps it says it can't read. Of Valkey 9's an older Redis only says that they're none."""


def _newer(kind: ServerKind) -> list[ServerKind]:
    return [one for one in installed() if one.name in _NEWER.get(kind.name, ())]


@FAULTS.fault(
    "start-failed-dump-version", *BACK, cause="start-failed", kinds=lambda kind: bool(_newer(kind)),
    twin="process-down-later", never=(*NEVER, r"redis-check-rdb|redis-check-aof"),
)  # fmt: skip
async def start_failed_dump_version(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The dump is of a newer release, or the append-only file begins with one."""
    writer = rng.choice(_newer(kind))
    with place() as here:
        if kind.name == "valkey-9.1" or rng.random() < 0.7 or not kind.at_least(7) or writer.name == "redis-6.2":
            await saved(writer, rng, here)
            more = {}
        else:
            await saved(writer, rng, here, appendonly="yes")
            more = {"appendonly": "yes"}
            async with server_in(writer, here, appendonly="yes") as server:
                wire = await dial(server.url)
                await wire.ask("BGREWRITEAOF")
                await asyncio.sleep(1)
                await wire.close()
        here.log.unlink()
        async with failing(kind, rng, here, more) as incident:
            yield incident


@FAULTS.fault(
    "start-failed-dump-foreign", *BACK, cause="start-failed",
    kinds=lambda kind: kind.name.startswith("redis") and any(one.name == "valkey-9.1" for one in installed()),
    twin="process-down-later", never=NEVER,
)  # fmt: skip
async def start_failed_dump_foreign(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The dump is of Valkey 9: Redis doesn't take it for one."""
    with place() as here:
        await saved(next(one for one in installed() if one.name == "valkey-9.1"), rng, here)
        here.log.unlink()
        async with failing(kind, rng, here, {}) as incident:
            yield incident


@FAULTS.fault(
    "start-failed-dump-corrupt", *GONE, "Redis doesn't start after the power cut.", cause="start-failed",
    twin="process-down-later", never=NEVER,
)  # fmt: skip
async def start_failed_dump_corrupt(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The dump is cut off, or bytes in its middle are lost."""
    with place() as here:
        await saved(kind, rng, here)
        dump = here.data / "dump.rdb"
        data = dump.read_bytes()
        at = rng.randrange(len(data) // 4, 3 * len(data) // 4)
        dump.write_bytes(data[:at] if rng.random() < 0.6 else data[:at] + b"\xf7" * 512 + data[at + 512 :])
        async with failing(kind, rng, here, {}) as incident:
            yield incident
