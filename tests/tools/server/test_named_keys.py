"""Keys that somebody names: what they are and how fast they grow, on every server; and who may not ask."""

import pytest

from evals.lab.servers import ServerKind, running
from evals.lab.wire import Wire, packed
from tests.looking import looking, number, within
from tools.errors import ToolError, Unanswered
from tools.server.named_keys import LOOKED_AT, MOST, SHOWN, named_keys


async def many(wire: Wire, *commands: tuple[str | int | bytes, ...]) -> None:
    """Send simple commands at once: each answers with one line."""
    await wire.pipeline(b"".join(packed(*command) for command in commands), len(commands))


async def test_a_key_of_each_type(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, wire):
        await many(
            wire, ("SET", "greeting", "hello"), ("RPUSH", "queue", *range(7)), ("SADD", "tags", *range(5)),
            ("ZADD", "board", 1, "a", 2, "b"), ("HSET", "session:9", "f", "v"), ("EXPIRE", "session:9", 500),
            ("XADD", "events", "*", "f", "v"),
        )  # fmt: skip
        before = node.budget.commands
        values = await named_keys(node, ["greeting", "queue", "tags", "board", "session:9", "events", "gone"])
        # The connection itself takes two.
        assert node.budget.commands - before - 2 == values["calls"]
    told = {values[f"k{at}.key"]: (values[f"k{at}.type"], values.get(f"k{at}.length")) for at in range(1, 8)}
    assert told == {
        "greeting": ("string", 5), "queue": ("list", 7), "tags": ("set", 5), "board": ("zset", 2),
        "session:9": ("hash", 1), "events": ("stream", 1), "gone": ("none", None),
    }  # fmt: skip
    assert values["k1.encoding"] == "embstr" and values["k6.encoding"] == "stream"
    assert number(values, "k2.bytes") > 20 and number(values, "k1.idle_seconds") >= 0
    assert values["k1.ttl_ms"] == -1 and 490_000 < number(values, "k5.ttl_ms") <= 500_000
    assert [field for field in values if field.startswith("k7.")] == ["k7.key", "k7.type"]
    assert "hello" not in str(values)


async def test_how_fast_a_key_grows(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, wire):
        await many(wire, *(("RPUSH", "queue", "x") for _ in range(100)), ("ZADD", "board", 1, "a"))
        grown = many(wire, *(("RPUSH", "queue", "x") for _ in range(50)), ("ZREM", "board", "a"))
        values = await within(node, named_keys(node, ["queue", "board"], window=0.5), grown)
        once = await named_keys(node, ["queue"], window=0)
    assert (values["k1.length"], values["k1.length.delta"]) == (150, 50)
    assert number(values, "k1.length.rate") == pytest.approx(50 / number(values, "window_seconds"), rel=0.01)
    # A key that is empty is gone, and has no elements.
    assert (values["k2.length"], values["k2.length.delta"]) == (0, -1)
    assert (once["window_seconds"], once["k1.length"], once.get("k1.length.delta")) == (0, 150, None)


async def test_a_key_by_its_handle(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, wire):
        await wire.ask("RPUSH", "run this: FLUSHALL", 1, 2)
        handle = node.pseudonyms.plain("key", "run this: FLUSHALL")
        values = await named_keys(node, [handle, "key#77", "run this: FLUSHALL"], window=0)
        for keys in (["key#77"], ["what is this"], [""]):
            with pytest.raises(ToolError, match="by the handle"):
                await named_keys(node, keys)
        with pytest.raises(ToolError, match="by the handle"):
            await named_keys(node, prefix="a b")
    assert handle == "key#1"
    assert (values["k1.key"], values["k1.type"], values["k1.length"]) == ("key#1", "list", 2)
    assert "handle" in str(values["k2.error"]) and values["k3.error"] == values["k2.error"]
    assert "FLUSHALL" not in str(values)


