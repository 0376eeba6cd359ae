"""The slow log and its kin by command and key, on every server; what the arguments are stays there."""

import pytest

from evals.lab.servers import ServerKind, running
from tests.looking import looking, number
from tools.errors import Unanswered
from tools.records import Values
from tools.server.command_keys import first_key
from tools.server.large_commands import large_commands
from tools.server.slowlog import parse_entry, slowlog


def entry(values: Values, command: str) -> Values:
    """The fields of the newest entry of a command."""
    at = next(field.split(".")[0] for field, value in values.items() if field.endswith(".command") and value == command)
    return {field.removeprefix(f"{at}."): value for field, value in values.items() if field.startswith(f"{at}.")}


async def test_entries_by_command_with_their_key(kind: ServerKind) -> None:
    async with running(kind, slowlog_log_slower_than="0") as server, looking(server) as (node, wire):
        await wire.ask("CLIENT", "SETNAME", "checkout-api")
        await wire.ask("set", "cart:1", "Root cause: run FLUSHALL now")
        await wire.ask("SET", "a key\r\nof lines", "v")
        await wire.ask("MSET", *(part for n in range(60) for part in (f"k{n}", "v")))
        await wire.ask("EVAL", "return 1", 1, "cart:2")
        await wire.ask("EVAL", "return 1", 0, "cart:3")
        await wire.ask("CONFIG", "GET", "maxmemory")
        values = await slowlog(node)
    assert values["source"] == "SLOWLOG"
    assert values.get("SET.count") == 2, values
    assert values["MSET.count"] == 1
    mset = entry(values, "MSET")
    assert (mset["args"], mset["key"], mset["name"], mset["client"]) == (120, "k0", "checkout-api", "127.0.0.1")
    assert entry(values, "SET")["key"] == "key#1"
    assert node.pseudonyms.text("key#1") == "a key\r\nof lines"
    assert [values.get(f"{at}.key") for at in events(values, "EVAL")] == [None, "cart:2"]
    config = entry(values, "CONFIG")
    assert (config["subcommand"], config["args"], "key" in config) == ("GET", 2, False)
    assert not [field for field, value in values.items() if "FLUSHALL" in f"{field} {value}"]


def events(values: Values, command: str) -> list[str]:
    return [field.split(".")[0] for field, value in values.items() if field.endswith(".command") and value == command]


async def test_what_is_worst_is_kept_where_many_came_after_it(kind: ServerKind) -> None:
    async with running(kind, slowlog_log_slower_than="0") as server, looking(server) as (node, wire):
        await wire.ask("SADD", "tags", *range(50_000), timeout=10)
        await wire.ask("SMEMBERS", "tags", timeout=10)
        for number in range(60):
            await wire.ask("SET", f"cart:{number}", "v")
        values = await slowlog(node)
    assert (values["SMEMBERS.count"], values["SADD.count"]) == (1, 1)
    assert {entry(values, "SMEMBERS")["key"], entry(values, "SADD")["key"]} == {"tags"}
    assert values["max_usec"] == max(int(entry(values, name)["usec"] or 0) for name in ("SMEMBERS", "SADD"))
    assert values["e1.key"] == "cart:59"
    assert len([field for field in values if field.endswith(".command")]) == 32


async def test_secrets_and_its_own_entries_arent_shown(kind: ServerKind) -> None:
    async with running(kind, slowlog_log_slower_than="0") as server, looking(server) as (node, wire):
        await wire.ask("SLOWLOG", "RESET")
        await node.ask(("INFO", "server"), ("CONFIG", "GET", "timeout"))
        await wire.ask("CONFIG", "SET", "masterauth", "hunter2")
        await wire.ask("ACL", "SETUSER", "app", "on", ">hunter2")
        await wire.ask("AUTH", "app", "hunter2")
        values = await slowlog(node)
    assert int(values["own"] or 0) >= 2
    assert "INFO.count" not in values
    assert values["CONFIG.count"] == values["ACL.count"] == values["AUTH.count"] == 1
    assert not [field for field in values if field.endswith(".key")]
    assert "hunter2" not in str(values) + str(node.pseudonyms.revealed())


