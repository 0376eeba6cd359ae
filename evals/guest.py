"""How gentle a guest it is: what a triage costs a server, and what an application beside it notices."""

import asyncio
import os
import random
import shutil
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from agent.investigation.investigation import Investigation
from agent.investigation.sources import Options
from agent.runbooks.library import load
from evals.lab.servers import Server, ServerKind, running
from evals.lab.traffic import fill
from evals.lab.wire import Wire, crew
from tools.clock import SystemClock
from tools.connection.budget import Budget
from tools.connection.node import Node
from tools.connection.target import parse_target
from tools.redact import Pseudonyms
from tools.server.clients import clients
from tools.server.info import sample

KEYS, CLIENTS, CROWD = 100_000, 1000, 10_000
COMMANDS_AT_MOST, PINGS_AT_MOST, SERVER_MS_AT_MOST = 40, 200, 10.0
SNAPSHOT_MS_AT_MOST, RATIO_AT_MOST, CALL_MS_AT_MOST = 25.0, 1.10, 10.0
SHARE_OF_CAPACITY, PAIRS, SEGMENT = 0.3, 10, 4.0
"""Load beside a triage, pairs of segments without and with one, and seconds of each; a triage may take longer."""
SAMPLES = 500
"""The fewest that have a p99: five of them are above it."""
LONGEST_LOAD = 1800.0
"""Seconds after which a load ends although nobody ended it."""
Batch = tuple[float, float]
"""When it was due, in seconds of `time.monotonic`, and the milliseconds that it took."""
Segment = tuple[float, float]
"""Begin and end in seconds of `time.monotonic`."""
RUNBOOKS = load()
PACED = Path(__file__).with_name("paced.py")


@asynccontextmanager
async def _crowded(kind: ServerKind, count: int) -> AsyncIterator[tuple[Server, Wire]]:
    """A server with 100k keys and so many idle clients; the wire is the bench's own."""
    async with running(kind, maxclients=str(CROWD + 200)) as server, crew() as hands:
        await fill(server.url, random.Random(1), KEYS, prefix="bench:")
        for begin in range(0, count, 100):
            numbers = range(begin, min(begin + 100, count))
            await asyncio.gather(*(hands.dial(server.url, name=f"app-{n % 7}", timeout=30) for n in numbers))
        yield server, await hands.dial(server.url)


def _incident(url: str) -> Investigation:
    return Investigation(
        parse_target(url, environ={}), "requests time out", RUNBOOKS, SystemClock(), lambda event: None, Options()
    )  # fmt: skip


async def _triage(url: str) -> Investigation:
    case = _incident(url)
    try:
        await case.plan(await case.survey())
    finally:
        await case.close()
    return case


async def _spent(wire: Wire) -> float:
    """Milliseconds that the server's commands took since the start."""
    lines = str(await wire.ask("INFO", "commandstats")).splitlines()
    return sum(int(line.partition(",usec=")[2].partition(",")[0]) for line in lines if ",usec=" in line) / 1000


async def cost(kind: ServerKind) -> bool:
    """Commands, PINGs, bytes and server time of one triage, and the time of a snapshot."""
    async with _crowded(kind, CLIENTS) as (server, wire):
        first = await _spent(wire)
        before = await _spent(wire)
        case = await _triage(server.url)
        # What the measuring itself costs shows between the first two.
        took = max(0.0, await _spent(wire) - before - (before - first))
        spent = case.budget.footprint
        print(f"triage of {kind.name}, {KEYS} keys, {CLIENTS} clients: {spent.commands} commands (at most "
              f"{COMMANDS_AT_MOST}), {spent.pings} pings (at most {PINGS_AT_MOST}), {spent.bytes} bytes, "
              f"{took:.1f} ms of the server's time (at most {SERVER_MS_AT_MOST:g}), in "
              f"{case.clock.monotonic() - case.began:.1f} s")  # fmt: skip
        snapshot = await _snapshot(server.url)
        print(f"snapshot of {kind.name}: {snapshot:.1f} ms for two samples, the window aside (at most "
              f"{SNAPSHOT_MS_AT_MOST:g})")  # fmt: skip
    return (
        spent.commands <= COMMANDS_AT_MOST and spent.pings <= PINGS_AT_MOST and took <= SERVER_MS_AT_MOST
        and snapshot <= SNAPSHOT_MS_AT_MOST
    )  # fmt: skip


async def _snapshot(url: str) -> float:
    node = Node(parse_target(url, environ={}), SystemClock(), Budget(), Pseudonyms())
    took = []
    try:
        for _ in range(11):
            began = time.perf_counter()
            await sample(node)
            await sample(node)
            took.append((time.perf_counter() - began) * 1000)
    finally:
        node.close()
    return statistics.median(took)


