"""A Prometheus and redis_exporters of a test's own."""

import asyncio
import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import httpx2
import pytest

from evals.lab.servers import Server, free_port, leash

PROGRAMS = ("prometheus", "promtool", "prometheus-redis-exporter")
LACKING = [program for program in PROGRAMS if shutil.which(program) is None]
needs_prometheus = pytest.mark.skipif(
    bool(LACKING), reason=f"not installed: {', '.join(LACKING)} (apt-get install prometheus prometheus-redis-exporter)"
)
STARTS_WITHIN = 20.0
LOGIN = "basic_auth_users:\n  reader: $2b$12$hNf2lSsxfm0.i4a.1kVpSOVyBCfIB51VRjgBUyv6kdnyTlgWj81Ay\n"
"""A web configuration that lets in reader with the password test."""


class Sample(NamedTuple):
    """One sample of a past that is made up."""

    metric: str
    labels: Mapping[str, str]
    value: float
    at: float
    """Unix seconds."""


@contextlib.asynccontextmanager
async def program(*command: str, port: int, folder: Path) -> AsyncIterator[None]:
    """A program of PROGRAMS, from when it listens to the end of the block."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*leash(), *command], stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder)
    try:
        async with asyncio.timeout(STARTS_WITHIN):
            while not await _listens(port):
                assert process.poll() is None, (folder / "log").read_text()
                await asyncio.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait()


@contextlib.asynccontextmanager
async def exporter(server: Server) -> AsyncIterator[int]:
    """A redis_exporter of a server; its port."""
    port = free_port()
    address = ["-redis.addr", server.url, "-web.listen-address", f"127.0.0.1:{port}"]
    with tempfile.TemporaryDirectory(prefix="exporter-") as folder:
        async with program("prometheus-redis-exporter", *address, port=port, folder=Path(folder)):
            yield port


@contextlib.asynccontextmanager
async def prometheus(scraped: Sequence[int] = (), past: Sequence[Sample] = (), web: str = "") -> AsyncIterator[str]:
    """A Prometheus that scrapes these ports every second and has a past; its URL."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="prometheus-") as name:
        folder = Path(name)
        targets = ", ".join(f"'127.0.0.1:{one}'" for one in scraped)
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s}\n"
            f"scrape_configs: [{{job_name: redis, static_configs: [{{targets: [{targets}]}}]}}]\n"
        )
        (folder / "web.yml").write_text(web)
        (folder / "data").mkdir()
        if past:
            (folder / "past").write_text(_openmetrics(past))
            subprocess.run(
                ["promtool", "tsdb", "create-blocks-from", "openmetrics", "past", "data"], cwd=folder, check=True,
                capture_output=True, timeout=60,
            )  # fmt: skip
        arguments = [
            "--config.file=prometheus.yml", "--web.config.file=web.yml", "--storage.tsdb.path=data",
            "--storage.tsdb.retention.time=90d", f"--web.listen-address=127.0.0.1:{port}",
        ]  # fmt: skip
        async with program("prometheus", *arguments, port=port, folder=folder):
            await _ready(f"http://127.0.0.1:{port}", len(scraped))
            yield f"http://127.0.0.1:{port}"


def _openmetrics(past: Sequence[Sample]) -> str:
    lines = []
    for metric, labels, value, at in sorted(past, key=lambda one: (one.metric, str(one.labels), one.at)):
        inside = ",".join(f'{name}="{text}"' for name, text in labels.items())
        lines.append(f"{metric}{{{inside}}} {value} {at:.3f}\n")
    return "".join(lines) + "# EOF\n"


async def _ready(url: str, targets: int) -> None:
    """Wait until it has opened what it keeps, and has scraped every target once."""
    async with asyncio.timeout(STARTS_WITHIN), httpx2.AsyncClient() as client:
        while (await client.get(f"{url}/-/ready")).status_code == 503:
            await asyncio.sleep(0.05)
        while targets:
            answer = await client.get(f"{url}/api/v1/query", params={"query": "count(redis_up)"})
            found = answer.json()["data"]["result"]
            if found and int(found[0]["value"][1]) == targets:
                break
            await asyncio.sleep(0.2)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True
