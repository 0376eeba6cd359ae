"""INFO commandstats as a reading: what a cut by cost must not take away."""

import pytest
from hiredis import ReplyError

from evals.lab.servers import ServerKind, running
from evals.lab.wire import Wire, dial
from tests.looking import looking, within
from tools.server.commandstats import commandstats

pytestmark = pytest.mark.live

BUSY = (
    "SET",
    "GET",
    "INCR",
    "LPUSH",
    "LPOP",
    "SADD",
    "SREM",
    "HSET",
    "HGET",
    "ZADD",
    "ZREM",
    "APPEND",
    "STRLEN",
    "TTL",
)


async def _work(wire: Wire) -> None:
    for name in BUSY * 3:
        arguments = {"ZADD": ("1", "a"), "HSET": ("a", "b")}.get(name, ("a",))
        bare = name in ("GET", "INCR", "LPOP", "STRLEN", "TTL")
        await wire.ask(name, f"{name}:{{k}}" if name != "INCR" else "n", *(() if bare else arguments))


async def test_what_was_refused_is_kept_however_little_it_cost(kind: ServerKind) -> None:
    async with running(kind, user="weak on >pw ~* +@all -psync") as server, looking(server) as (node, wire):
        weak = await dial(server.url.replace("//", "//weak:pw@"))

        async def happen() -> None:
            await _work(wire)
            for _ in range(3):
                with pytest.raises(ReplyError, match="NOPERM"):
                    await weak.ask("PSYNC", "?", "-1")

        values = await within(node, commandstats(node, 0.5, 12), happen())
        await weak.close()
        assert values["psync.rejected_calls.delta"] == 3
        later = await commandstats(node, 0.1, 12)
        assert (later["psync.rejected_calls"], later["psync.rejected_calls.delta"]) == (3, 0)


async def test_this_programs_own_commands_make_room_for_others(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, wire):
        await _work(wire)
        await node.ask(("CONFIG", "GET", "save"), ("ACL", "WHOAMI"), ("CLIENT", "LIST"))
        values = await commandstats(node, 0.1, 12)
    shown = {field.rpartition(".calls")[0] for field in values if field.endswith(".calls")}
    assert not shown & {"acl", "acl|whoami", "client", "client|list"}


async def test_what_this_program_was_refused_is_nobodys_failure(kind: ServerKind) -> None:
    acl = "looker on >pw ~* +@all -slowlog -config"
    async with running(kind, user=acl) as server, looking(server, "looker") as (node, _):
        await node.ask(("CONFIG", "GET", "save"))
        refused = node.ask(("CONFIG", "GET", "save"), ("SLOWLOG", "LEN"))
        values = await within(node, commandstats(node, 0.3, 12), refused)
    assert not [field for field, value in values.items() if field.endswith("rejected_calls.delta") and value]
