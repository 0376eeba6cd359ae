"""What is by design, on real servers: nothing of it is called an incident or said to come soon."""

import asyncio
import contextlib

import pytest

from agent.fleet.look import Fleet, Member
from agent.investigation.sources import Options
from agent.runbooks.library import load
from evals.lab.servers import Server, ServerKind, installed, running
from evals.lab.topologies import MASTER, clustered, replicated, sentinels
from evals.lab.wire import Crew, crew
from tools.clock import SystemClock
from tools.connection.target import parse_target

pytestmark = [pytest.mark.live, pytest.mark.alone]
BY_VERSION = "version-known-bad"
"""True of some of the servers that are installed, and not by design."""


def member(name: str, url: str) -> Member:
    return Member(name=name, target=parse_target(url, environ={}))


async def fill(hands: Crew, server: Server, count: int = 1600, *, seconds: int = 0) -> None:
    wire = await hands.dial(server.url)
    with contextlib.suppress(Exception):
        for number in range(count):
            await wire.ask("SET", f"k{number}", "x" * 4000, *(("EX", seconds) if seconds else ()))


async def warm_up(hands: Crew, server: Server) -> None:
    """A cache that has only begun to work."""
    wire, number = await hands.dial(server.url), 0
    while True:
        for _ in range(50):
            number += 1
            await wire.ask("SET", f"new{number}", "x" * 2000, "EX", 30)
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("kind", installed(), ids=lambda kind: kind.name)
async def test_nothing_by_design_is_said_to_come_soon(kind: ServerKind) -> None:
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        hands = await enter(crew())
        cache = await enter(running(kind, maxmemory="5mb", maxmemory_policy="allkeys-lru"))
        expiring = await enter(running(kind, maxmemory="5mb", maxmemory_policy="volatile-ttl"))
        nothing_kept = await enter(running(kind))
        warming = await enter(running(kind, maxmemory="64mb", maxmemory_policy="noeviction"))
        unlimited = await enter(running(kind))
        pair = await enter(replicated(kind, 1, replica={"maxmemory": "5mb"}))
        watched = await enter(sentinels(kind, replicas=1))
        cluster = await enter(clustered(kind, 3, 0, maxmemory="5mb", maxmemory_policy="allkeys-lfu"))
        await fill(hands, cache)
        await fill(hands, expiring, seconds=3600)
        await fill(hands, nothing_kept)
        await fill(hands, pair.members[0].server, 800)
        await fill(hands, warming, 6000)
        for server in (warming, unlimited):
            task = asyncio.create_task(warm_up(hands, server))
            stack.callback(task.cancel)
        masters = ",".join(one.name for one in watched.sentinels)
        members = [
            member("a cache that evicts", cache.url), member("a cache by expiry", expiring.url),
            member("a server without persistence", nothing_kept.url), member("a cache that warms up", warming.url),
            member("a cache without a limit", unlimited.url), member("a primary", pair.members[0].url),
            member("a replica", pair.members[1].url), member("by sentinel", f"redis+sentinel://{masters}/{MASTER}"),
            member("a cluster of caches", cluster.members[0].url),
        ]  # fmt: skip
        fleet = Fleet(
            members=members, library=load(), options=Options(deadline=60.0), jobs=3, seconds=500.0, clock=SystemClock()
        )
        found = await fleet.look()
        said = {one.name: (one.level, one.said, [each.id for each in one.preventive]) for one in found.targets}
        for name, (level, text, ids) in said.items():
            # A machine that is busy with other things makes itself felt, and that isn't by design.
            fair = level in ("healthy", "preventive") or "a PING took" in text
            assert fair and set(ids) <= {BY_VERSION}, (kind.name, name, level, text, ids)
