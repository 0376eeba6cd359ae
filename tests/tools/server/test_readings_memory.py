"""Readings of memory that somebody other than the data holds."""

import asyncio

from evals.lab.servers import ServerKind, running
from evals.lab.wire import crew
from tests.looking import looking, number
from tools.connection.node import Node
from tools.records import Values
from tools.server.memory import memory

MB = 2**20


async def until_largest(node: Node, owner: str) -> Values:
    """The reading once the server has counted this owner's memory: it does so about once a second."""
    for _ in range(20):
        values = await memory(node, 0.3)
        if values["largest_overhead"] == owner:
            break
    assert values["largest_overhead"] == owner, values
    assert values["largest_overhead_bytes"] == values[f"owner.{owner}"]
    return values


async def test_client_buffers_own_the_memory(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, _), crew() as hands:
        for _ in range(3):
            wire = await hands.dial(server.url)
            await wire.send(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$30000000\r\n" + b"x" * 8 * MB)
        values = await until_largest(node, "clients_normal")
        assert number(values, "largest_overhead_share") > 0.5 and number(values, "buffers_share") > 0.5
        assert number(values, "buffers_bytes") >= 20 * MB


async def test_the_replication_backlog_owns_the_memory(kind: ServerKind) -> None:
    at_once = running(kind, repl_backlog_size="20mb", repl_diskless_sync_delay="0")
    async with at_once as server, looking(server) as (node, wire):
        to = f"{server.host} {server.port}"
        async with running(kind, replicaof=to) as replica, looking(replica) as (_, its):
            for _ in range(300):
                if "master_link_status:up" in await its.ask("INFO", "replication"):
                    break
                await asyncio.sleep(0.1)
            for _ in range(15):
                await wire.ask("SET", "a", "x" * MB)
            values = await until_largest(node, "replication_backlog")
        assert number(values, "owner.replication_backlog") > 10 * MB
        assert number(values, "mem_not_counted_for_evict") >= 0


async def test_the_script_cache_owns_the_memory(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, wire):
        for index in range(1500):
            await wire.ask("SCRIPT", "LOAD", f"return {index} -- {'x' * 2000}")
        values = await until_largest(node, "scripts")
        assert values["number_of_cached_scripts"] == 1500
        assert number(values, "owner.scripts") > 3 * MB


async def test_churn_leaves_fragmentation_and_a_peak(kind: ServerKind) -> None:
    fill = "for i = 1, 300000 do redis.call('SET', 'k' .. i, string.rep('x', 150 + i % 50)) end"
    thin = "for i = 1, 300000 do if i % 10 ~= 0 then redis.call('DEL', 'k' .. i) end end"
    async with running(kind) as server, looking(server) as (node, wire):
        await wire.ask("EVAL", fill, 0, timeout=20)
        full = await memory(node, 0)
        await wire.ask("EVAL", thin, 0, timeout=20)
        values = await memory(node, 0.2)
        assert values["keys.count"] == 30000
        assert number(values, "used_of_peak_share") < 0.6 < number(full, "used_of_peak_share")
        assert number(values, "fragmentation_bytes") > number(full, "fragmentation_bytes") + 5 * MB
        assert str(values["doctor"]).startswith("Peak memory") and number(values, "doctor_points") >= 1
        if str(values["mem_allocator"]).startswith("libc"):
            # This allocator doesn't tell, which isn't a ratio of 1.
            assert (values["fragmentation_from"], values["allocator_frag_ratio"]) == ("rss", None)
        else:
            assert values["fragmentation_from"] == "allocator" and number(values, "allocator_frag_ratio") > 1.3
        assert "used_memory_human" not in values


async def test_the_share_of_maxmemory_and_growth_over_the_window(kind: ServerKind) -> None:
    async with running(kind, maxmemory="20mb") as server, looking(server) as (node, wire):

        async def grow() -> None:
            await asyncio.sleep(0.2)
            for index in range(8):
                await wire.ask("SET", f"k{index}", "x" * MB)

        values, _ = await asyncio.gather(memory(node, 0.8), grow())
        counted = number(values, "used_memory") - number(values, "mem_not_counted_for_evict")
        assert values["maxmemory_used_share"] == round(counted / (20 * MB), 4)
        assert 0.4 < number(values, "maxmemory_used_share") < 1
        assert number(values, "used_memory.delta") > 8 * MB and number(values, "dataset_share") > 0.7
    async with running(kind) as server, looking(server) as (node, _):
        assert (await memory(node, 0))["maxmemory_used_share"] is None


async def test_what_is_denied_is_null(kind: ServerKind) -> None:
    async with running(kind, user="looker on >pw ~* +@all -memory") as server, looking(server, "looker") as (node, _):
        values = await memory(node, 0.1)
        assert (values["stats.unavailable"], values["doctor.unavailable"]) == ("denied", "denied")
        assert values["doctor"] is None and values["overhead.hashtable.main"] is None
        assert number(values, "used_memory") > 0 and "owner.hashtable_main" not in values
