"""What a program costs: CPU, time and memory of a process, and what the servers that it asks say of it."""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from evals.lab.wire import LOST, Wire
from tools.records import Record

ROOT = Path(__file__).resolve().parents[2]
"""Where the packages lie, in a checkout and in an installed wheel alike."""
LONGEST_RUN = 60.0
"""Seconds after which a program that is measured is killed."""
OWN = "bench"
"""The name of the bench's own connections, by which the servers' slow logs tell them apart."""
NOTED = "100"
"""Microseconds from which on a measured server notes a command: slowlog-log-slower-than."""
# Without bytecode a program is compiled again at each start.
_SETTINGS = re.compile(r"REDIAGNOSE_|OPENAI_|REDIS_URL$|REDISCLI_AUTH$|PROMETHEUS_|PYTHONDONTWRITEBYTECODE$")
_CALLS = re.compile(r"^cmdstat_([^:]+):calls=(\d+),usec=(\d+)", re.MULTILINE)


class Run(Record):
    """What one process cost."""

    cpu: float
    """Seconds, user and system together, its children's included."""
    wall: float
    """Seconds."""
    waited: float
    """Seconds of it that its main thread could have run and had no core, where the system tells."""
    memory: float
    """MB, at most."""
    status: int
    """The exit status; negative where a signal ended it."""
    out: str
    """What it printed on stdout."""


class Served(Record):
    """What servers say of the commands that they were asked since they were last told to forget."""

    commands: int
    ms: float
    """Milliseconds of the servers' time."""
    longest: float | None
    """Milliseconds of the longest, null where none was noted."""
    cycle: float | None
    """Milliseconds of the longest event loop cycle, where the servers tell it."""


def program() -> list[str]:
    """The command that runs this program."""
    script = Path(sys.executable).with_name("rediagnose")
    return [str(script)] if script.exists() else [sys.executable, "-m", "rediagnose"]


def clean(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment without settings of this program's own, in which its packages are found wherever it's run."""
    return {name: value for name, value in environ.items() if not _SETTINGS.match(name)} | {"PYTHONPATH": str(ROOT)}


def timed(command: Sequence[str], cwd: Path | None = None) -> Run:
    """Run a program to its end. Raises `OSError` where it can't be started."""
    with tempfile.TemporaryFile() as out:
        began = time.monotonic()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL, cwd=cwd, env=clean(os.environ)
        )
        # Waited for by `wait4`, which alone tells the resources of this process and of no other.
        timer = threading.Timer(LONGEST_RUN, os.kill, (process.pid, 9))
        timer.start()
        try:
            delay = _last_wait(process.pid)
            _, status, usage = os.wait4(process.pid, 0)
        finally:
            timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - began
        out.seek(0)
        return Run(
            cpu=usage.ru_utime + usage.ru_stime, wall=wall, waited=delay, memory=usage.ru_maxrss / 1024,
            status=process.returncode, out=out.read().decode(errors="replace"),
        )  # fmt: skip


def waited(pid: int) -> float:
    """Seconds that a process could have run and had no core, since it began; 0 where the system doesn't tell."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def _last_wait(pid: int) -> float:
    """The same of one that ends, which is waited for: what it leaves can be read until `wait4` takes it."""
    if not hasattr(os, "waitid"):
        return 0.0
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return waited(pid)


async def run(*command: str) -> Run:
    """The same, in a folder that holds no settings, while this program's connections go on. Raises `OSError`."""
    with tempfile.TemporaryDirectory() as folder:
        return await asyncio.to_thread(timed, command, Path(folder))


async def forget(wires: Sequence[Wire]) -> None:
    """Tell the servers to forget what they counted and noted."""
    for wire in wires:
        await wire.ask("CONFIG", "RESETSTAT", timeout=10)
        await wire.ask("SLOWLOG", "RESET", timeout=10)


async def served(wires: Sequence[Wire], without: Sequence[str] = ()) -> Served:
    """What they were asked since then by others than the bench, and but for the commands `without`.

    A server that is gone counts nothing.
    """
    commands, usec, longest, cycle = 0, 0, [0], [0]
    for wire in wires:
        try:
            stats = str(await wire.ask("INFO", "commandstats", timeout=10))
            debug = re.search(r"eventloop_duration_max:(\d+)", str(await wire.ask("INFO", "debug", timeout=10)))
            entries = await wire.ask("SLOWLOG", "GET", 1000, timeout=10)
        except LOST:
            continue
        found = [(name, int(calls), int(took)) for name, calls, took in _CALLS.findall(stats)]
        # The two of `forget` are the bench's; before Redis 7 one of them stands among the other CONFIG calls.
        ours = ("config|resetstat", "slowlog|reset", *without)
        commands += sum(calls for name, calls, _ in found if name not in ours)
        commands -= sum(name in ("config", "slowlog") for name, _, _ in found)
        usec += sum(took for name, _, took in found if name not in ours)
        longest += [entry[2] for entry in entries if entry[5] != OWN and entry[3][0].lower() not in without]
        cycle += [int(debug[1])] if debug else []
    return Served(
        commands=commands, ms=usec / 1000, longest=max(longest) / 1000 or None, cycle=max(cycle) / 1000 or None
    )  # fmt: skip
