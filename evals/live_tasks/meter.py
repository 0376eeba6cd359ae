"""A way to every server of a task that counts what an agent sends, and lets no more through than allowed.

Each server is at the same port of a second loopback address, and in what passes one address stands for the other. So
whatever an agent finds in a reply (a cluster's nodes, a redirection, the master that a sentinel names) leads it back
through the meter, and nothing has to be parsed for that: both addresses are equally long.
"""

import asyncio
import re
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
_LONGEST, _NAMED = 64, 3
"""Bytes of a word that belongs to a name, and the words that do."""
_LONGEST_LINE = 1 << 16
_END = b"\r\n"
_COUNT, _LENGTH = re.compile(rb"\*(-?[0-9]{1,9})\r\n"), re.compile(rb"\$(0|[1-9][0-9]{0,9})\r\n")
_INLINE = re.compile(rb"[\t !#-&(-\[\]-~]*\r?\n")
"""A command in one line, without the quotes in which a server reads escapes."""


class Foreign(Exception):
    """What no client sends, and what a server could read as another command than it's counted as here."""


class Requests:
    """The commands in what a client sends, in whatever pieces it arrives."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._left = 0
        """Words of the command that are still to come."""
        self._words: list[bytes] = []

    def feed(self, data: bytes) -> Iterator[str]:
        """The names of the commands that end in these bytes, such as `config|set`. Raises `Foreign`."""
        self._data += data
        while self._word() if self._left else self._begin():
            if not self._left and self._words:
                yield name(self._words)
                self._words = []

    def _begin(self) -> bool:
        """Take a command's first line, if it's there."""
        if (line := self._line()) is None:
            return False
        if line.startswith(b"*"):
            self._left = max(0, _number(_COUNT, line))
        elif _INLINE.fullmatch(line):
            self._words = line.split()[:_NAMED]
        else:
            raise Foreign("a line that is no command's")
        del self._data[: len(line)]
        return True

    def _word(self) -> bool:
        """Take a word, if it's there."""
        if (line := self._line()) is None:
            return False
        length = _number(_LENGTH, line)
        ends = len(line) + length
        if len(self._data) < ends + len(_END):
            return False
        if self._data[ends : ends + len(_END)] != _END:
            raise Foreign("a word that is longer than it says")
        if len(self._words) < _NAMED:
            self._words.append(bytes(self._data[len(line) : len(line) + min(length, _LONGEST)]))
        del self._data[: ends + len(_END)]
        self._left -= 1
        return True

    def _line(self) -> bytes | None:
        end = self._data.find(b"\n", 0, _LONGEST_LINE)
        if end < 0 and len(self._data) >= _LONGEST_LINE:
            raise Foreign("a line without an end")
        return None if end < 0 else bytes(self._data[: end + 1])


def _number(pattern: re.Pattern[bytes], line: bytes) -> int:
    if (found := pattern.fullmatch(line)) is None:
        raise Foreign("a header that isn't one")
    return int(found[1])


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
        try:
            passes = meter.pass_on(requests.feed(data), len(data))
        except Foreign:
            return
        if not passes:
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
