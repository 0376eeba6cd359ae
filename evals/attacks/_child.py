"""The program as a process of its own, with what it cost: nothing that an attack does to it can hide in ours."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
MOST_MEMORY = 300 * 2**20
"""Bytes of memory that it may have held at once."""
GIVEN_UP = 60.0
"""Seconds after which a process is killed: then it's broken anyway."""


class Ran(NamedTuple):
    """What became of one process."""

    status: int
    seconds: float
    """From its start to its end."""
    ended: float
    """When, in seconds of `time.monotonic`."""
    memory: int
    """Bytes that it held at most."""
    out: str
    errors: str

    def wrong(self, seconds: float, *, statuses: Sequence[int] = (0,)) -> str:
        """What doesn't hold of it, or nothing."""
        if self.status not in statuses:
            return f"status {self.status}: {self.errors[-200:]}"
        if "Traceback" in self.errors or "a bug of rediagnose" in self.out + self.errors:
            return f"a bug: {self.errors[-200:]}{self.out[:0]}" + next(
                (line.strip()[:200] for line in self.out.splitlines() if "a bug of rediagnose" in line), ""
            )
        if self.seconds > seconds:
            return f"{self.seconds:.1f} s"
        return f"{self.memory >> 20} MiB" if self.memory > MOST_MEMORY else ""


async def run(*args: str, environ: Mapping[str, str] | None = None) -> Ran:
    """Run the program to its end."""
    return await asyncio.to_thread(_run, args, {**os.environ, "COLUMNS": "200", **(environ or {})})


def _run(args: Sequence[str], environ: Mapping[str, str]) -> Ran:
    out, out_to = os.pipe()
    errors, errors_to = os.pipe()
    began = time.monotonic()
    to = [(os.POSIX_SPAWN_DUP2, out_to, 1), (os.POSIX_SPAWN_DUP2, errors_to, 2)]
    pid = os.posix_spawn(
        sys.executable, [sys.executable, str(ROOT / "rediagnose.py"), *args], environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0), *to],
    )  # fmt: skip
    os.close(out_to)
    os.close(errors_to)
    with ThreadPoolExecutor(2) as readers:
        said, complained = readers.submit(_all, out), readers.submit(_all, errors)
        found, status, memory = 0, 0, 0
        while not found:
            # Of its own memory: what wait4 tells begins with this process' size.
            memory = max(memory, _held(pid))
            found, status = os.waitpid(pid, os.WNOHANG)
            if not found and time.monotonic() - began > GIVEN_UP:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
        seconds = time.monotonic() - began
        texts = said.result(), complained.result()
    return Ran(os.waitstatus_to_exitcode(status), seconds, began + seconds, memory, *texts)


def _held(pid: int) -> int:
    """Bytes of memory that a process has held at most so far; 0 where it's over."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def _all(descriptor: int) -> str:
    with open(descriptor, encoding="utf-8", errors="replace") as stream:
        return stream.read()
