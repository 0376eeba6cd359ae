"""Data that is gone or elsewhere, open doors, and errors of one client: each threshold's two sides."""

from typing import Any

import pytest

from agent.checks.data import data_gone, queue_evicted
from agent.checks.databases import wrong_database
from agent.checks.errors import client_errors, function_missing, script_missing
from agent.checks.exposure import exposed_instance
from agent.checks.types import Check
from tests.agent.checks.rows import LIMITS, Expected, Given, Row, found, table, view
from tools.records import Values

GONE = {"symptom": "All sessions are gone from Redis."}
KEPT = {"symptom": "Redis is slow, but no sessions are gone."}
JOBS = {"symptom": "Jobs vanish without an error."}
FEW, LARGE = int(LIMITS["errors_of_a_client"]), LIMITS["errors_share"]
OPEN: Values = {"bind": "0.0.0.0", "protected_mode": "no", "password_set": False}
SCRIPT, SENT = "script-missing", "client-errors"


def greeted(errors: int, connections: int, version: str) -> Given:
    return {"info": {
        "errorstat_ERR.count.delta": errors * connections, "total_connections_received.delta": connections,
        "total_commands_processed.delta": errors * connections + 10, "redis_version": version,
    }}  # fmt: skip


def keys(count: int, commands: Values, uptime: int = 10**6, **more: Any) -> Given:
    return {
        "keyspace": {"keys": count, **more.pop("keyspace", {})}, "commandstats": {"busy_share": 0.0, **commands},
        "info": {"uptime_in_seconds": uptime, **more.pop("info", {})}, **more,
    }  # fmt: skip


def shrank(first: int, now: int, restarted: str | None = None) -> Values:
    return {
        "restarted": restarted, "db0.keys.first": first, "db0.keys.now": now, "db0.keys.until": "2026-01-31T01:45:00Z",
    }  # fmt: skip


def unkept(**log: Any) -> Given:
    return {
        "persistence": {"config.save": "", "aof_enabled": 0}, "disk": {"rdb_bytes": 0},
        "log": {"started_age": 60.0, **log},
    }  # fmt: skip


def copied(keys: int) -> Given:
    return {"log": {"load_done.keys": keys, "load_done.count": 2}, "info": {"role": "slave"}}


def failed(error: str, count: int, command: str, calls: int) -> Given:
    return {
        "info": {f"errorstat_{error}.count.delta": count, "total_error_replies": count},
        "commandstats": {f"{command}.failed_calls.delta": count, f"{command}.calls.delta": calls},
    }  # fmt: skip


def databases(readers: int, misses: int, empty: int = 0, share: float = 1.0) -> Given:
    return {
        "keyspace": {"db0.keys": 500, "db3.keys": empty, "keyspace_hits.delta": 0, "keyspace_misses.delta": misses,
                     "hit_ratio": 0.0},
        "clients": {"db3.clients": 2, "db3.readers": readers, "db3.address": "10.0.0.5", "share_seen": share},
    }  # fmt: skip


def refilled(keys: int, readers: int = 0, **calls: int) -> Given:
    return {
        "keyspace": {"db0.keys": keys, "db1.keys": 500, "keyspace_hits.delta": 0, "keyspace_misses.delta": 50,
                     "hit_ratio": 0.0},
        "clients": {"db0.clients": 2, "db0.readers": 2, "db0.address": "10.0.0.5", "db1.clients": 1,
                    "db1.readers": readers, "share_seen": 1.0},
        "commandstats": calls,
    }  # fmt: skip


def passing(left: int, gone: int) -> Given:
    counts: Values = {"expires": left, "expired_keys.delta": gone, "window_seconds": 2.0, **MISSED}
    return keys(left + 50, {"pexpireat.calls.delta": gone}, info={"expired_keys": 10 * gone}, keyspace=counts)


def evicting(policy: str, now: int = 10, pops: int = 5) -> Given:
    return {
        "memory": {"maxmemory_policy": policy}, "keyspace": {"evicted_keys": 100, "evicted_keys.delta": now},
        "commandstats": {"brpop.calls": pops},
    }  # fmt: skip


