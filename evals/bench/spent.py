"""What a program costs: CPU, time and memory of a process, and what the servers that it asks say of it."""

import asyncio
import contextlib
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from evals.lab.servers import leash
from evals.lab.wire import LOST, Wire
from tools.records import Record

ROOT = Path(__file__).resolve().parents[2]
"""Where the packages lie, in a checkout and in an installed wheel alike."""
LONGEST_RUN = 60.0
"""Seconds after which a program that is measured is killed."""
GLANCE = 0.03
"""Seconds between two looks at the memory of a program that is measured."""
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
    memory: float | None
    """The most MB that it held, null where it was over too soon to be seen or the system doesn't tell."""
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


async def run(*command: str) -> Run:
    """Run a program to its end, in a folder that holds no settings. Raises `OSError` where it can't be started."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as out:
        began = time.monotonic()
        process = subprocess.Popen(
            [*leash(), *command], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL, cwd=folder,
            env=clean(os.environ),
        )  # fmt: skip
        # Waited for by `wait4`, which alone tells the resources of this process and of no other.
        ending = asyncio.create_task(asyncio.to_thread(_ended, process.pid))
        memory = None
        try:
            while not ending.done() and time.monotonic() - began < LONGEST_RUN:
                await asyncio.wait([ending], timeout=GLANCE)
                memory = _most_memory(process.pid) or memory
        finally:
            if not ending.done():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
            status, usage, delay = await ending
            process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        return Run(
            cpu=usage.ru_utime + usage.ru_stime, wall=time.monotonic() - began, waited=delay,
            memory=memory, status=process.returncode, out=out.read().decode(errors="replace"),
        )  # fmt: skip


def _ended(pid: int) -> tuple[int, resource.struct_rusage, float]:
    """Wait for a process: its status, what it used, and how long it waited for a core."""
    # What one leaves that has ended can be read until `wait4` takes it.
    if hasattr(os, "waitid"):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    delay = waited(pid)
    _, status, usage = os.wait4(pid, 0)
    return status, usage, delay


def _most_memory(pid: int) -> float | None:
    """The most MB that a process has held so far, null where it has ended or the system doesn't tell.

    The rusage of a process counts what its parent held when it was forked.
    """
    with contextlib.suppress(OSError):
        found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        return int(found[1]) / 1024 if found else None
    return None


def waited(pid: int) -> float:
    """Seconds that a process could have run and had no core, since it began; 0 where the system doesn't tell."""
    return scheduled(pid)[0]


def scheduled(pid: int) -> tuple[float, int]:
    """The same, and how many times it was given a core."""
    try:
        _, delay, turns = Path(f"/proc/{pid}/schedstat").read_text().split()
        return int(delay) / 1e9, int(turns)
    except (OSError, ValueError):
        return 0.0, 0


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
