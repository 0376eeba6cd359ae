"""The texts of a paste: files, standard input, a folder, an archive of them. Nothing is written anywhere."""

import bz2
import gzip
import io
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from tools.errors import ToolError
from tools.files import open_regular
from tools.text import one_line

MOST_BYTES = 64 * 2**20
"""Bytes of all texts together, unpacked."""
MOST_MEMBERS = 2000
"""Files of a folder or an archive that are looked at."""
MOST_DEPTH = 8
"""Folders in one another."""
_PROBE = 8192
_OPENERS: Mapping[bytes, Callable[[io.BytesIO], gzip.GzipFile | bz2.BZ2File]] = {
    b"\x1f\x8b": lambda data: gzip.GzipFile(fileobj=data), b"BZh": bz2.BZ2File,
}  # fmt: skip
"""Packed streams by their first bytes. xz isn't among them: a stream says how much memory its reader needs."""
_BINARY = (b"REDIS0", b"VALKEY", b"\x7fELF", b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\xfd7zXZ")
"""How files begin that hold no text whatever their bytes look like: a dump, a program, a picture."""


class Readable(Protocol):
    """What bytes are read from."""

    def read(self, size: int = ..., /) -> bytes | None: ...


class Text(NamedTuple):
    """One text, or why there is none."""

    source: str
    """Its name: of an archive's member behind the archive's own."""
    text: str
    refused: str | None = None
    """Why it wasn't read, in a few words."""


class _Left:
    """What may still be read of everything together."""

    def __init__(self) -> None:
        self.bytes = MOST_BYTES
        self.members = MOST_MEMBERS

    def next_member(self, name: str) -> Text | None:
        """Count another file; what is said in its place if there are too many."""
        self.members -= 1
        return Text(name, "", f"more than {MOST_MEMBERS} files; the rest isn't read") if self.members < 0 else None

    def read(self, file: Readable, name: str) -> Text:
        """One text out of an open file."""
        if self.bytes <= 0:
            return Text(name, "", "the paste is larger than 64 MiB; the rest isn't read")
        data = file.read(self.bytes + 1) or b""
        if len(data) > self.bytes:
            cut = data[: self.bytes].rfind(b"\n") + 1
            data = data[: cut or self.bytes]
            self.bytes = 0
        self.bytes -= len(data)
        return decoded(data, name)


def gather(paths: Sequence[str | Path], stdin: BinaryIO | None = None) -> Iterator[Text]:
    """The texts of all paths, `-` for standard input. Raises `ToolError` where a path itself can't be read."""
    left = _Left()
    for path in paths:
        if str(path) == "-":
            if stdin is None:
                raise ToolError("there is no standard input to read a paste from")
            yield from _of_file(stdin, "stdin", left, packed=True)
        elif os.path.isdir(path):
            yield from _of_folder(Path(path), Path(path).name or str(path), left, 0)
        else:
            try:
                with open_regular(path) as file:
                    yield from _of_file(file, os.path.basename(path), left, packed=True)
            except OSError as error:
                raise ToolError(f"{one_line(str(path), 200)}: {error.strerror or error}") from None


def unpacked(data: bytes, name: str) -> Iterator[Text]:
    """The texts of bytes that are held already, such as a ticket's attachment."""
    yield from _of_file(io.BytesIO(data), name, _Left(), packed=True)


def _of_folder(folder: Path, name: str, left: _Left, depth: int) -> Iterator[Text]:
    try:
        entries = sorted(os.scandir(folder), key=lambda one: one.name)
    except OSError as error:
        yield Text(name, "", error.strerror or "can't be read")
        return
    for entry in entries:
        inner = one_line(f"{name}/{entry.name}", 300)
        if excess := left.next_member(inner):
            yield excess
            return
        # A link could lead anywhere: nobody has named what is behind it.
        if entry.is_symlink():
            yield Text(inner, "", "a link, which isn't followed")
        elif entry.is_dir(follow_symlinks=False):
            if entry.name.startswith("."):
                continue
            if depth >= MOST_DEPTH:
                yield Text(inner, "", "too many folders in one another")
            else:
                yield from _of_folder(Path(entry.path), inner, left, depth + 1)
        else:
            try:
                with open_regular(entry.path) as file:
                    yield from _of_file(file, inner, left, packed=True)
            except OSError as error:
                yield Text(inner, "", error.strerror or "can't be read")


def _of_file(file: Readable, name: str, left: _Left, *, packed: bool) -> Iterator[Text]:
    """A text, or the texts of an archive. An archive inside of an archive isn't opened."""
    head = file.read(_PROBE) or b""
    rest = _Joined(head, file)
    if head.startswith(b"PK\x03\x04") or head.startswith(b"PK\x05\x06"):
        if not packed:
            yield Text(name, "", "an archive inside of an archive, which isn't opened")
            return
        yield from _of_zip(rest, name, left)
    elif head.startswith(tuple(_OPENERS)) or head[257:262] == b"ustar":
        if not packed:
            yield Text(name, "", "an archive inside of an archive, which isn't opened")
            return
        yield from _of_tar(rest, name, left)
    else:
        yield left.read(rest, name)


class _Joined(io.RawIOBase):
    """A stream whose beginning was read already."""

    def __init__(self, head: bytes, file: Readable) -> None:
        self._head = io.BytesIO(head)
        self._file = file

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            return self._head.read() + (self._file.read() or b"")
        found = self._head.read(size)
        while len(found) < size and (more := self._file.read(size - len(found))):
            found += more
        return found


def _of_tar(file: io.RawIOBase, name: str, left: _Left) -> Iterator[Text]:
    data = file.read(MOST_BYTES + 1)
    if data is None or len(data) > MOST_BYTES:
        yield Text(name, "", "an archive of more than 64 MiB")
        return
    try:
        with tarfile.open(fileobj=io.BytesIO(_unpacked(data, MOST_BYTES)), mode="r:") as archive:
            for member in archive:
                inner = one_line(f"{name}/{member.name}", 300)
                if excess := left.next_member(inner):
                    yield excess
                    return
                if member.isdir():
                    continue
                opened = archive.extractfile(member) if member.isreg() else None
                if opened is None:
                    yield Text(inner, "", "no regular file")
                else:
                    yield from _of_file(opened, inner, left, packed=False)
    except _TooLarge:
        yield Text(name, "", "more than 64 MiB unpacked")
    except (tarfile.TarError, OSError, EOFError, ValueError, zlib.error, RecursionError) as error:
        if data.startswith(tuple(_OPENERS)):
            # A single file that was packed, rather than an archive.
            yield from _of_packed(data, name, left)
        else:
            yield Text(name, "", f"the archive can't be read: {one_line(str(error), 100)}")


class _TooLarge(Exception):
    """What is packed is more than may be read."""


def _unpacked(data: bytes, most: int) -> bytes:
    """What a packed stream holds; any other bytes as they are."""
    opener = next((how for begins, how in _OPENERS.items() if data.startswith(begins)), None)
    if opener is None:
        return data
    with opener(io.BytesIO(data)) as opened:
        found = opened.read(most + 1)
    if len(found) > most:
        raise _TooLarge
    return found


def _of_packed(data: bytes, name: str, left: _Left) -> Iterator[Text]:
    try:
        yield left.read(io.BytesIO(_unpacked(data, max(left.bytes, 0))), name)
    except _TooLarge:
        yield Text(name, "", "more than 64 MiB unpacked")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        yield Text(name, "", f"can't be unpacked: {one_line(str(error), 100)}")


def _of_zip(file: io.RawIOBase, name: str, left: _Left) -> Iterator[Text]:
    data = file.read(MOST_BYTES + 1)
    if data is None or len(data) > MOST_BYTES:
        yield Text(name, "", "an archive of more than 64 MiB")
        return
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, NotImplementedError) as error:
        yield Text(name, "", f"the archive can't be read: {one_line(str(error), 100)}")
        return
    for member in members:
        inner = one_line(f"{name}/{member.filename}", 300)
        if excess := left.next_member(inner):
            yield excess
            return
        if member.is_dir():
            continue
        if stat.S_ISLNK(member.external_attr >> 16):
            yield Text(inner, "", "a link, which isn't followed")
            continue
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            yield Text(inner, "", "packed in a way that isn't read")
            continue
        try:
            with archive.open(member) as opened:
                yield from _of_file(opened, inner, left, packed=False)
        except (
            zipfile.BadZipFile,
            OSError,
            ValueError,
            RuntimeError,
            NotImplementedError,
            EOFError,
            zlib.error,
        ) as error:
            yield Text(inner, "", f"can't be unpacked: {one_line(str(error), 100)}")


def decoded(data: bytes, name: str) -> Text:
    """Bytes as text: UTF-8, UTF-16 with its mark, else Windows-1252; what is none says so."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Text(name, data.decode("utf-16", "replace"))
    if data.startswith(_BINARY) or data[:_PROBE].count(0) > len(data[:_PROBE]) // 100:
        return Text(name, "", "no text")
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    try:
        return Text(name, data.decode("utf-8"))
    except UnicodeDecodeError:
        # Whatever isn't UTF-8 is Windows' own in a ticket; the few bytes that it lacks don't matter.
        return Text(name, data.decode("cp1252", "replace"))
