"""Work that comes to nothing: entries that come back, unread lists, unfetched results, locks and waits in vain."""

from collections.abc import Mapping
from typing import Any

import pytest

from agent.checks.backlog import stream_backlog
from agent.checks.error_meanings import IN_CLUSTER, IN_SCRIPT, LISTENS, NO_DATABASE, NO_NUMBER, meaning_of
from agent.checks.errors import client_errors
from agent.checks.greetings import greeting_refused
from agent.checks.in_vain import held_locks, waits_given_up
from agent.checks.subscriptions import subscriptions
from agent.checks.types import Check
from agent.checks.unread_lists import unread
from tests.agent.checks.rows import LIMITS, Expected, Given, Row, found, table, view

MIB = 1 << 20
OUTSIDE, STREAM, MEMORY, QUEUE = "outside-redis", "stream-backlog", "nonkey-memory", "queue-backlog"
FROZEN = {"symptom": "Nothing gets indexed since yesterday"}
CLIMBS = {"symptom": "Redis uses more and more memory"}
HANGS = {"symptom": "Logged in users' pages hang for 30 seconds"}
CUT = {"symptom": "Workers log timeouts every few seconds"}
DOWN = {"symptom": "The service can't connect since the upgrade"}


def pending(deliveries: int, lag: int | None = 5, again: int = 4) -> Given:
    return {"streams": {
        "s1.key": "orders", "s1.length": 20, "s1.g1.group": "mailer", "s1.g1.pending": again, "s1.g1.lag": lag,
        "s1.g1.consumers": 1, "s1.g1.deliveries": deliveries, "s1.g1.redelivered": again,
    }}  # fmt: skip


def channels(count: int, most: int, used: float, more: int = 0) -> Given:
    return {
        "info": {"pubsub_channels": count, "pubsub_channels.delta": more, "pubsub_patterns": 0, "used_memory": used},
        "clients": {"sub_max": most, "sub_max.name": "celery-web", "sub_max.address": "10.0.0.7"},
    }


def pushed(length: int, more: int, ever: int = 5000, taken: int = 0, now: int = 4, used: float = 20 * MIB) -> Given:
    return {
        "commandstats": {
            "window_seconds": 2.0, "lpush.calls": ever, "lpush.calls.delta": now, "rpop.calls": taken,
            "rpop.calls.delta": 0,
        },
        "lists": {
            "l1.key": "celeryev", "l1.length": length, "l1.length.delta": more, "window_seconds": 1.0,
            "complete": False,
        },
        "info": {"used_memory": used},
    }  # fmt: skip


def sets(calls: int, changed: int, writes: int | None = None, role: str = "master", seconds: float = 2.0) -> Given:
    return {
        "commandstats": {
            "set.calls.delta": calls, "writes.calls.delta": calls if writes is None else writes,
            "window_seconds": seconds,
        },
        "persistence": {"rdb_changes_since_last_save.delta": changed, "window_seconds": 2.0},
        "replication": {"role": role},
    }  # fmt: skip


def waits(count: int, age: int, new: float, calls: int = 0, version: str = "7.2.4", evicted: int = 0) -> Given:
    return {
        "info": {
            "total_connections_received.rate": new, "uptime_in_seconds": 9000, "window_seconds": 2.0,
            "redis_version": version, "evicted_clients.delta": evicted,
        },
        "clients": {"waiting": count, "waiting_age_max": age, "waiting_cmd": "blpop"},
        "commandstats": {"blpop.calls.delta": calls},
    }  # fmt: skip


def greeted(failed: int, new: int, version: str = "6.2.5") -> Given:
    return {
        "info": {"total_connections_received.delta": new, "redis_version": version},
        "commandstats": {"client.failed_calls.delta": failed},
    }


def added(entries: int, handled: int, streams: int = 0, *, complete: bool = False) -> Given:
    """Over two seconds, in streams of which so many were found."""
    return {
        "commandstats": {
            "window_seconds": 2.0, "xadd.calls.delta": entries, "xreadgroup.calls.delta": handled,
        },
        "streams": {"streams": streams, "complete": complete},
    }  # fmt: skip


