"""What grows: queues, client-side caching's table, consumers, and the time to a limit: each threshold's two sides."""

from collections.abc import Mapping
from typing import Any

import pytest

from agent.checks.filling import LEAST_SHARE, MOST_SECONDS, duration, inside_keys, until_full
from agent.checks.growth import consumer_leak, queue_backlog, tracking_table
from agent.checks.types import Check
from tests.agent.checks.rows import LIMITS, Expected, Given, Row, found, table, view
from tools.records import Values

MIB = 1 << 20
ASKED = {"symptom": "Redis uses more and more memory"}
QUEUE, TABLE, LEAK = "queue-backlog", "tracking-table-growth", "stream-consumer-leak"
MANY, FAST, WAIT, POPPED = (LIMITS[f"queue_{name}"] for name in (
    "elements", "elements_per_second", "wait_seconds", "popped_share"))  # fmt: skip
ITEMS, SHARE, MORE = LIMITS["tracking_items"], LIMITS["tracking_share"], LIMITS["tracking_items_per_window"]
CONSUMERS, EACH = LIMITS["leaked_consumers"], LIMITS["consumers_per_client"]


def queue(
    length: float, rate: float, pushed: float, popped: float, complete: bool = True, **more: Values
) -> Given:  # fmt: skip
    """Over one second."""
    return {
        "commandstats": {"window_seconds": 1.0, "lpush.calls.delta": pushed, "brpop.calls.delta": popped},
        "lists": {
            "l1.key": "jobs", "l1.length": length, "l1.length.delta": rate, "window_seconds": 1.0, "complete": complete,
        },
        **more,
    }  # fmt: skip


def unseen(
    pushed: float, popped: float, keys: float = 0, grown: float = 9, trimmed: float = 0, expired: float = 0
) -> Given:
    return {
        "commandstats": {
            "window_seconds": 1.0, "lpush.calls.delta": pushed, "brpop.calls.delta": popped,
            "ltrim.calls.delta": trimmed,
        },
        "lists": {"lists": 900, "complete": False}, "keyspace": {"keys.delta": keys},
        "memory": {"used_memory.delta": grown}, "info": {"expired_keys.delta": expired},
    }  # fmt: skip


def tracked(items: float, more: float, used: float, keys: float = 0) -> Given:
    return {
        "info": {
            "tracking_total_items": items, "tracking_total_items.delta": more, "tracking_total_keys": items / 2,
            "used_memory": used,
        },
        "keyspace": {"keys.delta": keys},
    }  # fmt: skip


def group(consumers: int, connected: float = 10, pending: int = 0, more: int = 0) -> Given:
    return {
        "streams": {
            "s1.key": "orders", "s1.g1.group": "mailer", "s1.g1.consumers": consumers, "s1.g1.pending": pending,
            "s1.g1.consumers.delta": more,
        },
        "info": {"connected_clients": connected},
    }  # fmt: skip


GROWTH: list[Row] = [
    ("a queue that nobody empties", queue_backlog, queue(MANY, FAST, FAST, 0), {QUEUE: "sure"}),
    ("a queue that is emptied too slowly", queue_backlog, queue(1e6, 780, 785, 5), {QUEUE: "sure"}),
    ("a queue beside workers that wait for others", queue_backlog,
     queue(MANY, FAST, FAST, 0, clients={"g1.cmd": "brpop", "g1.flags": "b", "g1.count": 2, "g1.name": "mailer"}),
     {QUEUE: "sure"}),
    ("a short queue", queue_backlog, queue(MANY - 1, FAST, FAST, 0, False), {}),
    ("a short queue, and all lists were seen", queue_backlog, queue(MANY - 1, FAST, FAST, 0), {QUEUE: "not"}),
    ("a long queue that hardly grows", queue_backlog, queue(MANY, FAST - 1, FAST, 0), {}),
    ("a long queue that is drained", queue_backlog, queue(1e6, -50, 100, 150), {}),
    ("a batch that is done soon", queue_backlog, queue(WAIT * 100 - 1, FAST, 200, 100), {QUEUE: "hint"}),
    ("a batch that isn't done soon", queue_backlog, queue(WAIT * 100, FAST, 200, 100), {QUEUE: "sure"}),
    ("nearly as much popped as pushed", queue_backlog, queue(1e6, FAST, 100, 100 * POPPED + 1), {QUEUE: "likely"}),
    ("a queue that wasn't found", queue_backlog, unseen(FAST, 0), {QUEUE: "likely"}),
    ("few pushes", queue_backlog, unseen(FAST - 1, 0), {}),
    ("as many pops", queue_backlog, unseen(FAST, FAST * POPPED + 1), {}),
    ("lists that are cut", queue_backlog, unseen(100, 0, trimmed=6), {}),
    ("a queue that wasn't found, and new keys", queue_backlog, unseen(100, 10, keys=45), {QUEUE: "maybe"}),
    ("lists of new keys", queue_backlog, unseen(100, 10, keys=46), {}),
    ("lists that expire", queue_backlog, unseen(100, 0, keys=6, expired=6), {}),
    ("memory doesn't grow", queue_backlog, unseen(100, 0, grown=0), {}),
    ("commands unread", queue_backlog, {"lists": {"l1.length": 9e6, "l1.length.delta": 900}}, {}),
    # tracking_table
    ("a table that grows, memory reported", tracking_table, tracked(ITEMS, MORE, ITEMS * 100 / SHARE),
     {TABLE: "sure"}, ASKED),
    ("a table that grows", tracking_table, tracked(ITEMS, MORE, ITEMS * 100 / SHARE), {TABLE: "likely"}),
    ("a table that doesn't grow", tracking_table, tracked(ITEMS, MORE - 1, ITEMS * 100 / SHARE), {TABLE: "hint"}),
    ("a table that doesn't grow, memory reported", tracking_table, tracked(ITEMS, 0, ITEMS * 100 / SHARE),
     {TABLE: "likely"}, ASKED),
    ("a table that grows with the keys", tracking_table, tracked(ITEMS, MORE, ITEMS * 100 / SHARE, keys=MORE),
     {TABLE: "hint"}),
    ("a small part of the memory", tracking_table, tracked(ITEMS, MORE, ITEMS * 100 / SHARE + 100), {}),
    ("a small table, memory reported", tracking_table, tracked(ITEMS - 1, MORE, MIB), {TABLE: "not"}, ASKED),
    ("no tracking", tracking_table, tracked(0, 0, MIB), {}, ASKED),
    # consumer_leak
    ("names that nobody uses", consumer_leak, group(int(CONSUMERS), CONSUMERS / EACH), {LEAK: "sure"}),
    ("names of as many clients", consumer_leak, group(int(CONSUMERS), CONSUMERS / EACH + 1), {}),
    ("a large fleet", consumer_leak, group(int(CONSUMERS) - 1), {}),
    ("names that hold entries", consumer_leak, group(2000, pending=2000), {LEAK: "maybe"}),
    ("a million names, and more come", consumer_leak, group(10**6, more=4), {LEAK: "sure"}),
    ("clients unread", consumer_leak, {"streams": {"s1.g1.consumers": 9000}}, {}),
]  # fmt: skip


