"""The connection on real servers, and on peers that don't keep to the protocol."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

import pytest
from hiredis import ReplyError
from redis.asyncio.connection import AbstractConnection

from evals.lab.servers import Server, ServerKind, running
from evals.lab.wire import Wire, dial
from tests.full_queue import full_queue
from tools.clock import SystemClock
from tools.connection import live, redis_py
from tools.connection.budget import Budget
from tools.connection.live import LiveConnection
from tools.connection.network import SystemNetwork
from tools.connection.node import Node
from tools.connection.protocol import Command, Reply
from tools.connection.target import Target, parse_target
from tools.errors import Unanswered
from tools.redact import Pseudonyms

Writing = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def peer(write: Writing) -> AsyncIterator[LiveConnection]:
    """A connection to something that does what `write` does, and then keeps its end open until the other is closed."""
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        with contextlib.suppress(OSError, asyncio.CancelledError), contextlib.closing(writer):
            await write(reader, writer)
            while await reader.read(65536):
                pass

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        connection = LiveConnection(parse_target(url, environ={}))
        try:
            await connection.open(5)
            yield connection
        finally:
            connection.close()
            for task in list(serving):
                task.cancel()
            await asyncio.gather(*serving)


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[LiveConnection]:
    connection = LiveConnection(parse_target(server.url, environ={}))
    try:
        await connection.open(5)
        yield connection
    finally:
        connection.close()


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0)


def test_redis_py_has_the_private_names_that_are_used() -> None:
    wire = redis_py.Wire(lambda: asyncio.sleep(0, ()), lambda: 1)  # type: ignore[arg-type]
    assert [name for name in redis_py.PRIVATE_NAMES if not hasattr(wire, name)] == []
    assert isinstance(wire, AbstractConnection) and isinstance(wire._parser, redis_py.BoundedParser)
    assert not wire.is_connected


async def test_nothing_is_sent_but_what_was_asked(kind: ServerKind) -> None:
    async with running(kind) as server, connected(server) as connection:
        wire = await dial(server.url)
        await wire.ask("CONFIG", "RESETSTAT")
        assert await connection.exchange([("PING",), ("ECHO", "é\udcff")], 5) == ["PONG", "é\\udcff"]
        stats = str(await wire.ask("INFO", "commandstats"))
        names = {line.partition(":")[0].removeprefix("cmdstat_") for line in stats.splitlines() if ":" in line}
        assert names - {"config|resetstat", "config", "info"} == {"ping", "echo"}
        await wire.close()


async def filled(server: Server, most: int) -> list[Wire]:
    """Connections that the server let in, as many as it takes: the one that saw it start may still be among them."""
    held: list[Wire] = []
    async with asyncio.timeout(20):
        while len(held) < most:
            wire = await dial(server.url)
            try:
                await wire.ask("PING")
            except ReplyError:
                await wire.close()
            else:
                held.append(wire)
    return held


async def test_a_full_servers_goodbye_is_read_although_it_closed(kind: ServerKind) -> None:
    async with running(kind, maxclients="4") as server:
        held = await filled(server, 4)
        for number in range(30):
            connection = LiveConnection(parse_target(server.url, environ={}))
            await connection.open(5)
            if number % 2:
                # By then the server has closed: the write finds the connection reset.
                assert await connection.closed(5)
            for _ in range(2):
                with pytest.raises(Unanswered) as raised:
                    await connection.exchange([("CLIENT", "SETNAME", "x"), ("CLIENT", "ID")], 5)
                assert raised.value.kind == "maxclients"
            connection.close()
        for wire in held:
            await wire.close()


async def test_late_replies_are_dropped_and_the_slot_is_kept(kind: ServerKind) -> None:
    async with running(kind) as server, connected(server) as connection:
        (before,) = await connection.exchange([("CLIENT", "ID")], 5)
        server.signal(signal.SIGSTOP)
        for number in range(3):
            with pytest.raises(Unanswered) as raised:
                await connection.exchange([("ECHO", f"late {number}"), ("INFO", "everything")], 0.05)
            assert raised.value.kind == "timeout" and connection.usable
        server.signal(signal.SIGCONT)
        assert await connection.exchange([("CLIENT", "ID"), ("ECHO", "now")], 10) == [before, "now"]


async def test_calls_side_by_side_get_their_own_replies(kind: ServerKind) -> None:
    async with running(kind) as server, connected(server) as connection, asyncio.TaskGroup() as group:
        tasks = [group.create_task(connection.exchange([("ECHO", n), ("ECHO", -n)], 10)) for n in range(50)]
        for number, task in enumerate(tasks):
            assert await task == [str(number), str(-number)]


async def test_it_never_connects_again_by_itself(kind: ServerKind) -> None:
    async with running(kind) as server, connected(server) as connection:
        wire = await dial(server.url)
        (number,) = await connection.exchange([("CLIENT", "ID")], 5)
        lost: list[bool] = []
        connection.on_lost(lambda: lost.append(connection.usable))
        await wire.ask("CLIENT", "KILL", "ID", number)
        assert await connection.closed(10)
        assert lost == [True] and not connection.usable
        received = str(await wire.ask("INFO", "stats"))
        with pytest.raises(Unanswered, match="reset"):
            await connection.exchange([("PING",)], 5)
        line = next(line for line in received.splitlines() if line.startswith("total_connections_received"))
        assert line in str(await wire.ask("INFO", "stats"))
        await wire.close()


async def test_every_byte_is_counted() -> None:
    counts = [0, 0]

    async def write(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in (
            b"+OK\r\n",
            b"$5\r\n\xffab\r\n\r\n",
            b"*2\r\n:1\r\n-ERR no\r\n",
            b"$100000\r\n" + b"x" * 100_000 + b"\r\n",
        ):
            counts[0] += len(await reader.readuntil(b"END\r\n"))
            writer.write(reply)
            counts[1] += len(reply)
            await writer.drain()

    async with peer(write) as connection:
        replies = [(await connection.exchange([("PING", "é", 7, "END")], 5))[0] for _ in range(4)]
        assert connection.take_bytes() == sum(counts)
        assert connection.take_bytes() == 0
    assert replies[:2] == ["OK", "\\xffab\r\n"]
    assert replies[2][0] == 1 and replies[2][1].text == "ERR no"


async def test_more_replies_than_commands_end_the_connection() -> None:
    async def write(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"+OK\r\n" * 5)
        await writer.drain()

    async with peer(write) as connection:
        with pytest.raises(Unanswered, match="more replies than commands"):
            for _ in range(4):
                # The first one or two may take what is there for theirs.
                assert await connection.exchange([("PING",)], 5) == ["OK"]
        assert not connection.usable


@pytest.mark.parametrize("reply", [b"+OK\r\n", b">1\r\n+x\r\n", b"*0\r\n", b"$60000\r\n" + b"x" * 60000 + b"\r\n"])
async def test_an_endless_stream_of_replies_ends_the_connection(reply: bytes) -> None:
    sent = 0

    async def write(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        chunk = reply * (1 + 65536 // len(reply))
        while True:
            writer.write(chunk)
            await writer.drain()
            sent += len(chunk)

    async with peer(write) as connection:
        assert await connection.closed(20)
        assert not connection.usable
        with pytest.raises(Unanswered) as raised:
            await connection.exchange([("PING",)], 5)
        assert raised.value.kind == "reset" and "nobody asked for" in raised.value.detail
        assert len(connection.take_unasked()) <= live.MOST_UNASKED
        assert connection.take_bytes() <= 2 * live.MOST_UNASKED_BYTES


async def test_a_reply_without_an_end_ends_the_connection() -> None:
    async def write(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"$536870911\r\n")
        chunk = bytes(2**20)
        while True:
            writer.write(chunk)
            await writer.drain()

    async with peer(write) as connection:
        with pytest.raises(Unanswered, match="a reply to PING of more than 1 MiB") as raised:
            await connection.exchange([("PING",)], 60)
        assert raised.value.kind == "malformed"
        # Its length was enough.
        assert connection.take_bytes() <= 2**21


@pytest.mark.parametrize(
    "data",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x46", b"*?\r\n", b":1e3\r\n", b"$3\r\nabcde"],
)
async def test_what_is_no_reply_is_named(data: bytes) -> None:
    async def write(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"PING\r\n")
        writer.write(data)
        await writer.drain()

    async with peer(write) as connection:
        with pytest.raises(Unanswered, match="not the Redis protocol") as raised:
            await connection.exchange([("PING",)], 5)
        assert raised.value.kind == ("tls" if data[:1] == b"\x15" else "reset")
        assert connection.progress.stages["speaks_resp"] is False


class Watched(LiveConnection):
    """A connection that tells when it has connected, and waits for the first reply."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.asked = asyncio.Event()

    async def exchange(self, commands: Sequence[Command], timeout: float) -> list[Reply]:
        self.asked.set()
        return await super().exchange(commands, timeout)


