"""Servers that give up at their start for another file's or somebody else's sake, and those that serve since."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from random import Random

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.faults.starting import BACK, GONE, NEVER, attempt, failing, saved
from evals.lab.machine import Place, place, server_in
from evals.lab.servers import ServerKind, free_port
from evals.lab.traffic import application, fill

FAULTS = Family("persistence")
NOBODY = 65534


@FAULTS.fault("start-failed-acl", *GONE, cause="start-failed", twin="process-down-later", never=(*NEVER, r"nopass"))
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
        async with failing(kind, rng, here, more) as incident:
            yield incident


@FAULTS.fault(
    "start-failed-module", *GONE, cause="start-failed", twin="process-down-later",
    never=(*NEVER, r"(remove|drop|without).*loadmodule"),
)  # fmt: skip
async def start_failed_module(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A module's file is gone since the upgrade, or is none for this machine."""
    with place() as here:
        file = here.log.with_name(rng.choice(("redisbloom.so", "rejson.so", "counter.so")))
        if rng.random() < 0.5:
            file.write_bytes(b"\x7fELF" + rng.randbytes(3000))
            file.chmod(0o755)
        async with failing(kind, rng, here, {"loadmodule": str(file)}) as incident:
            yield incident


@FAULTS.fault(
    "start-failed-tls", *GONE, "Since the certificate was renewed Redis doesn't start.", cause="start-failed",
    kinds=lambda kind: kind.tls, twin="process-down-later", never=(*NEVER, r"tls-port 0", r"tls-auth-clients no"),
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
        async with failing(kind, rng, here, more) as incident:
            yield incident


@FAULTS.fault(
    "start-failed-port", "The new Redis doesn't start, its unit fails again and again.",
    "systemd says that Redis failed; it restarts it all the time.", cause="start-failed",
    twin="healthy-after-a-failed-start", never=(*NEVER, r"kill -9", r"SHUTDOWN NOSAVE"),
)  # fmt: skip
async def start_failed_port(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Something else listens at its port: the server of before, or a program that is no server at all."""
    with place() as here, place() as other:
        if rng.random() < 0.6:
            async with server_in(kind, other) as server, failing(kind, rng, here, {}, port=server.port) as incident:
                yield incident
        else:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                async with failing(kind, rng, here, {}, port=listener.getsockname()[1]) as incident:
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
    "start-failed-permission", *GONE, "Since the restore from the backup Redis doesn't start.", cause="start-failed",
    needs=_needs_root, twin="process-down-later", never=NEVER,
)  # fmt: skip
async def start_failed_permission(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A file or a folder isn't the server's user's any more."""
    with place() as here:
        await saved(kind, rng, here)
        here.log.unlink()
        for path in (here.log.parent, here.data):
            path.chmod(0o777)
        (here.data / "dump.rdb").chmod(0o644)
        # 6.2 has no folder of append-only files.
        places = ("configuration", "dump", "log", "folder", *(("parts",) if kind.at_least(7) else ()))
        more = _lock(here, rng.choice(places))
        async with failing(kind, rng, here, more, user=NOBODY) as incident:
            yield incident


async def _once_failed(kind: ServerKind, rng: Random, here: Place) -> None:
    attempt(kind, here, free_port(), {"loadmodule": str(here.log.with_name("none.so"))})


@FAULTS.fault(
    "process-down-later", *GONE, *BACK[:2], cause="process-down", twin="start-failed-config",
    never=(*NEVER, r"loadmodule"),
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
