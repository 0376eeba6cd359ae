"""`rediagnose acl` against real servers: they take what it prints, and it's neither too little nor too much."""

import json
import tomllib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hiredis import ReplyError

from evals.lab.servers import Server, ServerKind, running, start
from evals.lab.wire import Wire, dial
from tests.program import rediagnose
from tools.connection.allowed import TABLE
from tools.server.users import WRITES

POLICY = Path(__file__).resolve().parents[3] / "tools" / "gate" / "policy.toml"
CHANGING = """
FLUSHALL | FLUSHDB | SET a 1 | GET a | DEL a | KEYS * | EVAL return 0 | SORT a | EXPIRE a 1 | RENAME a b | DUMP a
SHUTDOWN NOSAVE | SAVE | BGREWRITEAOF | MONITOR | DEBUG SLEEP 0 | MULTI | SWAPDB 0 1 | REPLICAOF NO ONE | FAILOVER
CONFIG RESETSTAT | CONFIG REWRITE | CLIENT PAUSE 1 | CLIENT UNBLOCK 1 | SLOWLOG RESET | LATENCY RESET | ACL SETUSER x on
ACL DELUSER x | ACL LIST | ACL GETUSER default | ACL SAVE | MODULE LOAD /x.so | CLUSTER RESET | CLUSTER FAILOVER
PUBLISH a b | SUBSCRIBE a | PSUBSCRIBE * | SCRIPT FLUSH | XADD s * a 1 | BLPOP a 0 | SPOP a
"""
WRITER = """
CONFIG SET timeout 60 | CLIENT KILL ID 999 | CLIENT UNPAUSE | MEMORY PURGE | SCRIPT KILL | FUNCTION KILL | BGSAVE
"""
KEYS = "SCAN 0 COUNT 10 | TYPE a | MEMORY USAGE a | STRLEN a | PTTL a | XLEN s | XINFO STREAM s | OBJECT ENCODING a"


@asynccontextmanager
async def permissive(kind: ServerKind) -> AsyncIterator[Server]:
    """A server where only the user is in the way: newer ones refuse DEBUG and MODULE LOAD to everyone by default."""
    config = {"enable-debug-command": "yes", "enable-module-command": "yes"} if kind.at_least(7) else {}
    server = await start(kind, config=config)
    try:
        yield server
    finally:
        await server.stop()


def commands(text: str) -> list[list[str]]:
    return [one.split() for line in text.splitlines() for one in line.split("|") if one.strip()]


async def told(*args: str) -> dict[str, Any]:
    """The answer of `rediagnose acl` as JSON."""
    done = await rediagnose("acl", *args, "--format", "json")
    assert done.status == 0, done.err
    parsed: dict[str, Any] = json.loads(done.out)
    return parsed


async def outcome(wire: Wire, command: Iterable[str]) -> str:
    """An error's first word and the next, else nothing."""
    try:
        await wire.ask(*command)
    except ReplyError as error:
        return str(error)
    return ""


async def denied(wire: Wire, several: Iterable[list[str]]) -> list[str]:
    """Which of some commands the server refuses because of missing permission."""
    return [" ".join(one) for one in several if (await outcome(wire, one)).startswith("NOPERM")]


@asynccontextmanager
async def let_in(server: Server, *args: str) -> AsyncIterator[tuple[dict[str, dict[str, Any]], dict[str, Wire]]]:
    """What is printed by tier, taken by the server as it stands, and a connection of each of these users."""
    users = {user["tier"]: user for user in (await told(server.url, *args))["users"]}
    admin = await dial(server.url)
    wires: dict[str, Wire] = {"admin": admin}
    try:
        for tier, user in users.items():
            assert await admin.ask(*user["command"].split(" ")) == "OK"
            wires[tier] = await dial(server.url.replace("//", f"//{user['name']}:CHANGE-ME@"))
        yield users, wires
    finally:
        for wire in wires.values():
            await wire.close()


def reading(user: dict[str, Any], *tiers: str) -> list[list[str]]:
    """The cheapest form of each command of the table that the user was granted."""
    left_out = {left["rule"] for left in user["left_out"]}
    rows = [row for row in TABLE.values() if row.tier in tiers and f"+{row.name}" not in left_out]
    return [[*row.words, *row.cheapest] for row in rows]


async def test_the_reader_reads_all_and_changes_nothing(kind: ServerKind) -> None:
    async with permissive(kind) as server, let_in(server) as (users, wires):
        assert await denied(wires["reader"], reading(users["reader"], "reader")) == []
        refused = await denied(wires["reader"], commands(CHANGING + WRITER + KEYS))
        lacking = {"FUNCTION KILL"} if not kind.at_least(7) else set()
        assert len(refused) > 40
        assert {" ".join(one) for one in commands(CHANGING + WRITER + KEYS)} - set(refused) == lacking


async def test_the_key_reader_sees_keys_and_changes_none(kind: ServerKind) -> None:
    async with permissive(kind) as server, let_in(server) as (users, wires):
        await wires["admin"].ask("SET", "a", "1")
        await wires["admin"].ask("XADD", "s", "*", "field", "1")
        mine = wires["key-reader"]
        assert await denied(mine, [*reading(users["key-reader"], "reader", "key-reader"), *commands(KEYS)]) == []
        assert len(await denied(mine, commands(CHANGING))) == len(commands(CHANGING))


async def test_the_writer_makes_the_gates_changes_and_no_other(kind: ServerKind) -> None:
    async with permissive(kind) as server, let_in(server) as (users, wires):
        mine = wires["writer"]
        assert await denied(mine, [*reading(users["writer"], "reader"), *commands(WRITER)]) == []
        assert len(await denied(mine, commands(CHANGING))) == len(commands(CHANGING))
        assert await wires["admin"].ask("CONFIG", "GET", "timeout") == ["timeout", "60"]


