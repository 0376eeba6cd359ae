"""A deployment as a tree, and what changed in it."""

from agent.answer.diagnosis import Diagnosis, TargetInfo
from agent.report.changes import changes, silent_sources
from agent.report.deployment import tree
from tests.stand_in import answer
from tools.records import Reading, Unavailable, Values


def reading(tool: str, node: str | None, values: Values, failed: Unavailable | None = None) -> Reading:
    return Reading(id="r7", tool=tool, args={}, node=node, at="", ms=1.0, values=values, unavailable=failed)


def deployment(*readings: Reading, nodes: tuple[str, ...] = ("a:1", "b:1", "c:1")) -> Diagnosis:
    base = answer("no-fault")
    return base.model_copy(update={"target": TargetInfo(url="redis://a:1", nodes=nodes), "readings": readings})


def replica(of: str, **more: str | int) -> Values:
    host, _, port = of.partition(":")
    return {"role": "slave", "master_host": host, "master_port": int(port), "master_link_status": "up", **more}


def test_one_node_has_no_tree() -> None:
    assert tree(answer("no-fault")) == []


def test_replicas_stand_below_their_primary_with_state_and_lag() -> None:
    primary: Values = {
        "role": "master", "replica1.address": "b:1", "replica1.state": "online", "replica1.lag_bytes": 0,
        "replica2.address": "c:1", "replica2.state": "online", "replica2.lag_bytes": 9 * 2**20,
    }  # fmt: skip
    shown = tree(deployment(
        reading("replication", "a:1", primary), reading("replication", "b:1", replica("a:1")),
        reading("replication", "c:1", replica("a:1")),
    ))  # fmt: skip
    assert shown == ["a:1 primary", "├ b:1 replica, in step", "└ c:1 replica, 9 MiB behind"]


def test_a_link_that_is_down_says_since_when() -> None:
    down = replica("a:1", master_link_status="down", master_link_down_since_seconds=1500)
    shown = tree(deployment(
        reading("topology", None, {"n1.node": "a:1", "n1.role": "unknown", "n1.seen": "down"}),
        reading("connect", "a:1", {}, Unavailable(kind="refused", detail="refused")),
        reading("replication", "b:1", down), nodes=("a:1", "b:1"),
    ))  # fmt: skip
    assert shown == ["a:1 server, down (refused)", "└ b:1 replica, link down for 25 min"]


def test_the_healthy_nodes_of_a_cluster_are_one_line() -> None:
    nodes = tuple(f"n{number}:1" for number in range(60))
    well = [
        one for node in nodes[:-1] for one in (
            reading("replication", node, {"role": "master"}),
            reading("cluster", node, {"my_slots": 273, "cluster_state": "ok"}),
        )
    ]  # fmt: skip
    ill = reading("connect", nodes[-1], {}, Unavailable(kind="timeout", detail=""))
    assert tree(deployment(*well, ill, nodes=nodes)) == [
        "n59:1 server, doesn't answer (timeout)", "the other 59 primaries are well"
    ]  # fmt: skip


def test_what_changed_says_since_when_and_by_how_much() -> None:
    past = reading("history", "a:1", {
        "changed1.field": "connected_clients", "changed1.before": 20, "changed1.at": 112,
        "changed1.when": "2026-01-31T00:31:07Z", "changed2.field": "total_commands_processed.rate",
        "changed2.before": 780.2, "changed2.at": 91.0, "changed2.when": "2026-01-31T00:32:00Z",
    })  # fmt: skip
    good = reading("baseline", "a:1", {
        "age_days": 3.02, "changed1.field": "used_memory", "used_memory.before": 2**20, "used_memory.now": 2**30,
    })  # fmt: skip
    assert changes(deployment(past, good)) == [
        "clients connected 20 -> 112 since 00:31 UTC", "commands 780/s -> 91/s since 00:32 UTC",
        "since the baseline, 3 days ago: of memory used 1 MiB -> 1 GiB",
    ]  # fmt: skip


def test_what_somebody_changed_comes_first_and_what_was_slow_then_last() -> None:
    past = reading("history", "a:1", {
        "config1.parameter": "maxclients", "config1.before": "10000", "config1.after": "64",
        "config1.when": "2026-01-31T00:30:00Z", "changed1.field": "maxclients", "changed1.before": 10_000,
        "changed1.at": 64, "changed1.when": "2026-01-31T00:31:00Z", "changed2.field": "clients_worker-*.count",
        "changed2.before": 0, "changed2.at": 80, "changed2.when": "2026-01-31T00:31:07Z", "slow1.command": "HGETALL",
        "slow1.key": "basket", "slow1.usec": 2_100_000, "slow1.when": "2026-01-31T00:29:00Z",
    })  # fmt: skip
    assert changes(deployment(past)) == [
        "maxclients was set from 10000 to 64 at 00:30 UTC", "connections of worker-* 0 -> 80 since 00:31 UTC",
        "slowest then: HGETALL basket, 2.1 s at 00:29 UTC",
    ]  # fmt: skip


def test_a_source_that_told_nothing_is_named_and_one_that_nobody_named_is_not() -> None:
    silent = reading("history", "a:1", {}, Unavailable(kind="refused", detail="http://p:9090: connection refused"))
    unasked = reading("history", "b:1", {}, Unavailable(kind="not-recorded", detail="no Prometheus was named: give it"))
    assert silent_sources(deployment(silent, unasked)) == [
        "the history has no figures: http://p:9090: connection refused"
    ]
