"""What a plan proposes for a slow command: by its kind, by the key's and the caller's name, never the wrong remedy."""

import pytest

from agent.checks.slow_commands import THRESHOLDS
from agent.runbooks.placeholders import values_at
from tests.agent.checks.rows import LIMITS, view
from tools.records import Values


def test_the_plan_goes_by_the_runbooks_thresholds() -> None:
    assert {name: LIMITS[name] for name in THRESHOLDS} == THRESHOLDS


def remedies(command: str, key: str = "", args: int = 2, *, module: bool = False) -> dict[str, tuple[str, ...]]:
    slowlog: Values = {
        f"{command}.max_usec": 90_000, f"{command}.count": 3, f"{command}.newest_age": 1, "e1.command": command,
        "e1.args": args, "e1.name": "shop", "e1.client": "10.0.0.7",
    }  # fmt: skip
    stats: Values = {
        "window_seconds": 2.0, f"{command.lower()}.calls.delta": 9, f"{command.lower()}.usec_per_call.delta": 90_000,
    }  # fmt: skip
    if key:
        slowlog["e1.key"] = key
    if module:
        stats[f"{command.lower()}.module"] = True
    settings: Values = {"latency-monitor-threshold": "0"}
    return values_at(view({"slowlog": slowlog, "commandstats": stats, "config_get": settings}))


@pytest.mark.parametrize(
    ("command", "key", "says"),
    [
        ("KEYS", "", "In shop at 10.0.0.7 replace KEYS with SCAN"),
        ("HGETALL", "catalog", "replace HGETALL on catalog with HSCAN"),
        ("FT.AGGREGATE", "idx", "FT.PROFILE idx AGGREGATE"),
        ("FT.SEARCH", "idx", "FT.PROFILE idx SEARCH"),
        ("JSON.GET", "doc", "only the paths you need from doc"),
        ("JSON.SET", "doc", "only the relevant path of doc"),
        ("VSIM", "v", "VSIM on v a smaller EF"),
        ("TS.RANGE", "t", "TS.RANGE on t for a shorter range"),
        ("EVALSHA", "", "Limit the loop in the script that shop at 10.0.0.7 runs"),
        ("GRAPH.QUERY", "", "COMMAND DOCS graph.query"),
        ("SET", "cart", "how large cart is"),
        ("GEOSEARCH", "shops", "GEOSEARCH on shops"),
    ],
)
def test_each_kind_of_command_has_its_own_remedy(command: str, key: str, says: str) -> None:
    (text,) = remedies(command, key, module=command == "GRAPH.QUERY")["slow_remedy"]
    assert says in text
    assert command == "KEYS" or "SCAN" not in text.replace("HSCAN", "")


def test_only_what_no_application_needs_is_taken_away() -> None:
    assert remedies("KEYS")["unwanted_command"] == ("-keys",)
    for command in ("SET", "HGETALL", "FT.SEARCH", "EVAL", "SCAN", "MGET"):
        assert "unwanted_command" not in remedies(command)


def test_what_held_a_cheap_command_up_is_written_down_from_now_on() -> None:
    assert remedies("SET", "cart")["latency_monitor_ms"] == ("100",)
    assert "latency_monitor_ms" not in remedies("HGETALL", "catalog")


def test_many_arguments_are_what_costs() -> None:
    assert "a few hundred arguments at a time" in remedies("SADD", "members", 20_000)["slow_remedy"][0]


def test_nothing_slow_has_no_remedy() -> None:
    assert "slow_remedy" not in values_at(view({"slowlog": {"max_usec": 5}}))


def test_patterns_are_given_up_for_names() -> None:
    given = {
        "slowlog": {"PUBLISH.max_usec": 90_000, "PUBLISH.count": 3, "PUBLISH.newest_age": 1, "e1.command": "PUBLISH"},
        "commandstats": {
            "window_seconds": 2.0, "publish.calls.delta": 9, "publish.usec_per_call.delta": 90_000,
        },
        "info": {"pubsub_patterns": 20_000}, "clients": {"g1.cmd": "psubscribe", "g1.name": "socketio-pod"},
        "config_get": {"latency-monitor-threshold": "0"},
    }  # fmt: skip
    values = values_at(view(given))
    assert "In socketio-pod SUBSCRIBE" in values["slow_remedy"][0]
    assert "latency_monitor_ms" not in values


def test_a_large_key_is_overwritten_in_another_thread() -> None:
    slow: Values = {"RENAME.max_usec": 744_000, "RENAME.count": 4, "RENAME.newest_age": 1}
    assert values_at(view({"slowlog": slow}))["overwritten"] == ("yes",)
    assert "overwritten" not in values_at(view({"slowlog": slow, "info": {"valkey_version": "8.1.8"}}))


@pytest.mark.parametrize(
    ("top", "each", "sent", "told"),
    [
        ("rpop", 0.2, 1000.0, {"busiest": ("poller",), "waiting_command": ("BRPOP instead of RPOP",)}),
        ("get", 0.9, 1000.0, {"busiest": ("poller",)}),
        ("get", 900.0, 1e9, {"large_values": ("what GET reads of flags:all (1.5 MB)",)}),
        ("hset", 9000.0, 1000.0, {}),
        ("hset", 9.0, 2.1e7, {"listeners": ("150 subscribers",)}),
        ("hget", 9.0, 2.1e7, {"busiest": ("poller",)}),
    ],
)
def test_what_relieves_a_full_core_goes_by_what_fills_it(
    top: str, each: float, sent: float, told: dict[str, tuple[str, ...]]
) -> None:
    values = values_at(view({
        "commandstats": {"top": top, "top_share": 0.9, f"{top}.usec_per_call.delta": each},
        "clients": {"g1.cmd": top, "g1.name": "poller", "subscribers": 150},
        "info": {"total_net_output_bytes.rate": sent, "total_commands_processed.rate": 700.0},
        "large_commands": {"reply.command": "GET", "reply.key": "flags:all", "reply.bytes": 1_500_000},
    }))  # fmt: skip
    names = ("busiest", "waiting_command", "large_values", "listeners")
    assert {name: values[name] for name in names if name in values} == told
