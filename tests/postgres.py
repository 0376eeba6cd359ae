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

import pytest

from evals.lab.servers import free_port, leash

USERS = ("postgres", "nobody")


def _programs() -> Path | None:
    """The folder of PostgreSQL's programs."""
    found = shutil.which("postgres")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((one for one in folders if (one / "initdb").exists() and (one / "postgres").exists()), None)


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty database; the test is skipped where there is no PostgreSQL."""
    if (programs := _programs()) is None:
        pytest.skip("no PostgreSQL: apt-get install postgresql")
    as_user: dict[str, str] = {}
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    if os.geteuid() == 0:
        # It refuses to be run by root.
        as_user = {"user": next(one for one in USERS if _exists(one))}
        shutil.chown(folder, as_user["user"])
    port = free_port()
    process = None
    try:
        data = folder / "data"
        made = [
            str(programs / "initdb"),
            "-D",
            str(data),
            "-U",
            "rediagnose",
            "--auth=trust",
            "--no-sync",
            "-E",
            "UTF8",
        ]
        subprocess.run(made, check=True, capture_output=True, cwd=folder, timeout=300, **as_user)  # type: ignore[call-overload]
        command = [*leash(), str(programs / "postgres"), "-D", str(data), "-p", str(port), "-h", "127.0.0.1"]
        options = ["-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(  # type: ignore[call-overload]
                [*command, *options], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **as_user
            )
        ready = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
        ends = time.monotonic() + 120
        while subprocess.run(ready, check=False).returncode:
            assert process.poll() is None and time.monotonic() < ends, (folder / "log").read_text()
            time.sleep(0.1)
        yield f"postgresql://rediagnose@127.0.0.1:{port}/postgres"
    finally:
        if process is not None:
            # The fast way: the other one waits for its clients.
            process.send_signal(signal.SIGINT)
            process.wait(120)
        shutil.rmtree(folder, ignore_errors=True)


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
