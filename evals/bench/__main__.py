"""`make bench`: speed and cost, in one run of at most five minutes. What can't be told on this machine is said.

Exit status: 0 where every figure held, 1 where one is broken, 2 for wrong usage, 3 where none is broken and one can't
be told here, 130 where it was interrupted.
"""

import argparse
import asyncio
import contextlib
import os
import platform
import signal
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from evals.bench.beside import SIZES, beside
from evals.bench.clients import clients
from evals.bench.nodes import nodes
from evals.bench.page import Page, progress
from evals.bench.records import Gate, Part, Report
from evals.bench.service import service
from evals.bench.shown import as_text, growth
from evals.bench.spent import run
from evals.bench.start_up import packages, prompt, start_up
from evals.bench.targets import targets
from evals.house import ARCHITECTURE
from evals.lab.servers import ServerKind, installed, missing
from evals.readme import between

MOST_SECONDS = 300.0
ROUNDING_OFF = 20.0
"""Seconds of it in which what was started is ended, and those before the first part."""
Measure = Callable[[ServerKind, Page], Awaitable[None]]
PARTS: Mapping[str, Measure] = {
    "start-up": start_up, "packages": packages, "prompt": prompt, "beside": beside, "clients": clients, "nodes": nodes,
    "targets": targets, "service": service,
}  # fmt: skip
SHARES: Mapping[str, float] = {"packages": 30, "prompt": 40, "beside": 110, "clients": 65, "nodes": 70, "targets": 60,
                               "service": 60}  # fmt: skip
"""Seconds that a part takes on a machine that has nothing else to do, 10 where it isn't named.

Of what is left each part has its share, so that a slow one leaves the others theirs; what it leaves is theirs too.
"""
GROWTH = ("beside", "clients", "nodes", "targets")


async def measure(
    names: Sequence[str],
    kind: ServerKind,
    began: float,
    measures: Mapping[str, Measure] = PARTS,
    seconds: float = MOST_SECONDS,
) -> Report:
    """Run parts of the bench one after the other; what fails or is interrupted keeps what was measured until then.

    `began` is in seconds of `time.monotonic`: `seconds` later all has ended.
    """
    say, parts, interrupted = progress(began), list[Part](), False
    at, load = datetime.now(UTC).isoformat(timespec="seconds"), os.getloadavg()[0]
    yardstick = 1000 * min([(await run(sys.executable, "-c", "pass")).cpu for _ in range(3)])
    for at_part, name in enumerate(names):
        now, rest = time.monotonic(), names[at_part:]
        left = began + seconds - ROUNDING_OFF - now
        page = Page(name, say, now + left * SHARES.get(name, 10) / sum(SHARES.get(one, 10) for one in rest))
        try:
            async with asyncio.timeout(max(1.0, page.left)):
                await measures[name](kind, page)
        except asyncio.CancelledError:
            interrupted = True
        except Exception as error:
            # A part may not end the others, and no measurement in a traceback.
            page.gate(Gate(name=name, limit=0, why=_why(error)))
        parts.append(page.part)
        if interrupted:
            break
    return Report(
        at=at, machine=machine(), server=kind.name, load=load, yardstick=yardstick, parts=tuple(parts),
        interrupted=interrupted,
    )  # fmt: skip


def _why(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, TimeoutError):
        return "the bench's time is used up"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(frame.filename).name}, line {frame.lineno})"


def machine() -> str:
    """Cores that this program may use, processor and kernel."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), model)
    return f"{cores} cores of {model}, {platform.system()} {platform.release()}, Python {platform.python_version()}"


async def _until_a_signal(
    names: Sequence[str], kind: ServerKind, seconds: float, measures: Mapping[str, Measure]
) -> Report:
    task = asyncio.ensure_future(measure(names, kind, time.monotonic(), measures, seconds))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    return await task


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and write the growth table where that is asked for."""
    kinds = {kind.name: kind for kind in installed()}
    parser = argparse.ArgumentParser(prog="python -m evals.bench", description=__doc__.partition("\n\n")[0])
    parser.add_argument("parts", nargs="*", help=f"all by default: {', '.join(PARTS)}")
    parser.add_argument("--kind", choices=kinds, default=next(iter(kinds), None), help="%(default)s by default")
    parser.add_argument("--minutes", type=float, default=MOST_SECONDS / 60, help="in total; %(default)g by default")
    parser.add_argument(
        "--clients", type=int, action="append", metavar="N", help="a size of `beside` (1,000 and 5,000)"
    )
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object")
    parser.add_argument("--write", action="store_true", help="write the growth tables into ARCHITECTURE.md")
    options = parser.parse_args(argv)
    if unknown := set(options.parts) - PARTS.keys():
        parser.error(f"no such part: {', '.join(sorted(unknown))}; available are {', '.join(PARTS)}")
    names = [name for name in PARTS if name in (options.parts or PARTS)]
    if options.write and not set(GROWTH) <= set(names):
        parser.error(f"--write needs {', '.join(GROWTH)} in one run")
    if options.kind is None:
        print("can't tell here: there is no server program to measure with:", *missing(), sep="\n  ")
        return 3
    try:
        measures: Mapping[str, Measure] = {**PARTS, "beside": partial(beside, sizes=options.clients or SIZES)}
        report = asyncio.run(_until_a_signal(names, kinds[options.kind], 60 * options.minutes, measures))
    except asyncio.CancelledError:
        # Before the first part had begun.
        return 130
    print(report.model_dump_json(indent=1) if options.json else as_text(report))
    if options.write and not report.interrupted:
        text = ARCHITECTURE.read_text(encoding="utf-8")
        ARCHITECTURE.write_text(between(text, "growth", growth(report)), encoding="utf-8")
    return report.status


if __name__ == "__main__":
    sys.exit(main())
