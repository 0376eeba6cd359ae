"""A server whose clock can be set: a library that is loaded before the C library adds seconds to what it says."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long added(void) {
    char text[32] = {0};
    int fd = open(getenv("CLOCK_ADDS"), O_RDONLY);
    if (fd < 0) return 0;
    if (read(fd, text, sizeof text - 1) < 0) text[0] = 0;
    close(fd);
    return atol(text);
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    int done = ((int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday"))(now, zone);
    now->tv_sec += added();
    return done;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int done = ((int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime"))(clock, now);
    if (clock == CLOCK_REALTIME) now->tv_sec += added();
    return done;
}

time_t time(time_t *into) {
    time_t now = ((time_t (*)(time_t *))dlsym(RTLD_NEXT, "time"))(NULL) + added();
    if (into) *into = now;
    return now;
}
"""
MISSING = None if shutil.which("gcc") else "needs gcc: apt-get install gcc libc6-dev"
"""Why no clock can be had, or null."""


class ServersClock:
    """The library, and how far it's set."""

    def __init__(self, folder: Path) -> None:
        self._library, self._adds, source = folder / "clock.so", folder / "adds", folder / "clock.c"
        source.write_text(SOURCE)
        command = ["gcc", "-shared", "-fPIC", "-O1", "-o", str(self._library), str(source), "-ldl"]
        subprocess.run(command, check=True, capture_output=True)
        self.add(0)

    @property
    def prefix(self) -> list[str]:
        """The command prefix with which a server runs by it."""
        return ["env", f"LD_PRELOAD={self._library}", f"CLOCK_ADDS={self._adds}"]

    def add(self, seconds: int) -> None:
        """Let it be that much later from now on, or earlier."""
        # Replaced as a whole: a reader never sees an empty file.
        fresh = self._adds.with_suffix(".new")
        fresh.write_text(str(seconds))
        fresh.replace(self._adds)


@contextmanager
def servers_clock() -> Iterator[ServersClock]:
    """A clock of its own, for as long as the block runs."""
    with TemporaryDirectory(prefix="clock-") as folder:
        yield ServersClock(Path(folder))
