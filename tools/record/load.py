"""Reading a recording back: up to its last complete line, and nothing that isn't one."""

import json
import re
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from tools.connection.target import parse_target
from tools.errors import UsageError
from tools.files import open_regular
from tools.record.redaction import decoded
from tools.record.schema import LINE, READABLE, Ask, Came, Dial, End, Gone, Happened, Head, Line, Seen
from tools.records import is_countable

MOST = 128 * 2**20
"""Most bytes of a recording, decompressed: anything larger isn't ours."""
MOST_LINE = 32 * 2**20
"""Most bytes of a line: CLIENT LIST of 65,000 clients is shorter."""
MOST_LINES = 250_000
"""Most lines of a recording: one of a whole deployment has a few thousand."""
MOST_VALUES = 2_000_000
"""Most values of a recording, each of which takes far more memory than its bytes: the largest of the lab has 25,000."""
_PIECE = 2**18
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_MAGIC = b"\x1f\x8b"
_FOREIGN = "it isn't a recording by rediagnose"
_FIRST_YEAR, _LAST_YEAR = 1970, 9000
"""Bounds of a recording's start: what is added to it has to stay a date."""


class Recording:
    """A complete recording, or what is left of one."""

    def __init__(self, path: Path, head: Head, lines: list[Line], *, cut: bool) -> None:
        self.path = path
        self.head = head
        self.lines = lines
        self.cut = cut
        """Whether its end is missing."""
        self.began = datetime.fromisoformat(head.at)


class _Row(NamedTuple):
    """A line of the file."""

    number: int
    text: bytes
    whole: bool
    """Whether its line break is there."""


def load(path: Path) -> Recording:
    """A recording. Raises `UsageError` with the number of the damaged or foreign line."""
    head: Head | None = None
    lines: list[Line] = []
    ended = cut = False
    values = 0
    for row in _rows(path):
        values += _values(row.text)
        if values > MOST_VALUES:
            raise UsageError(f"{path}, line {row.number}: more than {MOST_VALUES:,} values; {_FOREIGN}")
        if ended:
            raise UsageError(f"{path}, line {row.number}: something follows the end; the file is damaged")
        if not row.whole:
            # Its end is missing: its writer was killed, or the copy was cut.
            cut = True
        elif head is None:
            head = _head(path, row.text)
        elif isinstance(line := _line(path, row), End):
            ended = True
            if line.lines != row.number - 1:
                raise UsageError(f"{path}, line {row.number}: it should be line {line.lines + 1}; the file is damaged")
        else:
            lines.append(line)
    if head is None:
        raise UsageError(f"{path}, line 1: no whole line; {_FOREIGN}, or hadn't begun")
    return Recording(path, head, lines, cut=cut or not ended)


def _rows(path: Path) -> Iterator[_Row]:
    """The lines one by one: damage or excess size is found before everything is decompressed."""
    line, number, size = bytearray(), 1, 0
    pieces = _pieces(path)
    while True:
        try:
            piece = next(pieces, None)
        except zlib.error as error:
            raise UsageError(f"{path}, line {number}: the compressed data is damaged: {error}") from None
        if piece is None:
            break
        size += len(piece)
        if size > MOST or number > MOST_LINES:
            raise UsageError(f"{path}, line {number}: more than {MOST >> 20} MiB or {MOST_LINES} lines; {_FOREIGN}")
        *whole, rest = piece.split(b"\n")
        for text in whole:
            line += text
            yield _Row(number, bytes(line), True)
            line.clear()
            number += 1
        line += rest
        if len(line) > MOST_LINE:
            raise UsageError(f"{path}, line {number}: longer than {MOST_LINE >> 20} MiB; {_FOREIGN}")
    if line:
        yield _Row(number, bytes(line), False)


def _values(line: bytes) -> int:
    """An upper bound for the values in a line: separators inside strings don't count."""
    outside = _STRING.sub(b"", line) if line.count(b",") > 1000 or line.count(b"[") > 1000 else line
    return 1 + sum(outside.count(mark) for mark in (b",", b"[", b"{"))


