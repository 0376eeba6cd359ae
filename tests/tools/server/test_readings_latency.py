"""Readings of latency on servers that stalled, forked, or ran known commands."""

import asyncio

import pytest

from evals.lab.servers import ServerKind, running
from evals.lab.wire import Wire, packed
from tests.looking import looking, number, within
from tools.errors import Unanswered
from tools.server.histogram import Histogram, latencystats
from tools.server.latency_events import latency_events

BUSY = "for i = 1, 10000000 do end"
"""A script that takes some 40 ms."""


async def done(wire: Wire, *commands: tuple[str | int, ...]) -> None:
    """Ask for one after the other."""
    for command in commands:
        await wire.ask(*command)


async def test_a_slow_command_is_an_event_and_new_only_in_its_window(kind: ServerKind) -> None:
    async with running(kind, latency_monitor_threshold="10") as server, looking(server) as (node, wire):
        values = await within(node, latency_events(node, 0.2), done(wire, ("EVAL", BUSY, 0)))
        assert (values["monitor_enabled"], values["monitor_threshold_ms"]) == (True, 10)
        assert values["command.new"] is True and number(values, "new_events") >= 1
        assert values["worst"] == "command" and values["worst_ms"] == values["command.max_600s_ms"]
        assert number(values, "command.last_ms") >= 10 and number(values, "command.age") <= 2
        assert number(values, "command.spikes_60s") >= 1
        assert "Slow Log" in str(values["doctor"]) and len(str(values["doctor"])) <= 600
        # The server stamps spikes with whole seconds.
        await asyncio.sleep(1.1)
        again = await latency_events(node, 0.2)
        assert again["command.new"] is False and again["new_events"] == 0
        assert (await latency_events(node, 0))["command.new"] is None


async def test_a_fork_and_an_expiry_of_many_keys_are_events(kind: ServerKind) -> None:
    fill = "local v = string.rep('x', 1048576) for i = 1, 120 do redis.call('SET', 'big:' .. i, v) end"
    doomed = "for i = 1, 100000 do redis.call('SET', 'k' .. i, 1, 'PX', 600) end"
    async with running(kind, latency_monitor_threshold="1") as server, looking(server) as (node, wire):
        await wire.ask("EVAL", fill, 0, timeout=20)
        await wire.ask("EVAL", doomed, 0, timeout=20)
        await wire.ask("BGSAVE")
        for _ in range(50):
            values = await latency_events(node, 0.2)
            if {"fork.max_ms", "expire-cycle.max_ms"} <= set(values):
                break
        assert number(values, "fork.max_ms") >= 1 and number(values, "expire-cycle.max_ms") >= 1
        assert values["events"] == sum(name.endswith(".max_ms") for name in values)


async def test_no_events_mean_nothing_while_the_monitor_is_off(kind: ServerKind) -> None:
    acl = "looker on >pw ~* +@all -config"
    async with running(kind, latency_monitor_threshold="0", user=acl) as server:
        async with looking(server) as (node, wire):
            await wire.ask("EVAL", BUSY, 0)
            values = await latency_events(node, 0.1)
            assert (values["events"], values["monitor_enabled"], values["monitor_threshold_ms"]) == (0, False, 0)
        async with looking(server, "looker") as (node, _):
            values = await latency_events(node, 0.1)
            assert (values["config.unavailable"], values["monitor_threshold_ms"]) == ("denied", None)
            assert values["monitor_enabled"] is False


async def test_denied_is_not_quiet(kind: ServerKind) -> None:
    async with running(kind, user="looker on >pw ~* +@all -latency") as server, looking(server, "looker") as (node, _):
        with pytest.raises(Unanswered) as error:
            await latency_events(node, 0.1)
        assert error.value.kind == "denied" and error.value.values["events"] is None


async def test_percentiles_of_the_window_are_not_those_since_the_start(kind: ServerKind) -> None:
    if not kind.at_least(7):
        pytest.skip("LATENCY HISTOGRAM is of 7.0")
    async with running(kind) as server, looking(server) as (node, wire):
        for _ in range(20):
            await wire.ask("EVAL", BUSY, 0)
        fast = packed("EVAL", "return 1", 0) * 300 + packed("GET", "nothing") * 200

        async def load() -> None:
            await done(wire, *[("INFO",)] * 5, ("SET", "a", 1))
            await wire.pipeline(fast, 300 + 200)

        values = await within(node, latencystats(node, 0.2), load())
        assert (values["eval.calls.delta"], values["get.calls.delta"]) == (300, 200)
        assert number(values, "eval.p99_usec") > number(values, "eval.window_p50_usec") * 10
        assert number(values, "get.window_p50_usec") <= number(values, "get.window_max_usec")
        # Two of the INFO calls, and all of LATENCY, were this program's.
        assert (values["info.calls.delta"], values["info.own_calls"]) == (5, 2)
        assert not [name for name in values if name.startswith("latency|")]
        assert values["tracking"] is True

        values = await within(node, latencystats(node, 0.2, 1), done(wire, ("GET", "a"), ("EVAL", BUSY, 0)))
        assert values["slowest"] == "eval" and number(values, "slowest_p99_usec") >= 1000
        assert "get.calls.delta" not in values
        assert (await latencystats(node, 0))["eval.p50_usec"]


async def test_what_latencystats_cannot_tell(kind: ServerKind) -> None:
    acl = "looker on >pw ~* +@all -latency"
    async with running(kind, user=acl) as server, looking(server, "looker") as (node, wire):
        await wire.ask("GET", "a")
        if not kind.at_least(7):
            async with looking(server) as (plain, _):
                with pytest.raises(Unanswered) as error:
                    await latencystats(plain, 0.1)
            assert error.value.kind == "unknown-command"
            return
        values = await latencystats(node, 0.1)
        assert values["histogram.unavailable"] == "denied" and "get.p50_usec" in values
        assert "get.calls.delta" not in values
    async with running(kind, latency_tracking="no") as server, looking(server) as (node, wire):
        await wire.ask("GET", "a")
        values = await latencystats(node, 0.1)
        assert values["tracking"] is False and values["commands"] == 0


def test_a_difference_of_histograms_leaves_what_came_between() -> None:
    first = Histogram(calls=10, buckets={1: 9, 1024: 1})
    last = Histogram(calls=20, buckets={1: 9, 1024: 1, 4: 9, 8: 1})
    within = last.since(first)
    assert (within.calls, within.at(0.5), within.at(0.99), within.at(1)) == (10, 4, 8, 8)
    assert first.since(last) == first
