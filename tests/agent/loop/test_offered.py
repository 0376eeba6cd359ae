"""Which tools a model is offered: those that could tell it something, by what was read so far."""

from agent.investigation.investigation import Investigation
from agent.investigation.sources import Options
from agent.loop.offered import offered_tools
from agent.runbooks.library import load
from tools.clock import SystemClock
from tools.connection.target import parse_target
from tools.records import Reading, Unavailable, Values

MACHINE = {"process", "sockets", "machine", "disk", "log", "kernel_log"}
STANDALONE: Values = {"server_mode": "standalone"}


def offered(*readings: Reading) -> set[str]:
    target = parse_target("redis://127.0.0.1:1", environ={})
    incident = Investigation(target, "", load(), SystemClock(), lambda event: None, Options())
    incident.toolbox.recall(readings)
    return {tool["function"]["name"] for tool in offered_tools(incident.toolbox)}


def read(tool: str, values: Values | None = None, *, here: bool = True, node: str = "127.0.0.1:1") -> Reading:
    away = None if here else Unavailable(kind="not-local", detail="another machine")
    return Reading(
        id="r1", tool=tool, args={}, node=node, at="2026-01-31T02:05:07Z", ms=1.0, values=values, unavailable=away
    )


def test_before_anything_is_read_all_are() -> None:
    assert offered() >= {"cluster", "history", *MACHINE}


def test_a_standalone_server_without_a_past() -> None:
    assert not offered(read("info", STANDALONE)) & {"cluster", "history"}
    assert "history" in offered(read("info", STANDALONE), read("history", {"figures": 3}))
    assert "cluster" in offered(read("info", STANDALONE), read("info", {"redis_mode": "cluster"}, node="a:2"))
    assert "cluster" in offered(read("info", STANDALONE), read("info", node="a:2", here=False))


def test_a_machine_that_is_not_seen_from_here() -> None:
    away = [read(tool, here=False) for tool in MACHINE]
    assert not offered(*away) & MACHINE
    assert "log_events" in offered(read("log", {"lines": 3})) and "log_events" not in offered(*away)
    # What one of several nodes' machines told is taken again by its reading, at any node.
    assert "machine" not in offered(*away, read("machine", {"cores": 2}, node="127.0.0.1:2"))


def test_what_a_machine_that_is_not_seen_would_tell_is_not_offered_either() -> None:
    away = [read(tool, here=False) for tool in ("process", "sockets", "machine")]
    assert not offered(*away) & {*MACHINE, "log_events", "config_drift"}
    # A log may come from elsewhere.
    assert "log_events" in offered(*away, read("log", {"lines": 3}))
    assert "log" in offered(*away[:2], read("machine", {"cores": 2}))


def test_what_was_read_is_taken_again_by_its_reading() -> None:
    assert not offered(read("memory", {"x": 1}), read("log", {"lines": 3})) & {"memory", "log"}
    denied = Reading(
        id="r9", tool="memory", args={}, node="127.0.0.1:1", at="2026-01-31T02:05:07Z", ms=1.0, values=None,
        unavailable=Unavailable(kind="timeout", detail="2 s"),
    )  # fmt: skip
    assert "memory" in offered(denied)


def test_a_primary_that_is_alone() -> None:
    alone: Values = {**STANDALONE, "role": "master", "connected_slaves": 0}
    topology = read("topology", {"topology": "standalone", "sentinels": "none"})
    names = offered(read("info", alone), topology, read("replication", {"role": "master"}))
    assert not names & {"topology", "replication", "same_server", "cluster"}
    joined = offered(read("info", {**alone, "connected_slaves": 1}), topology, read("replication", {"role": "master"}))
    assert "same_server" in joined
    assert "same_server" in offered(read("info", alone), topology, read("same_server", {"runs": 2}))


def test_a_server_that_answers_at_once() -> None:
    prompt = (read("connect", {"stage": "ping"}), read("latency_sample", {"answered": 60}))
    assert not offered(*prompt) & {"ping", "silence", "script"}
    busy = Reading(
        id="r9", tool="memory", args={}, node="127.0.0.1:1", at="2026-01-31T02:05:07Z", ms=1.0, values=None,
        unavailable=Unavailable(kind="busy", detail="-BUSY"),
    )  # fmt: skip
    assert offered(*prompt, busy) >= {"ping", "silence", "script"}


def test_a_server_without_keys() -> None:
    keyed = {"big_keys", "prefixes", "lists", "streams"}
    assert not offered(read("keyspace", {"keys": 0})) & keyed
    assert offered(read("keyspace", {"keys": 1})) >= keyed


def test_a_server_that_keeps_no_large_commands() -> None:
    assert "large_commands" not in offered(read("info", {"redis_version": "8.2.0"}))
    assert "large_commands" not in offered(read("info", {"redis_version": "7.2.4", "valkey_version": "8.0.9"}))
    assert "large_commands" in offered(read("info", {"redis_version": "7.2.4", "valkey_version": "8.1.0"}))
    assert "large_commands" in offered(read("info", here=False))
