"""Host, network, client side and settings: each fault shows itself, and the checks tell it from its twin."""

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import psutil
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
PAIRS = (
    "pool-exhausted", "blocking-in-pool", "client-starved", "retry-storm", "packet-loss", "bandwidth-cap",
    "config-drift", "diagnostics-disabled",
)  # fmt: skip
"""Faults whose twin is told from them by the readings, the ticket being the same."""


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
        answer = await triage(incident.url, incident.ticket, *incident.arguments)
    right(fault, answer)


@pytest.mark.live
@pytest.mark.parametrize("id", PAIRS)
async def test_the_same_ticket_about_its_twin(id: str) -> None:
    fault, twin = FAULTS[id], FAULTS[FAULTS[id].twin]
    assert fault.cause != twin.cause
    ticket = fault.tickets[-1]
    for one, turn in ((fault, 1), (twin, 2)):
        async with one.begin(usable(one, PAIRS.index(id) + turn), random.Random(31)) as incident:
            right(one, await triage(incident.url, ticket, *incident.arguments))


async def info(wire: Wire, section: str) -> dict[str, str]:
    text = str(await wire.ask("INFO", section))
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


async def listed(wire: Wire) -> list[dict[str, str]]:
    lines = str(await wire.ask("CLIENT", "LIST")).splitlines()
    return [dict(part.partition("=")[::2] for part in line.split(" ")) for line in lines]


async def lossy(wire: Wire, incident: Incident) -> bool:
    """A lost packet comes again after 200 ms at the least, whatever the machine does; the others don't wait for it."""
    took = []
    for _ in range(100):
        began = time.monotonic()
        await wire.ask("PING", timeout=10)
        took.append(time.monotonic() - began)
    return max(took) >= 0.15 and sorted(took)[20] < 0.15


async def narrow(wire: Wire, incident: Incident) -> bool:
    """Half a megabyte at 6 Mbit/s or less can't come within half a second."""
    began, size = time.monotonic(), 0
    while size < 500_000:
        size += len(await wire.ask("GET", "page:1:rendered", timeout=30))
    return time.monotonic() - began >= 0.5


async def resting(wire: Wire, incident: Incident) -> bool:
    rested = [one for one in await listed(wire) if one["cmd"] == "get" and int(one["idle"]) >= 1]
    return len(rested) >= 4


async def blocked(wire: Wire, incident: Incident) -> bool:
    waiting = [one for one in await listed(wire) if one["cmd"] == "blpop" and "b" in one["flags"]]
    names = {one["name"] for one in waiting}
    return len(waiting) >= 4 and all(one in waiting for one in await listed(wire) if one["name"] in names)


async def stormy(wire: Wire, incident: Incident) -> bool:
    before, began = await info(wire, "all"), time.monotonic()
    await asyncio.sleep(1)
    after = await info(wire, "all")
    new = int(after["total_connections_received"]) - int(before["total_connections_received"])
    usual = int(before["total_connections_received"]) / int(before["uptime_in_seconds"])
    return new / (time.monotonic() - began) > 2 * usual


async def differs(wire: Wire, incident: Incident) -> bool:
    _, folder = await wire.ask("CONFIG", "GET", "dir")
    with open(f"{folder}/redis.conf") as file:
        written = dict(line.split(" ", 1) for line in file.read().splitlines() if " " in line)
    running = {name: (await wire.ask("CONFIG", "GET", name))[1] for name in settings.NAMES if name in written}
    return any(value not in written[name] for name, value in running.items())


async def untraced(wire: Wire, incident: Incident) -> bool:
    used = await info(wire, "commandstats")
    return "cmdstat_sort" in used and await wire.ask("SLOWLOG", "LEN") == 0


EVIDENCE: dict[str, Callable[[Wire, Incident], Awaitable[bool]]] = {
    "packet-loss": lossy, "bandwidth-cap": narrow, "pool-exhausted": resting, "blocking-in-pool": blocked,
    "retry-storm": stormy, "config-drift": differs, "diagnostics-disabled": untraced,
}  # fmt: skip


@pytest.mark.live
@pytest.mark.parametrize("id", EVIDENCE)
async def test_the_fault_is_there(id: str) -> None:
    fault = FAULTS[id]
    async with fault.begin(usable(fault, MINE.index(id) + 1), random.Random(29)) as incident:
        assert incident.ticket in fault.tickets
        assert psutil.pid_exists(incident.pid) and urlsplit(incident.url).port
        wire = await dial(incident.url, timeout=10)
        try:
            assert await EVIDENCE[id](wire, incident)
        finally:
            await wire.close()


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
