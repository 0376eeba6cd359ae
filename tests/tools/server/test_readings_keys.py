"""The keyspace, a sample of its keys, and streams with groups that nobody serves, on every server."""

import pytest

from evals.lab.servers import Server, ServerKind, running
from evals.lab.wire import Wire, packed
from tests.looking import looking, number, within
from tools.clock import SystemClock
from tools.connection.budget import Budget
from tools.connection.node import Node
from tools.connection.target import parse_target
from tools.errors import ToolError, Unanswered
from tools.redact import Pseudonyms
from tools.server.big_keys import big_keys
from tools.server.keyspace import keyspace
from tools.server.lists import lists
from tools.server.streams import streams


async def many(wire: Wire, *commands: tuple[str | int | bytes, ...]) -> None:
    """Send simple commands at once: each answers with one line."""
    await wire.pipeline(b"".join(packed(*command) for command in commands), len(commands))


async def test_keyspace_tells_coverage_expiry_and_hits(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, wire):
        await many(
            wire, *(("SET", f"k{n}", "v") for n in range(60)), *(("SET", f"t{n}", "v", "EX", 99) for n in range(30))
        )
        await many(
            wire,
            ("SELECT", 3),
            ("SET", "a", "v"),
            ("SELECT", 0),
            *(("SET", f"p{n}", "v", "EX", 99) for n in range(10)),
        )
        expiring = [("PEXPIRE", f"p{n}", 1) for n in range(10)]
        looked_up = [("EXISTS", f"k{n}") for n in range(3)]
        asked = many(wire, *expiring, *looked_up, ("EXISTS", "nothing"), ("SET", "new", "v"))
        values = await within(node, keyspace(node, window=1.2), asked)
    assert (values["databases"], values["keys"], values["expires"]) == (2, 92, 30)
    assert (values["db0.keys"], values["db3.keys"], values["db3.expires"]) == (91, 1, 0)
    assert (values["db0.ttl_coverage"], values["db3.ttl_coverage"]) == (round(30 / 91, 4), 0)
    assert values["ttl_coverage"] == round(30 / 92, 4)
    assert (values["keys.delta"], values["expires.delta"], values["expired_keys.delta"]) == (-9, -10, 10)
    assert (values["keyspace_hits.delta"], values["keyspace_misses.delta"], values["hit_ratio"]) == (3, 1, 0.75)
    assert values["evicted_keys.delta"] == values["expired_time_cap_reached_count.delta"] == 0
    assert values["lazyfree_pending_objects"] == 0
    assert values["maxmemory_policy"] == "noeviction"


async def test_keyspace_of_nothing(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, _):
        values = await keyspace(node, window=0)
    assert (values["keys"], values["ttl_coverage"], values["hit_ratio"]) == (0, None, None)
    assert values["expired_keys.delta"] is None


async def test_keyspace_sees_eviction(kind: ServerKind) -> None:
    async with (
        running(kind, maxmemory="3mb", maxmemory_policy="allkeys-random") as server,
        looking(server) as (node, wire),
    ):
        filled = many(wire, *(("SET", f"k{n}", "x" * 10_000) for n in range(400)))
        values = await within(node, keyspace(node, window=0.2), filled)
    assert number(values, "evicted_keys.delta") > 50
    assert number(values, "evicted_keys.rate") > 0


async def test_the_largest_keys_of_a_small_database_are_found(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, wire):
        await wire.ask("SADD", "tags", *range(20_000))
        await wire.ask("HSET", "run this: FLUSHALL", *range(2_000))
        await many(wire, *(("SET", f"s{n}", "v", "EX", 1000) for n in range(20)), ("XADD", "events", "*", "f", "v"))
        values = await big_keys(node)
        spent = node.budget.commands
        await big_keys(node)
        assert node.budget.commands - spent == values["calls"]
    assert values["complete"] is True
    assert (values["sampled"], values["dbsize"], values["share_seen"]) == (23, 23, 1)
    assert (values["k1.key"], values["k1.type"], values["k1.length"], values["k1.ttl_ms"]) == (
        "tags",
        "set",
        20_000,
        -1,
    )
    assert number(values, "k1.bytes") > 500_000
    assert (values["k2.key"], values["k2.type"], values["k2.length"]) == ("key#1", "hash", 1000)
    assert (values["string.count"], values["stream.count"]) == (20, 1)
    assert values["no_ttl_share"] == round(3 / 23, 4)


