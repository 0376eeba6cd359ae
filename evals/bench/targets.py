"""10 to 500 targets looked at by one warm process, as a library call; they share a few real servers."""

import json
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack

from evals.bench.look import cost
from evals.bench.page import Page
from evals.bench.records import Gate
from evals.bench.spent import NOTED, OWN
from evals.lab.servers import ServerKind, running
from evals.lab.wire import crew

SIZES = (10, 100, 500)
SERVERS = 16
"""Each is looked at by two at the same time at most, where all of `warm.AT_ONCE` are busy."""
MOST_SECONDS = 50.0
"""For one size: targets that aren't begun by then are left out, and the row says how many those were."""
LEAST_SECONDS = 15.0
CPU_AT_MOST = 0.06
"""CPU seconds for each target."""


async def targets(kind: ServerKind, page: Page, sizes: Sequence[int] = SIZES) -> None:
    """A row for each size, and the limits of what one more target costs."""
    async with AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(running(kind, slowlog_log_slower_than=NOTED)) for _ in range(SERVERS)
        ]
        hands = await stack.enter_async_context(crew())
        wires = [await hands.dial(one.url, name=OWN) for one in servers]
        for size in sizes:
            name = f"{size} targets"
            if not page.has_time(LEAST_SECONDS, name):
                continue
            page.say(f"targets: {name}, on {SERVERS} servers")
            seconds = min(MOST_SECONDS, page.left - LEAST_SECONDS)
            command = (
                sys.executable,
                "-m",
                "evals.bench.warm",
                f"{seconds:.0f}",
                str(size),
                *(one.url for one in servers),
            )
            row, (done,) = await cost(name, "library call", [command], wires)
            if done.status:
                page.note(f"{name}: not measured: the process ended with status {done.status}")
                continue
            told = json.loads(done.out)
            looked, well = sum(told["said"].values()), told["said"].get("no-fault", 0)
            said = ", ".join(f"{one} {count}" for one, count in told["said"].items())
            page.row(row.model_copy(update={
                "cpu": told["cpu"], "wall": told["wall"],
                "answer": said if looked == size else f"{said}; {size - looked} not begun in {seconds:.0f} s",
            }))  # fmt: skip
            each = told["cpu"] / max(1, looked)
            page.note(f"{name}: {each * 1000:.0f} ms of CPU each, {looked / told['wall']:.1f} a second")
            if size == SIZES[-1]:
                page.gate(Gate(name=f"CPU for each of {name}", limit=CPU_AT_MOST, unit="s", value=each, low=each,
                               high=each))  # fmt: skip
            page.gate(
                Gate(name=f"answers other than no-fault for {name} that are healthy", limit=0, exact=True,
                     value=looked - well, low=looked - well, high=looked - well)
            )  # fmt: skip
