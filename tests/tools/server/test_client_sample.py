"""Which clients of a crowd are asked for: on ids alone, and on real servers with connections that hold."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from evals.bench.clients import room
from evals.lab.servers import Server, ServerKind, running
from evals.lab.wire import Wire, crew
from tests.looking import number
from tools.clock import SystemClock
from tools.connection.budget import Budget
from tools.connection.node import Node
from tools.connection.target import parse_target
from tools.redact import Pseudonyms
from tools.server.client_sample import (
    AHEAD,
    BATCH,
    DENSE,
    FAT,
    HOLD,
    LAST_ID,
    LEAST_CALLS,
    LINE,
    MOST_IDS,
    TOTAL,
    VALKEY_8_WALK,
    VALKEY_WALK,
    WHOLE,
    listed,
    pace,
    scattered,
    spread,
)
from tools.server.clients import clients


@pytest.mark.parametrize(("newest", "size"), [(301, 250), (10_250, 250), (65_000, 64)])
def test_a_crowd_is_asked_for_in_blocks_that_divide_it_and_no_period_meets(newest: int, size: int) -> None:
    blocks = list(spread(newest, size))
    assert max(blocks[0]) == newest and max(map(len, blocks)) == size
    assert sorted(id for ids in blocks for id in ids) == list(range(1, newest + 1))
    tenths = {10 * ids[0] // newest for ids in blocks[:8]}
    assert len(tenths) >= min(len(blocks), 6)


def test_of_ids_that_lie_far_apart_the_newest_and_some_of_all_are_asked_for() -> None:
    blocks = list(scattered(10**9))
    assert max(map(len, blocks)) <= MOST_IDS and max(blocks[0]) == 10**9
    assert min(id for ids in blocks for id in ids) == 1


@pytest.mark.parametrize("walk", [0, VALKEY_WALK, VALKEY_8_WALK])
@pytest.mark.parametrize("count", [300, 1_000, 2_000, 4_000, 8_000, 100_000])
def test_a_call_is_short_and_all_of_them_are_but_where_each_goes_through_too_many(count: int, walk: float) -> None:
    paced = pace(count, walk)
    hold, calls = paced.walk + LINE * paced.size, paced.lines / paced.size
    assert hold <= 1 or count * walk > HOLD
    assert hold * calls <= TOTAL or calls == LEAST_CALLS


@asynccontextmanager
async def crowd(kind: ServerKind, count: int) -> AsyncIterator[tuple[Server, Wire, Node]]:
    if count > room():
        pytest.skip(f"{room()} clients is what the limit of open files allows")
    async with running(kind) as server, crew() as hands:
        for n in range(count):
            await hands.dial(server.url, name=f"app-{n % 7}")
        node = Node(parse_target(server.url, environ={}), SystemClock(), Budget(), Pseudonyms())
        try:
            yield server, await hands.dial(server.url, name="fat"), node
        finally:
            node.close()


@pytest.mark.live
async def test_a_crowd_is_listed_in_short_calls(kind: ServerKind) -> None:
    async with crowd(kind, WHOLE + BATCH) as (_, wire, node):
        await wire.ask("CONFIG", "SET", "slowlog-log-slower-than", "0")
        found, connected = await listed(node)
        entries = await wire.ask("SLOWLOG", "GET", 64)
        assert len({one.id for one in found}) == len(found) == connected >= WHOLE + BATCH
        calls = [entry[3] for entry in entries if entry[3][:2] == ["CLIENT", "LIST"]]
        assert len(calls) >= 2 and all(call[2] == "ID" for call in calls)
        values = await clients(node)
        assert number(values, "share_seen") == 1 and number(values, "o_groups") == 8


@pytest.mark.live
async def test_where_nearly_all_have_left_a_few_hundred_are_listed_at_once(kind: ServerKind) -> None:
    async with crowd(kind, WHOLE + 20) as (server, _, node):
        async with crew() as hands:
            for _ in range(5 * WHOLE):
                await hands.drop(await hands.dial(server.url))
        found, connected = await listed(node)
        assert len(found) == connected >= WHOLE + 20 and AHEAD < 5 * WHOLE


@pytest.mark.live
async def test_where_a_few_ids_are_free_no_call_lists_many(kind: ServerKind) -> None:
    async with crowd(kind, 4 * BATCH) as (server, wire, node):
        async with crew() as hands:
            for _ in range(2 * BATCH):
                await hands.drop(await hands.dial(server.url))
        await wire.ask("CONFIG", "SET", "slowlog-log-slower-than", "0")
        found, connected = await listed(node)
        assert len(found) == connected > 4 * BATCH and DENSE * connected > AHEAD + 6 * BATCH
        calls = [entry[3] for entry in await wire.ask("SLOWLOG", "GET", 64) if entry[3][:2] == ["CLIENT", "LIST"]]
        # Of many arguments the slow log keeps 31 and says how many more there were.
        sizes = [
            len(call) - 4 + int(re.findall(r"[0-9]+", call[-1])[0]) for call in calls if call[-1].startswith("...")
        ]
        assert max(sizes) <= 2 * BATCH


@pytest.mark.live
async def test_who_is_notable_is_found_in_a_crowd_that_is_sampled(kind: ServerKind) -> None:
    count = pace(2_000, VALKEY_WALK if kind.name.startswith("valkey") else 0).lines // 2 + 2 * BATCH
    async with crowd(kind, count) as (server, wire, node), crew() as hands:
        slow = await hands.dial(server.url, name="slow", receive_buffer=4096)
        await slow.ask("SUBSCRIBE", "news")
        for _ in range(64):
            await wire.ask("PUBLISH", "news", "x" * (FAT // 16))
        monitor = await hands.dial(server.url, name="watcher")
        await monitor.ask("MONITOR")
        for n in range(count):
            await hands.dial(server.url, name=f"late-{n % 7}")
        async with asyncio.timeout(10):
            while int(re.findall(r"recent_max_output_buffer:(\d+)", await wire.ask("INFO", "clients"))[0]) < FAT:
                await asyncio.sleep(0.1)
        values = await clients(node)
        assert values["omem_max.name"] == "slow" and number(values, "omem_max") >= FAT
        if kind.at_least(7, 4):
            # One call found it, since INFO counts the subscribers.
            assert number(values, "share_seen") < 1
        if kind.name.startswith("valkey") and kind.at_least(9):
            assert (values["monitors"], values["subscribers"]) == (1, 1)


async def test_no_id_beyond_the_last_one_is_asked_for() -> None:
    info = b"# Clients\r\nconnected_clients:5000\r\n"
    asked: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            while header := await reader.readline():
                words = []
                for _ in range(int(header[1:])):
                    await reader.readline()
                    words.append((await reader.readline()).decode().strip())
                asked.append(" ".join(words))
                said = {"INFO": b"$%d\r\n%s\r\n" % (len(info), info), "CLIENT ID": b":%d\r\n" % LAST_ID}
                known = next((reply for begin, reply in said.items() if asked[-1].startswith(begin)), b"$0\r\n\r\n")
                writer.write(b"+OK\r\n" if words[:2] == ["CLIENT", "SETNAME"] else known)

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        node = Node(parse_target(url, environ={}), SystemClock(), Budget(), Pseudonyms())
        try:
            found = await listed(node)
        finally:
            node.close()
            await asyncio.sleep(0.05)
    assert (found.clients, found.connected) == ([], 5000)
    ids = [int(id) for one in asked if one.startswith("CLIENT LIST ID") for id in one.split()[3:]]
    assert max(ids) == LAST_ID