ROWS: list[Row] = [
    ("a stream that wasn't found", stream_backlog, added(10, 8), {STREAM: "hint"}, FROZEN),
    ("as much is read as added", stream_backlog, added(10, 9), {}, FROZEN),
    ("few are added", stream_backlog, added(9, 0), {}, FROZEN),
    ("one is found, without a group", stream_backlog, added(10, 0, 1), {}, FROZEN),
    ("all keys were seen", stream_backlog, added(10, 0, complete=True), {}, FROZEN),
    ("nobody misses anything", stream_backlog, added(10, 0), {}),
    ("entries that come back before new ones", stream_backlog, pending(812), {STREAM: "sure"}, FROZEN),
    ("the same, and nobody says so", stream_backlog, pending(812), {STREAM: "likely"}),
    ("nothing new waits", stream_backlog, pending(812, lag=0), {STREAM: "hint"}),
    ("a retry", stream_backlog, pending(2), {STREAM: "not"}, FROZEN),
    ("channels of one client that grow", subscriptions, channels(90_000, 89_000, 60 * MIB, 500), {MEMORY: "sure"},
     CLIMBS),
    ("they stay", subscriptions, channels(90_000, 89_000, 60 * MIB), {MEMORY: "likely"}, CLIMBS),
    ("of many clients", subscriptions, channels(90_000, 300, 60 * MIB, 500), {}, CLIMBS),
    ("of a large server", subscriptions, channels(90_000, 89_000, 900 * MIB, 500), {}, CLIMBS),
    ("few", subscriptions, channels(4_000, 4_000, 2 * MIB, 500), {}, CLIMBS),
    ("a list that nobody ever read", unread, pushed(5000, 3), {QUEUE: "likely"}, CLIMBS),
    ("and others are read", unread, pushed(5000, 3, taken=4000), {QUEUE: "maybe"}, CLIMBS),
    ("and it doesn't get longer now", unread, pushed(5000, 0, taken=4000), {}, CLIMBS),
    ("and it is small beside the rest", unread, pushed(5000, 3, taken=4000, used=9000 * MIB), {}, CLIMBS),
    ("it shrinks", unread, pushed(5000, -3), {}, CLIMBS),
    ("it is short", unread, pushed(20, 3), {}, CLIMBS),
    ("it grows fast, which has its own check", unread, pushed(5000, 80), {}, CLIMBS),
    ("nobody speaks of memory or jobs", unread, pushed(5000, 3), {}),
    ("a lock that is held", held_locks, sets(1200, 60), {OUTSIDE: "likely"}, HANGS),
    ("most get theirs", held_locks, sets(1200, 1000), {}, HANGS),
    ("few attempts", held_locks, sets(12, 0), {}, HANGS),
    ("other writes hide them", held_locks, sets(400, 60, writes=4000), {}, HANGS),
    ("a save has just reset the count", held_locks, sets(1200, -900), {}, HANGS),
    ("a replica counts no changes", held_locks, sets(1200, 0, role="slave"), {}, HANGS),
    ("the calls are of a longer look", held_locks, sets(1200, 60, seconds=8.0), {}, HANGS),
    ("nobody waits", held_locks, sets(1200, 60), {}, {"symptom": "Is our Redis well?"}),
    ("waits that are cut", waits_given_up, waits(8, 1, 5.0), {OUTSIDE: "likely"}, CUT),
    ("on a server that counts them differently", waits_given_up, waits(8, 1, 5.0, 9, "6.2.5"), {OUTSIDE: "maybe"}, CUT),
    ("nobody says so", waits_given_up, waits(8, 1, 5.0), {OUTSIDE: "hint"}),
    ("they come back because they are served", waits_given_up, waits(8, 1, 5.0, 9), {}, CUT),
    ("they have just been deployed", waits_given_up, waits(8, 9, 0.0), {}, CUT),
    ("one has waited for long", waits_given_up, waits(8, 900, 5.0), {}, CUT),
    ("Redis evicts clients", waits_given_up, waits(8, 1, 5.0, evicted=9), {}, CUT),
    ("a greeting that is refused", greeting_refused, greeted(40, 40), {"client-errors": "likely"}, DOWN),
    ("a server that knows it", greeting_refused, greeted(40, 40, "7.2.4"), {}, DOWN),
    ("the report is about something else", greeting_refused, greeted(40, 40), {}, HANGS),
    ("connections that come without it", greeting_refused, greeted(40, 400), {}, DOWN),
]  # fmt: skip


@table(ROWS)
def test_what_comes_to_nothing(check: Check, given: Given, expected: Expected, more: Mapping[str, Any]) -> None:
    assert found(check, given, **more) == expected


@pytest.mark.parametrize(("error", "command", "more", "meaning"), [
    ("ERR", "get", {"clients": {"g1.cmd": "get", "g1.flags": "P"}}, LISTENS), ("ERR", "select", {}, NO_DATABASE),
    ("ERR", "incrby", {}, NO_NUMBER), ("ERR", "evalsha", {}, IN_SCRIPT), ("NOGROUP", "incr", {}, "the stream"),
    ("ERR", "evalsha", {"info": {"redis_mode": "cluster"}}, IN_CLUSTER), ("WHATEVER", "get", {}, ""),
])  # fmt: skip
def test_an_error_says_more_with_its_command(error: str, command: str, more: Given, meaning: str) -> None:
    assert meaning_of(view(more), error, command)[0].startswith(meaning)


def test_a_script_that_writes_to_an_old_replica_is_no_malformed_call() -> None:
    failed = {
        "info": {"errorstat_ERR.count.delta": 90, "redis_version": "6.2.5"},
        "commandstats": {"eval.failed_calls.delta": 90, "eval.calls.delta": 90},
        "replication": {"role": "slave", "master_host": "10.0.0.1"},
    }
    said = {"symptom": "-READONLY You can't write against a read only replica"}
    assert found(client_errors, failed, **said) == {"replica-write-or-stale": "sure"}
    assert found(client_errors, failed) == {"replica-write-or-stale": "likely"}
    newer = {**failed, "info": {"errorstat_ERR.count.delta": 90, "redis_version": "7.0.15"}}
    assert found(client_errors, newer, **said) == {"client-errors": "sure"}


def test_thresholds_are_the_runbooks_own() -> None:
    assert (LIMITS["redelivered"], LIMITS["subscribed_channels"], LIMITS["subscribed_by_one"]) == (10, 50_000, 10_000)
