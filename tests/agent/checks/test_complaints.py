"""What a server complains of bars "no fault", whatever the cause; what only looks like it doesn't."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.answer.diagnosis import NAMELESS
from agent.checks.complaints import complaints, nameless
from agent.checks.complaints.known import EVENTS
from agent.checks.verdict import at_least, conclude
from agent.evidence.view import View
from tests.agent.checks.rows import LIMITS, NODE, view
from tools.records import Reading

ROOT = Path(__file__).resolve().parents[3]
MIB = 1 << 20
WELL: Mapping[str, Mapping[str, Any]] = {
    "info": {
        "redis_version": "8.2.0", "role": "master", "uptime_in_seconds": 90_000, "connected_clients": 10,
        "maxclients": 10_000, "used_memory": 50 * MIB, "total_commands_processed": 9_000_000,
        "total_commands_processed.delta": 2000, "rejected_connections.delta": 0, "loading": "0", "window_seconds": 2.0,
    },
    "commandstats": {"window_seconds": 2.0, "busy_share": 0.01},
    "latency_sample": {"answered": 60, "median_ms": 0.2, "over_10ms_share": 0.0, "p95_ms": 0.4, "max_ms": 1.0},
}  # fmt: skip
"""A server that was measured and is well."""
Extra = Mapping[str, Mapping[str, Any]]


def seen(extra: Extra, symptom: str = "") -> View:
    """The readings of a server that is well but for this."""
    return view({tool: {**WELL.get(tool, {}), **extra.get(tool, {})} for tool in {**WELL, **extra}}, symptom=symptom)


EMPTY: Extra = {"keyspace": {"keys": 0, "keyspace_misses.delta": 60, "hit_ratio": 0.0}}
ROWS: tuple[tuple[str, Extra, Extra], ...] = (
    ("a status of INFO", {"info": {"rdb_last_bgsave_status": "err"}}, {"info": {"rdb_last_bgsave_status": "ok"}}),
    ("transactions that are given up",
     {"commandstats": {"exec.calls.delta": 200, "watch.calls.delta": 200, "writes.calls.delta": 100}},
     {"commandstats": {"exec.calls.delta": 200, "watch.calls.delta": 200, "writes.calls.delta": 101}}),
    ("transactions without WATCH",
     {"commandstats": {"exec.calls.delta": 200, "watch.calls.delta": 180, "writes.calls.delta": 0}},
     {"commandstats": {"exec.calls.delta": 200, "watch.calls.delta": 179, "writes.calls.delta": 0}}),
    ("a child that stands still", {"process": {"child_state": "T"}}, {"process": {"child_state": "S"}}),
    ("an address of several servers", {"same_server": {"runs": 2, "roles": "master,slave"}},
     {"same_server": {"runs": 2, "roles": "slave"}}),
    ("a scanner at an open door",
     {"log": {"security_attack.count": 2, "security_attack.newest_age": 9.0}, "config_drift": {"password_set": False}},
     {"log": {"security_attack.count": 2, "security_attack.newest_age": 9.0}, "config_drift": {"password_set": True}}),
    ("a folder of the system's", {"persistence": {"config.dir": "/etc/cron.d"}},
     {"persistence": {"config.dir": "/var/lib/redis"}}),
    ("lookups in nothing", {**EMPTY, "commandstats": {"writes.calls.delta": 0}},
     {**EMPTY, "commandstats": {"writes.calls.delta": 9}}),
    ("a state of INFO", {"info": {"master_failover_state": "waiting-for-sync"}},
     {"info": {"master_failover_state": "no-failover"}}),
    ("rewrites that fail", {"persistence": {"aof_rewrites_consecutive_failures": 3}},
     {"persistence": {"aof_rewrites_consecutive_failures": 0}}),
    ("redirections of a client that knows no cluster",
     {"info": {"errorstat_MOVED.count.delta": 40, "total_commands_processed.delta": 100},
      "commandstats": {"get.rejected_calls.delta": 40, "get.calls.delta": 50}},
     {"info": {"errorstat_MOVED.count.delta": 5, "total_commands_processed.delta": 70},
      "commandstats": {"get.rejected_calls.delta": 5, "get.calls.delta": 50}}),
    ("somebody ends connections", {"commandstats": {"client|kill.calls.delta": 4}},
     {"commandstats": {"client|kill.calls": 40, "client|kill.calls.delta": 0}}),
    ("rewrites one after the other", {"info": {"aof_rewrites.delta": 4, "window_seconds": 2.0}},
     {"info": {"aof_rewrites": 400, "aof_rewrites.delta": 1, "window_seconds": 2.0}}),
    ("snapshots one after the other", {"info": {"rdb_saves.delta": 2, "window_seconds": 2.0}},
     {"info": {"rdb_saves.delta": 2, "window_seconds": 10.0}}),
    ("a counter that only trouble moves", {"info": {"evicted_clients.delta": 1}},
     {"info": {"evicted_clients": 19, "evicted_clients.delta": 0}}),
    ("denied commands", {"info": {"acl_access_denied_cmd.delta": 3}}, {"info": {"acl_access_denied_cmd": 300}}),
    ("an error that is a share of the calls", {"info": {"errorstat_NOSCRIPT.count.delta": 20}},
     {"info": {"errorstat_NOSCRIPT.count": 9000, "errorstat_NOSCRIPT.count.delta": 1}}),
    ("a few errors beside many calls",
     {"info": {"errorstat_ERR.count.delta": 30, "total_commands_processed.delta": 2000}},
     {"info": {"errorstat_ERR.count.delta": 30, "total_commands_processed.delta": 90_000}}),
    ("calls that fail", {"commandstats": {"evalsha.failed_calls.delta": 5, "evalsha.calls.delta": 20}},
     {"commandstats": {"evalsha.failed_calls.delta": 5, "evalsha.calls.delta": 2000}}),
    ("a critical line of this life", {"log": {"config_rewrite_failed.newest_age": 60, "started_age": 900}},
     {"log": {"config_rewrite_failed.newest_age": 6000, "started_age": 900}}),
    ("a save that failed", {"log": {"bgsave_error.newest_age": 60, "started_age": 900},
                            "persistence": {"rdb_last_bgsave_status": "err"}},
     {"log": {"bgsave_error.newest_age": 60, "started_age": 900}, "persistence": {"rdb_last_bgsave_status": "ok"}}),
    ("a life that ended in a crash", {"log": {"previous_end": "crash", "started_age": 60}},
     {"log": {"previous_end": "shutdown", "started_age": 60}}),
    ("a life that the kernel ended, and a start some seconds later",
     {"kernel_log": {"oom_kill.newest_age": 27.0}, "process": {"cgroup_oom_kills": 1}, "log": {"started_age": 7.0}},
     {"kernel_log": {"oom_kill.newest_age": 900.0}, "process": {"cgroup_oom_kills": 1}, "log": {"started_age": 7.0}}),
    ("a kill for the machine's memory",
     {"machine": {"oom_kill.delta": 1}, "kernel_log": {"machine_kills_60s": 1}},
     {"machine": {"oom_kill.delta": 1}, "kernel_log": {"machine_kills_60s": 0}}),
    ("a kill that nobody tells of", {"machine": {"oom_kill.delta": 1}}, {"machine": {"oom_kill.delta": 0}}),
    ("a kill in its own group",
     {"machine": {"oom_kill.delta": 1}, "kernel_log": {"machine_kills_60s": 0},
      "process": {"cgroup_oom_kills": 1}},
     {"machine": {"oom_kill.delta": 1}, "kernel_log": {"machine_kills_60s": 0},
      "process": {"cgroup_oom_kills": 0}}),
    ("a disk that fails", {"kernel_log": {"io_error.newest_age": 599, "io_error.what": "sda"}},
     {"kernel_log": {"io_error.newest_age": 601, "io_error.what": "sda"}}),
    ("its own queue of connects", {"kernel_log": {"syn_flood.newest_age": 9, "syn_flood.what": "6379"},
                                   "info": {"tcp_port": 6379}},
     {"kernel_log": {"syn_flood.newest_age": 9, "syn_flood.what": "443"}, "info": {"tcp_port": 6379}}),
    ("memory without anything to evict", {"memory": {"maxmemory_used_share": 0.99, "maxmemory_policy": "noeviction"}},
     {"memory": {"maxmemory_used_share": 0.99, "maxmemory_policy": "allkeys-lru"}}),
    ("memory above its limit", {"memory": {"maxmemory_used_share": 1.2, "maxmemory_policy": "allkeys-lru"}},
     {"memory": {"maxmemory_used_share": 1.01, "maxmemory_policy": "allkeys-lru"}}),
    ("memory that will be full", {"memory": {
        "maxmemory_used_share": 0.5, "maxmemory": 100 * MIB, "used_memory.delta": 0.2 * MIB, "window_seconds": 2.0,
        "maxmemory_policy": "noeviction"}},
     {"memory": {
        "maxmemory_used_share": 0.5, "maxmemory": 100 * MIB, "used_memory.delta": 0.2 * MIB, "window_seconds": 2.0,
        "maxmemory_policy": "allkeys-lru"}}),
    ("clients", {"info": {"connected_clients": 9500}}, {"info": {"connected_clients": 8000}}),
    ("open files", {"process": {"num_fds": 96, "nofile_soft": 100}}, {"process": {"num_fds": 80, "nofile_soft": 100}}),
    ("a memory limit", {"process": {"rss_bytes": 90 * MIB, "cgroup_memory_limit": 100 * MIB}},
     {"process": {"rss_bytes": 60 * MIB, "cgroup_memory_limit": 100 * MIB}}),
    ("a process that is stopped", {"process": {"state": "T"}}, {"process": {"state": "S"}}),
    ("swap that is fetched", {"process": {"swap_bytes": 9 * MIB, "major_faults.delta": 50}},
     {"process": {"swap_bytes": 9 * MIB, "major_faults.delta": 0}}),
    ("a slow command of now", {"slowlog": {"SORT.max_usec": 400_000, "SORT.newest_age": 3}},
     {"slowlog": {"SORT.max_usec": 400_000, "SORT.newest_age": 300}}),
    ("a module's slow command", {"commandstats": {
        "ft.aggregate.usec_per_call.delta": 179_000.0, "ft.aggregate.usec.delta": 716_000}},
     {"commandstats": {"ft.aggregate.usec_per_call.delta": 900.0, "ft.aggregate.usec.delta": 716_000}}),
    ("an event within a minute", {"latency_events": {"fork.max_60s_ms": 400}},
     {"latency_events": {"fork.max_ms": 400, "fork.max_60s_ms": 20}}),
    ("fields that expire", {"info": {"expired_subkeys.delta": 60_000, "window_seconds": 2.0}},
     {"info": {"expired_subkeys.delta": 59_000, "window_seconds": 2.0}}),
    ("a thread without a rest", {"process": {"main_run_share": 0.98}}, {"process": {"main_run_share": 0.5}}),
    ("PINGs that came late", {"latency_sample": {"p95_ms": 200.0, "over_10ms_share": 0.1}},
     {"latency_sample": {"p95_ms": 9.0, "over_10ms_share": 0.04}}),
    ("PINGs that came late from elsewhere", {"latency_sample": {
        "p95_ms": 200.0, "over_10ms_share": 0.1, "own_delay_p95_ms": 300.0}, "process": {"locality": "remote"}},
     {"latency_sample": {"p95_ms": 200.0, "over_10ms_share": 0.1, "own_delay_p95_ms": 300.0},
      "process": {"locality": "local"}}),
    ("an event while this program ran",
     {"latency_events": {"command.max_60s_ms": 300}, "latency_sample": {"own_delay_max_ms": 200.0},
      "process": {"locality": "local"}},
     {"latency_events": {"command.max_60s_ms": 190}, "latency_sample": {"own_delay_max_ms": 200.0},
      "process": {"locality": "local"}}),
    ("a slow command while this program ran",
     {"slowlog": {"SORT.max_usec": 400_000, "SORT.newest_age": 3}, "latency_sample": {"own_delay_max_ms": 300.0},
      "process": {"locality": "remote"}},
     {"slowlog": {"SORT.max_usec": 290_000, "SORT.newest_age": 3}, "latency_sample": {"own_delay_max_ms": 300.0},
      "process": {"locality": "local"}}),
    ("three PINGs that came late", {"latency_sample": {"answered": 7, "p95_ms": 200.0, "over_10ms_share": 0.43}},
     {"latency_sample": {"answered": 7, "p95_ms": 200.0, "over_10ms_share": 0.14}}),
    ("a buffer", {"clients": {"omem_max": 20 * MIB}}, {"clients": {"omem_max": MIB}}),
    ("a buffer that is most of what is used", {"clients": {"qbuf_max": 8 * MIB}, "info": {"used_memory": 12 * MIB}},
     {"clients": {"qbuf_max": 8 * MIB}, "info": {"used_memory": 900 * MIB}}),
    ("a wait for a replica that isn't there",
     {"clients": {"g1.cmd": "wait", "g1.flags": "b", "g1.count": 12, "g1.idle_median": 0},
      "replication": {"replicas_online": 0}},
     {"clients": {"g1.cmd": "wait", "g1.flags": "b", "g1.count": 12, "g1.idle_median": 0},
      "replication": {"replicas_online": 1}}),
    ("a long wait for a replica's disk",
     {"clients": {"g1.cmd": "waitaof", "g1.flags": "b", "g1.count": 5, "g1.idle_median": 5},
      "replication": {"replicas_online": 1}},
     {"clients": {"g1.cmd": "waitaof", "g1.flags": "b", "g1.count": 5, "g1.idle_median": 4},
      "replication": {"replicas_online": 1}}),
    ("an error that isn't the answer to a group that exists",
     {"info": {"errorstat_NOGROUP.count.delta": 20}, "commandstats": {"xgroup|create.failed_calls.delta": 20}},
     {"info": {"errorstat_BUSYGROUP.count.delta": 20}, "commandstats": {"xgroup|create.failed_calls.delta": 20}}),
    ("a long wait for a replica",
     {"clients": {"g1.cmd": "wait", "g1.flags": "b", "g1.count": 12, "g1.idle_median": 5},
      "replication": {"replicas_online": 1}},
     {"clients": {"g1.cmd": "wait", "g1.flags": "N", "g1.count": 12, "g1.idle_median": 5},
      "replication": {"replicas_online": 1}}),
    ("errors that no greeting accounts for",
     {"info": {"redis_version": "7.0.15", "errorstat_ERR.count.delta": 70, "total_connections_received.delta": 20}},
     {"info": {"redis_version": "7.0.15", "errorstat_ERR.count.delta": 40, "total_connections_received.delta": 20}}),
    ("a pause", {"clients": {"paused": 7}}, {"clients": {"paused": 0}}),
    ("connections for a command each",
     {"info": {"total_connections_received.rate": 300.0, "total_commands_processed.rate": 400.0}},
     {"info": {"total_connections_received.rate": 300.0, "total_commands_processed.rate": 40_000.0}}),
    ("connections that nobody uses", {"clients": {"o1.unused": 200, "o1.count": 210}},
     {"clients": {"o1.unused": 20, "o1.count": 210}}),
    ("keys without a TTL beside others", {"keyspace": {"keys.delta": 900, "expires.delta": 40, "expires": 5000}},
     {"keyspace": {"keys.delta": 900, "expires.delta": 890, "expires": 5000}}),
    ("a cache without a TTL at all, filled", {"memory": {"number_of_cached_scripts.delta": 30}},
     {"keyspace": {"keys.delta": 900, "expires.delta": 0, "expires": 0}}),
    ("a list that grows", {"lists": {"l1.length": 5000, "l1.length.delta": 40, "window_seconds": 2.0}},
     {"lists": {"l1.length": 5000, "l1.length.delta": 15, "window_seconds": 2.0}}),
    ("the table of caches", {"info": {"tracking_total_items": 60_000, "tracking_total_items.delta": 500}},
     {"info": {"tracking_total_items": 60_000, "tracking_total_items.delta": 50}}),
    ("names of consumers", {"streams": {"s1.g1.consumers": 900}, "info": {"connected_clients": 20}},
     {"streams": {"s1.g1.consumers": 900}, "info": {"connected_clients": 200}}),
    ("a certificate that ends soon",
     {"connect": {"certificate_expires_in_seconds": 86_400 * 5, "certificate_lifetime_seconds": 86_400 * 90}},
     {"connect": {"certificate_expires_in_seconds": 86_400 * 5, "certificate_lifetime_seconds": 86_400 * 7}}),
    ("a few buffers beside a limit", {"memory": {
        "maxmemory_used_share": 0.6, "maxmemory": 10 * MIB, "used_memory.delta": 134_000, "window_seconds": 2.0,
        "maxmemory_policy": "noeviction"}},
     {"memory": {
        "maxmemory_used_share": 0.6, "maxmemory": 10 * MIB, "used_memory.delta": 40_000, "window_seconds": 2.0,
        "maxmemory_policy": "noeviction"}}),
    ("a stream that is read too slowly", {"streams": {"s1.g1.lag": 20_000, "s1.g1.lag.delta": 40}},
     {"streams": {"s1.g1.lag": 40, "s1.g1.lag.delta": 40}}),
    ("an eviction that misses", {"keyspace": {"evicted_keys.delta": 500, "hit_ratio": 0.2}},
     {"keyspace": {"evicted_keys.delta": 500, "hit_ratio": 0.97}}),
    ("a quorum", {"sentinel": {"m1.ckquorum": "no-quorum"}}, {"sentinel": {"m1.ckquorum": "ok"}}),
    ("a member that is called down", {"sentinel": {"m1.s1.flags": "s_down,sentinel"}},
     {"sentinel": {"m1.s1.flags": "sentinel"}}),
    ("slots of nobody", {"cluster": {"slots_unserved": 720}}, {"cluster": {"slots_unserved": 0}}),
    ("an open slot that nobody moves", {"cluster": {"slots_migrating": 3}},
     {"cluster": {"slots_migrating": 3}, "commandstats": {"migrate.calls.delta": 50}}),
    ("a replica that is behind",
     {"replication": {"replica1.lag_bytes": 9 * MIB, "replica1.state": "online", "master_repl_offset.rate": 1000.0}},
     {"replication": {"replica1.lag_bytes": 9000, "replica1.state": "online", "master_repl_offset.rate": 1000.0}}),
)  # fmt: skip


@pytest.mark.parametrize(("what", "wrong", "look_alike"), ROWS, ids=[row[0] for row in ROWS])
def test_a_complaint_is_one_and_its_look_alike_is_none(what: str, wrong: Extra, look_alike: Extra) -> None:
    assert list(complaints(seen(wrong), LIMITS)), what
    assert [one.what for one in complaints(seen(look_alike), LIMITS)] == []


def test_what_is_cited_was_read() -> None:
    for _, wrong, _ in ROWS:
        shown = seen(wrong)
        for one in complaints(shown, LIMITS):
            assert shown.cite(*one.cited), one


@pytest.mark.parametrize("field", ["tiering_last_flush_status", "master_link_status", "aof_last_write_status"])
def test_a_status_of_a_version_to_come_is_one_too(field: str) -> None:
    reading = Reading(
        id="r1", tool="info", args={}, node=NODE, at="2026-01-31T02:05:07Z", ms=1.0, values={field: "err"},
        unavailable=None,
    )  # fmt: skip
    assert [one.what for one in complaints(View([reading], NODE), LIMITS)] == [f"{field} is err"]


def test_every_critical_event_of_the_log_is_in_the_list() -> None:
    patterns = tomllib.loads((ROOT / "tools" / "host" / "log_patterns.toml").read_text("utf-8"))
    assert {name for name, event in patterns.items() if event["level"] == "critical"} <= set(EVENTS) <= patterns.keys()


def test_it_bars_no_fault_and_is_the_first_thing_said() -> None:
    healthy, sick = seen({}), seen({"info": {"aof_last_bgrewrite_status": "err"}})
    assert conclude(healthy.readings, (NODE,), LIMITS, ()).outcome == "no-fault"
    verdict = conclude(sick.readings, (NODE,), LIMITS, ())
    assert verdict.outcome == "insufficient-evidence"
    assert verdict.unknown[0].startswith(f"{NAMELESS}: aof_last_bgrewrite_status is err [r")
    # What a model asks for later makes it neither well nor forgotten.
    later = conclude(healthy.readings, (NODE,), LIMITS, ())
    assert at_least(verdict, later).outcome == "insufficient-evidence"
    assert at_least(verdict, later).unknown[0] == verdict.unknown[0]


def test_what_was_so_on_a_good_day_is_none() -> None:
    idle: Extra = {"clients": {"o1.unused": 90, "o1.count": 90}}
    assert list(complaints(seen(idle), LIMITS))
    as_then: Extra = {**idle, "baseline": {"o1_clients.before": 90, "o1_clients.now": 90, "o1_clients.ratio": 1.0}}
    assert list(complaints(seen(as_then), LIMITS)) == []
    more: Extra = {**idle, "baseline": {"o1_clients.before": 9, "o1_clients.now": 90, "o1_clients.ratio": 10.0}}
    assert list(complaints(seen(more), LIMITS))


def test_what_a_server_chose_is_short_and_on_one_line() -> None:
    reading = Reading(
        id="r1", tool="info", args={}, node=NODE, at="2026-01-31T02:05:07Z", ms=1.0,
        values={f"{'x' * 900}_status": "\x1b[2Jerr\n" * 900}, unavailable=None,
    )  # fmt: skip
    shown = View([reading], NODE)
    line = nameless(shown, list(complaints(shown, LIMITS)))
    assert len(line) < 1500 and "\x1b" not in line and "\n" not in line


INSIDE: Extra = {
    "memory": {"used_memory_dataset.delta": 300_000, "used_memory_dataset": 30 * MIB, "window_seconds": 2.0},
    "keyspace": {"keys": 3000, "keys.delta": 0},
    "commandstats": {"hset.calls.delta": 900}, "clients": {"g1.cmd": "hset", "g1.name": "audit-svc"},
    "prefixes": {"k1.key": "audit:events", "k1.bytes": 20 * MIB, "k1.type": "hash"},
}  # fmt: skip


def test_data_that_grows_inside_of_keys_bars_it_where_memory_is_reported() -> None:
    (one,) = complaints(seen(INSIDE, "used memory climbs"), LIMITS)
    assert "HSET, 450 times a second (audit-svc)" in one.what
    assert "hash audit:events (20 MiB)" in one.what
    assert not list(complaints(seen(INSIDE, "checkout is slow"), LIMITS))
    # New keys such as the others account for it.
    more: Extra = {**INSIDE, "keyspace": {"keys": 3000, "keys.delta": 25}}
    assert not list(complaints(seen(more, "used memory climbs"), LIMITS))
    less: Extra = {**INSIDE, "memory": {**INSIDE["memory"], "used_memory_dataset.delta": 3000}}
    assert not list(complaints(seen(less, "used memory climbs"), LIMITS))


@pytest.mark.parametrize(
    ("value", "symptom", "says"),
    [
        ("", "Nothing reacts to __keyevent@0__:expired since the move", "it sends none"),
        ("x", "Our keyspace notifications never arrive", "it sends none"),
        ("Eg$", "The key expiry listener isn't called any more", "leaves out expired keys"),
        ("Eg$", "Our keyspace notifications never arrive", None),
        ("xE", "The key expiry listener isn't called any more", None),
        ("AKE", "Nothing reacts to __keyevent@0__:expired since the move", None),
        ("", "checkout is slow", None),
        (None, "Our keyspace notifications never arrive", None),
    ],
)
def test_notifications_about_keys_that_are_off_bar_it_where_they_are_missed(
    value: str | None, symptom: str, says: str | None
) -> None:
    said = [one.what for one in complaints(seen({"config_get": {"notify-keyspace-events": value}}, symptom), LIMITS)]
    assert [says is not None and says in what for what in said] == ([True] if says else [])


def test_a_burst_of_jobs_in_short_lists_is_no_growth() -> None:
    pushed: Extra = {**INSIDE, "commandstats": {"lpush.calls.delta": 300}}
    short, long = ({**pushed, "lists": {"l1.length": length}} for length in (999, 1000))
    assert not list(complaints(seen(short, "used memory climbs"), LIMITS))
    kept_up, behind = (
        {**pushed, "commandstats": {"lpush.calls.delta": 300, "rpop.calls.delta": taken, "window_seconds": 2.0}}
        for taken in (270, 269)
    )
    assert not list(complaints(seen(kept_up, "used memory climbs"), LIMITS))
    for grows in (pushed, long, behind, {**INSIDE, "lists": {"l1.length": 5}}):
        assert len(list(complaints(seen(grows, "used memory climbs"), LIMITS))) == 1


def test_messages_that_nobody_hears_are_told_to_who_misses_them() -> None:
    sent: Extra = {"commandstats": {"publish.calls.delta": 50}, "info": {"pubsub_channels": 0, "pubsub_patterns": 0}}
    heard: Extra = {**sent, "info": {"pubsub_channels": 1, "pubsub_patterns": 0}}
    missed = "Our mailer gets none of the order events"

    def told(extra: Extra, symptom: str) -> list[str]:
        return [one.what for one in complaints(seen(extra, symptom), LIMITS)]

    assert "nobody subscribes" in " ".join(told(sent, missed))
    assert told(sent, "Redis is slow") == told(heard, missed) == []


@pytest.mark.parametrize(
    ("symptom", "calls", "nodes", "says"),
    [
        ("the network of all nodes is saturated", 900, 6, True),
        ("the network of all nodes is saturated", 90, 6, False),
        ("the network of all nodes is saturated", 900, None, False),
        ("logins fail", 900, 6, False),
    ],
)
def test_a_message_that_a_cluster_passes_on_to_all_nodes(
    symptom: str, calls: int, nodes: int | None, says: bool
) -> None:
    cluster: Extra = {"cluster": {"nodes": nodes, "cluster_state": "ok"}} if nodes else {}
    given: Extra = {"commandstats": {"publish.calls.delta": calls}, "info": {"window_seconds": 2.0}, **cluster}
    told = [one.what for one in complaints(seen(given, symptom), LIMITS)]
    assert any("passes each on to all 6 nodes" in one for one in told) is says


JOBS = "Jobs get lost: they leave the queue and are never done."


@pytest.mark.parametrize(("calls", "symptom", "barred"), [
    ({"blmove.calls.delta": 10}, JOBS, True), ({"blmove.calls.delta": 9}, JOBS, False),
    ({"blmove.calls.delta": 10, "lrem.calls.delta": 1}, JOBS, False),
    ({"blmove.calls.delta": 10}, "It is slow.", False),
])  # fmt: skip
def test_jobs_that_stay_with_their_workers(calls: dict[str, int], symptom: str, barred: bool) -> None:
    assert (
        any("stay with the workers" in one.what for one in complaints(seen({"commandstats": calls}, symptom), LIMITS))
        is barred
    )


@pytest.mark.parametrize(("link", "barred"), [("disconnected", True), ("connected", False)])
def test_a_bus_link_that_never_comes_about_though_its_node_answers(link: str, barred: bool) -> None:
    down = {"cluster": {"down1.address": "m", "down1.state": "ok", "down1.link_state": link}}
    here = view({**WELL, **down}, peers={"m": {"connect": {"stage": "ping"}}})
    assert any("bus link" in one.what for one in complaints(here, LIMITS)) is barred


@pytest.mark.parametrize(("here", "above", "barred"), [(200, 100, True), (140, 100, False), (100, None, False)])
def test_a_replica_that_is_written_to_more_than_its_primary(here: int, above: int | None, barred: bool) -> None:
    replica = {"replication": {"role": "slave", "slave_read_only": 0, "master_host": "m", "master_port": 1},
               "commandstats": {"writes.calls.delta": here}}  # fmt: skip
    primary = {"m:1": {"replication": {"role": "master"}, "commandstats": {"writes.calls.delta": above}}}
    found = complaints(view({**WELL, **replica}, peers=primary if above else {}), LIMITS)
    assert any("accepts writes" in one.what for one in found) is barred


def test_data_that_a_swap_took_away_is_missed_only_where_lookups_miss() -> None:
    for ratio, barred in ((0.0, True), (0.9, False)):
        lookups = {"keyspace_misses.delta": 100 * (1 - ratio), "keyspace_hits.delta": 100 * ratio, "hit_ratio": ratio}
        given: Extra = {
            "keyspace": {"keys": 500, **lookups},
            "commandstats": {"swapdb.calls": 1, "writes.calls.delta": 5},
        }
        found = complaints(seen(given, "All sessions are gone."), LIMITS)
        assert any("SWAPDB" in one.what for one in found) is barred


@pytest.mark.parametrize(("unused", "barred"), [(20, True), (10, False)])
def test_connections_that_became_more_and_rest(unused: int, barred: bool) -> None:
    history = {
        "connected_clients.first": 5,
        "connected_clients.now": 40,
        "connected_clients.until": "2026-01-31T02:00:00Z",
    }
    found = complaints(seen({"history": history, "clients": {"o1.unused": unused}}), LIMITS)
    assert any("unused since then" in one.what for one in found) is barred
