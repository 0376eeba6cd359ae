"""Reading a recording back: up to its last whole line, and not a line that isn't one."""

import zlib
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from tools.errors import UsageError
from tools.record.cleaned import decoded
from tools.record.lines import LINE, VERSION, Ask, Came, End, Head, Line

MOST = 256 * 2**20
"""Bytes of a recording, unpacked: what is larger isn't one of ours."""
_MAGIC = b"\x1f\x8b"


class Recording:
    """A whole recording, or what is left of one."""

    def __init__(self, path: Path, head: Head, lines: list[Line], *, cut: bool) -> None:
        self.path = path
        self.head = head
        self.lines = lines
        self.cut = cut
        """Whether its end is missing."""
        self.began = datetime.fromisoformat(head.at)


def load(path: Path) -> Recording:
    """A recording. Raises `UsageError` with the number of the line that is damaged or foreign."""
    text, cut = _text(path)
    whole, _, rest = text.rpartition("\n")
    rows = whole.split("\n") if whole else []
    if not rows:
        raise UsageError(f"{path}: no whole line in it; it isn't a recording of rediagnose, or hadn't begun")
    head = _head(path, rows[0])
    lines: list[Line] = []
    for number, row in enumerate(rows[1:], 2):
        lines.append(_line(path, number, row))
        if isinstance(lines[-1], End) and (lines[-1].lines != number - 1 or number != len(rows)):
            raise UsageError(f"{path}, line {number}: the end isn't at the end; the file is damaged")
    cut = cut or bool(rest) or not (lines and isinstance(lines[-1], End))
    return Recording(path, head, [line for line in lines if not isinstance(line, End)], cut=cut)


def _text(path: Path) -> tuple[str, bool]:
    """The text, and whether it ended before its time."""
    try:
        with open(path, "rb") as file:
            raw = file.read(MOST + 1)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; give a file that --record or capture wrote") from None
    cut = False
    if raw[:2] == _MAGIC:
        raw, cut = _unpacked(path, raw)
    if len(raw) > MOST:
        raise UsageError(f"{path}: larger than {MOST >> 20} MiB; it isn't a recording of rediagnose")
    text = raw.decode("utf-8", errors="surrogateescape")
    return text, cut


def _unpacked(path: Path, raw: bytes) -> tuple[bytes, bool]:
    """What can be unpacked of a compressed file: a copy may have been cut."""
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        data = unpacker.decompress(raw, MOST + 1)
    except zlib.error as error:
        raise UsageError(f"{path}, line 1: damaged where it's compressed: {error}") from None
    return data, not unpacker.eof


def _head(path: Path, row: str) -> Head:
    try:
        head = Head.model_validate_json(row)
        datetime.fromisoformat(head.at)
    except (ValidationError, ValueError, UnicodeError) as error:
        if '"rediagnose-recording"' in row[:200] and f'"version":{VERSION},' not in row[:200]:
            raise UsageError(
                f"{path}, line 1: of another version of the format; this program reads {VERSION}"
            ) from None
        raise UsageError(f"{path}, line 1: {_why(error)}; it isn't a recording of rediagnose") from None
    if datetime.fromisoformat(head.at).tzinfo is None:
        raise UsageError(f"{path}, line 1: at: a time without its offset; it isn't a recording of rediagnose")
    return head


def _line(path: Path, number: int, row: str) -> Line:
    try:
        line = LINE.validate_json(row)
        if isinstance(line, Ask | Came):
            for reply in line.replies or ():
                decoded(reply)
        if isinstance(line, Ask) and (not line.commands or not all(line.commands)):
            raise ValueError("no command")
        if isinstance(line, Ask) and line.replies is not None and len(line.replies) != len(line.commands):
            raise ValueError(f"{len(line.commands)} commands and {len(line.replies)} replies")
        if isinstance(line, Ask) and line.replies is None and line.end is None:
            raise ValueError("neither replies nor an end")
    except (ValidationError, ValueError, UnicodeError, RecursionError) as error:
        raise UsageError(f"{path}, line {number}: {_why(error)}; the file is damaged") from None
    return line


def _why(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}".lstrip(": ")
    return str(error)[:200] or type(error).__name__
