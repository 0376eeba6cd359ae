"""Servers that something else ends soon after each start, or that give up for what their machine refuses them."""

import asyncio
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from random import Random

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.faults.starting import GONE, NEVER, failing
from evals.lab.machine import place, server_in
from evals.lab.servers import LabError, ServerKind, free_port, leash
from evals.lab.traffic import application, fill
from evals.lab.wire import dial

FAULTS = Family("starts and ends")
_RUNS = (3, 4)
"""How often it was ended before."""
RESTARTS = (
    "Redis restarts every minute or so, and the app loses its connections each time. No crash, nothing in dmesg.",
    "Redis keeps restarting since the unit file was changed. Memory is fine.",
)


@FAULTS.fault("ended-again", *RESTARTS, cause="process-down", twin="healthy-restarted",
              never=(r"\bmaxmemory\b", r"\bflush(all|db)\b"))  # fmt: skip
async def ended_again(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A supervisor takes a server that serves for one that doesn't start, ends it and starts it anew."""
    with place() as here:
        port = str(free_port())
        for _ in range(rng.choice(_RUNS)):
            async with server_in(kind, here, port=port):
                await asyncio.sleep(rng.uniform(0.8, 2))
        async with server_in(kind, here, port=port) as server, application(server.url, rng):
            await asyncio.sleep(1)
            yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("healthy-restarted", "Redis was restarted for a patch of its host a moment ago. Is it all right again?",
              RESTARTS[1], cause=NO_FAULT, twin="ended-again")  # fmt: skip
async def healthy_restarted(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """One orderly restart, with its data."""
    with place() as here:
        port = str(free_port())
        async with server_in(kind, here, port=port, save="900 1") as server:
            await fill(server.url, rng, rng.randrange(300, 2000))
            wire = await dial(server.url)
            await wire.ask("SAVE", timeout=10)
            await wire.close()
        async with server_in(kind, here, port=port, save="900 1") as server, application(server.url, rng):
            await asyncio.sleep(1)
            yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault(
    "ended-while-loading", "The Redis pod is in CrashLoopBackOff since the dataset grew, connection refused.",
    "Redis doesn't come up after the reboot, systemctl says that the start timed out.", cause="process-down",
    twin="start-failed-config", never=NEVER,
)  # fmt: skip
async def ended_while_loading(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Each start is ended before the data has been loaded, by a probe or a start's time-out."""
    with place() as here:
        port, pid = free_port(), 0
        async with server_in(kind, here, port=str(port), save="900 1") as server:
            await fill(server.url, rng, rng.randrange(6000, 12_000))
            wire = await dial(server.url)
            await wire.ask("SAVE", timeout=20)
            await wire.close()
        slow = {"key-load-delay": "2000", "loading-process-events-interval-bytes": "1024", "save": "900 1"}
        for _ in range(rng.choice(_RUNS)):
            process = subprocess.Popen(
                [*leash(), str(kind.binary), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(here.data),
                 "--logfile", str(here.log), *(part for name, value in slow.items() for part in (f"--{name}", value))],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=here.log.parent,
            )  # fmt: skip
            pid = process.pid
            try:
                await asyncio.sleep(rng.uniform(1.5, 2.5))
                process.send_signal(signal.SIGTERM)
                await asyncio.to_thread(process.wait, 10)
            finally:
                process.kill()
                process.wait()
        async with application(f"redis://127.0.0.1:{port}", rng):
            yield Incident(url=f"redis://127.0.0.1:{port}", pid=pid, server_log=here.log)


@FAULTS.fault("start-failed-cluster-file", *GONE, cause="start-failed", twin="process-down-later", never=NEVER,
              kinds=lambda kind: kind.name.startswith(("redis-6", "redis-7")))  # fmt: skip
async def start_failed_cluster_file(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Two nodes of a cluster were given one folder; later versions lose the file's lock with its first change."""
    mine = {"cluster-enabled": "yes", "cluster-config-file": "nodes.conf"}
    port, other = _bus(rng), _bus(rng)
    with place() as here:
        settings = {name.replace("-", "_"): value for name, value in mine.items()}
        async with server_in(kind, here, port=str(port), **settings):
            log = here.log.with_name("second.log")
            async with failing(kind, rng, here, {**mine, "logfile": str(log)}, port=other) as incident:
                yield incident.model_copy(update={"server_log": log})


def _bus(rng: Random) -> int:
    """A port that is free, and so is the one of its bus most likely."""
    return rng.randrange(11_000, 22_000)


@FAULTS.fault("start-failed-threads", *GONE, cause="start-failed", twin="process-down-later", never=NEVER)
async def start_failed_threads(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Its user may have no more threads."""
    port = free_port()
    with place() as here:
        for folder in (here.log.parent, here.data):
            folder.chmod(0o777)
        # The user has to reach the program, wherever that is installed.
        program = shutil.copy(kind.binary, here.log.with_name("server"))
        file, kept = here.log.with_name("redis.conf"), here.log.with_name("kept.log")
        file.write_text(f"bind 127.0.0.1\nport {port}\ndir {here.data}\nlogfile {here.log}\n")
        user = ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups", "prlimit", "--nproc=1"]
        with kept.open("ab") as output:
            process = subprocess.Popen(
                [*leash(), *user, program, str(file)], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
            try:
                await asyncio.to_thread(process.wait, 10)
            except subprocess.TimeoutExpired:
                raise LabError("the server started") from None
            finally:
                process.kill()
                process.wait()
        async with application(f"redis://127.0.0.1:{port}", rng):
            yield Incident(url=f"redis://127.0.0.1:{port}", pid=process.pid, server_log=here.log)


_USER = 65_533
"""A user of whom no other process is."""
