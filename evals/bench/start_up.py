"""What a start costs, what an install brings, and how large a model's first request is."""

import asyncio
import contextlib
import json
import random
import re
import statistics
import sys

from agent.investigation.investigation import Investigation
from agent.investigation.model_stage import prompt_of
from agent.investigation.sources import Options
from agent.loop.run import offered_tools
from agent.model.request import request_size
from agent.runbooks.library import load
from evals.bench.extras import extras
from evals.bench.look import SYMPTOM
from evals.bench.page import Page
from evals.bench.records import Gate
from evals.bench.spent import ROOT, program, run
from evals.lab.catalogue import FAULTS
from evals.lab.servers import ServerKind
from tools.clock import SystemClock
from tools.connection.budget import Budget
from tools.connection.node import Node
from tools.connection.target import parse_target
from tools.redact import Pseudonyms
from tools.server.info import sample

ROUNDS = 10
PIP_WITHIN = 20.0
HELP_AT_MOST, PROMPT_AT_MOST, PACKAGES_AT_MOST, SNAPSHOT_AT_MOST = 4.0, 20_000, 26, 25.0
"""Times `python -c pass`, bytes, packages, and milliseconds for two samples of the vital signs."""
UNDER_LOAD = "a healthy server under load"
INCIDENTS = {UNDER_LOAD: "healthy-load", "a server with a fault": "connection-leak", "a cluster": "healthy-cluster"}
"""What a model's first request is measured on."""


async def start_up(kind: ServerKind, page: Page) -> None:
    """`rediagnose --help` against a Python that does nothing, in turns."""
    page.say("start-up: --help against python -c pass")
    nothing, shown = [], []
    for _ in range(ROUNDS):
        nothing.append((await run(sys.executable, "-c", "pass")).cpu)
        shown.append((await run(*program(), "--help")).cpu)
    base = statistics.median(nothing)
    # In turns, so that each is held against the machine as it was then.
    ratios = sorted(one / (other or base) for one, other in zip(shown, nothing, strict=True))
    middle = statistics.median(ratios)
    page.gate(Gate(name="CPU of --help / of python -c pass", limit=HELP_AT_MOST, floor=1.0, value=middle,
                   low=ratios[ROUNDS // 4], high=ratios[-ROUNDS // 4 - 1]))  # fmt: skip
    page.note(f"--help takes {statistics.median(shown) * 1000:.0f} ms of CPU")


async def packages(kind: ServerKind, page: Page) -> None:
    """What the core install brings, by the pinned requirements, and what each extra adds."""
    for one in extras():
        more = f"; not installed here: {', '.join(one.missing)}" if one.missing else ""
        count = len(one.packages)
        page.note(
            f"extra {one.name}: {count} package{'s' * (count != 1)} more than the core, {one.bytes / 1e6:.1f} MB{more}"
        )
    page.say("packages: a dry run of pip")
    gate = Gate(name="packages of a core install, this one among them", limit=PACKAGES_AT_MOST, exact=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed", "--report", "-",
        str(ROOT), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(PIP_WITHIN):
            out, errors = await process.communicate()
        count = len(json.loads(out)["install"])
    except TimeoutError:
        page.gate(gate.model_copy(update={"why": f"pip took more than {PIP_WITHIN:g} s"}))
    except ValueError:
        said = errors.decode(errors="replace").strip().splitlines()[-1:] or ["pip said nothing"]
        page.gate(gate.model_copy(update={"why": said[0]}))
    else:
        page.gate(gate.model_copy(update={"value": count, "low": count, "high": count}))
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def prompt(kind: ServerKind, page: Page) -> None:
    """How large the first request to a model is, and how fast two samples are, on a healthy node under load."""
    for what, fault in INCIDENTS.items():
        page.say(f"prompt: {what}")
        async with FAULTS[fault].begin(kind, random.Random(1)) as incident:
            size, left_out, outcome = await _first_request(incident.url)
            took = await _samples(incident.url) if what == UNDER_LOAD else []
        page.gate(Gate(name=f"first request to a model, {what}", limit=PROMPT_AT_MOST, exact=True, unit="bytes",
                       value=size, low=size, high=size, why=f"outcome {outcome}"))  # fmt: skip
        page.note(f"{what}: {left_out} lines of readings are left out of the first request")
        if took:
            page.gate(Gate(name="two samples of the vital signs, the window aside", limit=SNAPSHOT_AT_MOST, unit="ms",
                           value=statistics.median(took), low=min(took), high=statistics.median(took)))  # fmt: skip


async def _first_request(url: str) -> tuple[int, int, str]:
    """Bytes of an incident's first request, the readings' lines that it leaves out, and the checks' outcome."""
    target = parse_target(url, environ={})
    case = Investigation(target, SYMPTOM, load(), SystemClock(), lambda event: None, Options())
    try:
        verdict = await case.survey()
        tools = offered_tools(case.toolbox)
        first = prompt_of(case, tools)
    finally:
        await case.close()
    left_out = re.search(r"^… (\d+) lines left out", first.first, re.MULTILINE)
    return request_size(first.messages(), tools), int(left_out[1]) if left_out else 0, verdict.outcome


async def _samples(url: str) -> list[float]:
    node = Node(parse_target(url, environ={}), SystemClock(), Budget(), Pseudonyms())
    took = []
    try:
        for _ in range(11):
            began = asyncio.get_running_loop().time()
            await sample(node)
            await sample(node)
            took.append((asyncio.get_running_loop().time() - began) * 1000)
    finally:
        node.close()
    return took
