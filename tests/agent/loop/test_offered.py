"""Which tools a model is offered: those that could tell it something, by what was read so far."""

from agent.investigation.investigation import Investigation
from agent.investigation.sources import Options
from agent.loop.tool_calls import offered_tools
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
    assert "machine" in offered(*away, read("machine", {"cores": 2}, node="127.0.0.1:2"))