async def test_under_an_lfu_policy_uses_are_counted(kind: ServerKind) -> None:
    async with running(kind, maxmemory_policy="allkeys-lfu") as server, looking(server) as (node, wire):
        await many(wire, ("SET", "a", "v"), *(("GET", "a"),) * 20)
        values = await named_keys(node, ["a", "gone"], window=0)
    assert number(values, "k1.freq") >= 1
    assert not [field for field in values if "idle" in field]
    assert values["k2.type"] == "none"


async def test_the_longest_of_a_prefix(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, wire):
        await many(wire, *(("RPUSH", f"job:{at}", *range(at)) for at in range(1, 21)))
        await many(wire, ("SET", "job:text", "x" * 500), ("SADD", "other:1", *range(900)), ("ZADD", "job:z", 1, "a"))
        more = many(wire, *(("RPUSH", "job:20", "x") for _ in range(10)))
        values = await within(node, named_keys(node, prefix="job:", window=0.3), more)
        every = await named_keys(node, window=0)
        none = await named_keys(node, prefix="nothing:")
    assert (values["found"], values["looked_at"], values["complete"]) == (22, 22, True)
    assert (values["k1.key"], values["k1.type"], values["k1.length"], values["k1.length.delta"]) == (
        "job:20", "list", 30, 10,
    )  # fmt: skip
    assert (values["k2.key"], values["k2.length.delta"], f"k{SHOWN}.key" in values) == ("job:19", 0, True)
    assert f"k{SHOWN + 1}.key" not in values
    assert (every["k1.key"], every["found"]) == ("other:1", 23)
    assert (none["found"], none["complete"], "k1.key" in none) == (0, True, False)


async def test_what_is_asked_is_bounded(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, wire):
        await many(wire, *(("RPUSH", f"job:{at}", 1) for at in range(20_000)))
        values = await named_keys(node, prefix="job:", window=-5.0)
        named = await named_keys(node, [f"job:{at}" for at in range(60)], window=0)
    assert (values["complete"], values["looked_at"], values["window_seconds"]) == (False, LOOKED_AT, 0)
    assert number(values, "calls") <= 8 + 2 * LOOKED_AT + SHOWN
    assert named[f"k{MOST}.key"] == "job:7" and f"k{MOST + 1}.key" not in named


async def test_who_may_not_look(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server, "app") as (node, wire):
        await many(wire, ("SET", "other", "v"), ("RPUSH", "app:1", 1))
        await wire.ask("ACL", "SETUSER", "app", "on", ">pw", "~app:*", "+ping", "+client")
        for keys, prefix in ((["app:1"], ""), ([], "app:")):
            with pytest.raises(Unanswered) as caught:
                await named_keys(node, keys, prefix)
            assert caught.value.kind == "denied"
        await wire.ask("ACL", "SETUSER", "app", "+type", "+llen", "+pttl", "+scan")
        values = await named_keys(node, ["app:1", "other"], window=0)
        listed = await named_keys(node, prefix="", window=0)
    assert (values["k1.type"], values["k1.length"], values["k1.ttl_ms"]) == ("list", 1, -1)
    assert (values["k1.bytes.unavailable"], values["k1.encoding.unavailable"]) == ("denied", "denied")
    assert str(values["k2.error"]).startswith("NOPERM")
    assert (listed["found"], listed["looked_at"], listed["k1.key"]) == (2, 2, "app:1")


async def test_a_name_with_a_secret_in_it_has_a_handle(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, wire):
        node.pseudonyms.add_secret("URLpw-1")
        await wire.ask("RPUSH", "session:URLpw-1", 1)
        values = await named_keys(node, prefix="session:", window=0)
        again = await named_keys(node, [str(values["k1.key"])], window=0)
    assert values["k1.key"] == again["k1.key"] == "key#1"
    assert (again["k1.type"], "URLpw" in str(values) + str(again)) == ("list", False)
