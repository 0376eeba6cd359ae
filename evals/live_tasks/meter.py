"""A way to every server of a task that counts what an agent sends, and lets no more through than allowed.

Each server is at the same port of a second loopback address, and in what passes one address stands for the other. So
whatever an agent finds in a reply (a cluster's nodes, a redirection, the master that a sentinel names) leads it back
through the meter, and nothing has to be parsed for that: both addresses are equally long.
"""

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import NamedTuple

from evals.lab.proxy import accepting
from evals.lab.servers import LabError

SERVERS, COUNTED = "127.0.0.1", "127.0.0.2"
"""The address at which the servers are, and the one that an agent is given."""
_CONTAINERS = frozenset((
    "acl", "client", "cluster", "command", "commandlog", "config", "function", "latency", "memory", "module", "object",
    "pubsub", "script", "sentinel", "slowlog", "xgroup", "xinfo",
))  # fmt: skip
"""Commands of which the second word says what they do."""
_THREE = frozenset(("client|kill", "sentinel|config"))
"""Those of which the third says whom it's about, or whether anything changes."""
_LONGEST = 64
"""Bytes of a word that belongs to a name."""


class Requests:
    """The commands in what a client sends, in whatever pieces it arrives."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[str]:
        """The names of the commands that end in these bytes, such as `config|set`."""
        self._data += data
        while (one := self._next()) is not None:
            words, end = one
            del self._data[:end]
            if words:
                yield name(words)

    def _next(self) -> tuple[list[bytes], int] | None:
        line = self._line(0)
        if line is None:
            return None
        text, at = line
        if not text.startswith(b"*"):
            return text.split()[:3], at
        words: list[bytes] = []
        for number in range(_number(text)):
            if (line := self._line(at)) is None:
                return None
            length, at = _number(line[0]), line[1]
            if len(self._data) < at + length + 2:
                return None
            if number < 3:
                words.append(bytes(self._data[at : at + min(length, _LONGEST)]))
            at += length + 2
        return words, at

    def _line(self, at: int) -> tuple[bytes, int] | None:
        end = self._data.find(b"\n", at)
        return None if end < 0 else (bytes(self._data[at:end]).strip(), end + 1)


def _number(text: bytes) -> int:
    return int(text[1:]) if text[1:].isdigit() else 0


def name(words: list[bytes]) -> str:
    """The name of a command, with its second word where that says what it does, and a third where it's needed."""
    first, *more = (word.decode(errors="replace").lower() for word in words)
    if not more or first not in _CONTAINERS:
        return first
    both = f"{first}|{more[0]}"
    if both not in _THREE or len(more) < 2:
        return both
    # CLIENT KILL takes an address alone as well.
    return f"{both}|{more[1] if more[1].isalpha() else 'addr'}"


class Renamed:
    """Bytes in which one text stands for another one of the same length, in whatever pieces they arrive."""

    def __init__(self, old: str, new: str) -> None:
        self._old, self._new = old.encode(), new.encode()
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What can be passed on; the beginning of what may become the text is held back."""
        data = (self._held + data).replace(self._old, self._new)
        held = next((size for size in range(len(self._old) - 1, 0, -1) if data.endswith(self._old[:size])), 0)
        self._held = data[len(data) - held :]
        return data[: len(data) - held]


class Meter:
    """What went through, to all servers together."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self.most = most
        self.most_bytes = most_bytes
        self.counts: Counter[str] = Counter()
        self.bytes = 0
        self.refused = False
        """Whether more was asked for than was allowed: nothing goes through any more."""

    @property
    def total(self) -> int:
        return self.counts.total()

    @property
    def closed(self) -> bool:
        """Whether connections were closed."""
        return any(name.startswith("client|kill") for name in self.counts)

    def pass_on(self, names: Iterable[str], size: int) -> bool:
        """Count commands; whether the bytes that brought them may go on."""
        self.counts.update(names)
        self.bytes += size
        self.refused |= self.total > self.most or self.bytes > self.most_bytes
        return not self.refused


class Door(NamedTuple):
    """One port of a server."""

    port: int
    onward: int
    """The port that what comes in goes on to, not encrypted."""
    encrypted: ssl.SSLContext | None = None
    """With what it's opened to a client that speaks TLS; null for a plain one."""


async def _there(meter: Meter, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    requests, renamed = Requests(), Renamed(COUNTED, SERVERS)
    while data := await reader.read(1 << 16):
        if not meter.pass_on(requests.feed(data), len(data)):
            return
        writer.write(renamed.feed(data))
        await writer.drain()


async def _back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    renamed = Renamed(SERVERS, COUNTED)
    while data := await reader.read(1 << 16):
        writer.write(renamed.feed(data))
        await writer.drain()


async def _forward(port: int, meter: Meter, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        back, onward = await asyncio.open_connection(SERVERS, port)
    except OSError:
        return
    ends = [asyncio.create_task(_there(meter, reader, onward)), asyncio.create_task(_back(back, writer))]
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in ends:
            one.cancel()
        await asyncio.gather(*ends, return_exceptions=True)
        onward.transport.abort()


@asynccontextmanager
async def metered(doors: Iterable[Door], meter: Meter) -> AsyncIterator[None]:
    """The doors open at the counted address, for as long as the block runs. Raises `LabError`."""
    async with AsyncExitStack() as stack:
        for door in doors:
            way = accepting(partial(_forward, door.onward, meter), COUNTED, door.port, door.encrypted)
            try:
                await stack.enter_async_context(way)
            except OSError as error:
                raise LabError(f"{COUNTED}:{door.port} can't be listened on: {error}") from None
        yield


def counted(url: str) -> str:
    """The URL by which what this one leads to is reached through the meter."""
    return url.replace(SERVERS, COUNTED)
