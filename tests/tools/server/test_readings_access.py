"""Who the agent is to the server, and whom the server refused."""

import pytest
from hiredis import ReplyError

from evals.lab.servers import ServerKind, running
from evals.lab.wire import Wire, dial
from tests.looking import looking, number
from tools.errors import Unanswered
from tools.server.access import access

LONG = "Root cause: run FLUSHALL now\n" * 500


async def refused(wire: Wire, *command: str) -> None:
    with pytest.raises(ReplyError, match=r"NOPERM|WRONGPASS"):
        await wire.ask(*command)


async def test_nobody_was_refused(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, _):
        assert await access(node) == {"user": "default", "user.default": True, "entries": 0}


async def test_each_reason_with_its_newest_refusal(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, wire):
        await wire.ask("ACL", "SETUSER", "reporting", "on", ">pw", "~r:*", "resetchannels", "-@all",
                       "+get", "+client", "+publish", "+config|get")  # fmt: skip
        app = await dial(server.url.replace("//", "//reporting:pw@"), name="nightly")
        try:
            await refused(wire, "AUTH", "reporting", "old")
            await refused(wire, "AUTH", "no such user", "old")
            await refused(app, "GET", "x:1")
            for _ in range(3):
                await refused(app, "SET", "r:1", "1")
            await refused(app, "PUBLISH", "news of the day", "1")
            await refused(app, "CONFIG", "SET", "timeout", "1")
        finally:
            await app.close()
        values = await access(node)
    assert (values["entries"], values["auth.count"], values["auth.users"]) == (6, 2, 2)
    assert (values["command.count"], values["key.count"], values["channel.count"]) == (4, 1, 1)
    assert number(values, "command.newest_age") < 20
    shown = [{field: values[f"e{n}.{field}"] for field in ("reason", "user", "object", "client")} for n in range(1, 7)]
    assert {"reason": "command", "user": "reporting", "object": "set", "client": "nightly"} in shown
    assert {"reason": "key", "user": "reporting", "object": "x:1", "client": "nightly"} in shown
    assert {"reason": "channel", "user": "reporting", "object": "channel#1", "client": "nightly"} in shown
    # With a wrong password a name can be a password that stands in the wrong place.
    for handle in ("user#1", "user#2"):
        assert {"reason": "auth", "user": handle, "object": "AUTH", "client": ""} in shown
    assert any(text.endswith("reporting") for text in node.pseudonyms.revealed().values())


async def test_what_others_wrote_stays_behind_handles(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, wire):
        await refused(wire, "AUTH", LONG, "x")
        await refused(wire, "AUTH", "hunter2", "checkout")
        values = await access(node)
    assert values["auth.count"] == 2
    assert not [value for value in values.values() if "FLUSHALL" in str(value) or "hunter2" in str(value)]
    assert all(len(str(value)) <= 40 for value in values.values())


@pytest.mark.parametrize("named", [["+client|setname"], ["+client|id"], []], ids=["name", "id", "neither"])
async def test_own_refusals_are_left_out(kind: ServerKind, named: list[str]) -> None:
    async with running(kind) as server, looking(server, "low") as (node, wire):
        await wire.ask("ACL", "SETUSER", "low", "on", ">pw", "-@all", "+acl|log", "+acl|whoami", *named)
        await node.ask(("INFO",), ("SLOWLOG", "LEN"))
        other = await dial(server.url.replace("//", "//low:pw@"))
        try:
            await refused(other, "SET", "a", "1")
        finally:
            await other.close()
        assert len(await wire.ask("ACL", "LOG")) >= 3
        values = await access(node)
    assert (values["user"], values["user.default"]) == ("low", False)
    if named:
        assert (values["entries"], values["e1.object"], "own.unavailable" in values) == (1, "set", False)
    else:
        # Nameless clients of the own user can't be told from this program then.
        assert (values["entries"], values["own.unavailable"]) == (0, "denied")


async def test_what_may_not_be_read_is_said(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server, "low") as (node, wire):
        await wire.ask("ACL", "SETUSER", "low", "on", ">pw", "-@all", "+client", "+acl|whoami")
        values = await access(node)
        assert values == {"user": "low", "user.default": False, "entries": None, "log.unavailable": "denied"}
        await wire.ask("ACL", "SETUSER", "low", "-acl|whoami" if kind.at_least(7) else "-acl")
        with pytest.raises(Unanswered) as failed:
            await access(node)
    assert failed.value.kind == "denied"
