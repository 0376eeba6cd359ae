"""A triage of one server with 100 to 10,000 clients, beside what a person types: the growth, and the longest hold."""

import asyncio
import random
import resource
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from evals.bench.look import add_by_hand, best, measured, triage
from evals.bench.page import Page
from evals.bench.records import Gate, Row
from evals.bench.spent import NOTED, OWN, waited
from evals.lab.servers import Server, ServerKind, running
from evals.lab.traffic import fill
from evals.lab.wire import Crew, Wire, crew

SIZES = (100, 1_000, 10_000)
KEYS = 100_000
RUNS, RUNS_OF_MOST = 2, 3
SECONDS_A_RUN, SECONDS_A_THOUSAND = 7.0, 2.0
SPARE_FILES = 500
"""Files that stay free for everything but the clients, on both sides."""
COMMANDS_AT_MOST, PINGS_AT_MOST, SERVED_AT_MOST = 40, 200, 10.0
"""Commands, PINGs and milliseconds of the server's time, with 1,000 clients."""
CPU_AT_MOST, HOLD_AT_MOST = 0.5, 1.0
"""CPU seconds of a triage and milliseconds of its longest command, with 10,000 clients."""


def room() -> int:
    """How many clients one process can hold here, once its soft limit of open files is raised."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = SIZES[-1] + 2 * SPARE_FILES
    limit = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return min(SIZES[-1], limit - SPARE_FILES)


@asynccontextmanager
async def crowded(kind: ServerKind, most: int) -> AsyncIterator[tuple[Server, Crew, Wire]]:
    """A server with 100k keys and room for so many clients; the crew to dial them, and the bench's own wire."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Twice as many where that can be had: a server that is nearly full isn't well.
    limit = 2 * most + 200 if hard == resource.RLIM_INFINITY else min(2 * most + 200, hard - 100)
    async with running(kind, maxclients=str(limit), slowlog_log_slower_than=NOTED) as server, crew() as hands:
        await fill(server.url, random.Random(1), KEYS, prefix="bench:")
        yield server, hands, await hands.dial(server.url, name=OWN)


async def join(hands: Crew, url: str, begin: int, end: int) -> None:
    """Dial idle clients, from the number `begin` up to `end`."""
    for first in range(begin, end, 100):
        numbers = range(first, min(first + 100, end))
        wires = await asyncio.gather(*(hands.dial(url, name=f"app-{n % 7}", timeout=30) for n in numbers))
        # Who never asked anything would be a leak of connections.
        await asyncio.gather(*(wire.ask("EXISTS", "bench:0000001", timeout=30) for wire in wires))


async def clients(kind: ServerKind, page: Page, sizes: Sequence[int] = SIZES) -> None:
    """Two rows for each size, a triage and a person's commands; limits of 1,000 and of 10,000 clients."""
    most = room()
    if most < sizes[-1]:
        page.note(f"{sizes[-1]} clients: not measured: {most} is what the limit of open files allows (ulimit -Hn)")
        sizes = [size for size in sizes if size <= most]
    async with crowded(kind, most) as (server, hands, wire):
        there = 0
        for size in sizes:
            name = f"{size} clients"
            runs = RUNS_OF_MOST if size == SIZES[-1] else RUNS
            if not page.has_time(runs * SECONDS_A_RUN + SECONDS_A_THOUSAND * size / 1000, name):
                continue
            page.say(f"clients: {name}")
            await join(hands, server.url, there, size)
            there = size
            looks = [await _delayed(name, server, wire) for _ in range(runs)]
            page.row(best([look.row for look in looks]))
            await add_by_hand(page, name, [server], [wire])
            # A run that was killed hasn't shown what a triage takes.
            looks = [look for look in looks if look.row.answer]
            if size == 1000:
                _guest(page, looks)
            if size == SIZES[-1]:
                page.gate(measured(f"CPU of a triage with {name}", [one.row.cpu for one in looks], CPU_AT_MOST, "s"))
                holds, delays = [one.row.longest or 0 for one in looks], [one.delay for one in looks]
                page.gate(measured(f"longest hold of the server by a command with {name}", holds, HOLD_AT_MOST, "ms",
                                   delays))  # fmt: skip


class Look(NamedTuple):
    """One triage of a crowded server."""

    row: Row
    footprint: dict[str, int]
    delay: float
    """Milliseconds that the server could have run meanwhile and had no core."""


async def _delayed(name: str, server: Server, wire: Wire) -> Look:
    before = waited(server.pid)
    row, answer = await triage(name, server.url, [wire])
    return Look(row, answer.get("footprint", {}), 1000 * (waited(server.pid) - before))


def _guest(page: Page, looks: Sequence[Look]) -> None:
    """What a guest takes of a server with 1,000 clients."""
    for name, limit in (("commands", COMMANDS_AT_MOST), ("pings", PINGS_AT_MOST)):
        count = max((one.footprint[name] for one in looks), default=None)
        page.gate(Gate(name=f"{name} of a triage with 1000 clients", limit=limit, exact=True, value=count, low=count,
                       high=count, why="no run gave it" if count is None else ""))  # fmt: skip
    took, delays = [one.row.served or 0 for one in looks], [one.delay for one in looks]
    page.gate(measured("the server's time with 1000 clients", took, SERVED_AT_MOST, "ms", delays))
