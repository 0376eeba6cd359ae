"""Host, network, client side and settings: each fault shows itself, and the checks tell it from its twin."""

import random
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from agent.answer.diagnosis import Cause, RuledOut
from agent.checks.host import huge_pages
from agent.evidence.view import View
from agent.runbooks.library import load
from evals.lab.catalogue import FAULTS
from evals.lab.fault import NO_FAULT, Fault, Incident
from evals.lab.faults import clientside, double, host, settings
from evals.lab.servers import ServerKind, installed
from evals.lab.wire import Wire, dial
from tests.program import checked, triage
from tools.records import Reading

MINE = [id for family in (settings, host, clientside, double) for id in family.FAULTS]


def usable(fault: Fault, turn: int) -> ServerKind:
    """The server that this fault is tried on: one for each, another for the next."""
    kinds = [kind for kind in installed() if fault.unavailable(kind) is None]
    if not kinds:
        pytest.skip("; ".join({str(fault.unavailable(kind)) for kind in installed()}) or "no server here")
    return kinds[turn % len(kinds)]


def right(fault: Fault, answer: dict[str, Any]) -> None:
    """The fault's cause is first and its others are there, with no wrong remedy in the plan."""
    checked(answer)
    found = [cause["id"] for cause in answer["causes"]]
    if fault.cause == NO_FAULT:
        assert answer["outcome"] == NO_FAULT, answer["causes"]
    else:
        assert found and found[0] == fault.cause, answer["findings"]
        assert set(fault.also) <= set(found)
    for step in answer["plan"]:
        for pattern in fault.never:
            assert not re.search(pattern, step["action"], re.IGNORECASE), step["action"]


@pytest.mark.live
@pytest.mark.parametrize("id", MINE)
async def test_the_cause_is_found(id: str) -> None:
    fault = FAULTS[id]
    async with fault.begin(usable(fault, MINE.index(id)), random.Random(23)) as incident:
        assert id not in EVIDENCE or await shows(EVIDENCE[id], incident), f"{id} isn't there"
        answer = await triage(incident.url, incident.ticket, *incident.arguments)
    right(fault, answer)


async def info(wire: Wire, section: str) -> dict[str, str]:
    text = str(await wire.ask("INFO", section))
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


async def listed(wire: Wire) -> list[dict[str, str]]:
    lines = str(await wire.ask("CLIENT", "LIST")).splitlines()
    return [dict(part.partition("=")[::2] for part in line.split(" ")) for line in lines]


async def resting(wire: Wire, incident: Incident) -> bool:
    rested = [one for one in await listed(wire) if one["cmd"] == "get" and int(one["idle"]) >= 1]
    return len(rested) >= 4


async def blocked(wire: Wire, incident: Incident) -> bool:
    waiting = [one for one in await listed(wire) if one["cmd"] == "blpop" and "b" in one["flags"]]
    names = {one["name"] for one in waiting}
    return len(waiting) >= 4 and all(one in waiting for one in await listed(wire) if one["name"] in names)


async def differs(wire: Wire, incident: Incident) -> bool:
    _, folder = await wire.ask("CONFIG", "GET", "dir")
    with open(f"{folder}/redis.conf") as file:
        written = dict(line.split(" ", 1) for line in file.read().splitlines() if " " in line)
    running = {name: (await wire.ask("CONFIG", "GET", name))[1] for name in settings.NAMES if name in written}
    return any(value not in written[name] for name, value in running.items())


async def untraced(wire: Wire, incident: Incident) -> bool:
    used = await info(wire, "commandstats")
    return "cmdstat_sort" in used and await wire.ask("SLOWLOG", "LEN") == 0


async def shows(evidence: Callable[[Wire, Incident], Awaitable[bool]], incident: Incident) -> bool:
    """Whether a look of one's own shows that the fault is there."""
    wire = await dial(incident.url, timeout=10)
    try:
        return await evidence(wire, incident)
    finally:
        await wire.close()


EVIDENCE: dict[str, Callable[[Wire, Incident], Awaitable[bool]]] = {
    "pool-exhausted": resting, "blocking-in-pool": blocked, "config-drift": differs, "diagnostics-disabled": untraced,
}  # fmt: skip


def read(**process: int | bool | None) -> View:
    """The readings of a process, and of a save that copied much."""
    about: dict[str, dict[str, Any]] = {"process": process, "persistence": {"rdb_last_cow_size": 300 << 20}}
    return View(
        [
            Reading(
                id=f"r{number}", tool=tool, args={}, node="h:1", at="2026-01-01T00:00:00Z", ms=1.0, values=values,
                unavailable=None,
            )
            for number, (tool, values) in enumerate(about.items(), 1)
        ],
        "h:1",
    )  # fmt: skip


def test_huge_pages_are_the_processs_own() -> None:
    limits, rss = load().thresholds, 800 << 20
    (found,) = huge_pages(read(smaps_AnonHugePages_bytes=500 << 20, rss_bytes=rss), limits)
    assert isinstance(found, Cause) and found.id == "thp" and found.probability >= 0.5
    (ruled_out,) = huge_pages(read(smaps_AnonHugePages_bytes=0, rss_bytes=rss), limits)
    assert isinstance(ruled_out, RuledOut)
    # Not read is neither.
    assert not list(huge_pages(read(smaps_AnonHugePages_bytes=None, rss_bytes=rss), limits))
