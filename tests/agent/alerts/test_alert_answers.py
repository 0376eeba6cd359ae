"""Alerts of known rules: each gets its own question answered, when it's true, when it was, and when it isn't."""

from collections.abc import Mapping
from typing import Any

import pytest

from agent.alerts.ask import QUESTIONS, alert_answers
from agent.alerts.expressions import by_tables
from agent.alerts.metrics import FIGURES
from agent.alerts.rules import MOST, Question, alerts
from agent.answer.open_points import AlertState
from tests.agent.checks.rows import Given, view

OLD, NEW = 3 * 86_400, 240
MIB = 2**20


def server(**info: Any) -> Given:
    """A healthy server with these figures of INFO."""
    return {
        "connect": {"stage": "ping"},
        "info": {
            "window_seconds": 2.0, "uptime_in_seconds": OLD, "role": "master", "connected_clients": 40,
            "maxclients": 10_000, "rejected_connections": 0, "rejected_connections.delta": 0, "used_memory": 100 * MIB,
            "used_memory_peak": 120 * MIB, "total_system_memory": 16_384 * MIB, "maxmemory": 512 * MIB,
            "redis_mode": "standalone", "connected_slaves": 0, "loading": 0, "sync_full": 0, "sync_partial_ok": 0,
            "sync_full.delta": 0, "sync_partial_ok.delta": 0, "total_connections_received": 900,
            "rdb_changes_since_last_save": 0, **info,
        },
    }  # fmt: skip


def with_log(given: Given, **events: float) -> Given:
    """The same with the ages of events in its log."""
    return {**given, "log": {f"{name}.newest_age": age for name, age in events.items()}}


def saved(age: float, **more: Any) -> Given:
    """A server that was saved so long ago."""
    return {**server(**more), "persistence": {"rdb_last_save_age": age, "rdb_saved_since_start": age < OLD}}


def clustered(state: str = "ok", fail: int = 0, pfail: int = 0, **events: float) -> Given:
    """A cluster's node that sees it so."""
    given = server(redis_mode="cluster")
    cluster = {"cluster_state": state, "cluster_slots_fail": fail, "cluster_slots_pfail": pfail}
    return with_log({**given, "cluster": cluster}, **events) if events else {**given, "cluster": cluster}