async def crowd(kind: ServerKind) -> bool:
    """10,000 idle clients: the share that is seen, and the longest single call."""
    async with _crowded(kind, CROWD) as (server, wire):
        await wire.ask("CONFIG", "SET", "slowlog-log-slower-than", "0")
        node = Node(parse_target(server.url, environ={}), SystemClock(), Budget(), Pseudonyms())
        values = await clients(node)
        node.close()
        entries = await wire.ask("SLOWLOG", "GET", 64)
    longest = max((entry[2] for entry in entries if entry[3][:2] == ["CLIENT", "LIST"]), default=0) / 1000
    print(f"clients of {kind.name}, {values['connected']} connected: {values['listed']} listed "
          f"({values['share_seen']:.0%}), longest call {longest:.1f} ms (at most {CALL_MS_AT_MOST:g})")  # fmt: skip
    return longest <= CALL_MS_AT_MOST


async def _paced(server: Server, rate: float, seconds: float, core: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        "taskset", "--cpu-list", str(core), sys.executable, str(PACED), server.host, str(server.port), str(rate),
        str(seconds), stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def _batches(process: asyncio.subprocess.Process) -> list[Batch]:
    """When each batch of a load was due, and the milliseconds that it took, once the load has ended."""
    out, _ = await process.communicate()
    return [(float(at), float(ms)) for at, ms in (line.split() for line in out.decode().splitlines())]


async def _segment(server: Server, *, with_triage: bool) -> Segment:
    """Begin and end of a triage, or of a while without one."""
    began = time.monotonic()
    if not with_triage:
        await asyncio.sleep(SEGMENT)
        return began, time.monotonic()
    await _triage(server.url)
    ended = time.monotonic()
    await asyncio.sleep(max(0.0, began + SEGMENT - ended))
    return began, ended


async def beside(kind: ServerKind) -> bool:
    """The p99 of an application's load in alternating segments without and with a triage.

    The server and the application have a core of their own, so that the ratio is what the server does to its clients
    for the triage, and not what two programs do to each other on one core.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2 or not shutil.which("taskset"):
        print("an application beside it: not measured: needs two cores and taskset")
        return True
    async with _crowded(kind, CLIENTS) as (server, _):
        os.sched_setaffinity(server.pid, cores[:1])
        os.sched_setaffinity(0, cores[1:])
        process = await _paced(server, 0, 3, cores[0])
        full = len(await _batches(process)) / 3
        rate = SHARE_OF_CAPACITY * full
        process = await _paced(server, rate, LONGEST_LOAD, cores[0])
        reading = asyncio.create_task(_batches(process))
        try:
            await asyncio.sleep(1)
            segments = [await _segment(server, with_triage=number % 2 == 1) for number in range(2 * PAIRS)]
        finally:
            process.terminate()
            took = await reading
            os.sched_setaffinity(0, cores)
    ratios = pair_ratios(took, segments)
    name = (
        f"an application beside it on {kind.name}, {rate:.0f} batches a second ({SHARE_OF_CAPACITY:.0%} of {full:.0f})"
    )
    if 2 * len(ratios) < PAIRS:
        print(f"{name}: no p99: {PAIRS - len(ratios)} of {PAIRS} pairs have fewer than {SAMPLES} batches in a segment; "
              "measure on a machine that is less busy")  # fmt: skip
        return False
    middle = statistics.median(ratios)
    low, high = ratios[len(ratios) // 4], ratios[-len(ratios) // 4]
    print(f"{name}: p99 with a triage / without: {middle:.2f} (half of {len(ratios)} pairs within {low:.2f} to "
          f"{high:.2f}; at most {RATIO_AT_MOST:g})")  # fmt: skip
    return middle <= RATIO_AT_MOST


def pair_ratios(took: Sequence[Batch], segments: Sequence[Segment]) -> list[float]:
    """The p99 with a triage over the one without, ascending, of each pair that has enough batches in both segments."""
    ranked = [sorted(ms for at, ms in took if began <= at < ended) for began, ended in segments]
    return sorted(
        with_[int(0.99 * len(with_))] / without[int(0.99 * len(without))]
        for without, with_ in zip(ranked[::2], ranked[1::2], strict=True)
        if min(len(without), len(with_)) >= SAMPLES
    )


async def measure(kinds: list[ServerKind]) -> bool:
    """All of it, on each server."""
    fine = True
    for kind in kinds:
        fine &= await cost(kind)
        fine &= await crowd(kind)
        fine &= await beside(kind)
    return fine
