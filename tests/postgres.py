"""A PostgreSQL of our own: in a folder of its own, on loopback, run by a user without rights, gone afterwards."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from evals.lab.servers import free_port, leash

USERS = ("postgres", "nobody")


def _programs() -> Path | None:
    """The folder of PostgreSQL's programs."""
    found = shutil.which("postgres")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((one for one in folders if (one / "initdb").exists() and (one / "postgres").exists()), None)


class Postgres:
    """One server, which can die and come back at the same address with its data."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs, self.folder, self.port = programs, folder, free_port()
        self.url = f"postgresql://rediagnose@127.0.0.1:{self.port}/postgres"
        # It refuses to be run by root.
        self.as_user = {"user": next(one for one in USERS if _exists(one))} if os.geteuid() == 0 else {}
        self.process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """Make its data."""
        if user := self.as_user.get("user"):
            shutil.chown(self.folder, user)
        made = ["-D", str(self.folder / "data"), "-U", "rediagnose", "--auth=trust", "--no-sync", "-E", "UTF8"]
        subprocess.run(  # type: ignore[call-overload]
            [str(self.programs / "initdb"), *made], check=True, capture_output=True, cwd=self.folder, timeout=300,
            **self.as_user,
        )  # fmt: skip

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        command = [*leash(), str(self.programs / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port)]
        options = ["-h", "127.0.0.1", "-c", f"unix_socket_directories={self.folder}", "-c", "fsync=off"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(  # type: ignore[call-overload]
                [*command, *options], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self.as_user
            )
        ready = [str(self.programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        ends = time.monotonic() + 120
        while subprocess.run(ready, check=False).returncode:
            assert self.process.poll() is None and time.monotonic() < ends, (self.folder / "log").read_text()
            time.sleep(0.1)

    def kill(self) -> None:
        """End it as the kernel does when there is no memory left."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(120)

    def freeze(self) -> None:
        """Let it take connections, and answer nothing any more."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self.process is not None
        for pid in [self.process.pid, *(one.pid for one in psutil.Process(self.process.pid).children(recursive=True))]:
            os.kill(pid, number)

    def stop(self) -> None:
        """End it for good."""
        if self.process is not None and self.process.poll() is None:
            # The fast way: the other one waits for its clients.
            self.thaw()
            self.process.send_signal(signal.SIGINT)
            self.process.wait(120)


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """A server with an empty database; the test is skipped where there is no PostgreSQL."""
    if (programs := _programs()) is None:
        pytest.skip("no PostgreSQL: apt-get install postgresql")
    one = Postgres(programs, Path(tempfile.mkdtemp(prefix="postgres-")))
    try:
        one.make()
        one.start()
        yield one
    finally:
        one.stop()
        shutil.rmtree(one.folder, ignore_errors=True)


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty database; the test is skipped where there is no PostgreSQL."""
    with postgres_server() as one:
        yield one.url


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
