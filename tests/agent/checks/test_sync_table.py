"""Whole copies that fail, switchovers that wait, and addresses in front of several servers."""

from collections.abc import Mapping
from typing import Any

from agent.checks.balancer import balancer
from agent.checks.connectivity import process_frozen
from agent.checks.replication import FAMILY
from agent.checks.switchover import failover_stuck
from agent.checks.syncs import sync_failed
from agent.checks.types import Check
from agent.checks.verdict import conclude
from agent.runbooks.library import load
from tests.agent.checks.rows import LIMITS, Expected, Given, Row, found, table, view
from tools.records import Values

OTHER = "10.0.0.2:6379"
SYNC, STUCK, SPREAD = "sync-failed", "failover-stuck", "balancer-over-replicas"
EVENT = LIMITS["replication_event_seconds"]
NEW: Values = {"redis_version": "8.2.3"}
OLD: Values = {"redis_version": "6.2.5"}
VALKEY: Values = {"redis_version": "7.2.4", "valkey_version": "9.1.2"}


def replica(log: Values | None = None, info: Values | None = None, **more: Any) -> Given:
    values: Values = {
        "role": "slave", "master_link_status": "down", "master_host": "10.0.0.2", "master_port": 6379,
    }  # fmt: skip
    return {"replication": values | more.pop("replication", {}), "log": log or {}, "info": info or OLD, **more}


def primary(full: int = 20, log: Values | None = None, info: Values | None = None, **more: Any) -> Given:
    values: Values = {"role": "master", "connected_slaves": 0, "sync_full.delta": full, "window_seconds": 2.0}
    return {"replication": values | more.pop("replication", {}), "log": log or {}, "info": info or NEW, **more}


def above(*args: Any, **more: Any) -> Mapping[str, Any]:
    return {"peers": {OTHER: primary(*args, **more)}}


def below(log: Values | None = None, **more: Any) -> Mapping[str, Any]:
    of = {"master_host": "n", "master_port": 6379}
    return {"peers": {OTHER: replica(log, replication=of, **more)}, "node": "n:6379"}


FORMAT: Values = {"load_failed.newest_age": 1.0, "load_failed.format": 12, "sync_load_failed.newest_age": 1.0}
WRITE: Values = {"sync_write_failed.newest_age": 1.0, "sync_load_failed.newest_age": 1.0}
MEMORY: Values = {"oom_allocating.newest_age": 1.0, "sync_load_failed.newest_age": 1.0}
TIMED: Values = {"sync_timeout.newest_age": 20.0, "sync_timeout.count": 2}
SMALL: Mapping[str, Any] = {"disk": {"dir_free_bytes": 2**20}}
LARGE: Values = {"used_memory": 50 * 2**20}

