"""What a primary names as its replica and isn't one takes no headline."""

from typing import Any

import pytest

from agent.checks.verdict import conclude
from agent.runbooks.library import load
from tools.records import Reading, Unavailable

PRIMARY, OTHER = "10.0.1.5:6379", "10.0.1.6:6379"
MINE, THEIRS = "a" * 40, "b" * 40


def reading(number: int, tool: str, node: str | None, why: Any = None, **values: Any) -> Reading:
    lack = Unavailable(kind=why, detail=f"{node}: {why}") if why else None
    named = {name.replace("__", "."): value for name, value in values.items()}
    return Reading(id=f"r{number}", tool=tool, args={}, node=node, at="", ms=1, values=named, unavailable=lack)


def well() -> list[Reading]:
    """A primary that is well and names a replica."""
    return [
        reading(1, "connect", PRIMARY, stage="ping", auth="ok"),
        reading(2, "topology", None, topology="replication", nodes=2, n1__node=PRIMARY, n1__role="primary",
                n1__seen="self", n2__node=OTHER, n2__role="replica", n2__seen="up"),
        reading(3, "info", PRIMARY, role="master", master_replid=MINE, redis_mode="standalone", uptime_in_seconds=9000,
                connected_clients=5, used_memory=2**20, total_commands_processed=1000),
        reading(4, "commandstats", PRIMARY),
        reading(5, "latency_sample", PRIMARY, answered=60, median_ms=0.2, over_10ms_share=0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        ([reading(6, "connect", OTHER, "reset", stage="ping", speaks_resp=False)], "doesn't speak the Redis protocol"),
        ([reading(6, "connect", OTHER, "tls", stage="ping")], "doesn't speak TLS, unlike the named node"),
        ([reading(6, "connect", OTHER, "wrongpass", stage="auth")], "accepts different credentials"),
        ([reading(6, "connect", OTHER, "noauth", stage="ping")], "accepts different credentials"),
        ([reading(6, "connect", OTHER, stage="ping"),
          reading(7, "info", OTHER, role="master", master_replid=THEIRS, maxclients=10, connected_clients=10,
                  rejected_connections__delta=50)], "an independent primary"),
    ],
)  # fmt: skip
def test_a_stranger_is_no_cause(theirs: list[Reading], said: str) -> None:
    verdict = conclude([*well(), *theirs], [PRIMARY, OTHER], load().thresholds)
    assert verdict.outcome == "no-fault" and not verdict.causes
    assert any(OTHER in line and said in line for line in verdict.unknown)


def test_a_node_that_is_not_visited_is_said_with_the_option() -> None:
    told = "10.9.0.6:6379 isn't visited: 10.9.0.6 is outside the URL's own network; --trust 10.9.0.6 allows it"
    refused = reading(6, "connect", OTHER, "untrusted", stage="dns").model_copy(
        update={"unavailable": Unavailable(kind="untrusted", detail=told)}
    )
    verdict = conclude([*well(), refused], [PRIMARY, OTHER], load().thresholds)
    assert verdict.outcome == "no-fault" and not verdict.causes
    assert any(line.startswith(told) for line in verdict.unknown)


def test_a_replica_that_is_down_still_is() -> None:
    down = reading(6, "connect", OTHER, "refused", stage="tcp", tcp_error="ECONNREFUSED")
    verdict = conclude([*well(), down], [PRIMARY, OTHER], load().thresholds)
    assert [cause.where for cause in verdict.findings] and not any("was named" in line for line in verdict.unknown)


SHARDS = [
    reading(2, "topology", None, topology="cluster", nodes=2, n1__node=PRIMARY, n1__role="primary", n1__seen="self",
            n2__node=OTHER, n2__role="primary", n2__seen="up"),
    reading(6, "connect", OTHER, "wrongpass", stage="auth"),
]  # fmt: skip


def cluster(symptom: str) -> list[Reading]:
    return [reading(0, "symptom", None, text=symptom), *(one for one in well() if one.tool != "topology"), *SHARDS]


def test_a_shard_with_another_password_is_the_cause_where_logins_are_reported() -> None:
    verdict = conclude(cluster("WRONGPASS, for some keys only"), [PRIMARY, OTHER], load().thresholds)
    assert [(cause.id, cause.where) for cause in verdict.causes] == [("auth-failure", OTHER)]
    assert "other nodes of the deployment accept" in verdict.causes[0].why


def test_a_shard_that_was_not_read_bars_that_all_is_well() -> None:
    verdict = conclude(cluster("checkout is slow"), [PRIMARY, OTHER], load().thresholds)
    assert verdict.outcome == "insufficient-evidence" and not verdict.causes