SHRUNK: Values = {"used_memory": 2 << 20, "used_memory_peak": 9 << 20, "used_memory_startup": 1 << 20}
MISSED: Values = {"keyspace_hits.delta": 0, "keyspace_misses.delta": 50, "hit_ratio": 0.0}
ROWS: list[Row] = [
    ("flushed, and it's empty", data_gone, keys(0, {"flushall.calls": 1}), {"data-gone": "sure"}, GONE),
    ("flushed, and warm again", data_gone, keys(500, {"flushall.calls": 1}), {"data-gone": "hint"}, GONE),
    ("flushed, and nobody complains", data_gone, keys(0, {"flushdb.calls": 1}), {}),
    ("flushed, and none are said to be gone", data_gone, keys(0, {"flushdb.calls": 1}), {}, KEPT),
    ("flushed just now", data_gone,
     keys(5, {"flushdb.calls": 1, "flushdb.calls.delta": 1}, keyspace={"keys.delta": -100}), {"data-gone": "maybe"}),
    ("deleted long before the page", data_gone, keys(400, {"unlink.calls": 9}, history=shrank(800, 400)),
     {"data-gone": "likely"}, GONE),
    ("deleted, and nobody complains", data_gone, keys(400, {"del.calls": 9}, history=shrank(800, 400)), {}),
    ("fewer deleted", data_gone, keys(401, {"del.calls": 9}, history=shrank(800, 401)), {}, GONE),
    ("more than there were", data_gone, keys(900, {"del.calls": 9}, history=shrank(400, 900)), {}, GONE),
    ("as many evicted as are missing", data_gone,
     keys(400, {}, keyspace={"evicted_keys": 200}, history=shrank(800, 400)), {}, GONE),
    ("far more held before, and deletions", data_gone,
     keys(0, {"unlink.calls": 9}, keyspace=MISSED, memory=SHRUNK), {"data-gone": "maybe"}, GONE),
    ("far more held before, and nothing deleted", data_gone, keys(0, {}, keyspace=MISSED, memory=SHRUNK), {}, GONE),
    ("far more held before, and expired", data_gone,
     keys(0, {"del.calls": 9}, keyspace=MISSED, memory=SHRUNK, info={"expired_keys": 3}), {}, GONE),
    ("far more held before, and restarted without persistence", data_gone,
     keys(0, {"del.calls": 9}, 60, keyspace=MISSED, memory=SHRUNK, **unkept(previous_pid=7)),
     {"data-gone": "sure"}, GONE),
    ("restarted since", data_gone, keys(400, {}, history=shrank(800, 400, "2026-01-31T01:50:00Z")), {}, GONE),
    ("restarted without persistence", data_gone, keys(3, {}, 60, **unkept(previous_pid=7)),
     {"data-gone": "sure"}, GONE),
    ("empty and missed, and no log says whether it's new", data_gone,
     {**keys(0, {}, 60, keyspace=MISSED, **unkept()), "log": "not-local"}, {"data-gone": "likely"}, GONE),
    ("missed though it holds keys, and no log says whether it's new", data_gone,
     {**keys(9000, {}, 60, keyspace=MISSED, **unkept()), "log": "not-local"}, {"data-gone": "hint"}, GONE),
    ("promoted, so that it had copied what there was", data_gone,
     {**keys(0, {}, 60, keyspace=MISSED, **unkept()), "log": "not-local", "replication": {"second_repl_offset": 9}},
     {}, GONE),
    ("new, and never had any data", data_gone, keys(3, {}, 60, **unkept()), {"data-gone": "hint"}, GONE),
    ("restarted empty and missed, and nobody says so", data_gone,
     keys(3, {}, 60, keyspace=MISSED, **unkept(previous_pid=7)), {"data-gone": "hint"}),
    ("restarted empty and nothing comes back, and nobody says so", data_gone,
     keys(0, {}, 60, keyspace=MISSED, **unkept(previous_pid=7)), {"data-gone": "maybe"}),
    ("flushed and missed, and nobody says so", data_gone,
     keys(0, {"flushall.calls": 1}, keyspace=MISSED, memory=SHRUNK), {"data-gone": "maybe"}),
    ("flushed, missed and filled again, and nobody says so", data_gone,
     keys(9, {"flushall.calls": 1}, keyspace=MISSED, memory=SHRUNK), {"data-gone": "hint"}),
    ("flushed when nothing was here, and nobody says so", data_gone,
     keys(0, {"flushall.calls": 1}, keyspace=MISSED), {}),
    ("copied an empty primary and missed, and nobody says so", data_gone,
     keys(0, {}, keyspace=MISSED, memory=SHRUNK, **copied(0)), {"data-gone": "maybe"}),
    ("copied an empty primary, and nobody looks", data_gone, keys(0, {}, memory=SHRUNK, **copied(0)), {}),
    ("copied an empty primary", data_gone, keys(0, {}, memory=SHRUNK, **copied(0)), {"data-gone": "likely"}, GONE),
    ("copied a primary with keys", data_gone, keys(7, {}, memory=SHRUNK, **copied(7)), {}, GONE),
    ("copied an empty primary, and never held more", data_gone, keys(0, {}, **copied(0)), {}, GONE),
    ("a new cache that misses, and nobody says so", data_gone, keys(3, {}, 60, keyspace=MISSED, **unkept()), {}),
    ("new and evicting", data_gone, keys(90, {}, 60, keyspace={"evicted_keys": 10, **MISSED}, **unkept()),
     {"data-gone": "likely"}, GONE),
    ("a cache whose keys end by design", data_gone, keys(10, {}, keyspace=MISSED, info={"expired_keys": 10**5}), {}),
    ("restarted, and loaded", data_gone, keys(3, {}, 60, **unkept(**{"previous_pid": 7, "loaded.count": 1})), {}, GONE),
    ("restarted long ago", data_gone, keys(3, {}, 86_401, **unkept(previous_pid=7)), {}, GONE),
    ("evicted and missed", data_gone, keys(90, {}, keyspace={"evicted_keys": 10, **MISSED}),
     {"data-gone": "likely"}, GONE),
    ("few were evicted", data_gone, keys(91, {}, keyspace={"evicted_keys": 9, **MISSED}), {}, GONE),
    ("nearly all expired", data_gone, keys(10, {}, keyspace=MISSED, info={"expired_keys": 200}),
     {"data-gone": "likely"}, GONE),
    ("keys live for seconds", data_gone, passing(200, 40), {"data-gone": "likely"}, GONE),
    ("keys live for seconds, and nobody misses any", data_gone, passing(200, 40), {}),
    ("keys live longer than a page view", data_gone, passing(202, 40), {}, GONE),
    ("keys end at once, and an older server doesn't count them", data_gone,
     keys(50, {"pexpireat.calls.delta": 30}, keyspace={"expires": 29, "expired_keys.delta": 0, "window_seconds": 2.0,
                                                       **MISSED}), {"data-gone": "likely"}, GONE),
    ("keys are given a moment and stay", data_gone,
     keys(50, {"pexpireat.calls.delta": 30}, keyspace={"expires": 30, "expired_keys.delta": 0, "window_seconds": 2.0,
                                                       **MISSED}), {}, GONE),
    ("too few end to tell", data_gone, passing(9, 19), {}, GONE),
    ("keys end one by one", data_gone, keys(10, {}, keyspace=MISSED, info={"expired_keys": 199}), {}, GONE),
    ("reads where nothing is", wrong_database, databases(2, 50), {"wrong-database": "likely"}),
    ("reads where nothing is, and they say so", wrong_database, databases(2, 50), {"wrong-database": "sure"}, GONE),
    ("reads where little is, after SWAPDB", wrong_database, refilled(50, **{"swapdb.calls": 1}),
     {"wrong-database": "sure"}, GONE),
    ("reads where little is", wrong_database, refilled(50), {"wrong-database": "maybe"}, GONE),
    ("reads where little is, and nobody complains", wrong_database, refilled(50, **{"swapdb.calls": 1}), {}),
    ("reads where some is", wrong_database, refilled(51, **{"swapdb.calls": 1}), {}, GONE),
    ("reads in both", wrong_database, refilled(50, 1, **{"swapdb.calls": 1}), {}, GONE),
    ("reads where nothing is shown", wrong_database,
     {**(few := databases(2, 50)), "keyspace": {**few["keyspace"], "databases": 17}}, {}),
    ("only writes there", wrong_database, databases(0, 50), {}),
    ("hardly looks", wrong_database, databases(2, 19), {}),
    ("has keys there", wrong_database, databases(2, 50, empty=1), {}),
    ("not all clients seen", wrong_database, databases(2, 50, share=0.5), {}),
    ("queues in a cache", queue_evicted, evicting("allkeys-lru"), {"queue-evicted": "sure"}, JOBS),
    ("queues in a cache, nobody says so", queue_evicted, evicting("allkeys-lru"), {"queue-evicted": "likely"}),
    ("evicted before", queue_evicted, evicting("allkeys-lru", now=0), {"queue-evicted": "hint"}),
    ("only what expires may go", queue_evicted, evicting("volatile-lru"), {"queue-evicted": "not"}, JOBS),
    ("no queue", queue_evicted, evicting("allkeys-lru", pops=0), {}, JOBS),
    ("open, and a CONFIG SET of something was refused", exposed_instance,
     {"config_drift": OPEN, "access": {"user.default": True}, "commandstats": {"config|set.failed_calls": 2}},
     {"exposed-instance": "hint"}),
    ("open, refused and flushed", exposed_instance,
     {"config_drift": OPEN, "access": {"user.default": True},
      "commandstats": {"config|set.failed_calls": 2, "flushall.calls": 1}}, {"exposed-instance": "likely"}),
    ("open, and its dump would be cron's", exposed_instance,
     {"config_drift": OPEN, "access": {"user.default": True}, "persistence": {"config.dir": "/var/spool/cron"}},
     {"exposed-instance": "sure"}),
    ("open, without a trace", exposed_instance, {"config_drift": OPEN, "access": {"user.default": True}},
     {"exposed-instance": "hint"}),
    ("another user than default", exposed_instance, {"config_drift": OPEN, "access": {"user.default": False}}, {}),
    ("on loopback", exposed_instance, {"config_drift": {**OPEN, "bind": "127.0.0.1 -::1"}},
     {"exposed-instance": "not"}),
    ("with a password", exposed_instance, {"config_drift": {**OPEN, "password_set": True}},
     {"exposed-instance": "not"}),
    ("protected", exposed_instance, {"config_drift": {**OPEN, "protected_mode": "yes"}}, {"exposed-instance": "not"}),
    ("its settings unread", exposed_instance, {"config_drift": "denied"}, {}),
    ("scripts are missing", script_missing, failed("NOSCRIPT", FEW, "evalsha", round(FEW / LARGE)), {SCRIPT: "sure"}),
    ("one script was missing", script_missing, failed("NOSCRIPT", 1, "evalsha", 1), {SCRIPT: "hint"}),
    ("few of many", script_missing, failed("NOSCRIPT", FEW, "evalsha", 1000), {SCRIPT: "hint"}),
    ("no function is loaded", function_missing,
     {**failed("ERR", FEW, "fcall", FEW), "memory": {"number_of_functions": 0}}, {SCRIPT: "sure"}),
    ("a function fails that is loaded", function_missing,
     {**failed("ERR", FEW, "fcall", FEW), "memory": {"number_of_functions": 3}}, {}),
    ("one call of a function failed", function_missing,
     {**failed("ERR", 1, "fcall", 1), "memory": {"number_of_functions": 0}}, {}),
    ("nobody calls functions", function_missing, {"memory": {"number_of_functions": 0}}, {}),
    ("no script was missing", script_missing, failed("NOSCRIPT", 0, "evalsha", 10), {}),
    ("a wrong type", client_errors, failed("WRONGTYPE", FEW, "zadd", round(FEW / LARGE)), {SENT: "sure"}),
    ("a wrong type now and then", client_errors, failed("WRONGTYPE", FEW - 1, "zadd", FEW - 1), {}),
    ("a wrong type among many", client_errors, failed("WRONGTYPE", FEW, "zadd", 1000), {}),
    ("a database that isn't there", client_errors, failed("ERR", FEW, "select", FEW), {SENT: "sure"}),
    ("an unknown command", client_errors,
     {"info": {"errorstat_ERR.count.delta": 9, "total_commands_processed.delta": 90}}, {SENT: "sure"}),
    ("a greeting of which an old server keeps no figures", client_errors,
     {"info": {"errorstat_ERR.count.delta": 8, "total_commands_processed.delta": 90, "redis_version": "7.0.15",
               "total_connections_received.delta": 4}}, {}),
    ("as many on a server that knows it", client_errors,
     {"info": {"errorstat_ERR.count.delta": 8, "total_commands_processed.delta": 90, "redis_version": "7.2.4",
               "total_connections_received.delta": 4}}, {SENT: "sure"}),
    ("more than the new connections bring", client_errors,
     {"info": {"errorstat_ERR.count.delta": 14, "total_commands_processed.delta": 90, "redis_version": "7.0.15",
               "total_connections_received.delta": 4}}, {SENT: "sure"}),
    ("a replica whose REPLCONF isn't understood", client_errors,
     {"info": {"errorstat_ERR.count.delta": 19, "total_commands_processed.delta": 150},
      "commandstats": {"replconf.failed_calls.delta": 19, "replconf.calls.delta": 57}}, {}),
    ("a greeting that isn't known", client_errors,
     {"info": {"errorstat_ERR.count.delta": 9, "total_commands_processed.delta": 90},
      "commandstats": {"client|setinfo.rejected_calls.delta": 9}}, {}),
    ("a newer library introduces itself to an older server", client_errors, greeted(3, 27, "7.0.15"), {}),
    ("with its name and its version", client_errors, greeted(2, 27, "6.2.5"), {}),
    ("the server knows that form", client_errors, greeted(3, 27, "8.2.3"), {SENT: "sure"}),
    ("one error for each connection", client_errors, greeted(1, 27, "7.0.15"), {SENT: "sure"}),
    ("many on one connection", client_errors, greeted(81, 1, "7.0.15"), {SENT: "sure"}),
    ("a group that is there already", client_errors, failed("BUSYGROUP", 9, "xgroup", 9), {}),
    ("a backup while a save runs", client_errors, failed("ERR", 9, "bgsave", 9), {}),
    ("a backup while a save runs, and writes that are refused because none succeeds", client_errors,
     {"info": {"errorstat_ERR.count.delta": 3, "errorstat_MISCONF.count.delta": 370},
      "commandstats": {"bgsave.failed_calls.delta": 3, "lpush.rejected_calls.delta": 5, "lpush.calls.delta": 1}}, {}),
    ("a permission", client_errors, failed("NOPERM", 9, "set", 9), {}),
    ("memory is full", client_errors, failed("OOM", 9, "set", 9), {}),
]  # fmt: skip


@table(ROWS)
def test_the_two_sides(check: Check, given: Given, expected: Expected, more: Any) -> None:
    assert found(check, given, **more) == expected


def test_the_client_that_sends_it_is_named() -> None:
    owner: Values = {"o1.count": 2, "o1.name": "orders", "o1.address": "10.0.0.5", "o1.cmds": "get zadd"}
    given = {**failed("WRONGTYPE", 9, "zadd", 9), "clients": owner}
    (cause,) = client_errors(view(given), LIMITS)
    assert "orders at 10.0.0.5" in cause.why  # type: ignore[union-attr]


@pytest.mark.parametrize("address", ["", "*", "0.0.0.0", "127.0.0.1 10.0.0.5", "* -::*"])
def test_addresses_beyond_loopback(address: str) -> None:
    given = {
        "config_drift": {**OPEN, "bind": address}, "access": {"user.default": True},
        "commandstats": {"flushall.calls": 1},
    }  # fmt: skip
    assert found(exposed_instance, given) == {"exposed-instance": "likely"}
