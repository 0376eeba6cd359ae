"""A server on loopback that says what it's told to, in bytes."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable

from evals.attacks._replies import Twist, named, wire
from tools.connection.protocol import Command, Reply

INFO = (
    "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nprocess_id:999999\r\nrun_id:abc\r\ntcp_port:1\r\n"
    "server_time_usec:1700000000000000\r\nuptime_in_seconds:900\r\n"
    "# Clients\r\nconnected_clients:2\r\nmaxclients:10000\r\n"
    "blocked_clients:0\r\n# Memory\r\nused_memory:1000000\r\nused_memory_rss:2000000\r\nmaxmemory:0\r\n"
    "# Persistence\r\n"
    "loading:0\r\nrdb_last_save_time:1700000000\r\n# Stats\r\ntotal_connections_received:5\r\n"
    "total_commands_processed:50\r\nrejected_connections:0\r\nlatest_fork_usec:300\r\n# Replication\r\nrole:master\r\n"
    "connected_slaves:1\r\nslave0:ip=127.0.0.1,port=1,state=online,offset=5,lag=0\r\nmaster_replid:x\r\n"
    "master_repl_offset:10\r\n# CPU\r\nused_cpu_sys:1.5\r\n# Errorstats\r\nerrorstat_ERR:count=2\r\n# Commandstats\r\n"
    "cmdstat_get:calls=5,usec=50,usec_per_call=10.00,rejected_calls=0,failed_calls=0\r\n# Keyspace\r\n"
    "db0:keys=1,expires=0,avg_ttl=0\r\n"
)
_CLIENT = (
    "id=7 addr=127.0.0.1:5 laddr=127.0.0.1:6 fd=8 name=app age=5 idle=1 flags=N db=0 qbuf=0 omem=0 events=r cmd=get\n"
)
RIGHT: dict[str, Reply] = {
    "PING": "PONG", "INFO": INFO, "CLIENT LIST": _CLIENT, "CLIENT ID": 8, "CONFIG GET": ["maxclients", "10000"],
    "SLOWLOG GET": [[1, 1700000000, 20000, ["GET", "k"], "127.0.0.1:5", "app"]], "SLOWLOG LEN": 1,
    "LATENCY LATEST": [["command", 1700000000, 20, 30]], "LATENCY HISTORY": [[1700000000, 20]],
    "LATENCY DOCTOR": "Dave, no.", "MEMORY STATS": ["keys.count", 1, "db.0", ["overhead.hashtable.main", 5]],
    "MEMORY DOCTOR": "Hi Sam.", "ACL WHOAMI": "default", "TIME": ["1700000000", "5"], "ROLE": ["master", 10, []],
    "ACL LOG": [["count", 1, "reason", "auth", "context", "toplevel", "object", "AUTH", "username", "x", "age-seconds",
                 "1.5", "client-info", "id=5 addr=127.0.0.1:5 name=app"]],
    "LATENCY HISTOGRAM": ["get", ["calls", 5, "histogram_usec", [1, 3, 2, 5]]], "HELLO": ["server", "redis"],
}  # fmt: skip
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[int]:
    """The port of loopback at which each connection is given to `serve`."""
    tasks: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
                await serve(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            tasks.discard(task)
            writer.transport.abort()

    async with await asyncio.start_server(one, "127.0.0.1", 0) as server:
        yield int(server.sockets[0].getsockname()[1])
        for task in (left := list(tasks)):
            task.cancel()
        await asyncio.gather(*left)


async def asked(reader: asyncio.StreamReader) -> Command:
    """The next command. Raises `IncompleteReadError` at the end."""
    count = int((await reader.readline())[1:] or 0)
    words = []
    for _ in range(count):
        length = int((await reader.readline())[1:])
        words.append((await reader.readexactly(length + 2))[:-2].decode(errors="replace"))
    if not words:
        raise asyncio.IncompleteReadError(b"", 1)
    return words


@contextlib.asynccontextmanager
async def hostile(twist: Twist, rng: random.Random) -> AsyncIterator[str]:
    """The URL of a server whose replies are those of a right one, twisted."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            command = await asked(reader)
            name = named(command)
            right = RIGHT.get(name, RIGHT.get(name.partition(" ")[0], "OK"))
            writer.write(wire(rng, twist(rng, command, right)))
            await writer.drain()

    async with serving(serve) as port:
        yield f"redis://127.0.0.1:{port}"
