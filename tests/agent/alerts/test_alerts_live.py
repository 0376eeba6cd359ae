"""Alerts as Alertmanager sends them, about real servers: the comment's first sentence answers what was asked."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import hiredis
import pytest

from evals.lab.servers import ServerKind, running
from evals.lab.topologies import clustered, replicated, sentinels
from evals.lab.wire import LOST, Crew, crew, dial
from tests.clock import MISSING, servers_clock
from tests.program import rediagnose

MIB = "x" * 2**20
Scene = Callable[[ServerKind], AbstractAsyncContextManager[str]]
"""A server, or several, of which the alert is true or not; gives the URL to look at."""
SCENES: dict[str, Scene] = {}


def scene(make: Callable[[ServerKind], AsyncIterator[str]]) -> Callable[[ServerKind], AsyncIterator[str]]:
    """Keep it by its name."""
    SCENES[make.__name__] = asynccontextmanager(make)
    return make


async def _ask(url: str, *commands: tuple[Any, ...]) -> None:
    wire = await dial(url)
    with suppress(hiredis.ReplyError):
        for command in commands:
            await wire.ask(*command)
    await wire.close()


async def _again(work: Callable[[], Any], pause: float) -> None:
    while True:
        with suppress(*LOST):
            await work()
        await asyncio.sleep(pause)


async def _crowd(hands: Crew, url: str, clients: int) -> None:
    for _ in range(clients):
        await hands.dial(url)


@scene
async def plain(kind: ServerKind) -> AsyncIterator[str]:
    async with running(kind) as server:
        yield server.url


@scene
async def gone(kind: ServerKind) -> AsyncIterator[str]:
    async with running(kind) as server:
        url = server.url
    yield url


@scene
async def refusing(kind: ServerKind) -> AsyncIterator[str]:
    async with running(kind, maxclients="16") as server, crew() as hands:
        await _crowd(hands, server.url, 10)

        async def push() -> None:
            async with crew() as more:
                await _crowd(more, server.url, 8)

        for _ in range(2):
            hands.spawn(_again(push, 0.05))
        await asyncio.sleep(0.5)
        yield server.url


@scene
async def refused(kind: ServerKind) -> AsyncIterator[str]:
    async with running(kind, maxclients="16") as server:
        async with crew() as hands:
            with suppress(*LOST):
                await _crowd(hands, server.url, 20)
        yield server.url


@scene
async def crowded(kind: ServerKind) -> AsyncIterator[str]:
    async with running(kind, maxclients="200") as server, crew() as hands:
        await _crowd(hands, server.url, 186)
        yield server.url


@scene
async def visited(kind: ServerKind) -> AsyncIterator[str]:
    async with running(kind) as server, crew() as hands:
        await _crowd(hands, server.url, 8)
        yield server.url


@scene
async def full(kind: ServerKind) -> AsyncIterator[str]:
    async with running(kind, maxmemory="24mb") as server:
        await _ask(server.url, *(("APPEND", f"k{number}", MIB) for number in range(40)))
        yield server.url


@scene
async def emptied(kind: ServerKind) -> AsyncIterator[str]:
    async with running(kind, maxmemory="24mb") as server:
        await _ask(server.url, *(("APPEND", f"k{number}", MIB) for number in range(40)))
        await _ask(server.url, ("FLUSHALL",))
        yield server.url


@scene
async def saved(kind: ServerKind) -> AsyncIterator[str]:
    async with running(kind) as server:
        await asyncio.sleep(2.5)
        await _ask(server.url, ("SET", "a", "1"), ("SAVE",))
        yield server.url


@scene
async def unsaved(kind: ServerKind) -> AsyncIterator[str]:
    if MISSING:
        pytest.skip(MISSING)
    with servers_clock() as clock:
        clock.add(-26 * 3600)
        async with running(kind, prefix=clock.prefix) as server:
            await asyncio.sleep(2.5)
            await _ask(server.url, ("SET", "a", "1"), ("SAVE",), ("SET", "b", "2"))
            clock.add(0)
            await asyncio.sleep(0.5)
            yield server.url


@scene
async def headless(kind: ServerKind) -> AsyncIterator[str]:
    async with replicated(kind, 1) as data:
        data.primary.server.signal(signal.SIGKILL)
        await asyncio.sleep(1.5)
        yield data.replicas[0].url


@scene
async def pair(kind: ServerKind) -> AsyncIterator[str]:
    async with replicated(kind, 1) as data:
        yield data.url


@scene
async def widowed(kind: ServerKind) -> AsyncIterator[str]:
    async with replicated(kind, 2) as data:
        data.replicas[0].server.signal(signal.SIGKILL)
        await asyncio.sleep(1.5)
        yield data.url


@scene
async def flapping(kind: ServerKind) -> AsyncIterator[str]:
    async with replicated(kind, 1) as data, crew() as hands:
        primary = data.primary.url
        hands.spawn(_again(lambda: _ask(primary, ("CLIENT", "KILL", "TYPE", "replica")), 0.7))
        await asyncio.sleep(1)
        yield primary


@scene
async def flapped(kind: ServerKind) -> AsyncIterator[str]:
    async with replicated(kind, 1) as data:
        for _ in range(3):
            await _ask(data.primary.url, ("CLIENT", "KILL", "TYPE", "replica"))
            await asyncio.sleep(1.2)
        yield data.primary.url


@scene
async def split(kind: ServerKind) -> AsyncIterator[str]:
    async with sentinels(kind, down_after=60_000) as data:
        await _ask(data.replicas[0].url, ("REPLICAOF", "NO", "ONE"))
        yield data.sentinels[0].url


@scene
async def cluster(kind: ServerKind) -> AsyncIterator[str]:
    async with clustered(kind, 3) as data:
        yield data.url


@scene
async def holed(kind: ServerKind) -> AsyncIterator[str]:
    async with clustered(kind, 3, node_timeout=1000) as data:
        data.members[1].server.signal(signal.SIGKILL)
        await asyncio.sleep(4)
        yield data.members[0].url


@scene
async def doubted(kind: ServerKind) -> AsyncIterator[str]:
    # Of two nodes out of three nobody can agree that they are down.
    async with clustered(kind, 3, node_timeout=1000) as data:
        for one in data.members[1:]:
            one.server.signal(signal.SIGSTOP)
        await asyncio.sleep(3)
        yield data.members[0].url


@scene
async def paused(kind: ServerKind) -> AsyncIterator[str]:
    # Below node-timeout nobody suspects it.
    async with clustered(kind, 3, node_timeout=60_000) as data:
        data.members[1].server.signal(signal.SIGSTOP)
        await asyncio.sleep(2)
        yield data.members[0].url


NEAR = "Redis is running out of system memory (> {}%)"
CASES = (
    ("RedisDown", "", "gone", "now"), ("RedisDown", "", "plain", "over"),
    ("RedisMissingMaster", "", "headless", "now"), ("RedisMissingMaster", "", "pair", "over"),
    ("RedisTooManyMasters", "", "split", "now"), ("RedisTooManyMasters", "", "cluster", "no"),
    ("RedisTooManyMasters", "", "pair", "over"),
    ("RedisDisconnectedSlaves", "", "widowed", "now"), ("RedisDisconnectedSlaves", "", "pair", "over"),
    ("RedisReplicationBroken", "", "headless", "now"), ("RedisReplicationBroken", "", "flapped", "over"),
    ("RedisClusterFlapping", "", "flapping", "now"), ("RedisClusterFlapping", "", "flapped", "over"),
    ("RedisClusterFlapping", "", "pair", "no"),
    ("RedisMissingBackup", "Redis has not been backed up for 24 hours", "unsaved", "now"),
    ("RedisMissingBackup", "Redis has not been backed up for 24 hours", "saved", "over"),
    ("RedisMissingBackup", "", "plain", "no"),
    ("RedisOutOfSystemMemory", NEAR.format("0.000001"), "plain", "now"),
    ("RedisOutOfSystemMemory", NEAR.format("0.05"), "emptied", "over"),
    ("RedisOutOfConfiguredMaxmemory", "", "full", "now"), ("RedisOutOfConfiguredMaxmemory", "", "emptied", "over"),
    ("RedisOutOfConfiguredMaxmemory", "", "plain", "no"),
    ("RedisOutOfMemory", "", "full", "now"), ("RedisOutOfMemory", "", "emptied", "over"),
    ("RedisTooManyConnections", "Redis is running out of connections (> 90% used)", "crowded", "now"),
    ("RedisTooManyConnections", "", "refused", "over"),
    ("RedisTooManyConnections", "Redis instance has too many connections\n  VALUE = 342", "crowded", "now"),
    ("RedisTooManyConnections", "Redis instance has too many connections\n  VALUE = 342", "plain", "over"),
    ("RedisNotEnoughConnections", "", "plain", "now"), ("RedisNotEnoughConnections", "", "visited", "over"),
    ("RedisRejectedConnections", "", "refusing", "now"), ("RedisRejectedConnections", "", "refused", "over"),
    ("RedisClusterSlotFail", "", "holed", "now"), ("RedisClusterSlotFail", "", "plain", "no"),
    ("RedisClusterSlotPfail", "", "doubted", "now"), ("RedisClusterSlotPfail", "", "paused", "no"),
    ("RedisClusterSlotPfail", "", "holed", "over"), ("RedisClusterStateNotOk", "", "holed", "now"),
    ("RedisClusterStateNotOk", "", "cluster", "over"), ("RedisClusterStateNotOk", "", "plain", "no"),
)  # fmt: skip


def notification(rule: str, description: str) -> str:
    """What Alertmanager posts for it."""
    labels = {"alertname": rule, "instance": "10.0.0.5:9121", "severity": "critical"}
    annotations = {"summary": f"{rule} fires (instance 10.0.0.5:9121)", "description": description}
    alert = {
        "status": "firing", "labels": labels, "annotations": annotations, "startsAt": "2026-05-04T12:05:07Z",
        "fingerprint": "0a1b2c3d4e5f6071",
    }  # fmt: skip
    return json.dumps({
        "version": "4", "groupKey": "{}:{}", "status": "firing", "receiver": "rediagnose", "groupLabels": labels,
        "commonLabels": labels, "commonAnnotations": annotations, "alerts": [alert],
    })  # fmt: skip


@pytest.mark.parametrize(("rule", "description", "where", "state"), CASES, ids=[f"{c[0]}-{c[2]}-{c[3]}" for c in CASES])
async def test_the_comment_answers_the_alert_first(
    kind: ServerKind, tmp_path: Path, rule: str, description: str, where: str, state: str
) -> None:
    ticket = tmp_path / "alert.json"
    ticket.write_text(notification(rule, description))
    async with SCENES[where](kind) as url:
        given = ("annotate", str(ticket), "--url", url, "--model", "offline")
        done = await rediagnose(*given, "--format", "json")
    (one,) = done.answer()["alerts"]
    print(one["told"])
    assert (one["rule"], one["state"]) == (rule, state), one["told"]
    assert done.answer()["summary"].startswith(one["told"])
    assert one["evidence"] and all(cited["verified"] for cited in one["evidence"])


async def test_the_comment_begins_with_it(kind: ServerKind, tmp_path: Path) -> None:
    ticket = tmp_path / "alert.json"
    ticket.write_text(notification("RedisRejectedConnections", "Some connections were rejected\n  VALUE = 12"))
    async with running(kind) as server:
        done = await rediagnose("annotate", str(ticket), "--url", server.url, "--model", "offline")
    text = done.out.partition("-->")[2].strip()
    assert text.startswith("**RedisRejectedConnections: not now: none in the last "), text[:200]
