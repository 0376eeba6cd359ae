"""A proxy on loopback that counts the commands which go through it by name, and lets no more through than allowed."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from urllib.parse import urlsplit

from evals.lab.proxy import accepting, credentials

_CONTAINERS = frozenset((
    "acl", "client", "cluster", "command", "commandlog", "config", "function", "latency", "memory", "module", "object",
    "pubsub", "script", "sentinel", "slowlog", "xgroup", "xinfo",
))  # fmt: skip
"""Commands of which the second word says what they do."""
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
            return text.split()[:2], at
        words: list[bytes] = []
        for number in range(_number(text)):
            if (line := self._line(at)) is None:
                return None
            length, at = _number(line[0]), line[1]
            if len(self._data) < at + length + 2:
                return None
            if number < 2:
                words.append(bytes(self._data[at : at + min(length, _LONGEST)]))
            at += length + 2
        return words, at

    def _line(self, at: int) -> tuple[bytes, int] | None:
        end = self._data.find(b"\n", at)
        return None if end < 0 else (bytes(self._data[at:end]).strip(), end + 1)


def _number(text: bytes) -> int:
    return int(text[1:]) if text[1:].isdigit() else 0


def name(words: list[bytes]) -> str:
    """The name of a command, with its second word where that says what it does."""
    first, *more = (word.decode(errors="replace").lower() for word in words)
    return f"{first}|{more[0]}" if more and first in _CONTAINERS else first


class Meter:
    """What went through."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.counts: Counter[str] = Counter()
        self.refused = False
        """Whether more was asked for than was allowed: nothing goes through any more."""

    @property
    def total(self) -> int:
        return self.counts.total()

    def pass_on(self, names: Iterator[str]) -> bool:
        """Count commands; whether what brought them may go on."""
        self.counts.update(names)
        self.refused |= self.total > self.most
        return not self.refused


async def _there(meter: Meter, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    requests = Requests()
    while data := await reader.read(1 << 16):
        if not meter.pass_on(requests.feed(data)):
            return
        writer.write(data)
        await writer.drain()


async def _back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()


async def _forward(url: str, meter: Meter, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    parts = urlsplit(url)
    try:
        back, onward = await asyncio.open_connection(parts.hostname, parts.port)
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
async def metered(url: str, most: int) -> AsyncIterator[tuple[str, Meter]]:
    """The URL by which a redis:// URL is reached through a meter, and the meter."""
    meter = Meter(most)
    async with accepting(partial(_forward, url, meter)) as port:
        yield f"redis://{credentials(url)}127.0.0.1:{port}", meter
