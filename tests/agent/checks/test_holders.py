"""Which keys hold the memory, how fast it fills, and what is refused: as a plan says it."""

import pytest

from agent.checks.holders import LEAST_DATA, LONG, WORTH_KEYS, held, kind_to_find, worth_weighing
from agent.runbooks.placeholders import values_at
from tests.agent.checks.rows import Given, view

MIB = 1 << 20
NAMES = {"db": 0, "sampled": 100, "complete": False}
ORDERS = {"p1.prefix": "order:", "p1.share": 0.9, "p1.key_bytes": 2048, "p1.ttl_ms": -1}
SESSIONS = {"p2.prefix": "session:", "p2.share": 0.1, "p2.key_bytes": 1024, "p2.ttl_ms": 5000}


def data(mib: float, **prefixes: object) -> Given:
    return {
        "prefixes": {**NAMES, **prefixes}, "keyspace": {"db0.keys": 10_000},
        "memory": {"used_memory_dataset": mib * MIB},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (data(20, **ORDERS, **SESSIONS),
         "of 10000 keys 90% are order:* (about 17.6 MiB, without a TTL), 10% session:* (about 1000 KiB, with a TTL), "
         "judged by 100 names"),
        (data(20, **{**ORDERS, "p1.prefix": "", "p1.ttl_ms": None}),
         "of 10000 keys 90% are without a common prefix (about 17.6 MiB), judged by 100 names"),
        (data(20, **ORDERS, **{"k1.key": "jobs", "k1.bytes": 2 * MIB, "k1.type": "list"}),
         "of 10000 keys 90% are order:* (about 17.6 MiB, without a TTL), judged by 100 names; "
         "large on its own: list jobs (2 MiB)"),
        (data(100, **ORDERS),
         "of 10000 keys 90% are order:* (about 17.6 MiB, without a TTL), judged by 100 names; "
         "the sampled keys account for 17.6 MiB of 100 MiB: a few large keys hold the rest, and "
         "redis-cli --memkeys -i 0.1 finds them"),
        ({**data(100, **ORDERS), "keyspace": {"db0.keys": 10_000, "longest.strings": 32 * MIB}},
         "of 10000 keys 90% are order:* (about 17.6 MiB, without a TTL), judged by 100 names; "
         "the sampled keys account for 17.6 MiB of 100 MiB: a few large keys hold the rest "
         "(a string has 32 MiB or more), and redis-cli --memkeys -i 0.1 finds them"),
        ({"keyspace": {"db0.keys": 10}}, ""), (data(1), ""),
        ({"prefixes": NAMES, "keyspace": {"keys": 900, "db0.keys": 400, "db3.keys": 500}},
         "of 900 keys only 400 are in database 0, the one that was checked"),
    ],
)  # fmt: skip
def test_what_holds_the_memory(given: Given, expected: str) -> None:
    assert held(view(given)) == expected


def test_the_longest_key_is_told_where_the_server_tells_it() -> None:
    given = data(100, **ORDERS)
    given = {**given, "keyspace": {**given["keyspace"], "longest.hashes": 524288, "longest.lists": 64}}
    assert "the longest of the hashes has 524288 elements or more" in held(view(given))


def grown(mib_a_second: float, share: float = 0.5, limit: int = 100 * MIB) -> Given:
    return {
        "memory": {
            "used_memory": 50 * MIB, "used_memory.delta": 2 * mib_a_second * MIB, "window_seconds": 2.0,
            "maxmemory": limit, "maxmemory_used_share": share if limit else None, "maxmemory_policy": "noeviction",
        },
        "machine": {"memory_available_bytes": 1000 * MIB},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (grown(0.1), " Memory grows by 102 KiB a second. At this rate maxmemory is reached in 8 min."),
        (grown(0.001), " Memory isn't growing right now."), (grown(-1), " Memory isn't growing right now."),
        (grown(1, 0.96), ""), ({}, ""),
        (grown(1, limit=0),
         " Memory grows by 1 MiB a second. "
         "There is no maxmemory; at this rate the machine's memory is used up in 17 min."),
    ],
)  # fmt: skip
def test_how_it_fills(given: Given, expected: str) -> None:
    assert values_at(view(given))["how_it_fills"] == (expected,)


def test_what_is_refused_and_what_still_works() -> None:
    stats = {
        "set.rejected_calls.delta": 9, "lmove.rejected_calls.delta": 20, "lpop.rejected_calls.delta": 30,
        "get.rejected_calls.delta": 3, "hset.rejected_calls.delta": 0,
    }  # fmt: skip
    (text,) = values_at(view({"commandstats": stats}))["what_is_refused"]
    assert text.startswith("LMOVE, SET are refused; UNLINK")
    (one,) = values_at(view({"commandstats": {"set.rejected_calls.delta": 9}}))["what_is_refused"]
    assert one.startswith("SET is refused; ")
    (none,) = values_at(view({}))["what_is_refused"]
    assert none.startswith("SET, LPUSH, HSET, XADD, LMOVE and everything else that adds data are refused; ")


