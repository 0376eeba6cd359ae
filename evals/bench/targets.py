"""10 to 500 targets looked at by one process: as a library call, and by `check`; they share a few real servers."""

import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack

from evals.bench.look import cost
from evals.bench.page import Page
from evals.bench.records import Gate
from evals.bench.spent import NOTED, OWN, program
from evals.lab.servers import Server, ServerKind, running
from evals.lab.wire import Wire, crew

SIZES = (10, 100, 500)
LIBRARY = 100
"""Targets up to which the library call is measured: more of them cost in proportion, as `check`'s 500 show."""
DATABASES = 64
"""Of each server: one target is a database of it, so that a list names each once."""
SERVERS = 32
"""Each is looked at by two at the same time at most, where all of `warm.AT_ONCE` are busy."""
MOST_SECONDS = 50.0
"""For one size: targets that aren't begun by then are left out, and the row says how many those were."""
LEAST_SECONDS = 15.0
CPU_AT_MOST = 0.06
"""CPU seconds for each target."""
THOUSAND_AT_MOST = 60.0
"""Seconds for 1,000 targets at the rate of the largest size."""


async def targets(kind: ServerKind, page: Page, sizes: Sequence[int] = SIZES) -> None:
    """Rows for each size, and the limits of what one more target costs."""
    async with AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(
                running(kind, slowlog_log_slower_than=NOTED, databases=str(DATABASES))
            ) for _ in range(SERVERS)
        ]  # fmt: skip
        hands = await stack.enter_async_context(crew())
        wires = [await hands.dial(one.url, name=OWN) for one in servers]
        for size in sizes:
            for measure in (_called, _checked) if size <= LIBRARY else (_checked,):
                if page.has_time(LEAST_SECONDS, f"{size} targets"):
                    page.say(f"targets: {size}, on {SERVERS} servers")
                    await measure(page, size, min(MOST_SECONDS, page.left - LEAST_SECONDS), servers, wires)


async def _called(page: Page, size: int, seconds: float, servers: Sequence[Server], wires: Sequence[Wire]) -> None:
    """The call that embedding programs make, in a process that has made one already."""
    name, urls = f"{size} targets", [one.url for one in servers]
    command = (sys.executable, "-m", "evals.bench.warm", f"{seconds:.0f}", str(size), *urls)
    row, (done,) = await cost(name, "library call", [command], wires)
    if done.status:
        page.note(f"{name}: not measured: the process ended with status {done.status}")
        return
    told = json.loads(done.out)
    looked, well = sum(told["said"].values()), told["said"].get("no-fault", 0)
    said = ", ".join(f"{one} {count}" for one, count in told["said"].items())
    page.row(row.model_copy(update={
        "cpu": told["cpu"], "wall": told["wall"],
        "answer": said if looked == size else f"{said}; {size - looked} not begun in {seconds:.0f} s",
    }))  # fmt: skip
    _judge(page, f"{name} by library call", size == LIBRARY, told["cpu"], told["wall"], looked, well)


async def _checked(page: Page, size: int, seconds: float, servers: Sequence[Server], wires: Sequence[Wire]) -> None:
    """The whole of `rediagnose check`, its start included."""
    name = f"{size} targets"
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.writelines(f"{servers[at % SERVERS].url}/{at // SERVERS}\n" for at in range(size))
        file.flush()
        command = (*program(), "check", "--inventory", file.name, "--format", "json",
                   "--total-deadline", f"{seconds:.0f}")  # fmt: skip
        row, (done,) = await cost(name, "check", [command], wires)
    try:
        told = json.loads(done.out)
    except ValueError:
        page.note(f"{name} by check: not measured: the process ended with status {done.status}")
        return
    looked = sum(one["outcome"] is not None for one in told["targets"])
    well = sum(one["level"] in ("healthy", "preventive") for one in told["targets"])
    counts = ", ".join(f"{level} {count}" for level, count in told["counts"].items() if count)
    left = "" if told["complete"] else f"; {size - looked} not begun in {seconds:.0f} s"
    page.row(row.model_copy(update={"answer": f"{counts}{left}"}))
    _judge(page, f"{name} by check", size == SIZES[-1], row.cpu, row.wall, looked, well)


def _judge(page: Page, name: str, is_last: bool, cpu: float, wall: float, looked: int, well: int) -> None:
    """What one target costs, against its limit at the largest size, and whether each that is well is called so."""
    each = cpu / max(1, looked)
    page.note(f"{name}: {each * 1000:.0f} ms of CPU each, {looked / wall:.1f} a second")
    if is_last:
        page.gate(Gate(name=f"CPU for each of {name}", limit=CPU_AT_MOST, unit="s", value=each, low=each, high=each))
        long = 1000 * wall / max(1, looked)
        # One loop on a core that nobody else wants takes at least its own CPU time.
        page.gate(Gate(name=f"1,000 targets at the rate of {name}", limit=THOUSAND_AT_MOST, unit="s", value=long,
                       low=min(long, 1000 * each), high=long))  # fmt: skip
    page.gate(
        Gate(name=f"answers other than healthy for {name} that are healthy", limit=0, exact=True, value=looked - well,
             low=looked - well, high=looked - well)
    )  # fmt: skip
