"""What one node's own settings do, and what ends a server from outside: each threshold's two sides."""

from collections.abc import Mapping
from typing import Any

from agent.checks.cluster import slots_down
from agent.checks.complaints.delays import DEFRAG_PERCENT, defragmentation
from agent.checks.complaints.saves import OFTEN, SEVERAL, crashes, saves
from agent.checks.endpoints import nameless_endpoints
from agent.checks.memory import eviction_churn
from agent.checks.pauses import paused
from agent.checks.replica_own import FEWER, LEAST_KEYS, LEAST_TIMEOUTS, RECENT, breaks_again, evicted_here
from agent.checks.settings import unkept
from agent.checks.short_lives import LEAST, ended_soon
from agent.checks.short_lives import RECENT as LATELY
from agent.checks.types import Check
from tests.agent.checks.rows import LIMITS, Expected, Given, Row, found, table, view
from tools.records import Values

ABOVE = "10.0.0.2:6379"
WHOSE: Values = {"role": "slave", "master_host": "10.0.0.2", "master_port": 6379, "master_link_status": "up"}


def runs(count: int = LEAST, age: float = 10.0, asked: int | None = None, **more: Any) -> Given:
    values: Values = {"stops.count": count, "stops.asked": count if asked is None else asked, "stops.longest": 40.0}
    values |= {"stops.newest_age": age, "stops.served": count}
    return {"log": values, "info": {"uptime_in_seconds": 9}, **more}


def timeouts(count: int = LEAST_TIMEOUTS, age: float = 5.0, waits: int = 60, life: float = 900.0) -> Given:
    log: Values = {"primary_timeout.count": count, "primary_timeout.newest_age": age, "started_age": life}
    return {"replication": {**WHOSE, "repl-timeout": waits}, "log": log}


def above(pings: int = 10, keys: int = 1000) -> Mapping[str, Given]:
    return {ABOVE: {"replication": {"role": "master", "repl-ping-replica-period": pings}, "keyspace": {"keys": keys}}}


def evicts(keys: float, evicted: int = 50, **link: Any) -> Given:
    return {
        "replication": {**WHOSE, **link}, "keyspace": {"keys": int(keys), "evicted_keys": evicted},
        "memory": {"maxmemory_used_share": 1.0},
    }  # fmt: skip


def lone(nodes: int, greeting: int = 0, mine: int = 5461) -> Given:
    return {"cluster": {
        "cluster_state": "fail", "slots_unserved": 10923, "slots_unassigned": 10923, "cluster_slots_fail": 0,
        "nodes": nodes, "nodes.handshake": greeting, "my_slots": mine, "cluster_known_nodes": nodes,
    }}  # fmt: skip


ENDED, LINK, EVICTS = "process-down", "replica-link-down", "eviction-churn"
RESTARTS = {"symptom": "Redis restarts every minute"}
ROWS: tuple[Row, ...] = (
    ("told to end again and again", ended_soon, runs(), {ENDED: "likely"}),
    ("and reported", ended_soon, runs(), {ENDED: "sure"}, RESTARTS),
    ("once", ended_soon, runs(LEAST - 1), {}, RESTARTS),
    ("long ago", ended_soon, runs(age=LATELY + 1), {}, RESTARTS),
    ("nobody told it to", ended_soon, runs(asked=LEAST - 1), {}, RESTARTS),
    ("it isn't there", ended_soon, runs(info={}), {}, RESTARTS),
    ("a replica less patient than its primary", breaks_again, timeouts(waits=3), {LINK: "sure"}, {"peers": above()}),
    ("as patient", breaks_again, timeouts(waits=10), {LINK: "sure"}, {"peers": above()}),
    ("more patient", breaks_again, timeouts(waits=11), {LINK: "likely"}, {"peers": above()}),
    ("one time-out", breaks_again, timeouts(LEAST_TIMEOUTS - 1, waits=3), {}, {"peers": above()}),
    ("time-outs of earlier", breaks_again, timeouts(age=RECENT + 1, waits=3), {}, {"peers": above()}),
    ("time-outs of an earlier run", breaks_again, timeouts(age=9, life=8, waits=3), {}, {"peers": above()}),
    ("a replica evicted", evicted_here, evicts(FEWER * 10_000), {EVICTS: "sure"}, {"peers": above(keys=10_000)}),
    ("as many as expire meanwhile", evicted_here, evicts(FEWER * 10_000 + 1), {}, {"peers": above(keys=10_000)}),
    ("a few keys", evicted_here, evicts(101 - LEAST_KEYS), {}, {"peers": above(keys=100)}),
    ("nothing evicted", evicted_here, evicts(10, 0), {}, {"peers": above()}),
    ("still copying", evicted_here, evicts(10, master_link_status="down"), {}, {"peers": above()}),
    ("a primary that evicts", evicted_here, evicts(10, role="master"), {}, {"peers": above()}),
    ("names that weren't announced", nameless_endpoints,
     {"cluster": {"cluster-preferred-endpoint-type": "hostname", "cluster-announce-hostname": ""}},
     {"announced-address-unreachable": "sure"}),
    ("names that were", nameless_endpoints,
     {"cluster": {"cluster-preferred-endpoint-type": "hostname", "cluster-announce-hostname": "a.example"}}, {}),
    ("one node without a name", nameless_endpoints,
     {"cluster": {"cluster-preferred-endpoint-type": "hostname", "cluster-announce-hostname": "a.example"}},
     {"announced-address-unreachable": "sure"}, {"peers": {ABOVE: {"cluster": {"cluster-announce-hostname": ""}}}}),
    ("addresses", nameless_endpoints,
     {"cluster": {"cluster-preferred-endpoint-type": "ip", "cluster-announce-hostname": ""}}, {}),
    ("waits for its replicas to end", paused, {"info": {"shutdown_in_milliseconds": 9000}}, {"client-paused": "sure"}),
    ("a server's file can't be written", unkept,
     {"log": {"config_rewrite_failed.count": 3, "config_rewrite_failed.newest_age": 9.0}}, {"config-drift": "hint"}),
    ("and its settings don't last", unkept,
     {"log": {"config_rewrite_failed.count": 3, "config_rewrite_failed.newest_age": 9.0}}, {"config-drift": "sure"},
     {"symptom": "the old settings are back after each restart"}),
    ("in an earlier run", unkept,
     {"log": {"config_rewrite_failed.count": 3, "config_rewrite_failed.newest_age": 9.0, "started_age": 8.0}}, {}),
)  # fmt: skip