def test_the_writers_rules_are_the_policys_commands() -> None:
    names = tomllib.loads(POLICY.read_text())["commands"]
    rules = {name.removesuffix(" ID <id>").replace(" ", "|").lower() for name in names}
    assert set(WRITES) == rules | {"config|set"}


async def test_a_sentinel_has_a_list_of_its_own(kind: ServerKind) -> None:
    server = await start(kind, config={"save": ""}, args=["--sentinel"])
    try:
        async with let_in(server) as (users, wires):
            assert list(users) == ["reader"]
            sentinels = reading(users["reader"], "sentinel")
            general = [["PING"], ["INFO"], ["ROLE"], ["CLIENT", "LIST"], ["CLIENT", "ID"], ["ACL", "LOG", "1"]]
            assert await denied(wires["reader"], [*general, *sorted(sentinels, reverse=True)]) == []
            changing = "SENTINEL FAILOVER m | SENTINEL REMOVE m | SENTINEL SET m quorum 1 | SENTINEL RESET * | SHUTDOWN"
            another = await dial(server.url.replace("//", "//rediagnose:CHANGE-ME@"))
            assert len(await denied(another, commands(changing))) == 5
            await another.close()
            check = (await told(server.url.replace("//", "//rediagnose:CHANGE-ME@"), "--check"))["check"]
            assert (check["user"], check["denied"]) == ("rediagnose", [])
    finally:
        await server.stop()


async def test_what_an_older_server_lacks_is_left_out_and_said(kind: ServerKind) -> None:
    async with running(kind) as server:
        done = await rediagnose("acl", server.url, "--tier", "reader")
        (user,) = (await told(server.url, "--tier", "reader"))["users"]
    left = {entry["rule"]: entry["why"] for entry in user["left_out"]}
    assert ("+latency|histogram" in left) == (not kind.at_least(7))
    assert ("+commandlog|get" in left) == (not kind.name.startswith("valkey"))
    assert done.out.splitlines()[3] == user["command"]
    for rule, why in left.items():
        assert f"without {rule}: {why}" in done.out
    assert "also allows ACL LOG RESET" in done.out


async def test_asking_changes_nothing_and_needs_little(kind: ServerKind) -> None:
    async with running(kind) as server:
        admin = await dial(server.url)
        await admin.ask("ACL", "SETUSER", "low", "on", ">pw", "-@all", "+info")
        before = await admin.ask("ACL", "LIST")
        low = server.url.replace("//", "//low:pw@")
        answer = await told(low)
        assert answer["source"] == "its version"
        assert await admin.ask("ACL", "LIST") == before
        for user in answer["users"]:
            assert await outcome(admin, user["command"].split(" ")) == ""
        # Without INFO what HELLO says is enough.
        await admin.ask("ACL", "SETUSER", "low", "-info")
        assert (await told(low))["target"] == answer["target"]
        await admin.close()


async def test_check_says_what_is_hidden(kind: ServerKind) -> None:
    async with running(kind) as server:
        admin = await dial(server.url)
        await admin.ask("ACL", "SETUSER", "low", "on", ">pw", "-@all", "+ping", "+info", "+client|list", "+acl|whoami")
        low = server.url.replace("//", "//low:pw@")
        check = (await told(low, "--check"))["check"]
        done = await rediagnose("acl", low, "--check")
        for user in (await told(server.url))["users"]:
            await admin.ask(*user["command"].split(" "))
        reader = (await told(server.url.replace("//", "//rediagnose:CHANGE-ME@"), "--check"))["check"]
        keys = (await told(server.url.replace("//", "//rediagnose-keys:CHANGE-ME@"), "--check"))["check"]
        await admin.close()
    refused = {row["command"]: row["hides"] for row in check["denied"]}
    assert refused["slowlog|get"] == ["slow-on-command", "big-key-delete"]
    assert check["user"] == "low"
    assert not {"ping", "info", "client|list"} & set(refused)
    assert "auth-failure" in check["hides"]
    assert "denied  SLOWLOG GET" in done.out
    assert "pw" not in done.out.replace("pw@", "")
    assert {row["tier"] for row in reader["denied"]} == {"key-reader"}
    assert keys["denied"] == []


async def test_a_database_in_the_url_needs_select(kind: ServerKind) -> None:
    async with running(kind) as server:
        (user,) = (await told(f"{server.url}/1", "--tier", "reader"))["users"]
        assert "+select" in user["rules"]
        (user,) = (await told(server.url, "--tier", "reader"))["users"]
        assert "+select" not in user["rules"]


async def test_what_cannot_be_answered_is_one_clear_line(kind: ServerKind) -> None:
    async with running(kind, requirepass="right", rename_command='ACL ""') as server:
        for url, said in (
            (server.url, "noauth"),
            (server.url.replace("//", "//:wrong@"), "wrongpass"),
            (server.url.replace("//", "//:right@"), "no ACL command"),
            ("redis://127.0.0.1:1", "refused"),
        ):
            for more in ((), ("--check",), ("--format", "json")):
                done = await rediagnose("acl", url, *more)
                assert (done.status, done.out, len(done.err.splitlines())) == (3, "", 1), done
                assert said in done.err


async def test_wrong_usage() -> None:
    for args, said in ((["acl"], "REDIS_URL"), (["acl", "redis://h", "--tier", "root"], "root")):
        done = await rediagnose(*args)
        assert (done.status, len(done.err.splitlines())) == (2, 1)
        assert said in done.err