SYNCS: list[Row] = [
    ("a dump of a later format", sync_failed, replica(FORMAT), {SYNC: "sure"}, above()),
    ("the primary isn't reached, and the log names the format", sync_failed, replica(FORMAT), {SYNC: "sure"}),
    ("that was before", sync_failed, replica({**FORMAT, "load_failed.newest_age": EVENT + 1,
                                              "sync_load_failed.newest_age": EVENT + 1}), {}, above(0)),
    ("no log, and older than its primary", sync_failed, replica(), {SYNC: "likely"}, above()),
    ("no log, and as new as its primary", sync_failed, replica(info=NEW), {}, above()),
    ("no log, and newer", sync_failed, replica(info=NEW), {}, above(info=OLD)),
    ("no log, Redis of before Valkey under Valkey", sync_failed, replica(), {SYNC: "likely"}, above(info=VALKEY)),
    ("no log, Valkey under a later Redis", sync_failed, replica(info=VALKEY), {SYNC: "likely"}, above()),
    ("no log, a later Redis under Valkey", sync_failed, replica(info=NEW), {}, above(info=VALKEY)),
    ("older, and in step", sync_failed, replica(replication={"master_link_status": "up"}), {}, above()),
    ("the copy can't be written", sync_failed, replica(WRITE, NEW), {SYNC: "sure"}, above()),
    ("its disk is full", sync_failed, replica({"no_space.newest_age": 2.0}, NEW), {SYNC: "sure"}, above()),
    ("no log, and hardly any room", sync_failed, replica(info=NEW, **SMALL), {SYNC: "likely"}, above(memory=LARGE)),
    ("hardly any room, one copy", sync_failed, replica(info=NEW, **SMALL), {}, above(1, memory=LARGE)),
    ("no memory", sync_failed, replica(MEMORY, NEW), {SYNC: "sure"}, above()),
    ("timed out at the replica", sync_failed, replica(TIMED, NEW), {SYNC: "sure"}, above(0)),
    ("timed out at the primary", sync_failed, replica(info=NEW), {SYNC: "sure"}, above(0, TIMED)),
    ("timed out once", sync_failed, replica({**TIMED, "sync_timeout.count": 1}, NEW), {SYNC: "likely"}, above(0)),
    ("timed out long ago", sync_failed, replica({**TIMED, "sync_timeout.newest_age": 76.0}, NEW), {}, above(0)),
    ("given up for another reason", sync_failed, replica({"sync_load_failed.newest_age": 1.0}, NEW),
     {SYNC: "likely"}, above()),
    ("three copies, and no log", sync_failed, replica(info={**NEW, "master_current_sync_attempts": 3}),
     {SYNC: "likely"}, above(0, info={**NEW, "sync_full": 4})),
    ("three attempts and one copy, which is under way", sync_failed,
     replica(info={**NEW, "master_current_sync_attempts": 3}, replication={"link_state": "sync"}),
     {SYNC: "likely"}, above(0)),
    ("three attempts, and its log has a copy since", sync_failed,
     replica({"full_resync.newest_age": 5.0}, {**NEW, "master_current_sync_attempts": 3},
             replication={"master_link_down_since_seconds": 9}), {SYNC: "likely"}, above(0)),
    ("twenty attempts that reach no primary", sync_failed,
     replica({"full_resync.newest_age": 22.2}, {**NEW, "master_current_sync_attempts": 20},
             replication={"master_link_down_since_seconds": 22, "link_state": "connect"}), {}, above(0)),
    ("two copies, and no log", sync_failed, replica(info={**NEW, "master_current_sync_attempts": 2}), {},
     above(0, info={**NEW, "sync_full": 4})),
    ("refused", sync_failed, replica({**WRITE, "replication_auth.newest_age": 1.0}, NEW), {}, above()),
    ("seen from the primary", sync_failed, primary(), {SYNC: "sure"}, below(FORMAT)),
    ("seen from the primary alone", sync_failed, primary(), {SYNC: "likely"}),
    ("one copy, seen from the primary alone", sync_failed, primary(1), {}),
    ("three replicas are added at once", sync_failed, primary(3, replication={"connected_slaves": 3}), {}),
    ("three replicas, and one of them fails", sync_failed, primary(30, replication={"connected_slaves": 3}),
     {SYNC: "likely"}),
    ("an output limit explains it", sync_failed, primary(log={"output_limit.newest_age": 1.0}), {}),
    ("the backlog explains it", sync_failed, primary(log={"no_backlog.newest_age": 1.0}), {}),
    ("refused before it could sync", sync_failed, primary(commandstats={"psync.rejected_calls.delta": 3}), {}),
    ("it died of it", sync_failed,
     {"connect": "refused", "log": {"oom_allocating.newest_age": 90.0, "full_resync.newest_age": 92.0,
                                    "log_age": 89.0}}, {SYNC: "sure"}),
    ("it died of something else", sync_failed,
     {"connect": "refused", "log": {"oom_allocating.newest_age": 900.0, "full_resync.newest_age": 920.0,
                                    "log_age": 89.0}}, {}),
    ("it died without a copy", sync_failed,
     {"connect": "refused", "log": {"oom_allocating.newest_age": 90.0, "log_age": 89.0}}, {}),
]  # fmt: skip


def switching(state: str, before: str = "no-failover", log: Values | None = None) -> Given:
    return {"replication": {"master_failover_state": state, "master_failover_state.before": before,
                            "replica1.address": OTHER, "replica1.lag": 7}, "log": log or {}}  # fmt: skip


