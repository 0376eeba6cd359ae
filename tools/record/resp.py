"""The protocol as a server speaks it: requests in, replies out, in version 2 or 3."""

from collections.abc import Iterator
from typing import NamedTuple

from tools.connection.protocol import Reply, ServerError

MOST = 2**20
"""Bytes of one request: nothing that a recording can answer is longer."""
WORDS = 1024
"""Words of one request."""


class Wrong(Exception):
    """What arrived isn't a request; the text is what a server says before it closes."""


class Status(str):
    """A simple string."""


class Double(str):
    """A number with a fraction; a string in version 2."""


class Verbatim(str):
    """Text as it is; a string in version 2."""


class Map(NamedTuple):
    """Names and values; a flat list in version 2."""

    pairs: tuple[tuple[Reply, Reply], ...]


class Push(NamedTuple):
    """What wasn't asked for; a list in version 2."""

    items: tuple[Reply, ...]


def _text(data: bytes) -> str:
    """What a client sent, in a form that gives the same bytes again: it may want them back, as from ECHO."""
    return data.decode("utf-8", errors="surrogateescape")


def _data(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # A recording's own text may hold half a pair, which no client sent.
        return text.encode("utf-8", "backslashreplace")


class Requests:
    """What a client sends, as lists of words."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[list[str]]:
        """The requests that are complete by now. Raises `Wrong`."""
        self._pending += data
        while (taken := _request(self._pending)) is not None:
            words, length = taken
            del self._pending[:length]
            if words:
                yield words
        if len(self._pending) > MOST:
            raise Wrong("ERR Protocol error: too big request")


def _request(pending: bytearray) -> tuple[list[str], int] | None:
    """The first request and its length; None while incomplete."""
    line, at = _line(pending, 0)
    if line is None:
        return None
    if not line.startswith(b"*"):
        return [_text(word) for word in line.split()], at
    words = []
    for _ in range(_count(line, WORDS, "invalid multibulk length")):
        line, at = _line(pending, at)
        if line is None:
            return None
        if not line.startswith(b"$"):
            raise Wrong("ERR Protocol error: expected '$'")
        length = _count(line, MOST, "invalid bulk length")
        if len(pending) < at + length + 2:
            return None
        words.append(_text(bytes(pending[at : at + length])))
        at += length + 2
    return words, at


def _line(pending: bytearray, at: int) -> tuple[bytes | None, int]:
    end = pending.find(b"\n", at)
    return (None, at) if end < 0 else (bytes(pending[at:end]).removesuffix(b"\r"), end + 1)


def _count(line: bytes, most: int, wrong: str) -> int:
    if not line[1:].isdigit() or len(line) > 10 or int(line[1:]) > most:
        raise Wrong(f"ERR Protocol error: {wrong}")
    return int(line[1:])


def encode(reply: Reply, protocol: int) -> bytes:
    """A reply as bytes."""
    newer = protocol >= 3
    match reply:
        case None:
            return b"_\r\n" if newer else b"$-1\r\n"
        case int():
            return b":%d\r\n" % reply
        case ServerError():
            return _simple(b"-", reply.text)
        case Status():
            return _simple(b"+", reply)
        case Double() if newer:
            return _simple(b",", reply)
        case Verbatim() if newer:
            return _bulk(b"=", f"txt:{reply}")
        case Map():
            flat = [encode(one, protocol) for pair in reply.pairs for one in pair]
            return b"".join((b"%%%d\r\n" % len(reply.pairs) if newer else b"*%d\r\n" % len(flat), *flat))
        case Push():
            several = [encode(one, protocol) for one in reply.items]
            return b"".join((b">%d\r\n" % len(several) if newer else b"*%d\r\n" % len(several), *several))
        case list() | tuple():
            return b"".join((b"*%d\r\n" % len(reply), *(encode(one, protocol) for one in reply)))
        case _:
            return _bulk(b"$", str(reply))


def _simple(mark: bytes, text: str) -> bytes:
    return mark + _data(text.replace("\r", " ").replace("\n", " ")) + b"\r\n"


def _bulk(mark: bytes, text: str) -> bytes:
    data = _data(text)
    return b"%b%d\r\n%b\r\n" % (mark, len(data), data)
