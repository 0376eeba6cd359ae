"""A primary, cluster node or sentinel in Python that names whatever neighbours it's told to, and keeps all it hears."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tools.record.resp import Requests, encode

Named = tuple[str, int]


@dataclass
class Hostile:
    """What it says, and what it heard."""

    neighbours: Sequence[Named] = ()
    how: str = "replica"
    """What it names them as: replica, primary, cluster, sentinel."""
    heard: list[bytes] = field(default_factory=list)
    """What came over all connections."""
    place: Named = ("", 0)

    def info(self) -> str:
        mode = {"cluster": "cluster", "sentinel": "sentinel"}.get(self.how, "standalone")
        lines = [
            "# Server", "redis_version:7.0.15", f"redis_mode:{mode}", "process_id:1", f"run_id:{'a' * 40}", "",
            "# Replication",
        ]  # fmt: skip
        if self.how == "primary":
            host, port = self.neighbours[0]
            lines += ["role:slave", f"master_host:{host}", f"master_port:{port}", "master_link_status:up"]
        else:
            lines.append("role:master")
        if self.how in ("replica", "primary"):
            lines += [
                f"slave{n}:ip={host},port={port},state=online,offset=1,lag=0"
                for n, (host, port) in enumerate(self.neighbours)
            ]
        return "\r\n".join(lines) + "\r\n"

    def reply(self, words: list[str]) -> object:
        """The reply to a command."""
        match [word.upper() for word in words[:2]]:
            case ["AUTH", *_] | ["CLIENT", "SETNAME"] | ["SELECT", *_]:
                return "OK"
            case ["CLIENT", "ID"]:
                return 7
            case ["PING", *_]:
                return "PONG"
            case ["INFO", *_]:
                return self.info()
            case ["CLUSTER", "NODES"]:
                rows = [f"{'a' * 40} {self.place[0]}:{self.place[1]}@1 myself,master - 0 0 1 connected 0-16383"]
                rows += [
                    f"{n:040x} {host}:{port}@{port},{host} master - 0 0 {n} connected"
                    for n, (host, port) in enumerate(self.neighbours)
                ]
                return "\n".join(rows) + "\n"
            case ["SENTINEL", "MASTERS"]:
                return [self._row(*self.neighbours[0], "mymaster", "master")]
            case ["SENTINEL", "MASTER"]:
                return self._row(*self.neighbours[0], "mymaster", "master")
            case ["SENTINEL", "REPLICAS"]:
                return [self._row(*one, "r", "slave") for one in self.neighbours[1:]]
            case ["SENTINEL", "SENTINELS"]:
                return [self._row(*one, "s", "sentinel") for one in self.neighbours[1:]]
        return []

    @staticmethod
    def _row(host: str, port: int, name: str, flags: str) -> list[str]:
        return ["name", name, "ip", host, "port", str(port), "flags", flags, "runid", "b" * 40]


@asynccontextmanager
async def serving(hostile: Hostile, listener: socket.socket) -> AsyncIterator[None]:
    """Serve on a listening socket, of whatever network namespace, for as long as the block runs."""
    hostile.place = listener.getsockname()[:2]
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        requests = Requests()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            while data := await reader.read(65536):
                hostile.heard.append(data)
                for words in requests.feed(data):
                    writer.write(encode(hostile.reply(words), 2))
        writer.close()

    async with await asyncio.start_server(serve, sock=listener):
        try:
            yield
        finally:
            for writer in writers:
                writer.transport.abort()
            await asyncio.sleep(0)


@asynccontextmanager
async def canary(listener: socket.socket, heard: list[bytes]) -> AsyncIterator[None]:
    """Keep every byte, and a mark for every connection, that comes to a listening socket."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(b"(connected)")
        with contextlib.suppress(OSError, asyncio.CancelledError, TimeoutError):
            heard.append(await asyncio.wait_for(reader.read(65536), 1))
        writer.close()

    async with await asyncio.start_server(serve, sock=listener):
        yield
