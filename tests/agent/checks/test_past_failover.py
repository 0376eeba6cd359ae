"""What is said of a failover that is over, and of one that nobody asked about."""

from typing import Any

import pytest

from agent.answer.diagnosis import PastFailover
from agent.checks.past_failover import asked, past_failover
from agent.evidence.view import View
from tests.agent.checks.rows import Given, view
from tools.records import Values

OLD, NEW, SENTINEL = "10.0.0.1:6379", "10.0.0.2:6379", "10.0.0.3:26379"
WHY = "Why did we fail over at 03:00?"
HOURS = 36_000.0


def switch(event: str, by: str, age: float = HOURS, **more: Any) -> Values:
    return {"switch.event": event, "switch.by": by, "switch.age": age, "lines": 9,
            **{f"switch.{name}": value for name, value in more.items()}}  # fmt: skip


def past(nodes: dict[str, Given], symptom: str = WHY) -> PastFailover | None:
    first, *rest = nodes
    one = view(nodes[first], symptom=symptom, peers={name: nodes[name] for name in rest}, node=first)
    return past_failover([one, *(View(one.all, name) for name in rest)])


def moved(by: str = "sentinel", **more: Any) -> Given:
    return {"log": switch("switched", by, old=OLD, new=NEW, **more)}


def test_a_death_that_sentinel_saw() -> None:
    told = past({
        NEW: {"info": {"uptime_in_seconds": 90_000}}, SENTINEL: moved(down_age=HOURS + 1),
        OLD: {"info": {"uptime_in_seconds": 35_990}, "log": {"previous_end": "crash"}},
    })  # fmt: skip
    assert told and told.asked and (told.old, told.new, told.by) == (OLD, NEW, "sentinel")
    assert told.at == "2026-01-30T16:05:07Z"
    assert "2026-01-30 16:05:07 UTC (10 h ago)" in told.told
    assert (
        "+odown" in told.told and "its log says that it crashed" in told.told and "10 s after the change" in told.told
    )
    assert {one.field for one in told.evidence} >= {
        "switch.age",
        "switch.down_age",
        "uptime_in_seconds",
        "previous_end",
    }
    assert not told.unsure


def test_a_server_that_was_slow_or_out_of_reach() -> None:
    lived: Given = {"info": {"uptime_in_seconds": 90_000}}
    told = past({NEW: lived, SENTINEL: moved(down_age=HOURS + 1), OLD: {**lived, "slowlog": {"entries": 0}}})
    assert told and "alive throughout" in told.told and "stalled" in told.told and told.unsure
    slow: Values = {"e1.command": "EVAL", "e1.usec": 3_000_000, "e1.age": HOURS + 4, "entries": 1}
    told = past({NEW: lived, SENTINEL: moved(down_age=HOURS + 1), OLD: {**lived, "slowlog": slow}})
    assert told and "EVAL took 3.0 s" in told.told and not told.unsure
    told = past({NEW: lived, SENTINEL: moved(down_age=HOURS + 1), OLD: {**lived, "slowlog": {**slow, "e1.age": 9}}})
    assert told and "EVAL" not in told.told


@pytest.mark.parametrize(("nodes", "by", "words"), [
    ({NEW: {"log": {"lines": 9}}, SENTINEL: moved("sentinel-manual")}, "sentinel-manual", "SENTINEL FAILOVER"),
    ({NEW: {"log": switch("promoted", "failover-command", old=OLD)}}, "failover-command", "handed over in sync"),
    ({NEW: {"log": switch("promoted", "client", old=OLD, client="10.0.0.9:5")}}, "client", "client at 10.0.0.9:5"),
    ({NEW: {"log": switch("promoted", "cluster", old=OLD)}, OLD: {"log": {"cluster_fail.newest_age": HOURS + 1}}},
     "cluster", f"elected {NEW}, after {OLD} had been marked as failed"),
    ({NEW: {"log": switch("promoted", "cluster-manual", old=OLD)}}, "cluster-manual", f"CLUSTER FAILOVER on {NEW}"),
    ({NEW: {"log": switch("promoted", "cluster-takeover")}}, "cluster-takeover", "without the primaries' votes"),
    # A server hides its clients' names, so that a sentinel looks like anybody.
    ({NEW: {"log": switch("promoted", "client", old=OLD)},
      SENTINEL: {"sentinel": {"m1.address": NEW, "m1.config-epoch": 1}}}, "sentinel", "Sentinel carried it out"),
])  # fmt: skip
def test_who_decided(nodes: dict[str, Given], by: str, words: str) -> None:
    told = past(nodes)
    assert told and told.by == by and words in told.told


def test_without_a_log_what_servers_and_sentinels_remember() -> None:
    watching: Values = {"m1.address": NEW, "m1.config-epoch": 3, "m1.role-reported-time": 7_200_000,
                        "m1.r1.address": OLD}  # fmt: skip
    told = past({NEW: {"replication": {"role": "master", "second_repl_offset": 99}}, SENTINEL: {"sentinel": watching}})
    assert told and told.new == NEW and told.at is None
    assert "config-epoch 3) 2 h ago" in told.told and OLD in told.told and "logs of the sentinels" in told.unsure[0]
    near: Values = {"role": "master", "second_repl_offset": 99, "output.oldest_age": 7190}
    told = past({NEW: {"replication": near}, SENTINEL: {"sentinel": watching}})
    assert told and told.at == "2026-01-31T00:05:07Z" and "at about 2026-01-31 00:05:07 UTC (2 h ago)" in told.told
    alone: Given = {
        "replication": {"role": "master", "second_repl_offset": 99, "output.oldest_age": 600},
        "info": {"uptime_in_seconds": 86_400},
    }
    told = past({NEW: alone})
    assert told and "at most 24 h ago" in told.told and "at least 10 min ago" in told.told


def test_nothing_shows() -> None:
    well: dict[str, Given] = {NEW: {"replication": {"role": "master", "second_repl_offset": -1}, "log": {"lines": 9}}}
    told = past(well)
    assert told and told.told.startswith("No failover is visible") and told.evidence and told.unsure
    assert past(well, "Checkout times out.") is None


def test_an_old_one_that_nobody_asks_about_is_kept_out_of_the_first_lines() -> None:
    told = past({NEW: {"log": switch("promoted", "client", old=OLD)}}, "Checkout times out on Redis.")
    assert told and not told.asked


@pytest.mark.parametrize(("symptom", "expected"), [
    (WHY, True), ("Redis failed over twice today", True), ("which node was promoted last night, and by whom?", True),
    ("For the review: the Redis primary isn't the one it was yesterday.", True), ("READONLY since the failover", True),
    ("our master changed at noon", True),
    ("Would our Redis fail over tonight?", False), ("Sentinel does not fail over", False),
    ("the automatic failover doesn't come", False), ("no failover happened", False), ("Redis is slow", False),
    ("it should have failed over and didn't", False),
])  # fmt: skip
def test_who_asks_for_a_failover_that_was(symptom: str, expected: bool) -> None:
    assert asked(symptom) is expected