@table(ROWS)
def test_each_side_of_a_threshold(check: Check, given: Given, expected: Expected, more: dict[str, Any]) -> None:
    assert found(check, given, **more) == expected


def test_a_node_that_nobody_joined_is_told_apart_from_slots_that_somebody_gave_up() -> None:
    for given, alone in ((lone(1), True), (lone(3, 2), True), (lone(3), False), (lone(1, mine=0), False)):
        whys = [str(getattr(one, "why", "")) for one in slots_down(view(given), LIMITS)]
        assert any("knows no other node" in why for why in whys) == alone


def saved(count: int, up: float) -> Given:
    return {"info": {"rdb_saves": count, "uptime_in_seconds": up, "window_seconds": 2.0}}


def test_saves_that_follow_each_other_all_along_are_complained_of() -> None:
    for given, told in (
        (saved(SEVERAL, SEVERAL * OFTEN), True), (saved(SEVERAL, SEVERAL * OFTEN + 1), False),
        (saved(SEVERAL - 1, 9), False), (saved(4000, 3601), False),
    ):  # fmt: skip
        found_ = list(saves(view(given), LIMITS))
        assert bool(found_) == told
        assert all(one.remedy for one in found_)


def test_defragmentation_is_complained_of_where_commands_wait_for_it() -> None:
    for given, told in (
        ({"memory": {"active_defrag_running": DEFRAG_PERCENT}}, True),
        ({"memory": {"active_defrag_running": DEFRAG_PERCENT - 1}}, False),
        ({"memory": {"active_defrag_running": 90}, "info": {"total_active_defrag_time.rate": 20.0}}, False),
        ({"info": {"total_active_defrag_time.rate": DEFRAG_PERCENT * 10}}, True),
    ):
        assert bool(list(defragmentation(view(given), LIMITS))) == told


def test_a_save_that_crashes_is_neither_memory_nor_disk() -> None:
    for signal, told in ((11, True), (6, True), (9, False), (15, False)):
        log: Values = {"bgsave_error.signal": signal, "bgsave_error.newest_age": 5.0, "bgsave_error.count": 1}
        given: Given = {"log": log, "persistence": {"rdb_last_bgsave_status": "err"}}
        assert bool(list(crashes(view(given), LIMITS))) == told


def test_a_replica_that_evicts_right_now_is_found_too() -> None:
    given: Given = {
        "keyspace": {"evicted_keys.delta": 20, "evicted_keys.rate": 10.0, "keyspace_hits.delta": 5, "hit_ratio": 0.5,
                     "keyspace_misses.delta": 5},
        "info": {"role": "slave"}, "memory": {"maxmemory_used_share": 1.0},
    }  # fmt: skip
    assert found(eviction_churn, given) == {EVICTS: "sure"}
