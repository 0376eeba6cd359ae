"""A reply counts from when it arrived here, however late this program is with reading it."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from evals.lab.servers import ServerKind, running
from tests.full_queue import full_queue
from tests.looking import number
from tools.clock import SystemClock
from tools.connection.budget import Budget
from tools.connection.connection import Connection, Timed
from tools.connection.live import LiveConnection
from tools.connection.network import SystemNetwork
from tools.connection.node import Node
from tools.connection.protocol import Command
from tools.connection.target import Target, parse_target
from tools.errors import Unanswered
from tools.record.load import load
from tools.record.recorded_network import RecordedNetwork
from tools.record.recorder import Recorder
from tools.record.replay import Replay
from tools.record.tape import Tape
from tools.redact import Pseudonyms
from tools.server.latency import is_own, latency_sample

LATE = 0.3
"""Seconds for which this program is at something else."""


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[LiveConnection]:
    connection = LiveConnection(parse_target(url, environ={}))
    try:
        await connection.open(5)
        # The kernel begins to stamp a moment after the first socket asks for it.
        for _ in range(3):
            await connection.timed(("PING",), 5)
            await asyncio.sleep(0.02)
        yield connection
    finally:
        connection.close()


async def late(connection: LiveConnection, timeout: float) -> Timed:
    """A PING whose reply arrives while this program is at something else."""
    asking = asyncio.create_task(connection.timed(("PING",), timeout))
    await asyncio.sleep(0)
    time.sleep(LATE)
    return await asking


async def test_own_waiting_is_not_the_servers(kind: ServerKind) -> None:
    async with running(kind) as server, opened(server.url) as connection:
        timed = await late(connection, 5)
        assert timed.reply == "PONG" and timed.own_seconds is not None
        if not timed.is_known:
            pytest.skip("this kernel doesn't tell when a TCP segment arrived")
        assert timed.own_seconds >= LATE * 0.9 > timed.seconds and not is_own(timed)


async def test_over_a_unix_socket_it_is_known_that_it_may_be_our_own(kind: ServerKind) -> None:
    async with running(kind, unixsocket="s") as server, opened(f"unix://{server.folder / 's'}") as connection:
        timed = await late(connection, 5)
        assert not timed.is_known and timed.own_seconds is not None
        assert min(timed.seconds, timed.own_seconds) >= LATE * 0.8 and is_own(timed)
        # A server that is slow by itself isn't excused by that.
        asking = asyncio.create_task(connection.timed(("PING",), 5))
        server.signal(signal.SIGSTOP)
        await asyncio.sleep(LATE)
        server.signal(signal.SIGCONT)
        await asking


async def test_a_reply_that_lies_here_unread_is_no_time_out(kind: ServerKind) -> None:
    async with running(kind) as server, opened(server.url) as connection:
        assert (await late(connection, LATE / 2)).reply == "PONG"
        server.signal(signal.SIGSTOP)
        with pytest.raises(Unanswered, match="no reply"):
            await late(connection, LATE / 2)
        server.signal(signal.SIGCONT)


async def test_a_connection_that_waits_here_to_be_seen_is_no_time_out(kind: ServerKind) -> None:
    async with running(kind) as server:
        connection = LiveConnection(parse_target(server.url, environ={}))
        opening = asyncio.create_task(connection.open(LATE / 2))
        while connection.progress.stage == "dns":
            await asyncio.sleep(0)
        time.sleep(LATE)
        await opening
        assert await connection.exchange([("PING",)], 5) == ["PONG"]
        connection.close()
    with full_queue() as port:
        connection = LiveConnection(parse_target(f"redis://127.0.0.1:{port}", environ={}))
        opening = asyncio.create_task(connection.open(LATE / 2))
        while connection.progress.stage == "dns":
            await asyncio.sleep(0)
        time.sleep(LATE)
        with pytest.raises(Unanswered, match="no answer in stage tcp"):
            await opening


class Busy(LiveConnection):
    """A connection whose program is at something else while each third PING is answered."""

    count = 0

    async def timed(self, command: Command, timeout: float) -> Timed:
        self.count += 1
        asking = asyncio.create_task(super().timed(command, timeout))
        await asyncio.sleep(0)
        if self.count % 3 == 0:
            time.sleep(LATE / 10)
        return await asking


class BusyNetwork(SystemNetwork):
    def connection(self, target: Target) -> Connection:
        return Busy(target)


@pytest.mark.parametrize("unix", [False, True])
async def test_the_sample_is_of_the_server_alone_live_and_replayed(
    kind: ServerKind, tmp_path: Path, unix: bool
) -> None:
    async with running(kind, unixsocket="s") as server:
        url = f"unix://{server.folder / 's'}" if unix else server.url
        target, clock, pseudonyms = parse_target(url, environ={}), SystemClock(), Pseudonyms()
        recorder = Recorder(tmp_path / "one", clock, pseudonyms)
        recorder.begin(url=url)
        node = Node(target, clock, Budget(), pseudonyms, RecordedNetwork(recorder, BusyNetwork()))
        await node.one("PING")
        await asyncio.sleep(0.1)
        live = await latency_sample(node, 30, 0.5)
        node.close()
        recorder.close()
    assert live["answered"] == 30 and number(live, "own_delay_max_ms") >= LATE * 100 * 0.8
    if "own_late" in live:
        assert number(live, "own_late") >= 10
    assert number(live, "max_ms") < LATE * 100
    replay = Replay(Tape(load(tmp_path / "one")), clock)
    again = Node(target, clock, Budget(), Pseudonyms(), replay)
    await again.one("PING")
    replayed = await latency_sample(again, 30, 0.5)
    for field in ("answered", "own_late", "own_delay_max_ms", "own_delay_p95_ms"):
        assert replayed.get(field) == live.get(field), field
    again.close()
