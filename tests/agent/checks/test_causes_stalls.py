"""Stalls and late jobs: each cause first on live servers, told from the fault about which the same would be written."""

import asyncio
import random
import re
from collections.abc import Callable
from typing import Any

import pytest

from agent.answer.diagnosis import Cause
from agent.checks.stalls import fork_stall
from agent.evidence.view import View
from agent.runbooks.library import load
from evals.lab.catalogue import FAULTS
from evals.lab.fault import Fault
from evals.lab.faults import stalls
from evals.lab.servers import ServerKind, installed, running
from evals.lab.wire import crew, dial
from tests.program import checked, triage
from tools.records import Reading, Values

IDS = tuple(stalls.FAULTS)
Readings = Callable[[str, str], Any]


def usable(*faults: Fault) -> ServerKind:
    """A server for the first of these faults on which all can be had: one for each, another for the next."""
    kinds = [kind for kind in installed() if all(fault.unavailable(kind) is None for fault in faults)]
    if not kinds:
        pytest.skip("; ".join({str(fault.unavailable(kind)) for kind in installed() for fault in faults}))
    return kinds[IDS.index(faults[0].id) % len(kinds)]


def right(fault: Fault, answer: dict[str, Any]) -> None:
    """The fault's cause comes first and nothing of the plan makes it worse."""
    checked(answer)
    found = [cause["id"] for cause in answer["causes"]]
    if fault.cause == "no-fault":
        assert answer["outcome"] == "no-fault", answer["findings"]
    else:
        assert found[:1] == [fault.cause], answer["findings"]
        assert set(fault.also) <= set(found)
        assert answer["plan"]
    for step in answer["plan"]:
        assert not any(re.search(pattern, step["action"], re.IGNORECASE) for pattern in fault.never), step


EVIDENCE: dict[str, Callable[[Readings], bool]] = {
    "cpu-throttled": lambda of: of("process", "cgroup_nr_throttled.delta") >= 5,
    "mass-expiry": lambda of: of("info", "expired_keys.delta") >= 50_000,
    "mass-expiry-rare": lambda of: of("info", "expired_keys.delta") >= 50_000,
    "mass-expiry-fields": lambda of: (
        (of("info", "expired_subkeys.delta") or of("info", "expired_fields.delta")) >= 50_000
    ),
    "healthy-short-fields": lambda of: (
        (of("info", "expired_subkeys.delta") or of("info", "expired_fields.delta")) >= 1000
    ),
    "healthy-short-sessions": lambda of: of("info", "expired_keys.delta") >= 1000,
    "fork-stall": lambda of: of("info", "latest_fork_usec") >= 50_000 and of("info", "total_forks.delta") >= 1,
    "monitor-attached": lambda of: of("clients", "monitors") >= 1,
    "big-key-delete": lambda of: of("slowlog", "DEL.max_usec") >= 20_000,
    "big-key-delete-by-expiry": lambda of: 1 <= of("info", "expired_keys.delta") <= 20,
    "huge-exec": lambda of: of("commandstats", "exec.usec_per_call") >= 20_000 and of("slowlog", "EXEC.count") is None,
    "lua-unkillable-tried": lambda of: of("process", "main_run_share") >= 0.1,
    "stream-backlog": lambda of: of("streams", "s1.length") >= 3000 and of("streams", "s1.g1.consumers") >= 1,
    "stream-backlog-unacknowledged": lambda of: of("streams", "s1.g1.pending") >= 3000,
    "stream-backlog-abandoned": lambda of: of("streams", "s1.g1.idle_ms") >= 5000,
    "healthy-stream": lambda of: of("streams", "s1.length") >= 3000 and of("streams", "s1.g1.pending") < 200,
}
"""What the readings have to show, or there was no fault."""


@pytest.mark.live
@pytest.mark.parametrize("id", IDS)
async def test_the_cause_comes_first(id: str) -> None:
    fault = FAULTS[id]
    async with fault.begin(usable(fault), random.Random(21)) as incident:
        answer = await triage(incident.url, incident.ticket)
    right(fault, answer)
    values = {reading["tool"]: reading["values"] or {} for reading in answer["readings"]}
    assert EVIDENCE[id](lambda tool, field: values[tool].get(field))


REMEDIES = {
    "big-key-delete": ("CONFIG", "SET", "lazyfree-lazy-user-del", "yes"),
    "big-key-delete-by-expiry": ("CONFIG", "SET", "lazyfree-lazy-expire", "yes"),
}


@pytest.mark.live
@pytest.mark.parametrize("id", REMEDIES)
async def test_the_plans_setting_ends_the_stalls(id: str) -> None:
    fault = FAULTS[id]
    async with fault.begin(usable(fault), random.Random(23)) as incident:
        answer = await triage(incident.url, incident.ticket)
        assert " ".join(REMEDIES[id]) in [step["action"] for step in answer["plan"]]
        assert incident.fixed and not await incident.fixed()
        wire = await dial(incident.url)
        await wire.ask(*REMEDIES[id])
        await wire.close()
        # What is being deleted already goes on.
        await asyncio.sleep(1)
        assert await incident.fixed()


@pytest.mark.live
async def test_a_monitor_that_is_ended_is_gone() -> None:
    fault = FAULTS["monitor-attached"]
    async with fault.begin(usable(fault), random.Random(24)) as incident:
        assert incident.fixed and not await incident.fixed()
        wire = await dial(incident.url)
        for line in (await wire.ask("CLIENT", "LIST")).splitlines():
            if "cmd=monitor" in line:
                await wire.ask("CLIENT", "KILL", "ID", line.split()[0].removeprefix("id="))
        await wire.close()
        assert await incident.fixed()


@pytest.mark.live
@pytest.mark.parametrize("count,ended,told", [(1, 1, "1 client;"), (3, 3, "3 clients;"), (6, 4, "6 clients, of which")])
async def test_each_of_several_monitors_is_ended_by_a_step_of_its_own(count: int, ended: int, told: str) -> None:
    async with running(installed()[0]) as server, crew() as hands:
        ids = []
        for _ in range(count):
            wire = await hands.dial(server.url)
            ids.append(await wire.ask("CLIENT", "ID"))
            await wire.ask("MONITOR")
            hands.spawn(wire.discard())
        answer = await triage(server.url, "Redis got slower since the cart was debugged")
    checked(answer)
    actions = [step["action"] for step in answer["plan"]]
    assert [one for one in actions if "KILL" in one.upper()][:ended] == [f"CLIENT KILL ID {id}" for id in ids[:ended]]
    assert sum(one.startswith("CLIENT KILL ID") for one in actions) == ended
    assert any(told in one for one in actions), actions
    assert f"{count} client" in answer["causes"][0]["why"]


def test_a_long_fork_of_the_past_is_a_hint_at_most() -> None:
    info: Values = {"latest_fork_usec": 300_000, "total_forks.delta": 0}
    saved: Values = {"rdb_last_save_age": 4000, "rdb_saved_since_start": True}
    readings = [
        Reading(id=f"r{number}", tool=tool, args={}, node="a:1", at="2026-01-31T02:05:07Z", ms=1, values=values,
                unavailable=None)
        for number, (tool, values) in enumerate({"info": info, "persistence": saved}.items(), 1)
    ]  # fmt: skip
    (found,) = fork_stall(View(readings, "a:1"), load().thresholds)
    assert isinstance(found, Cause) and found.id == "fork-stall" and found.probability < 0.5
