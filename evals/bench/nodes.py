"""A triage of clusters of 1 to 48 nodes, all of them well."""

from collections.abc import Sequence
from contextlib import AsyncExitStack

from evals.bench.look import add_by_hand, best, calm, measured, triage
from evals.bench.page import Page
from evals.bench.records import Row
from evals.bench.spent import NOTED, OWN
from evals.lab.servers import ServerKind
from evals.lab.topologies import clustered
from evals.lab.wire import crew

SIZES = (1, 3, 6, 12, 24, 48)
RUNS = 2
SECONDS_A_RUN, SECONDS_A_NODE = 8.0, 0.3
"""Of a triage, and of starting a server, at most: sizes that don't fit in what is left aren't begun."""
CPU_AT_MOST, WALL_AT_MOST, MEMORY_AT_MOST = 1.5, 6.0, 60.0
"""CPU seconds and seconds for the largest cluster, and MB for one node."""


async def nodes(kind: ServerKind, page: Page, sizes: Sequence[int] = SIZES) -> None:
    """A row for each size, and the limits of one node and of the largest cluster."""
    for size in sizes:
        name = f"{size} node{'s' if size > 1 else ''}"
        if not page.has_time(RUNS * SECONDS_A_RUN + SECONDS_A_NODE * size, name):
            continue
        page.say(f"nodes: {name}")
        runs = await _runs(kind, size, name, page)
        answered = [row for row in runs if row.answer]
        if size == 1:
            memory = [row.memory for row in answered if row.memory]
            page.gate(measured("memory of a triage of one node", memory, MEMORY_AT_MOST, "MB"))
        if size == SIZES[-1]:
            page.gate(measured(f"CPU of a triage of {name}", [row.cpu for row in answered], CPU_AT_MOST, "s"))
            walls, delays = [row.wall for row in answered], [row.waited for row in answered]
            page.gate(measured(f"time of a triage of {name}", walls, WALL_AT_MOST, "s", delays))
        page.gate(calm(name, runs))


async def _runs(kind: ServerKind, size: int, name: str, page: Page) -> list[Row]:
    async with AsyncExitStack() as stack:
        deployment = await stack.enter_async_context(clustered(kind, size, slowlog_log_slower_than=NOTED))
        hands = await stack.enter_async_context(crew())
        wires = [await hands.dial(member.url, name=OWN) for member in deployment.members]
        runs = [(await triage(name, deployment.url, wires))[0] for _ in range(RUNS)]
        page.row(best(runs))
        await add_by_hand(page, name, deployment.servers, wires)
    return runs