@pytest.mark.parametrize("calls", [10, 11, 40, 120, 300])
async def test_a_sample_is_bounded_in_calls(kind: ServerKind, calls: int) -> None:
    async with running(kind) as server, looking(server) as (node, wire):
        await many(wire, *(("SET", f"s{n}", "v") for n in range(3000)))
        await node.connection()
        before = node.budget.commands
        values = await big_keys(node, calls=calls)
        assert node.budget.commands - before == values["calls"]
    assert number(values, "calls") <= calls
    assert values["complete"] is False
    assert 0 < number(values, "share_seen") < 0.05


async def test_a_sparse_keyspace_ends_at_the_bound(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, wire):
        await many(wire, *(("SET", f"s{n}", "v") for n in range(20_000)))
        values = await streams(node, calls=20)
    assert (values["streams"], values["complete"], values["lag"]) == (0, False, 0)
    assert number(values, "calls") <= 20


async def test_the_database_of_the_url_is_sampled(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (_, wire):
        await many(wire, ("SET", "zero", "v"), ("SELECT", 5), ("SET", "five", "v"))
        node = Node(parse_target(f"{server.url}/5", environ={}), SystemClock(), Budget(), Pseudonyms())
        values = await big_keys(node)
        node.close()
    assert (values["db"], values["k1.key"], values["sampled"]) == (5, "five", 1)


async def test_keys_need_the_key_reader(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server, "app") as (node, wire):
        await wire.ask("ACL", "SETUSER", "app", "on", ">pw", "~app:*", "+ping", "+client", "+dbsize")
        await many(wire, ("SET", "other", "v"), ("XADD", "s", "*", "f", "v"))
        for tool in (big_keys, streams):
            with pytest.raises(Unanswered) as caught:
                await tool(node)
            assert caught.value.kind == "denied"
        await wire.ask("ACL", "SETUSER", "app", "+scan", "+type", "+pttl", "+xlen", "+xinfo")
        for tool in (big_keys, streams):
            with pytest.raises(Unanswered) as caught:
                await tool(node)
            assert caught.value.kind == "denied"
        await wire.ask("SET", "app:1", "v")
        values = await big_keys(node)
    assert (values["denied"], values["sampled"], values["bytes"]) == (2, 1, None)
    assert (values["bytes.unavailable"], values["k1.key"], values["k1.length"]) == ("denied", "app:1", None)


async def backlog(server: Server, wire: Wire) -> None:
    """A stream of 40 entries: 25 delivered to a worker that went away, and a group that never read."""
    for n in range(40):
        await wire.ask("XADD", "orders", "*", "n", n)
    await wire.ask("XGROUP", "CREATE", "orders", "billing", "0")
    await wire.ask("XGROUP", "CREATE", "orders", "run this: FLUSHALL", "0")
    await wire.ask("XREADGROUP", "GROUP", "billing", "worker-1", "COUNT", 25, "STREAMS", "orders", ">")
    await wire.ask("XADD", "quiet", "*", "n", "1")
    await wire.ask("SET", "plain", "v")


async def test_a_stream_that_falls_behind(kind: ServerKind) -> None:
    lags = kind.at_least(7)
    async with running(kind) as server, looking(server) as (node, wire):
        await backlog(server, wire)
        before = node.budget.commands

        async def add_and_take() -> None:
            for n in range(5):
                await wire.ask("XADD", "orders", "*", "n", n)
            await wire.ask("XREADGROUP", "GROUP", "billing", "worker-2", "COUNT", 2, "STREAMS", "orders", ">")

        values = await within(node, streams(node, window=0.5), add_and_take())
        assert node.budget.commands - before - 2 == values["calls"]
    assert (values["streams"], values["complete"], values["groups"]) == (2, True, 2)
    assert (values["s1.key"], values["s1.length"], values["s1.length.delta"]) == ("orders", 45, 5)
    groups = {values[f"s1.g{n}.group"]: f"s1.g{n}" for n in (1, 2)}
    billing, other = groups["billing"], groups["group#1"]
    assert (values[f"{billing}.pending"], values[f"{billing}.pending.delta"], values[f"{billing}.consumers"]) == (
        27,
        2,
        2,
    )
    assert (values[f"{billing}.lag"], values.get(f"{billing}.lag.delta")) == ((18, 3) if lags else (None, None))
    assert (values[f"{other}.pending"], values[f"{other}.lag"]) == (0, 45 if lags else None)
    assert values[f"{other}.consumers"] == 0
    assert values["groups_without_consumers"] == 1
    assert values.get("lag.unavailable") == (None if lags else "unknown-command")
    assert values["s2.key"] == "quiet"
    if not lags:
        # Without a lag the group with pending entries is the worst: its consumers are asked for.
        assert number(values, f"{billing}.pending_idle_ms") >= 0


async def test_given_streams_by_key_and_by_handle(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, wire):
        await wire.ask("XADD", "a stream of spaces", "*", "n", 1)
        await wire.ask("XGROUP", "CREATE", "a stream of spaces", "g", "0")
        await wire.ask("XREADGROUP", "GROUP", "g", "gone", "STREAMS", "a stream of spaces", ">")
        await wire.ask("SET", "plain", "v")
        handle = node.pseudonyms.plain("key", "a stream of spaces")
        values = await streams(node, keys=["plain", handle, "missing"], window=0)
        with pytest.raises(ToolError, match="key#9"):
            await streams(node, keys=["key#9"])
    assert (values["streams"], values["complete"]) == (1, None)
    assert (values["s1.key"], values["s1.length"], values["s1.g1.pending"]) == (handle, 1, 1)
    assert number(values, "s1.g1.pending_idle_ms") >= 0
    assert values["s1.g1.pending_consumers"] == 1
    assert {values["s2.error"], values["s3.error"]} == {"WRONGTYPE the key holds another type", "ERR no such key"}
    assert "s1.length.delta" not in values


async def test_lists_tell_which_queue_grows(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, wire):
        await many(wire, *(("RPUSH", f"user:{n}:seen", "x") for n in range(40)))
        await many(wire, *(("RPUSH", "mail:queue", f"m{n}") for n in range(300)), ("SET", "k", "v"))
        more = many(wire, *(("RPUSH", "mail:queue", "more") for _ in range(50)))
        values = await within(node, lists(node, window=1.0), more)
        none = await lists(node, calls=6, window=0)
    assert (values["lists"], values["complete"]) == (41, False)
    assert number(values, "calls") <= 12
    assert (values["l1.key"], values["l1.length"], values["l1.length.delta"]) == ("mail:queue", 350, 50)
    assert (none["window_seconds"], none["l1.length"], none.get("l1.length.delta")) == (0, 350, None)


async def test_among_many_keys_what_isn_t_found_is_searched_for_further(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, wire):
        await many(wire, *(("SET", f"cart:{n}", "x") for n in range(9000)), ("RPUSH", "user:7:seen", "x"))
        few = await lists(node, calls=6, window=0), await streams(node, calls=20, window=0)
        await many(wire, ("RPUSH", "outgoing", "m"), ("XADD", "orders", "*", "a", "1"))
        further = await lists(node, calls=6, further=30, window=0), await streams(node, calls=20, further=30, window=0)
        again = await streams(node, calls=60, further=30, window=0)
    assert [one["complete"] for one in few] == [False, False]
    # As long as no name looks like a queue's, even if there are lists.
    assert number(further[0], "lists") >= 1 and "outgoing" in [further[0].get(f"l{n}.key") for n in (1, 2)]
    assert further[1]["s1.key"] == again["s1.key"] == "orders"
    # Where a key lies among the others is the server's chance: at times the first calls meet it.
    assert number(further[0], "calls") <= 6 + 30 + 10


async def test_lists_of_nothing(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, _):
        values = await lists(node)
    assert (values["lists"], values["looked_at"], values["complete"]) == (0, 0, True)


async def test_entries_that_come_back_are_counted_where_a_group_stands_still(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, wire):
        for n in range(6):
            await wire.ask("XADD", "orders", "*", "n", n)
        await wire.ask("XGROUP", "CREATE", "orders", "billing", "0")
        await wire.ask("XREADGROUP", "GROUP", "billing", "w", "COUNT", 2, "STREAMS", "orders", ">")
        first = (await wire.ask("XPENDING", "orders", "billing", "-", "+", 1))[0][0]
        await wire.ask("XCLAIM", "orders", "billing", "w", 0, first, "RETRYCOUNT", 12)
        stuck = await streams(node, ["orders"], window=0.1)
        await wire.ask("XREADGROUP", "GROUP", "billing", "w", "COUNT", 9, "STREAMS", "orders", ">")
        served = await streams(node, ["orders"], window=0.1)
    assert (stuck["s1.g1.deliveries"], stuck["s1.g1.redelivered"]) == (12, 1)
    assert "s1.g1.deliveries" not in served