def _pieces(path: Path) -> Iterator[bytes]:
    """The text in pieces, decompressed if needed; a truncated copy yields what there is.

    Raises `zlib.error` if it can't be decompressed.
    """
    try:
        with open_regular(path) as file:
            first = file.read(_PIECE)
            if first[: len(_MAGIC)] != _MAGIC:
                while first:
                    yield first
                    first = file.read(_PIECE)
                return
            unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
            while first and not unpacker.eof:
                # A few bytes can decompress to gigabytes: they are taken in pieces too.
                yield unpacker.decompress(first, _PIECE)
                first = unpacker.unconsumed_tail or file.read(_PIECE)
            yield unpacker.flush(_PIECE)
            if unpacker.unused_data or (unpacker.eof and first):
                raise zlib.error("something follows it")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; give a file written by --record") from None


def _head(path: Path, text: bytes) -> Head:
    try:
        head = Head.model_validate_json(text)
        began = datetime.fromisoformat(head.at)
        if began.tzinfo is None:
            raise ValueError("at: a time without its offset")
        if not _FIRST_YEAR <= began.year < _LAST_YEAR:
            raise ValueError(f"at: the year {began.year}")
        if "://" not in head.url:
            raise ValueError("url: without its scheme")
        parse_target(head.url, environ={})
    except UsageError as error:
        raise UsageError(f"{path}, line 1: {error}; {_FOREIGN}") from None
    except (ValidationError, ValueError) as error:
        if (version := _version(text)) is not None and version not in READABLE:
            known = f"{', '.join(map(str, READABLE[:-1]))} and {READABLE[-1]}"
            raise UsageError(
                f"{path}, line 1: version {version!r:.20} of the format, but this program reads {known}"
            ) from None
        raise UsageError(f"{path}, line 1: {_why(error)}; {_FOREIGN}") from None
    return head


def _version(text: bytes) -> Any:
    """The version that a head names, if it's a head at all."""
    try:
        head = json.loads(text)
    except (ValueError, RecursionError):
        return None
    known = isinstance(head, dict) and head.get("type") == "rediagnose-recording"
    return head.get("version") if known else None


def _line(path: Path, row: _Row) -> Line:
    try:
        line = LINE.validate_json(row.text)
        _sound(line)
    except (ValidationError, ValueError, RecursionError) as error:
        raise UsageError(f"{path}, line {row.number}: {_why(error)}; the file is damaged") from None
    return line


def _sound(line: Line) -> None:
    """Refuse what the types allow but nobody writes. Raises `ValueError`."""
    if isinstance(line, Dial | Ask | Came | Gone) and not line.node.startswith("unix:"):
        host, _, port = line.node.rpartition(":")
        if not host or not port.isdecimal() or not port.isascii() or len(port) > 5 or int(port) > 65535:
            raise ValueError("node: neither host:port nor unix:PATH")
    if isinstance(line, Ask | Came):
        for reply in line.replies or ():
            decoded(reply)
    if isinstance(line, Ask):
        if not line.commands or not all(line.commands):
            raise ValueError("no command")
        if line.replies is not None and len(line.replies) != len(line.commands):
            raise ValueError(f"{len(line.commands)} commands and {len(line.replies)} replies")
        if (line.replies is None) == (line.end is None):
            raise ValueError("replies and an end" if line.end else "neither replies nor an end")
    elif isinstance(line, Dial):
        _finite(line.stages)
    elif isinstance(line, Seen):
        _finite([line.reading.values, line.reading.ms])
    elif isinstance(line, Happened):
        _finite(line.event)


def _finite(value: Any) -> None:
    """Refuse numbers that no reading has."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            _finite(one)
    elif not is_countable(value):
        raise ValueError("a number that isn't finite" if isinstance(value, float) else "a number of more than 64 bits")


def _why(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(str(part)[:64] for part in first['loc'][:8])}: {first['msg']}"[:300].lstrip(": ")
    return str(error)[:200] or type(error).__name__
