"""The Redis protocol: replies out of bytes as they arrive, each held to its bounds.

Nothing is set aside for what a header promises: a reply costs what has come of it. What a server that was never asked
for RESP3 sends in it is read as the nearest that RESP2 has, so that a reply is a text, a number, null, a list or an
error, whatever comes.
"""

import re
from typing import Final

from tools.connection.protocol import Reply, ServerError

MOST_ELEMENTS = 2**18
"""Values of one reply at most, those inside of others among them."""
MOST_DEPTH = 16
"""How deep lists may lie in one another."""
MOST_LINE = 2**16
"""Bytes of a line at most: a simple string, an error, a number or a header."""
MOST_UNDECODABLE = 2**16
"""Bytes above which a text that isn't UTF-8 is no reply: each such byte takes four characters to show."""
LONGEST_PLAIN = 21
"""Bytes of a usual number or of a string's header with its end: 18 digits are always a number of 64 bits."""
_NUMBER, _STRING = b":$"
_COUNT = re.compile(rb"-1|[0-9]{1,15}")
_INTEGER = re.compile(rb"[+-]?[0-9]{1,19}")
_LISTS = {b"*": 1, b"~": 1, b">": 1, b"%": 2, b"|": 2}
_LINES = frozenset((b"+", b"-", b":", b"_", b",", b"#", b"("))
_BULKS = frozenset((b"$", b"=", b"!"))
_KINDS = _LINES | _BULKS | _LISTS.keys()


class NotTheProtocol(Exception):
    """What came isn't the Redis protocol; the message says where it began not to be."""


class TooLarge(Exception):
    """A reply is more than its bounds; the message says which."""


class _Missing:
    """The rest of a reply hasn't come yet."""


MISSING: Final = _Missing()


class _Open:
    """A list whose elements are still coming."""

    def __init__(self, left: int, *, dropped: bool) -> None:
        self.left = left
        self.dropped = dropped
        """Whether it's attributes: they belong to the reply behind them, and nobody asked for any."""
        self.items: list[Reply] = []


