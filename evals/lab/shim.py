"""A slow disk, and forks that take long or fail, for one process: a library that is loaded before the C library."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static volatile int syncing = -1;

static long setting(const char *name) {
    const char *path = getenv(name);
    char text[16] = {0};
    int fd = path ? open(path, O_RDONLY) : -1;
    if (fd < 0) return 0;
    if (read(fd, text, sizeof text - 1) < 0) text[0] = 0;
    close(fd);
    return atol(text);
}

static void sync_slowly(int fd) {
    long ms = setting("LAB_FSYNC_MS");
    if (ms <= 0) return;
    syncing = fd;
    usleep(ms * 1000);
    syncing = -1;
}

int fsync(int fd) {
    sync_slowly(fd);
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int fdatasync(int fd) {
    sync_slowly(fd);
    return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}

/* As on a journalling file system: a write waits for the flush of the same file. */
ssize_t write(int fd, const void *data, size_t length) {
    while (fd == syncing) usleep(1000);
    return ((ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write"))(fd, data, length);
}

pid_t fork(void) {
    if (setting("LAB_NO_FORK")) {
        errno = ENOMEM;
        return -1;
    }
    /* As on a machine whose page tables are large and slow to copy: the caller itself is busy for that long. */
    double wanted = setting("LAB_FORK_MS") / 1000.0;
    struct timespec began, now;
    clock_gettime(CLOCK_MONOTONIC, &began);
    do clock_gettime(CLOCK_MONOTONIC, &now);
    while (now.tv_sec - began.tv_sec + (now.tv_nsec - began.tv_nsec) / 1e9 < wanted);
    return ((pid_t (*)(void))dlsym(RTLD_NEXT, "fork"))();
}
"""


def available() -> str | None:
    """Why it can't be had on this machine, or null."""
    return None if shutil.which("gcc") else "needs gcc: apt-get install gcc libc6-dev"


class Shim:
    """The library and its settings, which may be changed while the process runs."""

    def __init__(self, folder: Path) -> None:
        self._library, self._fsync = folder / "shim.so", folder / "fsync_ms"
        self._fork, self._no_fork = folder / "fork_ms", folder / "no_fork"
        source = folder / "shim.c"
        source.write_text(SOURCE)
        command = ["gcc", "-shared", "-fPIC", "-O1", "-o", str(self._library), str(source), "-ldl"]
        subprocess.run(command, check=True, capture_output=True)
        self.fsync(0)
        self.fork(0)
        self.forks(True)

    @property
    def prefix(self) -> list[str]:
        """The command prefix with which a server runs on it."""
        settings = {
            "LD_PRELOAD": self._library, "LAB_FSYNC_MS": self._fsync, "LAB_FORK_MS": self._fork,
            "LAB_NO_FORK": self._no_fork,
        }  # fmt: skip
        return ["env", *(f"{name}={value}" for name, value in settings.items())]

    def fsync(self, milliseconds: int) -> None:
        """How long each fsync takes from now on, on top of what it takes anyway."""
        self._write(self._fsync, milliseconds)

    def fork(self, milliseconds: int) -> None:
        """How long each fork takes from now on, on top of what it takes anyway."""
        self._write(self._fork, milliseconds)

    def forks(self, allowed: bool) -> None:
        """Whether the kernel has memory for a fork."""
        self._write(self._no_fork, 0 if allowed else 1)

    def _write(self, path: Path, value: int) -> None:
        # Replaced as a whole: a reader never sees an empty file.
        fresh = path.with_suffix(".new")
        fresh.write_text(str(value))
        fresh.replace(path)


@contextmanager
def shim() -> Iterator[Shim]:
    """A shim of its own, for as long as the block runs."""
    with tempfile.TemporaryDirectory(prefix="lab-shim-") as folder:
        yield Shim(Path(folder))