WAITING = "waiting-for-sync"
SWITCHOVERS: list[Row] = [
    ("it waits all the time", failover_stuck, switching(WAITING, WAITING), {STUCK: "sure"}),
    ("it has begun just now", failover_stuck, switching(WAITING), {STUCK: "hint"}),
    (
        "it began before, by the log",
        failover_stuck,
        switching(WAITING, log={"failover.newest_age": 5.0}),
        {STUCK: "sure"},
    ),
    ("handed over", failover_stuck, switching("failover-in-progress", WAITING), {STUCK: "sure"}),
    ("none", failover_stuck, switching("no-failover", WAITING), {}),
    ("before 6.2", failover_stuck, {"replication": {"role": "master"}}, {}),
]


def reached(runs: int, roles: str, uptime: int = 100, connections: int = 2) -> Given:
    return {"same_server": {"runs": runs, "roles": roles, "connections": connections, "c1.uptime": 100,
                            "c2.uptime": uptime}}  # fmt: skip


REFUSED: Mapping[str, Any] = {"peers": {OTHER: {"replication": {"errorstat_READONLY.count.delta": 3}}}}
ADDRESSES: list[Row] = [
    ("a primary and a replica, writes refused", balancer, reached(2, "master,slave"), {SPREAD: "sure"}, REFUSED),
    (
        "a primary and a replica, reported",
        balancer,
        reached(2, "master,slave"),
        {SPREAD: "sure"},
        {"symptom": "some writes fail with READONLY"},
    ),
    (
        "a primary and a replica",
        balancer,
        reached(2, "master,slave"),
        {SPREAD: "maybe"},
        {"symptom": "slow; no READONLY errors"},
    ),
    ("two primaries", balancer, reached(2, "master"), {SPREAD: "sure"}),
    ("replicas only", balancer, reached(2, "slave"), {SPREAD: "hint"}),
    ("one server", balancer, reached(1, "master"), {SPREAD: "not"}),
    ("one server, asked once", balancer, reached(1, "master", connections=1), {}),
    ("restarted meanwhile", balancer, reached(2, "master", uptime=3), {}),
    ("nobody looked", balancer, {}, {}),
]


@table([*SYNCS, *SWITCHOVERS, *ADDRESSES])
def test_what_is_found(check: Check, given: Given, expected: Expected, more: Mapping[str, Any]) -> None:
    assert found(check, given, **more) == expected


def _remedies(given: Given, **more: Any) -> str:
    looked = view(given, **more)
    causes = [one for one in sync_failed(looked, LIMITS) if hasattr(one, "probability")]
    notes = load().notes(SYNC)
    assert notes is not None and causes
    return " ".join(one.action for one in notes.remedies if one.fits(causes[0].evidence, {SYNC}))


def test_the_reason_chooses_the_remedy() -> None:
    version, disk = _remedies(replica(FORMAT), **above()), _remedies(replica(WRITE, NEW, **SMALL), **above())
    memory, late = _remedies(replica(MEMORY, NEW), **above()), _remedies(replica(TIMED, NEW), **above(0))
    alone = _remedies(primary())
    assert "$sync_release" in version and "data folder room" not in version
    assert "data folder room" in disk and "$sync_release" not in disk and "repl-timeout" not in disk
    assert "memory limit" in memory and "data folder room" not in memory
    assert "repl-timeout $sync_period" in late and "memory limit" not in late
    assert "own log" in alone and "$sync" not in alone
    assert "own log" not in version + disk + memory + late


def test_what_holds_writers_back_is_the_failover_and_nobody_is_unpaused() -> None:
    given = {**switching(WAITING, WAITING), "clients": {"paused": 4, "paused_cmd": "set"}}
    verdict = conclude(view(given).all, ["n"], LIMITS)
    assert [cause.id for cause in verdict.causes] == [STUCK]


def test_a_frozen_replica_is_no_reason_to_promote_anybody() -> None:
    notes = load().notes("process-frozen")
    assert notes is not None
    for role, wanted in (("replica", False), ("primary", True), ("unknown", True)):
        given = {"process": {"stopped": True, "state": "T"}, "topology": {"n1.node": "n", "n1.role": role}}
        (cause,) = process_frozen(view(given), LIMITS)
        assert hasattr(cause, "probability")
        fitting = [one.action for one in notes.remedies if one.fits(cause.evidence, {"process-frozen"})]
        assert any("power the primary's machine off" in action for action in fitting) == wanted, role
        assert any("It's a replica" in action for action in fitting) != wanted, role


def test_the_family_has_them() -> None:
    assert {sync_failed, failover_stuck, balancer} <= set(FAMILY.checks)
