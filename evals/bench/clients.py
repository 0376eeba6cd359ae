"""A triage of one server with 100 to 10,000 clients, beside what a person types: the growth, and the longest hold."""

import random
import resource
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from typing import NamedTuple

from evals.bench.crowd import Crowd
from evals.bench.look import add_by_hand, best, calm, measured, triage
from evals.bench.page import Page
from evals.bench.records import Gate, Row
from evals.bench.spent import NOTED, OWN, waited
from evals.lab.servers import Server, ServerKind, running
from evals.lab.traffic import fill
from evals.lab.wire import Wire, crew
from tools.host.diag import tcp_sockets

SIZES = (100, 1_000, 10_000)
KEYS = 100_000
RUNS, RUNS_OF_MOST = 2, 3
SECONDS_A_RUN, SECONDS_A_THOUSAND = 7.0, 0.3
SPARE_FILES = 500
"""Files that stay free for everything but the clients, on both sides."""
COMMANDS_AT_MOST, PINGS_AT_MOST = 40, 200
"""Commands and PINGs with 1,000 clients."""
SERVED_AT_MOST, HOLD_AT_MOST = 10.0, 1.0
"""Milliseconds of the server's time, and of its longest command."""
CPU_AT_MOST, SOCKETS_AT_MOST = 0.5, 20.0
"""CPU seconds of a triage, and milliseconds of one reading of the machine's sockets, with 10,000 clients."""


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
async def crowded(kind: ServerKind, size: int) -> AsyncIterator[tuple[Server, Wire]]:
    """A server with 100k keys and so many clients that nobody has listed yet, and the bench's own wire."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Twice as many where that can be had: a server that is nearly full isn't well.
    limit = 2 * size + 200 if hard == resource.RLIM_INFINITY else min(2 * size + 200, hard - 100)
    async with running(kind, maxclients=str(limit), slowlog_log_slower_than=NOTED) as server, crew() as hands:
        await fill(server.url, random.Random(1), KEYS, prefix="bench:")
        with closing(Crowd(server.host, server.port)) as crowd:
            await crowd.grow(size)
            yield server, await hands.dial(server.url, name=OWN)


async def clients(kind: ServerKind, page: Page, sizes: Sequence[int] = SIZES) -> None:
    """Two rows for each size, a triage and a person's commands; limits of 1,000 and of 10,000 clients."""
    most = room()
    for size in sizes:
        name = f"{size} clients"
        if size > most:
            page.note(f"{name}: not measured: {most} is what the limit of open files allows (ulimit -Hn)")
            continue
        runs = RUNS_OF_MOST if size == SIZES[-1] else RUNS
        looks: list[Look] = []
        for number in range(runs):
            if not page.has_time(SECONDS_A_RUN + SECONDS_A_THOUSAND * size / 1000, name):
                break
            page.say(f"clients: {name}, run {number + 1} of {runs}")
            # A new crowd for each: the first who lists a client makes the server ask the kernel for its addresses.
            async with crowded(kind, size) as (server, wire):
                looks.append(await _look(name, server, wire))
                if number + 1 == runs:
                    page.row(best([look.row for look in looks]))
                    await add_by_hand(page, name, [server], [wire])
        _gates(page, name, size, looks)


class Look(NamedTuple):
    """One triage of a crowded server."""

    row: Row
    footprint: dict[str, int]
    lost: int
    """Readings that weren't had, but for those that this version doesn't have."""
    delay: float
    """Milliseconds that the server could have run meanwhile and had no core."""
    sockets: float
    """Milliseconds of CPU for one reading of the machine's sockets."""


async def _look(name: str, server: Server, wire: Wire) -> Look:
    before = waited(server.pid)
    row, answer = await triage(name, server.url, [wire])
    delay = 1000 * (waited(server.pid) - before)
    failed = [one["unavailable"]["kind"] for one in answer.get("readings", []) if one["unavailable"]]
    began = time.process_time()
    tcp_sockets(server.port)
    sockets = 1000 * (time.process_time() - began)
    return Look(row, answer.get("footprint", {}), len(failed) - failed.count("unknown-command"), delay, sockets)


def _gates(page: Page, name: str, size: int, looks: Sequence[Look]) -> None:
    if not looks:
        return
    page.gate(calm(f"a server with {name}", [one.row for one in looks]))
    # A run that was killed hasn't shown what a triage takes.
    looks = [look for look in looks if look.row.answer]
    delays = [one.delay for one in looks]
    if size == 1000:
        _counted(
            page, f"commands of a triage with {name}", COMMANDS_AT_MOST, [one.footprint["commands"] for one in looks]
        )
        _counted(page, f"pings of a triage with {name}", PINGS_AT_MOST, [one.footprint["pings"] for one in looks])
    if size >= 1000:
        took, holds = [one.row.served or 0 for one in looks], [one.row.longest or 0 for one in looks]
        page.gate(measured(f"the server's time with {name}", took, SERVED_AT_MOST, "ms", delays))
        page.gate(measured(f"longest hold by a command with {name}", holds, HOLD_AT_MOST, "ms", delays))
    if size == SIZES[-1]:
        _counted(page, f"readings lost with {name}", 0, [one.lost for one in looks])
        page.gate(measured(f"CPU of a triage with {name}", [one.row.cpu for one in looks], CPU_AT_MOST, "s"))
        sockets = [one.sockets for one in looks]
        page.gate(measured(f"CPU of reading the sockets with {name}", sockets, SOCKETS_AT_MOST, "ms"))


def _counted(page: Page, name: str, limit: float, counts: Sequence[int]) -> None:
    most = max(counts, default=None)
    page.gate(Gate(name=name, limit=limit, exact=True, value=most, low=most, high=most,
                   why="no run gave it" if most is None else ""))  # fmt: skip