REPLICA = server(role="slave", master_link_status="up")
LOST = server(role="slave", master_link_status="down", master_link_down_since_seconds=50)
FULL = "RedisOutOfSystemMemory\nRedis is running out of system memory (> 90%)\n  VALUE = 93.1"
Row = tuple[str, AlertState, Given, Mapping[str, Given], str]
ROWS: tuple[Row, ...] = (
    ("RedisDown", "now", {"connect": "refused"}, {}, "yes, it doesn't answer (refused)"),
    ("RedisDown", "now", server(loading=1), {}, "yes, it is still loading"),
    ("RedisDown", "over", server(uptime_in_seconds=NEW), {}, "not any more, it answers and started 4 min ago"),
    ("RedisDown", "no", server(), {}, "no, it answers and has been up for 3 days"),
    ("RedisDown", "no", {"connect": "noauth"}, {}, "no, it answers, but it refuses this login"),
    ("RedisMissingMaster", "now", LOST, {"b": {"connect": "refused"}}, "yes, none of 2 nodes is a master"),
    ("RedisMissingMaster", "over", with_log(server(), role_changed=90), {"b": REPLICA}, "not any more, n is a master"),
    ("RedisMissingMaster", "no", server(), {"b": REPLICA}, "no, n is a master and has been up for 3 days"),
    ("RedisTooManyMasters", "now", server(), {"b": server()}, "yes, 2 nodes are masters: n, b"),
    ("RedisTooManyMasters", "over", with_log(server(), role_changed=90), {"b": REPLICA},
     "not any more, only n of 2 nodes"),
    ("RedisTooManyMasters", "no", server(), {}, "no, it is the only node of its deployment"),
    ("RedisTooManyMasters", "no", clustered(), {"b": clustered()}, "no, this is a cluster"),
    ("RedisDisconnectedSlaves", "now", server(), {"b": LOST}, "yes, 1 replica isn't connected: b, for 50 s"),
    ("RedisDisconnectedSlaves", "over", with_log(server(connected_slaves=1), replica_lost=90, partial_resync=88),
     {"b": REPLICA},
     "not any more, 1 replica is connected to n; a link was lost 90 s ago"),
    ("RedisDisconnectedSlaves", "now", with_log(server(connected_slaves=1), replica_lost=90, full_resync=4000), {},
     "yes, a replica was lost 90 s ago"),
    ("RedisDisconnectedSlaves", "no", server(connected_slaves=1), {"b": REPLICA}, "no, 1 replica is connected to n"),
    ("RedisDisconnectedSlaves", "unknown", server(), {}, "can't tell: no replica is connected"),
    ("RedisReplicationBroken", "now", server(), {"b": LOST}, "yes, 1 replica lost its master: b"),
    ("RedisReplicationBroken", "over", server(connected_slaves=1, sync_partial_ok=2), {"b": REPLICA}, "not now, 1"),
    ("RedisReplicationBroken", "no", server(connected_slaves=1), {"b": REPLICA}, "no, 1 replica is connected"),
    ("RedisClusterFlapping", "now", server(**{"connected_slaves": 1, "sync_full.delta": 2}), {"b": REPLICA},
     "yes, replicas reconnected 2 times in the last 2 s"),
    ("RedisClusterFlapping", "over", server(connected_slaves=1, sync_full=7), {"b": REPLICA},
     "not now: 1 replica is connected"),
    ("RedisClusterFlapping", "no", server(connected_slaves=1, sync_full=1), {"b": REPLICA},
     "no: 1 replica is connected"),
    ("RedisMissingBackup", "now", saved(2 * 86_400, rdb_changes_since_last_save=77), {},
     "yes, the last save was 2 days ago, with 77 changes since"),
    ("RedisMissingBackup", "over", saved(600), {}, "not any more, the last save was 10 min ago"),
    ("RedisMissingBackup", "no", saved(5 * 3600), {}, "no, the last save was 5 h ago"),
    ("RedisMissingBackup Redis has not been saved for 4 hours", "now", saved(5 * 3600), {}, "yes, the last save"),
    (FULL, "now", server(used_memory=15_500 * MIB), {},
     "yes, Redis uses 15.1 GiB, 94.6% of the machine's memory (16 GiB)"),
    (FULL, "over", server(used_memory_peak=15_500 * MIB), {},
     "not any more, Redis uses 100 MiB, 0.61% of the machine's memory"),
    (FULL, "no", server(), {}, "no, Redis uses 100 MiB, 0.61%"),
    ("RedisOutOfConfiguredMaxmemory", "now", server(used_memory=500 * MIB), {},
     "yes, Redis uses 500 MiB, 97.7% of maxmemory"),
    ("RedisOutOfConfiguredMaxmemory", "over", server(used_memory_peak=505 * MIB), {},
     "not any more, Redis uses 100 MiB, 19.5%"),
    ("RedisOutOfConfiguredMaxmemory", "no", server(), {}, "no, Redis uses 100 MiB, 19.5% of maxmemory (512 MiB)"),
    ("RedisOutOfConfiguredMaxmemory", "no", server(maxmemory=0), {}, "no, maxmemory is 0"),
    ("RedisOutOfMemory", "now", server(used_memory=500 * MIB), {}, "yes, Redis uses 500 MiB, 97.7% of maxmemory"),
    ("RedisOutOfMemory", "over", server(maxmemory=0, used_memory_peak=15_500 * MIB), {},
     "not any more, Redis uses 100 MiB"),
    ("RedisOutOfMemory", "no", server(), {}, "no, Redis uses 100 MiB, 19.5% of maxmemory"),
    ("RedisTooManyConnections", "now", server(connected_clients=9_500), {}, "yes, 9,500 clients are connected, 95%"),
    ("RedisTooManyConnections", "over", server(rejected_connections=12), {},
     "not any more, 40 clients are connected, 0.4% of maxclients (10,000); 12 connections were refused"),
    ("RedisTooManyConnections", "no", server(), {}, "no, 40 clients are connected"),
    ("RedisTooManyConnections\n  VALUE = 342", "now", server(connected_clients=300), {}, "yes, if the rule counts"),
    ("RedisTooManyConnections\n  VALUE = 342", "over", server(), {}, "not any more: 342 clients then; now 40 clients"),
    ("RedisNotEnoughConnections", "now", server(connected_clients=1), {}, "yes, 1 client is connected; 900"),
    ("RedisNotEnoughConnections", "over", server(uptime_in_seconds=NEW), {}, "not any more, 40 clients are connected"),
    ("RedisNotEnoughConnections", "no", server(), {}, "not now, 40 clients are connected"),
    ("RedisRejectedConnections", "now", server(**{"rejected_connections.delta": 12}), {},
     "yes, 12 connections were refused in the last 2 s"),
    ("RedisRejectedConnections", "over", server(rejected_connections=340), {},
     "not any more: none in the last 2 s, 340 since the server started 3 days ago"),
    ("RedisRejectedConnections", "no", server(), {},
     "no: none in the last 2 s, none since the server started 3 days ago, so it isn't this server"),
    ("RedisClusterSlotFail", "now", clustered("fail", fail=5_461), {},
     "yes, 5,461 slots belong to a node in FAIL state"),
    ("RedisClusterSlotFail", "over", clustered(cluster_fail_over=70), {}, "not any more, no slots"),
    ("RedisClusterSlotFail", "no", clustered(), {}, "no, no slots belong to a node in FAIL state"),
    ("RedisClusterSlotPfail", "now", clustered(pfail=5_461), {}, "yes, 5,461 slots belong to a node in PFAIL state"),
    ("RedisClusterSlotPfail", "over", clustered(cluster_fail=70), {}, "not any more, no slots"),
    ("RedisClusterSlotPfail", "no", clustered(), {}, "no, no slots belong to a node in PFAIL state"),
    ("RedisClusterStateNotOk", "now", clustered("fail"), {}, "yes, the cluster's state is fail"),
    ("RedisClusterStateNotOk", "over", clustered(cluster_state=70), {}, "not any more, the cluster's state is ok"),
    ("RedisClusterStateNotOk", "no", server(), {}, "no, this server isn't part of a cluster"),
    ("RedisClusterSlotPfail", "no", clustered(), {"b": {"connect": "timeout"}},
     "no, no slots belong to a node in PFAIL state, and no change is known since the server started 3 days ago; b "
     "couldn't be read"),
    ("RedisKeyEvictions", "now", server(**{"evicted_keys": 90, "evicted_keys.delta": 12}), {},
     "yes, 12 keys were evicted in the last 2 s"),
    ("RedisKeyEviction", "over", server(**{"evicted_keys": 90, "evicted_keys.delta": 0}), {},
     "not now: none in the last 2 s"),
    ("RedisKeyEviction", "no", server(**{"evicted_keys": 0, "evicted_keys.delta": 0}), {}, "no: 0 keys were evicted"),
    ("RedisBlockedClients\nredis_blocked_clients > 10", "now", server(blocked_clients=12), {},
     "yes, 12 clients wait in a blocking command, above 10"),
    ("RedisBlockedClients\nredis_blocked_clients > 10", "no", server(blocked_clients=2), {}, "not now, 2 clients"),
    ("RedisQuorumLost", "unknown", server(), {}, "can't tell, because rediagnose knows no rule of this name"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("ticket", "state", "given", "peers", "told"), ROWS, ids=[f"{row[0].split()[0]}-{n}" for n, row in enumerate(ROWS)]
)
def test_an_alert_is_answered(
    ticket: str, state: AlertState, given: Given, peers: Mapping[str, Given], told: str
) -> None:
    named = view(given, peers=peers, symptom=ticket)
    (one,) = alert_answers([named, *named.peers])
    rule = ticket.split()[0]
    assert (one.rule, one.state) == (rule, state), one.told
    assert one.told.startswith(f"{rule}: {told}"), one.told
    assert one.evidence or state == "unknown", one.told
    assert all(cited.verified for cited in one.evidence)


def test_each_question_has_a_row_for_each_state_and_nothing_read_is_never_an_answer() -> None:
    seen = {(alerts(row[0])[0].question, row[1]) for row in ROWS}
    known = [question for question in Question if question is not Question.UNKNOWN]
    assert seen >= {(question, state) for question in known for state in ("now", "over", "no")}
    assert (Question.UNKNOWN, "unknown") in seen
    assert set(QUESTIONS) == set(Question)
    for row in ROWS:
        named = view({"connect": {"stage": "ping"}}, symptom=row[0])
        assert {one.state for one in alert_answers([named])} <= {"unknown", "now"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("[FIRING:2] RedisDown, RedisClusterSlotPfail (10.0.0.1:9121)", ["RedisDown", "RedisClusterSlotPfail"]),
        ("redis_rejected_connections is firing", ["redis_rejected_connections"]),
        ("ValkeyTooManyClients", ["ValkeyTooManyClients"]),
        ("Redis missing backup (instance 10.0.0.1:9121)", ["Redis missing backup"]),
        ("Number of hash slots mapping to a node in FAIL state (instance a)",
         ["Number of hash slots mapping to a node in FAIL state"]),
        ("redis is down, too many connections, we are out of memory", []),
        ("MyRedisDownstreamService", []),
        ("", []),
    ],
)  # fmt: skip
def test_names_are_found_as_they_are_written_and_words_of_people_are_no_rule(text: str, names: list[str]) -> None:
    assert [one.name for one in alerts(text)] == names


