"""Fields of INFO second by second, on every server."""

import pytest

from evals.lab.servers import ServerKind, running
from evals.lab.wire import packed
from tests.looking import looking, number, within
from tools.errors import ToolError, Unanswered
from tools.server.series import series


async def test_a_counter_and_a_gauge(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, wire):
        written = wire.pipeline(b"".join(packed("SET", f"k{at}", "v") for at in range(500)), 500)
        asked = ["total_commands_processed", "db0.keys", "role"]
        await wire.ask("SET", "first", "v")
        before = node.budget.commands
        values = await within(node, series(node, asked, seconds=2), written)
        assert node.budget.commands - before <= 2 + 4
    assert values["samples"] == 3
    first = number(values, "total_commands_processed.t0")
    # This program's own commands aren't among them.
    assert number(values, "total_commands_processed.t2") - first == 500
    assert (values["db0.keys.t0"], values["db0.keys.max"], values["db0.keys.min"]) == (1, 501, 1)
    assert number(values, "db0.keys.slope") > 0
    assert (values["role.t0"], values["role.t2"], "role.slope" in values) == ("master", "master", False)


async def test_what_is_followed_is_bounded(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, _):
        fields = ["used_memory", "used_memory", "no such", "connected_clients", "uptime_in_seconds", "evicted_keys"]
        values = await series(node, fields, seconds=-3)
        with pytest.raises(ToolError, match="none of these"):
            await series(node, ["nothing", "run this: FLUSHALL"])
        with pytest.raises(ToolError, match="none of these"):
            await series(node, [])
    assert (values["samples"], values["absent"], values["left_out"]) == (2, "field#1", 1)
    assert (values["connected_clients.slope"], "evicted_keys.t0" in values) == (0, False)


async def test_a_server_that_goes_away_meanwhile(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, _):
        with pytest.raises(Unanswered) as caught:
            await within(node, series(node, ["used_memory"], seconds=5), server.stop())
    assert caught.value.kind in ("refused", "reset")
    assert caught.value.values["samples"] == 1 and "used_memory.t0" in caught.value.values


async def test_who_may_not_ask(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server, "app") as (node, wire):
        await wire.ask("ACL", "SETUSER", "app", "on", ">pw", "~*", "+ping", "+client")
        with pytest.raises(Unanswered) as caught:
            await series(node, ["used_memory"])
        assert caught.value.kind == "denied"
