"""Machines on which one process is held up now and then: a fork that takes long, a share of a core that runs out."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CPU = Path("/sys/fs/cgroup/cpu")
PERIOD = 100_000
"""Microseconds of an enforcement period, the kernel's default."""
_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/types.h>
#include <time.h>

/* As on a machine whose page tables are large and slow to copy: the caller itself is busy for that long. */
pid_t fork(void) {
    const char *text = getenv("LAB_FORK_MS");
    double wanted = text ? atof(text) / 1000 : 0;
    struct timespec began, now;
    clock_gettime(CLOCK_MONOTONIC, &began);
    do clock_gettime(CLOCK_MONOTONIC, &now);
    while (now.tv_sec - began.tv_sec + (now.tv_nsec - began.tv_nsec) / 1e9 < wanted);
    return ((pid_t (*)(void))dlsym(RTLD_NEXT, "fork"))();
}
"""


def compiler() -> str | None:
    """Why no slow fork can be had on this machine, or null."""
    return None if shutil.which("gcc") else "needs gcc: apt-get install gcc libc6-dev"


@contextmanager
def slow_fork(milliseconds: float) -> Iterator[list[str]]:
    """The command prefix of a server whose forks take so much longer."""
    with tempfile.TemporaryDirectory(prefix="lab-fork-") as folder:
        source, library = Path(folder, "fork.c"), Path(folder, "fork.so")
        source.write_text(_SOURCE)
        command = ["gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"]
        subprocess.run(command, check=True, capture_output=True)
        yield ["env", f"LD_PRELOAD={library}", f"LAB_FORK_MS={milliseconds:.1f}"]


def quota_missing() -> str | None:
    """Why no process can be given a share of a core here, or null."""
    try:
        with cpu_group(1.0):
            return None
    except OSError as error:
        return f"needs root and a cpu control group of version 1: {error.strerror}"


@contextmanager
def cpu_group(cores: float) -> Iterator[Path]:
    """A control group that may use so many cores, removed at the end. Raises `OSError` where there can't be one."""
    directory = CPU / f"lab-{os.getpid()}-{time.monotonic_ns()}"
    directory.mkdir()
    try:
        (directory / "cpu.cfs_period_us").write_text(str(PERIOD))
        (directory / "cpu.cfs_quota_us").write_text(str(round(cores * PERIOD)))
        yield directory
    finally:
        _removed(directory)


def _removed(directory: Path) -> None:
    for _ in range(100):
        with suppress(OSError):
            for pid in (directory / "cgroup.procs").read_text().split():
                (CPU / "cgroup.procs").write_text(pid)
            return directory.rmdir()
        # What was killed leaves its group a moment later.
        time.sleep(0.02)
    directory.rmdir()