THEN = "Threshold Crossed: 1 out of the last 1 datapoints [9.5 (04/05/26 12:04:00)] was {} than the threshold ({})."
METRICS: Mapping[str, tuple[str, str, float | None, bool]] = {
    "redis_memory_used_bytes / redis_memory_max_bytes * 100 > 90": ("MAXMEMORY", "", 90, True),
    "redis_memory_used_bytes / redis_memory_max_bytes > 0.85": ("MAXMEMORY", "", 85, True),
    "redis_memory_used_bytes / redis_total_system_memory_bytes * 100 > 80": ("SYSTEM_MEMORY", "", 80, True),
    'redis_memory_used_bytes{job="cache"} > 8 * 1024 * 1024 * 1024': ("FIGURE", "used", 8 * 2**30, False),
    "redis_connected_clients / redis_config_maxclients * 100 > 70": ("CONNECTIONS", "", 70, True),
    "redis_connected_clients < 5": ("FEW_CONNECTIONS", "", 5, False),
    "increase(redis_rejected_connections_total[5m]) > 0": ("REJECTED", "", 0, False),
    "time() - redis_rdb_last_save_timestamp_seconds > 60 * 60 * 24": ("BACKUP", "", 24, False),
    "(time() - redis_rdb_last_save_timestamp_seconds) / 3600 > 12": ("BACKUP", "", 12, False),
    'count(redis_instance_info{role="master"}) > 1': ("MASTERS", "", 1, False),
    '(count(redis_instance_info{role="master"}) or vector(0)) < 1': ("NO_MASTER", "", 1, False),
    "redis_master_link_up == 0": ("REPLICAS", "", 0, False),
    "rate(redis_evicted_keys_total[5m]) > 10": ("FIGURE", "evicted", 10, False),
    "redis_rdb_last_bgsave_status == 0": ("FIGURE", "saved", 0, False),
    "redis_up == 0": ("DOWN", "", 0, False),
    "redis.net.clients was > 900 during the last 5m.": ("CONNECTIONS", "", 900, False),
    "avg(last_5m):avg:redis.mem.fragmentation_ratio{env:prod} > 1.5": ("FIGURE", "fragmentation", 1.5, False),
    "redis.can_connect": ("DOWN", "", None, False),
    f"AWS/ElastiCache DatabaseMemoryUsagePercentage\n{THEN.format('greater', '90.0')}": ("MAXMEMORY", "", 90, True),
    f"AWS/ElastiCache EngineCPUUtilization\n{THEN.format('greater', '80.0')}": ("FIGURE", "cpu", 80, True),
    f"AWS/MemoryDB CurrConnections\n{THEN.format('less', '5.0')}": ("FEW_CONNECTIONS", "", 5, False),
    f"AWS/ElastiCache SwapUsage\n{THEN.format('greater', '50.0')}": ("UNKNOWN", "AWS SwapUsage", None, False),
    "Maximum connectedclients GreaterThan 900: 998.0": ("CONNECTIONS", "", 900, False),
    "Average allusedmemorypercentage GreaterThan 90: 95": ("MAXMEMORY", "", 90, True),
    "redis.googleapis.com/stats/memory/usage_ratio\nMemory is above the threshold of 0.8 with a value of 0.93.":
        ("MAXMEMORY", "", 80, True),
    "redis.googleapis.com/clients/connected\nClients are above the threshold of 900 with a value of 998.":
        ("CONNECTIONS", "", 900, False),
    "redis_foo_bar > 3": ("UNKNOWN", "redis_foo_bar", None, False),
}  # fmt: skip


