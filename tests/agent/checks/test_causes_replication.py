"""Replication's causes on live deployments: the fault is there, the culprit comes first, the wrong remedy nowhere."""

import asyncio
import random
import re
from collections.abc import Callable

import pytest

from evals.lab.catalogue import FAULTS
from evals.lab.fault import Fault, Incident
from evals.lab.faults import replication
from evals.lab.servers import installed
from evals.lab.topologies import fields
from evals.lab.wire import dial
from tests.program import checked, triage

pytestmark = pytest.mark.live

Info = dict[str, str]


def errors(info: Info, word: str) -> int:
    """How often an error was answered."""
    return int(info.get(f"errorstat_{word}", "count=0").removeprefix("count="))


def grew(field: str) -> Callable[[Info, Info], bool]:
    """A counter of INFO goes up."""
    return lambda before, now: int(now[field]) > int(before[field])


def refused(*words: str) -> Callable[[Info, Info], bool]:
    """Errors of one of these words are being answered."""
    return lambda before, now: any(errors(now, word) > errors(before, word) for word in words)


def behind(before: Info, now: Info) -> bool:
    """The replica acknowledged far less than was written."""
    acknowledged = re.search(r"offset=(\d+)", now["slave0"])
    return acknowledged is not None and int(now["master_repl_offset"]) - int(acknowledged[1]) > 2**20


EVIDENCE: dict[str, Callable[[Info, Info], bool]] = {
    "replica-link-down": lambda before, now: now["master_link_status"] == "down",
    "replica-link-down-lost": lambda before, now: (now["connected_slaves"], now["repl_backlog_active"]) == ("0", "1"),
    "replica-lag": behind,
    "replica-frozen": lambda before, now: int(now["slave0"].rpartition("lag=")[2].split(",")[0]) >= 3,
    "primary-gone": lambda before, now: now["master_link_status"] == "down",
    "masterauth-mismatch": refused("NOAUTH", "WRONGPASS", "NOPERM"),
    "backlog-too-small": grew("sync_partial_err"),
    "replica-output-loop": grew("sync_full"),
    "noreplicas": refused("NOREPLICAS"),
    "noreplicas-frozen": refused("NOREPLICAS"),
    "replica-write-or-stale": refused("READONLY"),
    "replica-masterdown": refused("MASTERDOWN"),
    "stale-endpoint": refused("READONLY"),
    "unexpected-replica": refused("READONLY"),
    "sync-failed-version": grew("sync_full"),
    "sync-failed-disk": grew("sync_full"),
    "sync-failed-timeout": lambda before, now: int(now["sync_full"]) >= 2,
    "sync-failed-memory": lambda before, now: int(now["sync_full"]) >= 1,
    "replica-died": lambda before, now: now["connected_slaves"] == "0",
    "healthy-new-replica": lambda before, now: now["connected_slaves"] == "2",
    "failover-stuck": lambda before, now: now["master_failover_state"] != "no-failover",
    "failover-stuck-link": lambda before, now: now["master_failover_state"] != "no-failover",
    "healthy-switchover": lambda before, now: now.get("master_failover_state", "no-failover") == "no-failover",
    "balancer-over-replicas": refused("READONLY"),
    "healthy-balancer": lambda before, now: now["role"] == "master",
    "healthy-replicas": lambda before, now: "state=online" in now["slave0"],
}
"""What INFO of the node at which the fault is seen shows of it, before and after a while."""


async def seen(fault: str, incident: Incident) -> bool:
    """Whether the fault is there, by its own evidence."""
    wire = await dial(incident.own_url or incident.url)
    try:
        before = fields(await wire.ask("INFO", "everything"))
        # A whole copy again takes some seconds.
        for _ in range(20):
            await asyncio.sleep(0.5)
            if EVIDENCE[fault](before, fields(await wire.ask("INFO", "everything"))):
                return True
        return False
    finally:
        await wire.close()


async def right(declared: Fault, seed: int, ticket: str | None = None) -> None:
    """Have a fault on one kind of server and let the program tell its cause."""
    kinds = [kind for kind in installed() if declared.unavailable(kind) is None]
    if not kinds:
        pytest.skip("; ".join({str(declared.unavailable(kind)) for kind in installed()}) or "no server here")
    kind = kinds[(sorted(FAULTS).index(declared.id) + seed) % len(kinds)]
    async with declared.begin(kind, random.Random(seed)) as incident:
        answer = await triage(incident.url, ticket or incident.ticket)
        assert declared.id not in EVIDENCE or await seen(declared.id, incident)
    checked(answer)
    causes = [cause["id"] for cause in answer["causes"]]
    if declared.cause == "no-fault":
        assert answer["outcome"] == "no-fault", causes
        return
    assert causes[0] == declared.cause, answer["findings"]
    assert set(declared.also) <= set(causes)
    for step in answer["plan"]:
        assert not [wrong for wrong in declared.never if re.search(wrong, step["action"], re.IGNORECASE)], step


@pytest.mark.parametrize("fault", replication.FAULTS)
async def test_the_cause_comes_first(fault: str) -> None:
    await right(FAULTS[fault], seed=21)


async def test_a_frozen_replica_is_the_culprit_at_its_own_node() -> None:
    kind = installed()[0]
    async with FAULTS["noreplicas-frozen"].begin(kind, random.Random(23)) as incident:
        answer = await triage(incident.url, incident.ticket)
    where = {cause["id"]: cause["where"] for cause in answer["causes"]}
    assert where["noreplicas"] == incident.url.removeprefix("redis://")
    assert where["process-frozen"] not in (None, where["noreplicas"])
