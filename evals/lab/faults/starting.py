"""Servers that give up at their start, each for a reason of its own, and those that gave up once and serve now."""

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from random import Random

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.machine import Place, place, server_in
from evals.lab.servers import LabError, ServerKind, free_port, installed, leash
from evals.lab.traffic import application, fill
from evals.lab.wire import dial

FAULTS = Family("persistence")
_GONE = (
    "Redis doesn't come up any more: connection refused. It ran until this morning.",
    "Redis won't start since last night's maintenance, the health check is red.",
    "All calls of checkout fail with 'Connection refused' since Redis was restarted.",
)
_NEVER = (
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


async def _failing(
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


async def _saved(kind: ServerKind, rng: Random, here: Place, **more: str) -> None:
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


@FAULTS.fault("start-failed-config", *_GONE, cause="start-failed", twin="process-down-later", never=_NEVER)
async def start_failed_config(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Somebody edited the configuration; the server had run with the old one."""
    with place() as here:
        if rng.random() < 0.6:
            await _saved(kind, rng, here)
        async for incident in _failing(kind, rng, here, _edits(kind, rng)):
            yield incident


@FAULTS.fault(
    "start-failed-pasted", "See title.", cause="start-failed", twin="process-down-later", never=_NEVER,
)  # fmt: skip
async def start_failed_pasted(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The same, and all there is of the log stands in the ticket."""
    with place() as here:
        async for incident in _failing(kind, rng, here, _edits(kind, rng), pasted=True, ticket=rng.choice(_GONE)):
            yield incident


_BACK = (
    "We rolled Redis back after the upgrade and now it won't start: connection refused.",
    "Redis was moved to the other host tonight and doesn't come up there, connection refused.",
    *_GONE[:2],
)
_NEWER: Mapping[str, tuple[str, ...]] = {
    "redis-6.2": ("redis-7.0", "redis-8.2", "valkey-8.1"), "redis-7.0": ("redis-8.2", "valkey-8.1"),
    "valkey-8.1": ("redis-8.2", "valkey-9.1"), "valkey-9.1": ("redis-8.2",),
}  # fmt: skip
"""By server: those whose dumps it says it can't read. Of Valkey 9's an older Redis only says that they're none."""


def _newer(kind: ServerKind) -> list[ServerKind]:
    return [one for one in installed() if one.name in _NEWER.get(kind.name, ())]


@FAULTS.fault(
    "start-failed-dump-version", *_BACK, cause="start-failed", kinds=lambda kind: bool(_newer(kind)),
    twin="process-down-later", never=(*_NEVER, r"redis-check-rdb|redis-check-aof"),
)  # fmt: skip
async def start_failed_dump_version(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The dump is of a newer release, or the append-only file begins with one."""
    writer = rng.choice(_newer(kind))
    with place() as here:
        if kind.name == "valkey-9.1" or rng.random() < 0.7 or not kind.at_least(7) or writer.name == "redis-6.2":
            await _saved(writer, rng, here)
            more = {}
        else:
            await _saved(writer, rng, here, appendonly="yes")
            more = {"appendonly": "yes"}
            async with server_in(writer, here, appendonly="yes") as server:
                wire = await dial(server.url)
                await wire.ask("BGREWRITEAOF")
                await asyncio.sleep(1)
                await wire.close()
        here.log.unlink()
        async for incident in _failing(kind, rng, here, more):
            yield incident


@FAULTS.fault(
    "start-failed-dump-foreign", *_BACK, cause="start-failed",
    kinds=lambda kind: kind.name.startswith("redis") and any(one.name == "valkey-9.1" for one in installed()),
    twin="process-down-later", never=_NEVER,
)  # fmt: skip
async def start_failed_dump_foreign(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The dump is of Valkey 9: Redis doesn't take it for one."""
    with place() as here:
        await _saved(next(one for one in installed() if one.name == "valkey-9.1"), rng, here)
        here.log.unlink()
        async for incident in _failing(kind, rng, here, {}):
            yield incident


@FAULTS.fault(
    "start-failed-dump-corrupt", *_GONE, "Redis doesn't start after the power cut.", cause="start-failed",
    twin="process-down-later", never=_NEVER,
)  # fmt: skip
async def start_failed_dump_corrupt(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The dump is cut off, or bytes in its middle are lost."""
    with place() as here:
        await _saved(kind, rng, here)
        dump = here.data / "dump.rdb"
        data = dump.read_bytes()
        at = rng.randrange(len(data) // 4, 3 * len(data) // 4)
        dump.write_bytes(data[:at] if rng.random() < 0.6 else data[:at] + b"\xf7" * 512 + data[at + 512 :])
        async for incident in _failing(kind, rng, here, {}):
            yield incident


@FAULTS.fault("start-failed-acl", *_GONE, cause="start-failed", twin="process-down-later", never=(*_NEVER, r"nopass"))
async def start_failed_acl(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The file of users has a rule that isn't understood, or isn't there."""
    rules = ["user default on nopass ~* &* +@all", "user app on >secret ~app:* +@read +@write",
             "user ops on >secret ~* +@all"]  # fmt: skip
    with place() as here:
        file = here.log.with_name("users.acl")
        how = rng.choice(("rule", "rule", "missing", "inline"))
        rules[rng.randrange(1, 3)] += rng.choice((" +@nonsense", " +flushal", " ~~oops +set|nx|xx"))
        more = {"aclfile": str(file)} if how != "inline" else {"user": "app on >secret ~app:* +@nonsense"}
        if how == "rule":
            file.write_text("\n".join(rules) + "\n")
        async for incident in _failing(kind, rng, here, more):
            yield incident


@FAULTS.fault(
    "start-failed-module", *_GONE, cause="start-failed", twin="process-down-later",
    never=(*_NEVER, r"(remove|drop|without).*loadmodule"),
)  # fmt: skip
async def start_failed_module(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A module's file is gone since the upgrade, or is none for this machine."""
    with place() as here:
        file = here.log.with_name(rng.choice(("redisbloom.so", "rejson.so", "counter.so")))
        if rng.random() < 0.5:
            file.write_bytes(b"\x7fELF" + rng.randbytes(3000))
            file.chmod(0o755)
        async for incident in _failing(kind, rng, here, {"loadmodule": str(file)}):
            yield incident


@FAULTS.fault(
    "start-failed-tls", *_GONE, "Since the certificate was renewed Redis doesn't start.", cause="start-failed",
    kinds=lambda kind: kind.tls, twin="process-down-later", never=(*_NEVER, r"tls-port 0", r"tls-auth-clients no"),
)  # fmt: skip
async def start_failed_tls(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A file of the TLS configuration isn't there since the renewal, or holds something else."""
    with place() as here:
        names = {name: here.log.with_name(f"{name}.pem") for name in ("cert", "key", "ca")}
        if rng.random() < 0.5:
            for path in names.values():
                path.write_text("-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n")
        more = {
            "tls-port": str(free_port()), "tls-cert-file": str(names["cert"]), "tls-key-file": str(names["key"]),
            "tls-ca-cert-file": str(names["ca"]),
        }  # fmt: skip
        async for incident in _failing(kind, rng, here, more):
            yield incident


@FAULTS.fault(
    "start-failed-port", "The new Redis doesn't start, its unit fails again and again.",
    "systemd says that Redis failed; it restarts it all the time.", cause="start-failed",
    twin="healthy-after-a-failed-start", never=(*_NEVER, r"kill -9", r"SHUTDOWN NOSAVE"),
)  # fmt: skip
async def start_failed_port(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Something else listens at its port: the server of before, or a program that is no server at all."""
    with place() as here, place() as other:
        if rng.random() < 0.6:
            async with server_in(kind, other) as server:
                async for incident in _failing(kind, rng, here, {}, port=server.port):
                    yield incident
        else:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                async for incident in _failing(kind, rng, here, {}, port=listener.getsockname()[1]):
                    yield incident


def _needs_root() -> str | None:
    return None if os.geteuid() == 0 else "needs root, to start a server as another user"


def _lock(here: Place, what: str) -> Mapping[str, str]:
    """Do as somebody did as root: the file or folder is root's since then. Returns what else the configuration says."""
    if what == "parts":
        (here.data / "appendonlydir").mkdir(0o700)
        return {"appendonly": "yes"}
    path = {
        "configuration": here.log.with_name("redis.conf"), "dump": here.data / "dump.rdb", "log": here.log,
        "folder": here.data,
    }[what]  # fmt: skip
    if not path.exists():
        path.touch()
    path.chmod(0o700 if path.is_dir() else 0o600)
    return {}


@FAULTS.fault(
    "start-failed-permission", *_GONE, "Since the restore from the backup Redis doesn't start.", cause="start-failed",
    needs=_needs_root, twin="process-down-later", never=_NEVER,
)  # fmt: skip
async def start_failed_permission(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A file or a folder isn't the server's user's any more."""
    with place() as here:
        await _saved(kind, rng, here)
        here.log.unlink()
        for path in (here.log.parent, here.data):
            path.chmod(0o777)
        (here.data / "dump.rdb").chmod(0o644)
        # 6.2 has no folder of append-only files.
        places = ("configuration", "dump", "log", "folder", *(("parts",) if kind.at_least(7) else ()))
        more = _lock(here, rng.choice(places))
        async for incident in _failing(kind, rng, here, more, user=NOBODY):
            yield incident


async def _once_failed(kind: ServerKind, rng: Random, here: Place) -> None:
    attempt(kind, here, free_port(), {"loadmodule": str(here.log.with_name("none.so"))})


@FAULTS.fault(
    "process-down-later", *_GONE, *_BACK[:2], cause="process-down", twin="start-failed-config",
    never=(*_NEVER, r"loadmodule"),
)  # fmt: skip
async def process_down_later(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A start failed once and was put right; the server served since, and then somebody ended it."""
    with place() as here:
        if rng.random() < 0.7:
            await _once_failed(kind, rng, here)
        async with server_in(kind, here, save="900 1") as server, application(server.url, rng):
            await fill(server.url, rng, rng.randrange(300, 3000))
            await asyncio.sleep(rng.uniform(0.5, 2))
            server.signal(rng.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGTERM)))
            for _ in range(100):
                if not server.running:
                    break
                await asyncio.sleep(0.05)
            yield Incident(url=server.url, pid=server.pid, server_log=here.log)


@FAULTS.fault(
    "healthy-after-a-failed-start", "Redis didn't come up at first this morning; is it well now?",
    "systemd says that Redis failed; it restarts it all the time.",
    "The new Redis doesn't start, its unit fails again and again.", cause=NO_FAULT, twin="start-failed-port",
)  # fmt: skip
async def healthy_after_a_failed_start(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The server gave up at its start a few times, was put right, and serves since."""
    with place() as here:
        for _ in range(rng.randrange(1, 4)):
            await _once_failed(kind, rng, here)
            await asyncio.sleep(0.3)
        async with server_in(kind, here, save="900 1") as server, application(server.url, rng):
            await fill(server.url, rng, rng.randrange(300, 3000))
            await asyncio.sleep(rng.uniform(1, 3))
            yield Incident(url=server.url, pid=server.pid)
