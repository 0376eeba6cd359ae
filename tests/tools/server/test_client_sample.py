"""Which clients of a crowd are asked for: on ids alone, and on real servers with connections that hold."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from evals.lab.servers import Server, ServerKind, running
from evals.lab.wire import Wire, crew
from tests.looking import number
from tools.clock import SystemClock
from tools.connection.budget import Budget
from tools.connection.node import Node
from tools.connection.target import parse_target
from tools.redact import Pseudonyms
from tools.server.client_sample import AHEAD, BATCH, MOST_IDS, VALKEY_CALLS, WHOLE, listed, scattered, spread
from tools.server.clients import clients


@pytest.mark.parametrize(("newest", "size"), [(301, 250), (10_250, 250), (65_000, 64)])
def test_a_crowd_is_asked_for_in_blocks_that_divide_it_and_no_period_meets(newest: int, size: int) -> None:
    blocks = list(spread(newest, size))
    assert max(blocks[0]) == newest and max(map(len, blocks)) == size
    assert sorted(id for ids in blocks for id in ids) == list(range(1, newest + 1))
    tenths = {10 * ids[0] // newest for ids in blocks[:VALKEY_CALLS]}
    assert len(tenths) >= min(len(blocks), 6)


def test_of_ids_that_lie_far_apart_the_newest_and_some_of_all_are_asked_for() -> None:
    blocks = list(scattered(10**9))
    assert max(map(len, blocks)) <= MOST_IDS and max(blocks[0]) == 10**9
    assert min(id for ids in blocks for id in ids) == 1


@asynccontextmanager
async def crowd(kind: ServerKind, count: int) -> AsyncIterator[tuple[Server, Wire, Node]]:
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