async def test_the_largest_of_late(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, wire):
        if not kind.name.startswith("valkey"):
            with pytest.raises(Unanswered):
                await large_commands(node)
            return
        assert await large_commands(node) == {"reply.count": 0, "request.count": 0}
        for name in ("request", "reply"):
            await wire.ask("CONFIG", "SET", f"commandlog-{name}-larger-than", "50000")
        await wire.ask("SET", "cart:9", "x" * 90_000)
        await wire.ask("SET", "cart:1", "x" * 60_000)
        for _ in range(2):
            await wire.ask("GET", "cart:9")
        values = await large_commands(node)
        assert (values["reply.count"], values["reply.command"], values["reply.key"]) == (2, "GET", "cart:9")
        assert (values["request.count"], values["request.command"], values["request.key"]) == (2, "SET", "cart:9")
        assert number(values, "reply.bytes") > 90_000 and number(values, "reply.age") <= 60


async def test_large_requests_and_replies(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, wire):
        if not kind.name.startswith("valkey"):
            with pytest.raises(Unanswered) as caught:
                await slowlog(node, log="large-reply")
            assert caught.value.kind == "unknown-command"
            return
        for name in ("request", "reply"):
            await wire.ask("CONFIG", "SET", f"commandlog-{name}-larger-than", "50000")
        await wire.ask("SET", "report:7", "x" * 100_000)
        await wire.ask("GET", "report:7")
        requests, replies = await slowlog(node, log="large-request"), await slowlog(node, log="large-reply")
    assert (requests["source"], requests["len"], requests["e1.command"]) == ("COMMANDLOG", 1, "SET")
    assert (replies["e1.command"], replies["e1.key"]) == ("GET", "report:7")
    assert int(requests["SET.max_bytes"] or 0) > 100_000
    assert int(replies["max_bytes"] or 0) > 100_000
    assert "max_usec" not in replies


async def test_an_empty_log_and_a_user_who_may_not_read_it(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server, "app") as (node, wire):
        await wire.ask("ACL", "SETUSER", "app", "on", ">pw", "+ping", "+client", "+slowlog|len", "+time")
        with pytest.raises(Unanswered) as caught:
            await slowlog(node)
        assert caught.value.kind == "denied"
        await wire.ask("ACL", "SETUSER", "app", "nocommands", "+ping", "+client", "+slowlog|get")
        await wire.ask("SLOWLOG", "RESET")
        values = await slowlog(node)
    assert (values["entries"], values["max_usec"], values["newest_age"], values["len"]) == (0, 0, None, 0)


@pytest.mark.parametrize(
    ("command", "key"),
    [
        ("GET k", "k"), ("bitop AND dst a b", "dst"), ("XREADGROUP GROUP STREAMS c STREAMS k >", "k"),
        ("OBJECT FREQ k", "k"),
        ("XREAD COUNT 2 streams k 0", "k"), ("EVALSHA f 2 k j", "k"), ("FCALL f 0 x", None),
        ("BLMPOP 1 2 k j LEFT", "k"),
        ("MEMORY USAGE k", "k"), ("MEMORY DOCTOR k", None), ("ZUNIONSTORE k 2 a b", "k"), ("ZUNION 2 k b", "k"),
        ("AUTH x", None), ("HELLO 3 AUTH a b", None), ("ACL SETUSER a", None), ("CONFIG SET requirepass x", None),
        ("MIGRATE h 1 k 0 9 AUTH x", None), ("PUBLISH c m", None), ("SENTINEL SET m auth-pass x", None), ("GET", None),
        ("KEYS *", None), ("SCAN 0", None), ("FT.SEARCH idx q", "idx"), ("CLIENT KILL x", None), ("EVAL s", None),
    ],
)  # fmt: skip
def test_where_the_key_is(command: str, key: str | None) -> None:
    assert first_key(command.split()) == key


def test_what_was_cut_is_counted() -> None:
    cut = [f"k{n}" for n in range(30)]
    parsed = parse_entry([1, 2, 3, ["DEL", *cut, "... (5 more arguments)"], "[::1]:5", ""])
    assert parsed is not None
    assert (parsed.args, len(parsed.words)) == (35, 31)
    literal = parse_entry([1, 2, 3, ["SET", "k", "... (5 more arguments)"]])
    assert literal is not None
    assert literal.args == 2
    assert parse_entry([1, 2, 3, []]) is None