class ReplyParser:
    """Takes bytes, gives replies. After an exception it isn't used any more."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0
        self._seen = 0
        """How far the line at hand was searched for its end."""
        self._open: list[_Open] = []
        self._taken = 0
        """Bytes of the reply at hand that are parsed already."""
        self._elements = 0

    def feed(self, data: bytes) -> None:
        """Take what arrived."""
        del self._buffer[: self._at]
        self._seen = max(0, self._seen - self._at)
        self._at = 0
        self._buffer += data

    def reply(self, most: int) -> Reply | _Missing:
        """The next reply of at most so many bytes, or `MISSING`. Raises `NotTheProtocol` and `TooLarge`."""
        while True:
            value = self._value(most)
            if value is MISSING:
                if self._taken + len(self._buffer) - self._at > most:
                    raise TooLarge(f"more than {_size(most)}")
                return MISSING
            if isinstance(value, _Open):
                if value.left:
                    self._open.append(value)
                    if len(self._open) > MOST_DEPTH:
                        raise TooLarge(f"lists in one another, more than {MOST_DEPTH} deep")
                    continue
                if value.dropped:
                    continue
                value = []
            while self._open:
                top = self._open[-1]
                top.left -= 1
                if not top.dropped:
                    top.items.append(value)
                if top.left:
                    self._take_plain(top, most)
                    break
                self._open.pop()
                if top.dropped:
                    break
                value = top.items
            else:
                self._taken = self._elements = 0
                return value

    def _take_plain(self, top: _Open, most: int) -> None:
        """Take a list's next elements, but for its last, as long as they're usual strings and numbers and came whole.

        Nearly all are. Whatever is unusual about one is for `_value` to see.
        """
        if top.dropped:
            return
        buffer, at, before = self._buffer, self._at, len(top.items)
        ends = at + most - self._taken
        for _ in range(min(top.left, MOST_ELEMENTS - self._elements) - 1):
            end = buffer.find(b"\r\n", at, at + LONGEST_PLAIN)
            line = buffer[at + 1 : end]
            if end < 0 or not line.isdigit():
                break
            if buffer[at] == _NUMBER:
                top.items.append(int(line))
                at = end + 2
            elif buffer[at] == _STRING and (stop := end + 2 + int(line)) <= ends and buffer.startswith(b"\r\n", stop):
                try:
                    top.items.append(buffer[end + 2 : stop].decode())
                except UnicodeDecodeError:
                    break
                at = stop + 2
            else:
                break
        more = len(top.items) - before
        top.left -= more
        self._elements += more
        self._taken += at - self._at
        self._at = self._seen = at

    def _value(self, most: int) -> object:
        if self._at >= len(self._buffer):
            return MISSING
        kind = bytes(self._buffer[self._at : self._at + 1])
        if kind not in _KINDS:
            raise NotTheProtocol(f"Protocol error, got {kind.decode('latin-1')!r} as reply type byte")
        end = self._buffer.find(b"\r\n", max(self._at + 1, self._seen - 1), self._at + MOST_LINE)
        if end < 0:
            self._seen = len(self._buffer)
            if len(self._buffer) - self._at >= MOST_LINE:
                raise TooLarge(f"a line of more than {_size(MOST_LINE)}")
            return MISSING
        line = bytes(self._buffer[self._at + 1 : end])
        if kind in _BULKS:
            return self._bulk(kind, line, end + 2, most)
        self._pass(end + 2)
        if kind in _LISTS:
            count = _count(kind, line)
            if count is None:
                return None
            if self._elements + count * _LISTS[kind] > MOST_ELEMENTS:
                raise TooLarge(f"more than {MOST_ELEMENTS} values")
            return _Open(count * _LISTS[kind], dropped=kind == b"|")
        return _of_line(kind, line)

    def _bulk(self, kind: bytes, line: bytes, begin: int, most: int) -> object:
        length = _count(kind, line)
        if length is None:
            self._pass(begin)
            return None
        if self._taken + length > most:
            raise TooLarge(f"more than {_size(most)}")
        if len(self._buffer) < begin + length + 2:
            return MISSING
        if self._buffer[begin + length : begin + length + 2] != b"\r\n":
            raise NotTheProtocol("a string that doesn't end where its length says")
        text = _decoded(bytes(self._buffer[begin : begin + length]))
        self._pass(begin + length + 2)
        if kind == b"=":
            # Its form, three letters and a colon, comes first.
            return text[4:]
        return ServerError(text) if kind == b"!" else text

    def _pass(self, at: int) -> None:
        self._taken += at - self._at
        self._at = self._seen = at
        self._elements += 1
        if self._elements > MOST_ELEMENTS:
            raise TooLarge(f"more than {MOST_ELEMENTS} values")


def _count(kind: bytes, line: bytes) -> int | None:
    """A header's number; null for -1. Raises `NotTheProtocol` for what is none, a stream's "?" among it."""
    if line.isdigit() and len(line) <= 15:
        return int(line)
    if not _COUNT.fullmatch(line):
        raise NotTheProtocol(f"no length behind {kind.decode()}")
    return None if line == b"-1" else int(line)


def _of_line(kind: bytes, line: bytes) -> Reply:
    if kind == b":":
        if line.isdigit() and len(line) <= 18:
            return int(line)
        if not _INTEGER.fullmatch(line) or not -(2**63) <= (number := int(line)) < 2**63:
            raise NotTheProtocol("an integer that doesn't fit 64 bits")
        return number
    if kind == b"_":
        return None
    if kind == b"#":
        return int(line == b"t")
    text = _decoded(line)
    return ServerError(text) if kind == b"-" else text


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        if len(data) > MOST_UNDECODABLE:
            raise TooLarge(f"a text that isn't UTF-8, of more than {_size(MOST_UNDECODABLE)}") from None
        return data.decode(errors="backslashreplace")


def _size(count: int) -> str:
    return f"{count >> 20} MiB" if count >= 2**20 else f"{count >> 10} KiB"