class WatchedNetwork(SystemNetwork):
    def __init__(self) -> None:
        self.connections: list[Watched] = []

    def connection(self, target: Target) -> Watched:
        self.connections.append(Watched(target))
        return self.connections[-1]


async def test_a_dial_that_is_cancelled_leaves_no_connection(kind: ServerKind) -> None:
    async with running(kind) as server:
        wire, network = await dial(server.url), WatchedNetwork()
        node = Node(parse_target(server.url, environ={}), SystemClock(), Budget(), Pseudonyms(), network)
        server.signal(signal.SIGSTOP)
        for number in range(3):
            dialling = asyncio.create_task(node.dial(30))
            await eventually(partial(lambda number: len(network.connections) > number, number))
            await network.connections[number].asked.wait()
            dialling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await dialling
        server.signal(signal.SIGCONT)
        async with asyncio.timeout(20):
            while str(await wire.ask("CLIENT", "LIST", timeout=10)).count("\n") > 1:
                await asyncio.sleep(0.02)
        assert "name=rediagnose" not in str(await wire.ask("CLIENT", "LIST"))
        await wire.close()


async def test_a_dial_that_is_cancelled_before_it_has_connected_leaves_no_socket() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with full_queue() as port:
        for url in (f"redis://127.0.0.1:{port}", f"rediss://127.0.0.1:{port}"):
            for _ in range(3):
                connection = LiveConnection(parse_target(url, environ={}))
                opening = asyncio.create_task(connection.open(30))
                await eventually(partial(lambda progress: progress.stage != "dns", connection.progress))
                opening.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await opening
    await asyncio.sleep(0)
    assert len(os.listdir("/proc/self/fd")) == before
