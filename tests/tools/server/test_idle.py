"""Idle connections of servers that say of them what no server says."""

import asyncio
import contextlib

import pytest

from tools.clock import SystemClock
from tools.connection.budget import Budget
from tools.connection.node import Node
from tools.connection.target import parse_target
from tools.redact import Pseudonyms
from tools.server.idle import idle_probe


@pytest.mark.parametrize("id", [b":-1", b":0", b"+many", b"*0"])
async def test_a_connection_whose_number_is_none_isnt_asked_for(id: bytes) -> None:
    asked: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        numbered = 0
        with contextlib.closing(writer):
            # The probe asks for its number once more, and is closed then.
            while numbered < 2 and (header := await reader.readline()):
                words = []
                for _ in range(int(header[1:])):
                    await reader.readline()
                    words.append((await reader.readline()).decode().strip())
                asked.append(" ".join(words))
                numbered += words == ["CLIENT", "ID"]
                writer.write(id + b"\r\n" if words == ["CLIENT", "ID"] else b"+PONG\r\n")

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        node = Node(parse_target(url, environ={}), SystemClock(), Budget(), Pseudonyms())
        try:
            values = await idle_probe(node, seconds=1.0)
        finally:
            node.close()
            await asyncio.sleep(0.05)
    assert values["closed_by_peer"] is True and values["still_listed"] is None
    assert "CLIENT LIST" not in " ".join(asked)
