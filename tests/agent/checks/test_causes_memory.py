"""Causes of memory: each on a live server, with its twin about which the same was reported."""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import psutil
import pytest

from agent.checks.memory import size
from agent.evidence.view import View
from agent.runbooks.placeholders import values_at
from evals.lab.catalogue import FAULTS
from evals.lab.fault import Fault, Incident
from evals.lab.faults import memory
from evals.lab.servers import ServerKind, installed
from evals.lab.wire import dial
from tests.program import checked, triage
from tools.records import Reading

OURS = tuple(memory.FAULTS)
MIB = 1 << 20
Figures = dict[str, float]


async def figures(url: str) -> Figures:
    wire = await dial(url)
    try:
        lines = str(await wire.ask("INFO", "everything")).splitlines()
    finally:
        await wire.close()
    found = {name: value for name, _, value in (line.partition(":") for line in lines)}
    found |= {f"oom:{value}": value.partition("=")[2] for name, value in found.items() if name == "errorstat_OOM"}
    numbers = {name: float(value) for name, value in found.items() if re.fullmatch(r"-?\d+(\.\d+)?", value)}
    keys = re.fullmatch(r"keys=(\d+),expires=(\d+).*", found.get("db0", ""))
    errors = found.get("errorstat_OOM", "count=0").removeprefix("count=")
    return numbers | {
        "keys": float(keys[1]) if keys else 0, "expires": float(keys[2]) if keys else 0, "oom": float(errors),
    }  # fmt: skip


EVIDENCE: dict[str, Callable[[Figures, Figures], bool]] = {
    "oom-noeviction": lambda one, two: two["oom"] > one["oom"] and two["evicted_keys"] == 0,
    "oom-volatile-no-ttl": lambda one, two: two["oom"] > one["oom"] and two["expires"] < two["keys"] / 100,
    "eviction-churn": lambda one, two: (
        two["evicted_keys"] > one["evicted_keys"] and two["keyspace_misses"] > one["keyspace_misses"]
    ),
    "maxmemory-shrunk": lambda one, two: two["used_memory_peak"] > 1.3 * two["maxmemory"] and two["evicted_keys"] > 0,
    "nonkey-memory": lambda one, two: two["mem_replication_backlog"] > two["used_memory"] / 2,
    "script-cache-bloat": lambda one, two: two["number_of_cached_scripts"] > one["number_of_cached_scripts"] > 1000,
    "ttl-leak": lambda one, two: two["keys"] - one["keys"] > 2 * (two["expires"] - one["expires"]),
    "allocator-fragmentation": lambda one, two: two["allocator_frag_bytes"] > 100 * MIB,
    "rss-after-peak": lambda one, two: two["used_memory_rss"] - two["used_memory"] > 100 * MIB,
    "healthy-full-cache": lambda one, two: two["evicted_keys"] > 0 and two["used_memory"] > 0.95 * two["maxmemory"],
    "swapping": lambda one, two: two["used_memory"] > 1.2 * two["used_memory_rss"],
    "oom-killed-and-back": lambda one, two: two["uptime_in_seconds"] < 60,
}
"""What INFO has to show, a second apart."""


async def there(incident: Incident, fault: Fault) -> None:
    """The fault is there, whatever the program says of it."""
    if fault.id == "oom-killed":
        assert not psutil.pid_exists(incident.pid) or psutil.Process(incident.pid).status() == "zombie"
        return
    for _ in range(10):
        first = await figures(incident.url)
        await asyncio.sleep(0.8)
        last = await figures(incident.url)
        if seen := EVIDENCE[fault.id](first, last):
            break
    assert seen, last


@asynccontextmanager
async def begun(id: str, seed: int, ticket: str | None = None) -> AsyncIterator[tuple[Fault, Incident, dict[str, Any]]]:
    """A fault on one of the servers, another for the next, and what the program makes of it."""
    fault = FAULTS[id]
    kinds = [kind for kind in installed() if fault.unavailable(kind) is None]
    if not kinds:
        pytest.skip("; ".join({str(fault.unavailable(kind)) for kind in installed()}) or "no server here")
    kind = kinds[(sorted(FAULTS).index(id) + seed) % len(kinds)]
    async with fault.begin(kind, random.Random(seed)) as incident:
        answer = await triage(incident.url, ticket or incident.ticket, *incident.arguments)
        checked(answer)
        yield fault, incident, answer


def right(fault: Fault, answer: dict[str, Any]) -> None:
    ids = [cause["id"] for cause in answer["causes"]]
    if fault.cause == "no-fault":
        assert answer["outcome"] == "no-fault", answer["findings"]
    else:
        assert ids[:1] == [fault.cause], answer["findings"]
        assert set(fault.also) <= set(ids)
    for step in answer["plan"]:
        assert not [wrong for wrong in fault.never if re.search(wrong, step["action"], re.IGNORECASE)], step


@pytest.mark.live
@pytest.mark.parametrize("id", OURS)
async def test_the_cause_comes_first_and_nothing_wrong_is_proposed(id: str) -> None:
    async with begun(id, 21) as (fault, incident, answer):
        right(fault, answer)
        await there(incident, fault)


@pytest.mark.parametrize("id,value", [("maxmemory-shrunk", "maxmemory_before"), ("oom-noeviction", "maxmemory_target")])
async def test_the_limit_that_is_worked_out_mends_it(kind: ServerKind, id: str, value: str) -> None:
    async with memory.FAULTS[id].begin(kind, random.Random(3)) as incident:
        answer = await triage(incident.url, incident.ticket)
        view = View([Reading(**reading) for reading in answer["readings"]], answer["target"]["nodes"][0])
        limit = int(values_at(view)[value][0])
        assert f"CONFIG SET maxmemory {limit}" in [step["action"] for step in answer["plan"]]
        assert limit > (view.number("memory", "maxmemory") or 0)
        assert incident.fixed and not await incident.fixed()
        wire = await dial(incident.url)
        await wire.ask("CONFIG", "SET", "maxmemory", limit)
        await wire.close()
        assert await incident.fixed()


@pytest.mark.parametrize("text,bytes", [("100mb", 100 * MIB), ("0", 0), ("2k", 2000), ("1GB", 1 << 30), ("10%", None)])
def test_a_size_as_a_configuration_has_it(text: str, bytes: int | None) -> None:
    assert size(text) == bytes