@table(GROWTH)
def test_what_is_found(check: Check, given: Given, expected: Expected, more: Mapping[str, Any]) -> None:
    assert found(check, given, **more) == expected


def filling(share: float, mib: float, policy: str = "noeviction", **keyspace: float) -> float | None:
    """What is said of 100 MiB that grow by so many MiB in two seconds."""
    memory: Values = {
        "maxmemory_used_share": share, "maxmemory": 100 * MIB, "used_memory.delta": mib * MIB, "window_seconds": 2.0,
        "maxmemory_policy": policy,
    }  # fmt: skip
    return until_full(view({"memory": memory, "keyspace": {**keyspace}}))


def test_a_limit_gets_a_time_where_nothing_gives_way() -> None:
    assert filling(0.5, 0.2) == pytest.approx(500)
    assert filling(0.5, 0.2, "volatile-lru", expires=0) == pytest.approx(500)
    assert filling(0.5, 0.2, "volatile-lru", expires=9) is None
    assert filling(0.5, 0.2, "allkeys-lru") is None


def test_a_limit_gets_no_time_that_makes_no_sense() -> None:
    assert filling(LEAST_SHARE - 0.01, 0.2) is None
    assert filling(1.0, 0.2) is None
    assert filling(0.5, -0.2) is None
    assert filling(0.5, 0.001) is None
    assert filling(0.9, 30) is None
    assert MOST_SECONDS == 86_400


def test_a_time_is_said_in_one_unit() -> None:
    assert [duration(seconds) for seconds in (90, 1500, 7200)] == ["90 s", "25 min", "2 h"]


def inside(came: float, **prefixes: int) -> float:
    """Of 20 MiB in 400 keys, most of it in one, to which 2 MiB came within two seconds beside so many new keys."""
    return inside_keys(view({
        "memory": {"used_memory_dataset": 20 * MIB, "used_memory_dataset.delta": 2 * MIB, "window_seconds": 2.0},
        "keyspace": {"keys": 400, "keys.delta": came},
        "prefixes": {name.replace("_", ".", 1): value for name, value in prefixes.items()},
    }))  # fmt: skip


def test_one_large_key_is_no_measure_of_new_ones() -> None:
    assert inside(0) == MIB
    assert inside(80) == 0
    assert inside(80, p1_key_bytes=400, p2_key_bytes=600) == MIB
    assert inside(80, p1_key_bytes=400, p2_key_bytes=40_000) == 0


def test_what_is_full_within_a_minute_is_told_where_it_is_data() -> None:
    def left(data: int) -> float | None:
        memory: Values = {
            "maxmemory_used_share": 0.7, "maxmemory": 100 * MIB, "used_memory.delta": 2 * MIB, "window_seconds": 2.0,
            "used_memory_dataset.delta": data, "maxmemory_policy": "noeviction",
        }  # fmt: skip
        return until_full(view({"memory": memory}))

    assert left(MIB) == pytest.approx(30)
    assert left(MIB - 1) is None
