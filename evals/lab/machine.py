"""Places for one server: folders for its data and its log, on a disk of a few megabytes if wanted."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path

from evals.lab.servers import Server, ServerKind, start


class Place:
    """Folders for a server: data on a disk of its own if wanted, the log beside it."""

    def __init__(self, base: Path, megabytes: float = 0) -> None:
        self.data, self.log = base / "data", base / "redis.log"
        self._kilobytes = round(megabytes * 1024)
        self.data.mkdir()

    @property
    def prefix(self) -> list[str]:
        """The command prefix: in a mount namespace of its own, so that the disk goes with the process."""
        if not self._kilobytes:
            return []
        mount = f'mount -t tmpfs -o size={self._kilobytes}k lab "$0" && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", mount, str(self.data)]

    def inside(self, pid: int) -> Path:
        """The data folder as the process sees it."""
        return Path(f"/proc/{pid}/root{self.data}")

    def free(self, pid: int) -> int:
        """Bytes that are free where the data is."""
        space = os.statvfs(self.inside(pid))
        return space.f_bavail * space.f_frsize


@contextmanager
def place(megabytes: float = 0) -> Iterator[Place]:
    """Folders that are removed with the block; with `megabytes` data is on a disk of that size."""
    with tempfile.TemporaryDirectory(prefix="redis-", ignore_cleanup_errors=True) as folder:
        yield Place(Path(folder), megabytes)


@asynccontextmanager
async def server_in(kind: ServerKind, here: Place, *prefix: str, **settings: str) -> AsyncIterator[Server]:
    """A server with its data and its log in `here`, for as long as the block runs.

    Settings as `running` takes them; a `port` is that of a server that was here before.
    """
    config = {name.replace("_", "-"): value for name, value in settings.items()}
    config |= {"dir": str(here.data), "logfile": str(here.log)}
    port = int(config["port"]) if "port" in config else None
    server = await start(kind, config=config, port=port, prefix=[*prefix, *here.prefix])
    try:
        yield server
    finally:
        await server.stop()


@cache
def own_disk() -> str | None:
    """Why a server can't have a disk of its own here, or null."""
    if shutil.which("unshare") is None or shutil.which("mount") is None:
        return "needs unshare and mount: apt-get install util-linux mount"
    with place(1) as here:
        done = subprocess.run([*here.prefix, "true"], capture_output=True, text=True, check=False)
    return f"needs to mount a tmpfs: {done.stderr.strip()}" if done.returncode else None
