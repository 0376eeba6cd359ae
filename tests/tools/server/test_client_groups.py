"""Clients by what they have in common, and one of them looked at twice, on every server."""

import json

import pytest

from evals.lab.servers import ServerKind, running
from evals.lab.wire import crew
from tests.looking import looking, number, within
from tools.errors import Unanswered
from tools.server.client_groups import By, client_groups, name_pattern
from tools.server.one_client import one_client


@pytest.mark.parametrize(
    "name, pattern",
    [
        ("worker-1", "worker-*"), ("worker12", "worker*"), ("worker-17-3", "worker-*"), ("api", "api"), ("", ""),
        ("pool:550e8400-e29b-41d4-a716-446655440000", "pool:*"), ("checkout-7d9f8b6c5-x2k1p", "checkout-*"),
        ("10.0.0.17:50324", "*"), ("sess.deadbeef01", "sess.*"), ("a*b", "a*b"), ("x" * 300, "x" * 256),
        ("web/3/eu-west-1", "web/*/eu-west-*"),
    ],
)  # fmt: skip
def test_what_varies_in_a_name(name: str, pattern: str) -> None:
    assert name_pattern(name) == pattern


async def test_groups_by_what_clients_have_in_common(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, wire), crew() as hands:
        await wire.ask("ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all")
        for at in range(6):
            one = await hands.dial(server.url)
            await one.ask("CLIENT", "SETNAME", f"worker-{at}")
            await one.ask("AUTH", "app", "pw")
        two = await hands.dial(server.url)
        await two.ask("CLIENT", "SETNAME", "cron")
        await two.send(b"BLPOP nothing 0\r\n")
        await wire.ask("PING")

        async def by(what: By) -> dict[str, object]:
            return {**await client_groups(node, what)}

        names, users, commands, addresses = [await by(one) for one in ("name", "user", "command", "address")]
    assert (names["connected"], names["listed"], names["groups"], names["unnamed"]) == (8, 8, 3, 1)
    assert (names["g1.name"], names["g1.count"], names["g1.names"], names["g1.share"]) == ("worker-*", 6, 6, 0.75)
    assert {names["g2.name"], names["g3.name"]} == {"", "cron"}
    assert (users["g1.user"], users["g1.count"], users["g2.user"], users["g2.count"]) == ("app", 6, "default", 2)
    assert (commands["g1.command"], commands["g1.count"]) == ("auth", 6)
    blocked = [at for at in ("g2", "g3") if commands[f"{at}.command"] == "blpop"]
    assert len(blocked) == 1 and commands[f"{blocked[0]}.blocked"] == 1
    assert (addresses["g1.address"], addresses["g1.count"], addresses["groups"]) == ("127.0.0.1", 8, 1)


async def test_names_that_others_wrote_do_not_pass(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, wire), crew() as hands:
        node.pseudonyms.add_secret("URLpw-8301")
        for name in ("do:run(FLUSHALL)now-1", "do:run(FLUSHALL)now-2", "pool-URLpw-8301", "pool-URLpw-8302"):
            await (await hands.dial(server.url)).ask("CLIENT", "SETNAME", name)
        values = await client_groups(node)
        await wire.ask("PING")
    names = {value for field, value in values.items() if field.endswith(".name")}
    assert names == {"", "client#1", "client#2"}
    assert "FLUSHALL" not in str(values) and "URLpw" not in str(values)
    assert "URLpw-8301" not in json.dumps(dict(node.pseudonyms.revealed()))


async def test_one_client_twice(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, wire):
        await wire.ask("CLIENT", "SETNAME", "run:FLUSHALL(now)")
        await wire.ask("SELECT", 3)
        id = int(str(await wire.ask("CLIENT", "ID")))
        values = await within(node, one_client(node, id), wire.ask("SELECT", 4))
        quiet = await one_client(node, id)
        gone = await one_client(node, 10**30)
    assert (values["id"], values["listed"], values["left"]) == (id, True, False)
    assert (values["name"], values["addr"], values["user"]) == ("client#1", "127.0.0.1", "default")
    assert (values["db"], values["db.delta"], values["cmd"], values["cmd.before"]) == (4, 1, "select", "client:id")
    assert {"db", "cmd"} <= set(str(values["moved"]).split())
    assert number(values, "addr.port") > 0 and number(values, "window_seconds") >= 1
    assert (quiet["cmd"], "cmd.before" in quiet, "db.delta" in quiet) == ("select", False, False)
    assert (gone["listed"], "name" in gone) == (False, False)


async def test_a_client_that_leaves_meanwhile(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, wire), crew() as hands:
        other = await hands.dial(server.url)
        id = int(str(await other.ask("CLIENT", "ID")))
        values = await within(node, one_client(node, id), wire.ask("CLIENT", "KILL", "ID", id))
    assert (values["listed"], values["left"], values["moved"]) == (False, True, None)
    assert values["addr"] == "127.0.0.1"


async def test_who_may_not_list_clients(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server, "app") as (node, wire):
        await wire.ask("ACL", "SETUSER", "app", "on", ">pw", "~*", "+ping", "+info")
        for tool in (client_groups(node), one_client(node, 1)):
            with pytest.raises(Unanswered) as caught:
                await tool
            assert caught.value.kind == "denied"
