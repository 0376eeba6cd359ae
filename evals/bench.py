"""`make bench`: cost and speed, as ratios and counts in one run."""

import asyncio
import json
import os
import random
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from agent.investigation.investigation import Investigation
from agent.investigation.sources import Options
from agent.loop.prompts import compose
from agent.loop.run import offered_tools
from agent.model.request import request_size
from agent.runbooks.library import load
from evals.guest import measure
from evals.lab.catalogue import FAULTS
from evals.lab.servers import installed
from tools.clock import SystemClock
from tools.connection.target import parse_target

ROUNDS = 10
HELP_AT_MOST, PROMPT_AT_MOST, PACKAGES_AT_MOST = 4.0, 20_000, 26


def cpu_seconds(*command: str) -> float:
    """CPU time of a command, user and system together: the median of ten."""
    took = []
    for _ in range(ROUNDS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(took)


def start_up() -> bool:
    """`rediagnose --help` against a Python that does nothing."""
    program = str(Path(sys.executable).with_name("rediagnose"))
    if not os.path.exists(program):
        print("help: not installed in this environment; run it by `make bench`")
        return False
    nothing, shown = cpu_seconds(sys.executable, "-c", "pass"), cpu_seconds(program, "--help")
    ratio = shown / nothing if nothing else float("inf")
    print(f"help: {shown * 1000:.0f} ms CPU, {ratio:.1f} times `python -c pass` (at most {HELP_AT_MOST:g})")
    return ratio <= HELP_AT_MOST


def packages() -> bool:
    """What the core install brings, by the pinned requirements."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed", "--report", "-", "."],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        print(f"packages: not counted: {done.stderr.strip().splitlines()[-1:]}")
        return True
    count = len(json.loads(done.stdout)["install"])
    print(f"packages: {count} in a core install, this one among them (at most {PACKAGES_AT_MOST})")
    return count <= PACKAGES_AT_MOST


async def prompt() -> bool:
    """How large the first request to a model is, on a healthy node under load."""
    async with FAULTS["healthy-load"].begin(installed()[0], random.Random(1)) as incident:
        target = parse_target(incident.url, environ={})
        case = Investigation(target, "requests time out", load(), SystemClock(), lambda event: None, Options())
        verdict = await case.survey()
        titles = {book.name: book.title for book in case.library.runbooks}
        tools = offered_tools(case.toolbox)
        first = compose(case.symptom, case.readings(), verdict.findings, titles, tools)
        await case.close()
    bytes_ = request_size(first.messages(), tools)
    print(f"first request to a model: {bytes_} bytes (at most {PROMPT_AT_MOST}), outcome {verdict.outcome}")
    return bytes_ <= PROMPT_AT_MOST


def main() -> int:
    """Run all, or what an argument names; 1 if an aim is missed."""
    parts: dict[str, Callable[[], bool]] = {
        "help": start_up, "packages": packages, "prompt": lambda: asyncio.run(prompt()),
        "guest": lambda: asyncio.run(measure(installed())),
    }  # fmt: skip
    names = sys.argv[1:] or list(parts)
    return 0 if all([parts[name]() for name in names]) else 1


if __name__ == "__main__":
    sys.exit(main())