@pytest.mark.parametrize(
    ("given", "symptom", "expected"),
    [
        ({"info": {"errorstat_OOM.count.delta": 1}}, "", True),
        ({"memory": {"maxmemory_used_share": 0.95, "maxmemory_policy": "noeviction"}}, "", True),
        ({"memory": {"maxmemory_used_share": 0.94, "maxmemory_policy": "noeviction"}}, "", False),
        ({"memory": {"maxmemory_used_share": 1.0, "maxmemory_policy": "allkeys-lru"}}, "", False),
        ({"keyspace": {"evicted_keys": 5, "hit_ratio": 0.7}}, "", True),
        ({"keyspace": {"evicted_keys": 5, "hit_ratio": 0.9}}, "", False),
        ({"keyspace": {"keys.delta": 2 * WORTH_KEYS, "expires.delta": 0, "window_seconds": 2.0}}, "", True),
        ({"keyspace": {"keys.delta": 2 * WORTH_KEYS, "expires.delta": 10, "window_seconds": 2.0}}, "", False),
        ({"memory": {"used_memory_dataset": LEAST_DATA}}, "memory climbs", True),
        ({"memory": {"used_memory_dataset": LEAST_DATA}}, "requests time out", False),
        ({"memory": {"used_memory_dataset": LEAST_DATA - 1}}, "memory climbs", False),
    ],
)  # fmt: skip
def test_keys_are_weighed_where_memory_matters(given: Given, symptom: str, expected: bool) -> None:
    assert worth_weighing(view(given, symptom=symptom)) is expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, None), ({"keyspace": {"longest.hashes": LONG, "longest.lists": 9}}, "hash"),
        ({"keyspace": {"longest.zsets": LONG - 1}, "commandstats": {"zadd.calls": 9}}, None),
        ({"commandstats": {"zadd.calls": 9, "rpush.calls": 5, "lpush.calls": 5}}, "list"),
    ],
)  # fmt: skip
def test_the_type_of_a_large_key(given: Given, expected: str | None) -> None:
    assert kind_to_find(view(given)) == expected


@pytest.mark.parametrize(
    ("size", "seconds", "expected"),
    [
        # A minute of a hundred's is 60 %, of 80 s it's the least that is worth it.
        (100 * MIB, 100.0, f"{60 * MIB}"), (100 * MIB, 80.0, f"{75 * MIB}"), (100 * MIB, 79.0, None),
        (100 * MIB, 1e6, f"{MIB}"), (MIB, 1e6, None), (100 * MIB, 0, None), (None, 100.0, None),
    ],
)  # fmt: skip
def test_a_smaller_backlog(size: int | None, seconds: float, expected: str | None) -> None:
    given = {"replication": {"repl_backlog_size": size, "backlog_seconds": seconds}}
    assert values_at(view(given)).get("backlog_target") == (None if expected is None else (expected,))


def test_the_client_that_holds_most_is_named() -> None:
    clients = {"omem_max": 30 * MIB, "omem_max.id": 7, "omem_max.name": "orders", "omem_max.address": "10.0.0.7"}
    (text,) = values_at(view({"clients": clients}))["fullest_client"]
    assert text == "orders at 10.0.0.7 (id 7, 30 MiB of output)"
    more = {"qbuf_max": 31 * MIB, "qbuf_max.id": 9, "qbuf_max.name": "", "qbuf_max.address": "10.0.0.8"}
    (text,) = values_at(view({"clients": {**clients, **more}}))["fullest_client"]
    assert text == "the client at 10.0.0.8 (id 9, 31 MiB of input)"
    assert values_at(view({"clients": {"omem_max": MIB - 1}}))["fullest_client"][0].startswith("the clients with")


def test_a_bound_below_what_is_tracked() -> None:
    assert values_at(view({"info": {"tracking_total_keys": 33_001}}))["tracked_keys"] == ("8250",)
    assert values_at(view({"info": {"tracking_total_keys": 120}}))["tracked_keys"] == ("100",)
    assert "tracked_keys" not in values_at(view({}))


def test_the_group_in_which_most_waits() -> None:
    streams = {
        "s1.key": "mails", "s1.g1.group": "a", "s1.g1.lag": 10, "s1.g1.pending": 2, "s2.key": "orders",
        "s2.g1.group": "workers", "s2.g1.lag": None, "s2.g1.pending": 30,
    }  # fmt: skip
    assert values_at(view({"streams": streams}))["waiting_group"] == ("orders, group workers",)
    assert values_at(view({}))["waiting_group"][0].startswith("the one with the most")
