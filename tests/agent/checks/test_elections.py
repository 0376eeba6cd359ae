"""Who could be elected in a failed primary's place: what is said of it, and which steps fit."""

import re
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest

from agent.answer.diagnosis import Cause
from agent.checks.cluster import slots_down
from agent.evidence.view import View
from agent.runbooks.library import load
from agent.runbooks.placeholders import values_at
from evals.lab.catalogue import FAULTS
from evals.lab.topologies import SLOTS, fields, until
from evals.lab.wire import dial
from tests.agent.checks.rows import LIMITS, Given, view
from tests.program import triage
from tests.rotation import one_of
from tools.records import Values

LIVES, ALSO, ONE, TWO, THREE = (f"10.0.0.{n}:6379" for n in range(1, 6))


def seen(majority: bool, *lost: str, replicas: int = 1, **more: Any) -> Values:
    """A node's `cluster` while those primaries are failed."""
    state = "fail" if majority else "pfail"
    values: Values = {
        "slots_unserved": 5461 * len(lost), "cluster_state": "fail", "slots_unassigned": 0, "majority": majority,
        "primaries_ok": 2 if majority else 1, "cluster_slots_fail": 5461 if majority else 0, "disconnected": len(lost),
    }  # fmt: skip
    for number, address in enumerate(lost, 1):
        values |= {
            f"down{number}.address": address, f"down{number}.state": state, f"down{number}.slots": 5461,
            f"down{number}.replicas_ok": replicas,
        }  # fmt: skip
    return values | {name.replace("__", "."): value for name, value in more.items()}


def follower(of: str, offset: int = 100, log: Values | None = None, down: int = 5, **cluster: Any) -> Given:
    host, port = of.split(":")
    return {
        "cluster": {"my_role": "replica", "cluster-node-timeout": 1000, "cluster-replica-validity-factor": 10,
                    **{name.replace("__", "-"): value for name, value in cluster.items()}},
        "replication": {"role": "slave", "master_host": host, "master_port": int(port), "slave_repl_offset": offset,
                        "master_link_status": "down", "master_link_down_since_seconds": down},
        "log": log or {},
    }  # fmt: skip


def told(given: Values, peers: Mapping[str, Given]) -> tuple[Cause, list[str], View]:
    """The finding at a node, and the steps of its plan."""
    one = view({"cluster": given}, peers=peers, node=LIVES)
    (cause,) = (found for found in slots_down(one, LIMITS) if isinstance(found, Cause))
    notes, values = load().notes("cluster-slots-down"), values_at(one)
    assert notes
    fitting = [remedy for remedy in notes.remedies if remedy.fits(cause.evidence, {cause.id})]
    return cause, [one.action for remedy in fitting for one in remedy.filled(values, str)], one


def test_without_a_majority_the_dead_come_first_and_takeover_names_the_newest_replica_of_each() -> None:
    peers = {
        ONE: {"connect": "refused"}, TWO: {"connect": "timeout"},
        "10.0.0.7:6379": follower(ONE, offset=90), "10.0.0.8:6379": follower(ONE, offset=120),
        "10.0.0.9:6379": follower(TWO),
    }  # fmt: skip
    cause, (start, takeover), _ = told(seen(False, ONE, TWO), peers)
    assert cause.probability > 0.9
    assert "1 of 3 primaries with slots is left, which is no majority" in cause.why
    assert f"{ONE} (nothing listens there), {TWO} (no answer from here (timeout): it may still be alive)" in start
    assert (
        f"TAKEOVER by hand, since 2 of 3 primaries are gone, on 10.0.0.8:6379 (for {ONE}), 10.0.0.9:6379 (for {TWO})"
        in takeover
    )
    assert "10.0.0.7" not in takeover
    assert "FORCE on" not in start + takeover


def test_without_a_majority_and_without_a_replica_nobody_takes_over() -> None:
    _, steps, _ = told(seen(False, ONE, TWO, replicas=0), {})
    assert len(steps) == 1 and "nodes.conf" in steps[0]


def test_a_replica_that_may_not_stand_is_named_with_the_reason() -> None:
    peers = {TWO: follower(ONE, cluster__replica__no__failover="yes")}
    cause, (force, restore), _ = told(seen(True, ONE), peers)
    assert "doesn't stand for election because it has cluster-replica-no-failover yes" in cause.why
    assert f"FAILOVER FORCE on {TWO} (for {ONE}; it has cluster-replica-no-failover yes)" in force
    assert ONE in restore
    assert not any("TAKEOVER" in step for step in (force, restore))


def test_a_replica_with_data_that_is_too_old_is_named_with_the_reason() -> None:
    # Ten times the timeout, once more until it was called failed, and the period of pings: 21 s.
    for down, stands in ((21, True), (22, False)):
        cause, (force, _), _ = told(seen(True, ONE), {TWO: follower(ONE, down=down)})
        assert ("cluster-replica-validity-factor" not in cause.why + force) == stands
        assert ("an election may be in progress" in force) == stands
    cause, _, _ = told(
        seen(True, ONE), {TWO: follower(ONE, log={"failover_aborted.reason": "Disconnected from primary"})}
    )
    assert "its data is too old" in cause.why


def test_a_node_that_alone_sees_no_majority_is_cut_off_and_nobody_takes_over() -> None:
    well: Given = {"cluster": {"majority": True, "cluster_state": "ok", "primaries_ok": 3}}
    cause, steps, _ = told(seen(False, ONE, TWO), {ONE: well, TWO: well})
    assert f"{ONE} can" in cause.why and "cut off" in cause.why
    assert len(steps) == 1 and "cut off from the majority" in steps[0]


@pytest.mark.live
@pytest.mark.parametrize("id", ["cluster-slots-down-frozen", "cluster-slots-down-old-replica", "cluster-majority-lost"])
async def test_the_step_by_hand_makes_the_cluster_whole(id: str) -> None:
    async with FAULTS[id].begin(one_of(id), Random(5)) as incident:
        answer = await triage(incident.url, incident.ticket)
        (action,) = (
            step["action"] for step in answer["plan"] if re.search("FAILOVER (FORCE|TAKEOVER)", step["action"])
        )
        how = "TAKEOVER" if "TAKEOVER" in action else "FORCE"
        heirs = re.findall(r"([\d.]+:\d+) \(for", action)
        assert heirs
        for heir in heirs:
            wire = await dial(f"redis://{heir}")
            await wire.ask("CLUSTER", "FAILOVER", how)
            await wire.close()

        async def whole() -> bool:
            wire = await dial(incident.url)
            state = fields(str(await wire.ask("CLUSTER", "INFO")))
            await wire.close()
            return state["cluster_state"] == "ok" and int(state["cluster_slots_ok"]) == SLOTS

        await until(whole, "every slot has a primary", 20)
