"""200 alerts at the service in one second, 40 of them distinct: whether each is one incident, and what it costs."""

import asyncio
import os
import re
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE

import httpx2
import psutil

from evals.bench.page import Page
from evals.bench.records import Gate, Row
from evals.bench.spent import clean, program
from evals.lab.servers import Server, ServerKind, leash, running

ALERTS, DISTINCT, SERVERS = 200, 40, 8
STARTS_WITHIN = 240.0
LEAST_SECONDS = 40.0
PAGE_AT_MOST, MEMORY_AT_MOST = 500.0, 400.0
"""Milliseconds for the list while all are investigated, the slowest of twenty left out, and MB of the process."""


async def service(kind: ServerKind, page: Page) -> None:
    """A row for the burst, and the limits of what is lost, of memory and of the page."""
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(running(kind)) for _ in range(SERVERS)]
        page.say(f"service: {ALERTS} alerts, {DISTINCT} distinct, on {SERVERS} servers")
        process, client = await stack.enter_async_context(_serving())
        idle = process.memory_info().rss / 1e6
        began, cpu = time.monotonic(), _cpu(process)
        accepted, took = await _burst(client, servers)
        waits, most = await _answered(client, process, page.left - LEAST_SECONDS)
        left = (await client.get("/v1/incidents", params={"limit": "200"})).json()["incidents"]
        wall = time.monotonic() - began
        done = sum(one["state"] == "answered" for one in left)
        alerts = sum(one["alerts"] for one in left)
        page.row(
            Row(size=f"{ALERTS} alerts", way="serve", cpu=_cpu(process) - cpu, wall=wall, memory=most,
                answer=f"{len(left)} incidents, {done} answered")
        )  # fmt: skip
    page.note(f"{ALERTS} alerts accepted in {took:.1f} s; memory {idle:.0f} MB before, {most:.0f} MB at most")
    lost = abs(len(left) - DISTINCT) + abs(alerts - ALERTS) + (ALERTS - accepted) + (len(left) - done)
    page.gate(Gate(name="alerts lost, doubled or unanswered", limit=0, exact=True, value=lost, low=lost, high=lost))
    page.gate(Gate(name="memory of serve", limit=MEMORY_AT_MOST, unit="MB", value=most, low=most, high=most))
    slow = sorted(waits)[int(len(waits) * 0.95)] if waits else None
    page.gate(
        Gate(name="the list of incidents meanwhile, 95 %", limit=PAGE_AT_MOST, unit="ms", value=slow, low=slow,
             high=slow, why="" if waits else "it was never asked")
    )  # fmt: skip


@asynccontextmanager
async def _serving() -> AsyncIterator[tuple[psutil.Process, httpx2.AsyncClient]]:
    """`rediagnose serve` with a state of its own."""
    with tempfile.TemporaryDirectory(prefix="service-") as folder:
        file = Path(folder) / "rediagnose.toml"
        file.touch()
        environ = {**clean(os.environ), "XDG_STATE_HOME": folder, "REDIAGNOSE_CONFIG": str(file)}
        command = [*leash(), *program(), "serve", "--listen", "127.0.0.1:0", "--model", "offline", "--window", "0.5"]
        started = await asyncio.create_subprocess_exec(
            *command, env=environ, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE
        )
        try:
            assert started.stderr is not None
            said = ""
            async with asyncio.timeout(STARTS_WITHIN):
                while (found := re.search(r"(http://\S+/)\?token=(\S+)", said)) is None:
                    line = await started.stderr.readline()
                    assert line, said
                    said += line.decode()
            headers = {"Authorization": f"Bearer {found[2]}"}
            async with httpx2.AsyncClient(base_url=found[1], headers=headers, timeout=60, trust_env=False) as client:
                yield psutil.Process(started.pid), client
        finally:
            started.terminate()
            await started.wait()


async def _burst(client: httpx2.AsyncClient, servers: Sequence[Server]) -> tuple[int, float]:
    """Send all alerts within a second; how many were accepted, and how long that took."""
    began = time.monotonic()

    async def send(number: int) -> bool:
        await asyncio.sleep(number / ALERTS)
        key = number % DISTINCT
        body = {"title": f"alert {key}", "key": str(key), "target": servers[key % SERVERS].url}
        return (await client.post("/v1/incidents", json=body)).status_code in (200, 201)

    accepted = await asyncio.gather(*(send(number) for number in range(ALERTS)))
    return sum(accepted), time.monotonic() - began


async def _answered(
    client: httpx2.AsyncClient, process: psutil.Process, seconds: float
) -> tuple[list[float], float]:  # fmt: skip
    """Ask for the list until all are answered; the milliseconds of each answer, and the most memory."""
    waits, most, ends = list[float](), 0.0, time.monotonic() + seconds
    while time.monotonic() < ends:
        began = time.monotonic()
        found = (await client.get("/v1/incidents", params={"limit": "200"})).json()["incidents"]
        waits.append((time.monotonic() - began) * 1000)
        most = max(most, process.memory_info().rss / 1e6)
        if len(found) >= DISTINCT and all(one["state"] == "answered" for one in found):
            break
        await asyncio.sleep(1.0)
    return waits, most


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