@pytest.mark.parametrize("text", METRICS)
def test_a_rule_of_an_unknown_name_is_understood_by_its_metric(text: str) -> None:
    question, figure, threshold, is_share = METRICS[text]
    (one,) = alerts(f"Cache of the orders\n{text}")
    assert one.question.name == question and one.name == "Cache of the orders"
    assert (one.figure, one.threshold, one.is_share) == (figure, threshold, is_share)


def test_each_known_metric_leads_to_a_question_or_a_figure() -> None:
    for metric, asks in by_tables().items():
        assert isinstance(asks, Question) or asks in FIGURES, metric


@pytest.mark.parametrize(
    "text",
    ["RedisConnectionException", "RedisTimeoutException: timeout", "orders are slow", "redis_client is None",
     "import redis_lock", "RedisCluster", "see https://example.com/redis.html", "a redis.conf with maxmemory 1gb"],
)  # fmt: skip
def test_what_is_no_alert_is_none(text: str) -> None:
    assert alerts(text) == ()


def test_many_alerts_in_a_ticket_are_bounded_and_share_no_figure() -> None:
    found = alerts("RedisDown RedisMissingBackup RedisRejectedConnections RedisClusterSlotFail (> 80%) VALUE = 3")
    assert len(found) == MOST
    assert all(one.value is None and one.threshold is None for one in found)
