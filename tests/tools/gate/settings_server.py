"""A server on loopback that keeps settings and clients, notes what it's sent, and fails as it's told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatch

from evals.attacks._server import asked, serving
from tools.clock import SystemClock
from tools.connection.budget import Budget
from tools.connection.node import Node
from tools.connection.target import parse_target
from tools.redact import Pseudonyms

OWN = 8
"""The id of the program's connection."""


@dataclass
class Settings:
    """What the server has, and what was asked of it."""

    config: dict[str, str] = field(default_factory=lambda: {"timeout": "0", "maxmemory": "0", "maxclients": "100"})
    clients: str = ""
    """CLIENT LIST, whatever id is asked for."""
    refusal: str = ""
    """What every change is refused with."""
    silent: bool = False
    """Whether the connection is lost at a change, which is made all the same."""
    unreadable: bool = False
    """Whether CONFIG GET is refused once a change was made."""
    printed: dict[str, str] = field(default_factory=dict)
    """What a value that is set is printed as, where that is something else."""
    mute: str = ""
    """What isn't answered any more once a change came: that `change`, or what is to be `read` after it."""
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    """Whether it has come to that."""
    changes: list[tuple[str, ...]] = field(default_factory=list)


@asynccontextmanager
async def settings_node(has: Settings) -> AsyncIterator[Node]:
    """A node at such a server."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            words = tuple(str(word) for word in await asked(reader))
            reply = _reply(has, words)
            if has.changes and has.mute == ("read" if words[:2] == ("CONFIG", "GET") else "change"):
                has.reached.set()
                await asyncio.Event().wait()
            if reply is None:
                return
            writer.write(reply)
            await writer.drain()

    async with serving(serve) as port:
        target = parse_target(f"redis://127.0.0.1:{port}", environ={})
        node = Node(target, SystemClock(), Budget(), Pseudonyms())
        try:
            yield node
        finally:
            node.close()


def _reply(has: Settings, words: tuple[str, ...]) -> bytes | None:
    if words[:2] == ("CONFIG", "GET"):
        if has.unreadable and has.changes:
            return b"-NOPERM no\r\n"
        found = [part for name, value in has.config.items() if any(fnmatch(name, one) for one in words[2:])
                 for part in (name, value)]  # fmt: skip
        return b"*%d\r\n" % len(found) + b"".join(map(_bulk, found))
    if words[:2] == ("CLIENT", "LIST"):
        return _bulk(has.clients)
    if words[:2] == ("CLIENT", "ID"):
        return b":%d\r\n" % OWN
    if words[:2] == ("CLIENT", "SETNAME") or words[0] == "PING":
        return b"+OK\r\n"
    has.changes.append(words)
    if has.refusal:
        return f"-{has.refusal}\r\n".encode()
    if words[:2] == ("CONFIG", "SET"):
        has.config[words[2]] = has.printed.get(words[3], words[3])
    return None if has.silent else b"+OK\r\n"


def _bulk(text: str) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(text.encode()), text.encode())
