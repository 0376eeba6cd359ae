"""How key names begin, and what a few of them weigh: names as applications write them, and on every server."""

import pytest

from evals.lab.servers import ServerKind, running
from tests.looking import looking, number
from tests.tools.server.test_readings_keys import many
from tools.errors import Unanswered
from tools.server.command_classes import known_class
from tools.server.keyspace import keyspace
from tools.server.prefixes import groups, prefixes


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([f"session:{n:04}" for n in range(6)], {"session:": 6}),
        ([f"cart:{n}:items" for n in range(6)] + ["jobs:mail"], {"cart:": 6, "jobs:mail": 1}),
        ([f"user{n}" for n in range(5)], {"user": 5}),
        ([f"sess_abc{n}x" for n in range(5)], {"sess_": 5}),
        ([f"{n:08x}-11d2-44cf" for n in range(5)], {"": 5}),
        # Letters alone vary too.
        ([f"token:{chr(97 + n) * 5}" for n in range(5)], {"token:": 5}),
        ([f"token:{chr(97 + n) * 5}" for n in range(4)], {f"token:{chr(97 + n) * 5}": 1 for n in range(4)}),
        ([], {}),
    ],
)
def test_names_are_grouped_by_how_they_begin(names: list[str], expected: dict[str, int]) -> None:
    assert {prefix: len(having) for prefix, having in groups(names).items()} == expected


async def test_a_kind_of_key_is_weighed_by_one_of_it(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, wire):
        await many(
            wire, *(("SET", f"session:{n:05}", "x" * 1000, "EX", 900) for n in range(4000)),
            *(("SET", f"order:{n:05}", "y" * 100) for n in range(2000)),
        )  # fmt: skip
        await node.connection()
        spent = node.budget.commands
        values = await prefixes(node, calls=6)
        assert node.budget.commands - spent == values["calls"]
    assert number(values, "calls") <= 6
    assert values["complete"] is False
    assert (values["p1.prefix"], values["p2.prefix"]) == ("session:", "order:")
    assert number(values, "p1.share") > number(values, "p2.share") > 0.15
    assert 1000 < number(values, "p1.key_bytes") < 2000
    assert (number(values, "p1.ttl_ms") > 0, values["p2.ttl_ms"]) == (True, -1)
    assert str(values["k1.key"]).startswith("session:")


async def test_a_large_key_is_found_by_its_type(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, wire):
        await many(wire, *(("SET", f"session:{n:05}", "x") for n in range(500)))
        await wire.ask("HSET", "leaderboard", *(part for n in range(20_000) for part in (f"field{n}", "z" * 60)))
        values = await prefixes(node, calls=6, kind="hash")
        told = await keyspace(node, window=0)
    assert (values["k1.key"], values["k1.type"]) == ("leaderboard", "hash")
    assert number(values, "k1.bytes") > 1 << 20
    assert number(values, "calls") <= 6
    sizes = kind.name.startswith("redis") and kind.at_least(8)
    assert told.get("longest.hashes") == (16384 if sizes else None)


async def test_an_empty_database_and_a_user_without_rights(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server, "app") as (node, wire):
        await wire.ask("ACL", "SETUSER", "app", "on", ">pw", "~app:*", "+ping", "+client", "+scan")
        assert (await prefixes(node))["sampled"] == 0
        await many(wire, *(("SET", f"other:{n}", "v") for n in range(9)))
        with pytest.raises(Unanswered) as caught:
            await prefixes(node)
    assert caught.value.kind == "denied"


async def test_what_needs_memory_is_what_the_server_flags(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (_, wire):
        rows = await wire.ask("COMMAND", timeout=10)
    # XGROUP is flagged as a whole on 6.2 only; it adds no data by itself.
    flagged = {str(row[0]): "denyoom" in map(str, row[2]) for row in rows if row[0] not in ("xgroup", "pfdebug")}
    known = {name: one for name in flagged if (one := known_class(name))}
    assert {name for name, one in known.items() if one.needs_memory != flagged[name]} == set()
