"""What an application notices of a triage: its p99 in short alternating segments with and without one.

The server has a core of its own, and a batch is timed from the write to the kernel's stamp of its reply, so that the
ratio is what the server does to its clients for the triage, and not what two programs do to each other on one core.
"""

import asyncio
import contextlib
import os
import shutil
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from agent.investigation.embedded import investigate
from evals.bench.clients import crowded, room
from evals.bench.look import SYMPTOM
from evals.bench.paced import BATCH, SHAPES, UNSTAMPED
from evals.bench.page import Page
from evals.bench.ratio import Batch, Segment, Slice, interval, pair_ratios, undisturbed
from evals.bench.records import Gate
from evals.bench.spent import ROOT, Served, forget, served
from evals.lab.servers import Server, ServerKind, leash
from evals.lab.wire import Wire

SIZES = (1_000, 5_000)
RATE = 1_000
"""Batches a second."""
PAIRS = 400
"""At most: pairs that don't fit into a size's share of the time aren't measured, and a run of five minutes has nine.

With `beside --clients 5000 --minutes 20` there are enough to tell a tenth.
"""
LEAST_SECONDS = 35.0
QUIET = 2.5
"""Seconds of the first segment without a triage; later ones are as long as the triage before them."""
LONGEST_LOAD = 3600.0
"""Seconds after which a load ends although nobody ended it: longer than any run, or the pairs after it have none."""
RATIO_AT_MOST = 1.10
APPLICATION = tuple(shape.split()[0].lower() for shape, _ in SHAPES)


class LoadFailed(Exception):
    """The application's load couldn't be timed; the message says why."""


class Measured:
    """The segments of one run, and what the server said of each."""

    def __init__(self) -> None:
        self.pairs: list[tuple[Segment, Segment]] = []
        self.without: list[Served] = []
        self.with_: list[Served] = []
        self.took: list[Batch] = []
        self.held: list[Slice] = []


async def beside(kind: ServerKind, page: Page, sizes: Sequence[int] = SIZES) -> None:
    """The ratio and its interval at each size, and what the server itself says of the same segments."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    for number, size in enumerate(sizes):
        name = f"p99 of an application with a triage / without, {size} clients"
        gate = Gate(name=name, limit=RATIO_AT_MOST, floor=1.0)
        if len(cores) < 2 or not shutil.which("taskset"):
            page.gate(gate.model_copy(update={"why": "it needs two cores and taskset"}))
        elif size > room():
            page.gate(gate.model_copy(update={"why": f"{room()} clients is what the limit of open files allows"}))
        elif page.left < LEAST_SECONDS:
            page.gate(gate.model_copy(update={"why": "the bench's time is used up"}))
        else:
            try:
                page.gate(judged(gate, await _measured(kind, size, page, cores, len(sizes) - number), page))
            except LoadFailed as error:
                page.gate(gate.model_copy(update={"why": str(error)}))


async def _measured(kind: ServerKind, size: int, page: Page, cores: Sequence[int], sizes: int) -> Measured:
    """Pairs of one of so many sizes that are still to be measured."""
    measured = Measured()
    ends = time.monotonic() + page.left / sizes - 5
    async with crowded(kind, size) as (server, wire):
        try:
            os.sched_setaffinity(server.pid, cores[:1])
            os.sched_setaffinity(0, cores[1:])
            async with _load(server, cores[1], measured):
                await asyncio.sleep(1)
                long = QUIET
                for number in range(PAIRS):
                    if time.monotonic() + 2 * long > ends:
                        break
                    page.say(f"beside: {size} clients, pair {number + 1} of {PAIRS}")
                    long = await _pair(measured, server, wire, long, quiet_first=number % 2 == 0)
        finally:
            os.sched_setaffinity(0, cores)
    return measured


async def _pair(measured: Measured, server: Server, wire: Wire, long: float, *, quiet_first: bool) -> float:
    """One segment of each, in turns the one and the other first; the seconds that the triage took."""
    found: dict[bool, tuple[Segment, Served]] = {}
    for with_triage in (False, True) if quiet_first else (True, False):
        await forget([wire])
        began = time.monotonic()
        if with_triage:
            await investigate(server.url, SYMPTOM)
            long = time.monotonic() - began
        else:
            await asyncio.sleep(long)
        found[with_triage] = ((began, time.monotonic()), await served([wire], without=APPLICATION))
    measured.pairs.append((found[False][0], found[True][0]))
    measured.without.append(found[False][1])
    measured.with_.append(found[True][1])
    return long


@asynccontextmanager
async def _load(server: Server, core: int, measured: Measured) -> AsyncIterator[None]:
    """An application on a core, whose batches are in `measured` when the block is over. Raises `LoadFailed`."""
    process = await asyncio.create_subprocess_exec(
        *leash(), "taskset", "--cpu-list", str(core), sys.executable, "-m", "evals.bench.paced", server.host,
        str(server.port), str(server.pid), str(RATE), str(LONGEST_LOAD), stdout=asyncio.subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        if not await process.stdout.readline():
            status = await process.wait()
            stamped = status != UNSTAMPED
            raise LoadFailed(f"the load ended with status {status}" if stamped else "the kernel stamps no bytes")
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        out = await process.stdout.read()
        status = await process.wait()
    if status:
        raise LoadFailed(f"the load ended with status {status}")
    for word, *figures in (line.split() for line in out.decode().splitlines()):
        if word == "took":
            at, ms = map(float, figures)
            measured.took.append((at, ms))
        else:
            began, ended, lost = map(float, figures)
            measured.held.append((began, ended, lost))


def judged(gate: Gate, measured: Measured, page: Page) -> Gate:
    """The gate with what was measured, or why it can't be told; the server's own word is noted beside it.

    What others did on the server's core is no triage's doing: the slices in which they held it are left out of both.
    """
    took = undisturbed(measured.took, measured.held)
    left_out = 1 - len(took) / len(measured.took) if measured.took else 0.0
    ratios = pair_ratios(took, measured.pairs)
    page.note(_servers_word(measured))
    why = (
        f"of {RATE} batches a second of {BATCH} commands {left_out:.0%} are left out, as others held the server's core"
    )
    known = interval(ratios)
    if known is None:
        return gate.model_copy(
            update={"why": f"{len(ratios)} of {len(measured.pairs)} pairs have enough batches: {why}"}
        )
    value, low, high = known
    return gate.model_copy(update={"value": value, "low": low, "high": high, "why": f"{len(ratios)} pairs; {why}"})


def _servers_word(measured: Measured) -> str:
    if not measured.pairs:
        return "no pair of segments was measured"
    ours = statistics.median(one.ms for one in measured.with_)
    long = statistics.median(ended - began for _, (began, ended) in measured.pairs)
    longest = statistics.median(one.longest or 0 for one in measured.with_)
    text = f"the server's word: {ours:.1f} ms in a triage's commands of {long:.1f} s, the longest {longest:.2f} ms"
    cycles = [[one.cycle for one in side if one.cycle] for side in (measured.without, measured.with_)]
    if all(cycles):
        without, with_ = map(statistics.median, cycles)
        text += f"; longest event loop cycle {with_:.2f} ms with a triage, {without:.2f} without"
    return f"{text} (medians of {len(measured.pairs)} segments)"
