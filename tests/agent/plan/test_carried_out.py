"""Plans for memory that are carried out: what a step names is done on the held fault, and the symptom goes."""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from evals.lab.catalogue import FAULTS
from evals.lab.wire import Wire, dial
from tests.program import rediagnose
from tests.rotation import one_of

pytestmark = pytest.mark.live
Carry = Callable[[Wire, re.Match[str]], Awaitable[None]]
Figure = Callable[[Wire], Awaitable[float]]


async def info(wire: Wire, field: str) -> float:
    text = str(await wire.ask("INFO", "everything"))
    found = re.search(rf"^{field}:(?:count=)?([\d.]+)", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


async def scanned(wire: Wire, begins: str) -> list[str]:
    cursor, names = "0", list[str]()
    while True:
        cursor, page = await wire.ask("SCAN", cursor, "MATCH", f"{begins}*", "COUNT", 1000)
        names += page
        if cursor == "0":
            return names


async def unlinked(wire: Wire, named: re.Match[str]) -> None:
    """A quarter of the keys that the plan names."""
    names = await scanned(wire, named["prefix"])
    assert names, "the plan names keys that aren't there"
    for begin in range(0, len(names) // 4, 100):
        await wire.ask("UNLINK", *names[begin : begin + 100])


async def bounded(wire: Wire, named: re.Match[str]) -> None:
    await wire.ask("CONFIG", "SET", "tracking-table-max-keys", named["keys"])


async def worked_off(wire: Wire, named: re.Match[str]) -> None:
    """More workers, as fast as all of them together can."""
    for _ in range(40):
        left = int(await wire.ask("LLEN", named["key"]))
        for _ in range(min(left, 1000)):
            await wire.ask("RPOP", named["key"])
        if left < 100:
            return


async def dropped(wire: Wire, named: re.Match[str]) -> None:
    """The idle consumers without anything pending."""
    rows = await wire.ask("XINFO", "CONSUMERS", named["key"], named["group"], timeout=10)
    consumers = [dict(zip(row[::2], row[1::2], strict=True)) for row in rows]
    for consumer in consumers:
        if not consumer["pending"]:
            await wire.ask("XGROUP", "DELCONSUMER", named["key"], named["group"], consumer["name"])


async def length(wire: Wire, named: re.Match[str]) -> float:
    return float(await wire.ask("LLEN", named["key"]))


async def consumers(wire: Wire, named: re.Match[str]) -> float:
    rows = await wire.ask("XINFO", "GROUPS", named["key"])
    return float(dict(zip(rows[0][::2], rows[0][1::2], strict=True))["consumers"])


async def used(wire: Wire, named: re.Match[str]) -> float:
    return await info(wire, "used_memory")


async def tracked(wire: Wire, named: re.Match[str]) -> float:
    return await info(wire, "tracking_total_keys")


KEYS = r"\d+% are (?P<prefix>\w+:)\*"
BY_HAND: dict[str, tuple[str, Carry, Callable[[Wire, re.Match[str]], Awaitable[float]]]] = {
    "oom-noeviction": (KEYS, unlinked, used),
    "oom-volatile-no-ttl": (KEYS, unlinked, used),
    "tracking-table-growth": (r"tracking-table-max-keys (?P<keys>\d+)", bounded, tracked),
    "queue-backlog": (r"consumers of (?P<key>\S+):", worked_off, length),
    "stream-consumer-leak": (r"XINFO CONSUMERS (?P<key>\S+) (?P<group>\S+) ", dropped, consumers),
}
"""By fault: what a step of its plan names, what is done with it, and a figure that has to fall below nine tenths."""


async def told(url: str, ticket: str, *more: str) -> dict[str, Any]:
    asked = await rediagnose("triage", url, ticket, "--model", "offline", "--format", "json", *more)
    return asked.answer()


@pytest.mark.parametrize("id", BY_HAND)
async def test_what_a_step_by_hand_names_makes_the_symptom_go(id: str) -> None:
    pattern, carry, figure = BY_HAND[id]
    async with FAULTS[id].begin(one_of(id), random.Random(3)) as incident:
        answer = await told(incident.url, incident.ticket)
        assert answer["causes"][0]["id"] == id
        actions = [step["action"] for step in answer["plan"]]
        named = next(found for action in actions if (found := re.search(pattern, action)))
        wire = await dial(incident.url, timeout=10)
        before = await figure(wire, named)
        await carry(wire, named)
        for _ in range(60):
            # The server itself works off some of it a little at a time.
            if (after := await figure(wire, named)) < 0.9 * before:
                break
            await asyncio.sleep(0.5)
        if id.startswith("oom"):
            # The first write after it is taken.
            assert await wire.ask("SET", "probe", "1") == "OK"
        await wire.close()
    assert after < 0.9 * before


@pytest.mark.parametrize(
    ("id", "parameter"), [("nonkey-memory", "repl-backlog-size"), ("oom-noeviction", "maxmemory"),
                          ("eviction-churn", "maxmemory")]
)  # fmt: skip
async def test_a_change_that_the_plan_proposes_helps(id: str, parameter: str, tmp_path: Path) -> None:
    recording = tmp_path / "incident.rec"
    async with FAULTS[id].begin(one_of(id), random.Random(3)) as incident:
        answer = await told(incident.url, incident.ticket, "--record", str(recording))
        assert answer["causes"][0]["id"] == id
        step = next(one for one in answer["plan"] if one["action"].startswith(f"CONFIG SET {parameter} "))
        done = await rediagnose(
            "apply", str(recording), step["id"], "--url", incident.url, "--confirm", step["action"], "--format", "json"
        )
    assert done.status == 0, done.out + done.err
    assert '"verified"' in done.out
