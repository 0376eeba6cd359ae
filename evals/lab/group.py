"""Control groups of one server's own: what it may use of memory, of processes and of a core."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from tools.host.cgroup import ROOT

Controller = Literal["memory", "pids", "cpu"]
_LIMITS: dict[Controller, str] = {"memory": "memory.limit_in_bytes", "pids": "pids.max", "cpu": "cpu.cfs_quota_us"}
PERIOD = 100_000
"""Microseconds of an enforcement period, the kernel's default."""


@contextmanager
def control_group(controller: Controller) -> Iterator[Path]:
    """A control group of version 1 without any limit yet; removed with the block. Raises `OSError`."""
    group = Path(tempfile.mkdtemp(prefix="lab-", dir=ROOT / controller))
    try:
        yield group
    finally:
        # A child that was killed leaves it a moment later.
        ends = time.monotonic() + 2
        while (group / "cgroup.procs").read_text() and time.monotonic() < ends:
            time.sleep(0.02)
        group.rmdir()


@contextmanager
def cpu_share(cores: float) -> Iterator[Path]:
    """A control group that may use so many cores. Raises `OSError`."""
    with control_group("cpu") as group:
        (group / "cpu.cfs_period_us").write_text(str(PERIOD))
        (group / "cpu.cfs_quota_us").write_text(str(round(cores * PERIOD)))
        yield group


def limits(controller: Controller) -> str | None:
    """Why no control group can be had here, or null."""
    needed = f"needs root and a {controller} control group of version 1"
    try:
        with control_group(controller) as group:
            return None if (group / _LIMITS[controller]).exists() else needed
    except OSError as error:
        return f"{needed}: {error.strerror}"
