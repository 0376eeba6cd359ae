"""The program started warm: a process that has imported it all forks for each run, so no run pays for the imports.

What runs is a process of its own with the arguments, environment, folder and streams that it's given, as ever; only the
second that Python takes to import it isn't spent again by every test. Runs whose environment is for Python itself, such
as PYTHONIOENCODING, are started cold by `tests.program`.

Under `make coverage` each run is measured: coverage starts in the warm process by its environment, forks with it, and
saves in `os._exit`, see `tool.coverage.run` in pyproject.toml.
"""

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from agent.runbooks.library import load

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("agent", "tools")
LONGEST = 1 << 20
"""Bytes of a request: arguments and environment."""


class Warm:
    """The process that forks, started on first use and ended with this one."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="warm-")
        self._path = str(Path(self._folder.name) / "socket")
        ready, tell = os.pipe()
        command = [sys.executable, "-m", "tests.warm", self._path, str(tell)]
        # It ends when this pipe does, so it outlives no test run.
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, pass_fds=(tell,))
        os.close(tell)
        with open(ready, "rb") as stream:
            if not stream.read():
                raise RuntimeError(f"the warm process ended: {self._process.wait()}")

    def run(self, args: list[str], environ: dict[str, str], streams: tuple[int, int, int]) -> socket.socket:
        """Start a run; the socket tells its pid in a line, and in another one its exit status."""
        request = json.dumps({"args": args, "environ": environ, "cwd": os.getcwd()}).encode()
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self._path)
        socket.send_fds(connection, [len(request).to_bytes(4, "big")], streams)
        connection.sendall(request)
        return connection


def serve(path: str, tell: int) -> None:
    """Import everything, then fork for each request until the starter is gone."""
    for room in ROOMS:
        for module in pkgutil.walk_packages([str(ROOT / room)], f"{room}."):
            # What an extra is needed for isn't there where the extra isn't.
            with contextlib.suppress(ImportError):
                importlib.import_module(module.name)
    importlib.import_module("evals.commands")
    importlib.import_module("rediagnose")
    load()
    if "coverage" in sys.modules and (measured := sys.modules["coverage"].Coverage.current()):
        # What the imports ran is saved here, so that no run has it to save again.
        measured.save()
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        os.write(tell, b"ready")
        os.close(tell)
        watcher = os.fork()
        if watcher == 0:
            sys.stdin.buffer.read()
            os.kill(os.getppid(), signal.SIGTERM)
            _vanish()
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _supervise(connection)
            connection.close()


def _supervise(connection: socket.socket) -> None:
    """Start one run and tell what becomes of it. Never returns."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        head, streams, _, _ = socket.recv_fds(connection, 4, 3)
        with connection.makefile("rb") as stream:
            request: dict[str, Any] = json.loads(stream.read(min(LONGEST, int.from_bytes(head, "big"))))
        pid = os.fork()
        if pid == 0:
            connection.close()
            _run(request, streams)
        for number in streams:
            os.close(number)
        connection.sendall(f"{pid}\n".encode())
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        connection.sendall(f"{status}\n".encode())
    finally:
        _vanish()


def _vanish() -> None:
    """End this process with none of what is done at an end: no run was measured in it."""
    os.kill(os.getpid(), signal.SIGKILL)


def _run(request: dict[str, Any], streams: list[int]) -> None:
    """Be the program. Never returns."""
    status = 70
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        sys.stdin = os.fdopen(0, closefd=False, encoding="utf-8", errors="surrogateescape")
        sys.stdout = os.fdopen(1, "w", closefd=False, encoding="utf-8", errors="surrogateescape")
        sys.stderr = os.fdopen(2, "w", closefd=False, encoding="utf-8", errors="backslashreplace")
        os.environ.clear()
        os.environ.update(request["environ"])
        os.chdir(request["cwd"])
        sys.argv = [str(ROOT / "rediagnose.py"), *request["args"]]
        import rediagnose

        status = rediagnose.main()
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
        status = 1
    finally:
        for printed in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                printed.flush()
        os._exit(status)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
