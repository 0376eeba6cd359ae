"""Standard input and output that never break an answer: closed, full, gone, or with an encoding that lacks
characters."""

import codecs
import contextlib
import errno
import io
import os
import select
import sys
from typing import TextIO

MOST_KEPT = 8 * 2**20
"""Most bytes of output repeated on stderr if stdout turns out not to accept them."""
PATIENCE = 30.0
"""Seconds for which an output may accept nothing, if it doesn't block by itself."""


ESCAPED = "rediagnose-escaped"
"""How characters that an encoding lacks are written: as JSON escapes, so that JSON stays JSON."""


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    text = "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
    return text, error.end


class Sink(io.RawIOBase):
    """A descriptor to write to. It never raises: what it doesn't accept goes to another one in full, or is dropped."""

    def __init__(self, descriptor: int, name: str, instead: "Sink | None" = None, lost: OSError | None = None) -> None:
        self.lost = lost
        """Why it no longer accepts anything."""
        self._descriptor, self._name, self._instead = descriptor, name, instead
        self._kept = bytearray()
        self._told = False

    @property
    def gone(self) -> bool:
        """Whether its reader has left, as the reader of a pipe may on purpose, such as `head`."""
        return self.lost is not None and self.lost.errno == errno.EPIPE

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        if self.lost is None:
            try:
                self._deliver(piece)
            except OSError as error:
                self.lost = error
        if self.lost is None:
            if self._instead and len(self._kept) + len(piece) <= MOST_KEPT:
                self._kept += piece
        elif self._instead and not self.gone:
            self._tell(self._instead)
            self._instead.write(piece)
        return len(piece)

    def _deliver(self, piece: bytes) -> None:
        while piece:
            try:
                piece = piece[os.write(self._descriptor, piece) :]
            except BlockingIOError:
                if not select.select((), (self._descriptor,), (), PATIENCE)[1]:
                    raise

    def _tell(self, instead: "Sink") -> None:
        if not self._told and self.lost:
            self._told = True
            instead.write(f"rediagnose: {self._name}: {self.lost.strerror}; writing it here instead\n".encode())
            instead.write(bytes(self._kept))
            self._kept.clear()


def open_streams() -> None:
    """Replace this process's own streams with ones that never raise, before anything opens a file or a socket."""
    closed = [number for number in range(3) if not _is_open(number)]
    for number in closed:
        # Otherwise the next file or socket would get this number, and be read or written as if it were the terminal.
        with contextlib.suppress(OSError):
            descriptor = os.open(os.devnull, os.O_RDWR)
            if descriptor != number:
                os.dup2(descriptor, number)
                os.close(descriptor)
    codecs.register_error(ESCAPED, _escape)
    shut = OSError(errno.EBADF, "it's closed")
    errors = Sink(2, "stderr", lost=shut if 2 in closed else None)
    out = Sink(1, "stdout", errors, shut if 1 in closed else None)
    sys.stderr = _text(errors, sys.stderr)
    sys.stdout = _text(out, sys.stdout)
    if 0 in closed or sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), encoding="utf-8")
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")


def reader_left() -> bool:
    """Whether nobody reads stdout any longer."""
    return (sink := _sink(sys.stdout)) is not None and sink.lost is not None and (sink.gone or not sink._told)


def unsaid() -> bool:
    """Whether output reached neither stdout nor stderr, and no reader left on purpose."""
    out, errors = _sink(sys.stdout), _sink(sys.stderr)
    if out is None or errors is None:
        return False
    with contextlib.suppress(ValueError):
        sys.stdout.flush()
    return out._told and not out.gone and errors.lost is not None


def _sink(stream: TextIO) -> Sink | None:
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw if isinstance(raw, Sink) else None


def _text(sink: Sink, before: TextIO | None) -> TextIO:
    return io.TextIOWrapper(
        io.BufferedWriter(sink, 2**16), encoding=before.encoding if before else "utf-8", errors=ESCAPED,
        line_buffering=sink.isatty() or sink._instead is None, write_through=sink._instead is None,
    )  # fmt: skip


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
