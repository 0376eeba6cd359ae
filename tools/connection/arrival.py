"""When bytes left and arrived, by the kernel's clock, which excludes this process' own lateness."""

import asyncio
import contextlib
import socket
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

SO_TIMESTAMPNS = 35
"""Linux' option of that name, since 4.14 also for TCP; the module `socket` lacks it."""
_TIMESPEC = struct.Struct("=qq")
_MOST_AGE = 60.0
"""Seconds: an older stamp means that the wall clock was set meanwhile."""
_TICK = 0.005
"""Seconds between checks of whether the event loop is on time."""


@dataclass
class Stamps:
    """The newest write and read of a socket, in seconds of the monotonic clock."""

    sent: float | None = None
    """When it was last written to."""
    arrived: float | None = None
    """When the last bytes read had arrived at this machine; null if the system doesn't report it."""


class StampedSocket(socket.socket):
    """A TCP socket that notes when its bytes leave and arrive. asyncio's own transports read it."""

    def __init__(self, family: socket.AddressFamily, stamps: Stamps) -> None:
        super().__init__(family, socket.SOCK_STREAM)
        self._stamps = stamps
        # Elsewhere this number is another option's.
        if hasattr(socket, "SO_PEERCRED"):
            with contextlib.suppress(OSError):
                self.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)

    def send(self, data: "ReadableBuffer", flags: int = 0, /) -> int:
        self._stamps.sent = time.monotonic()
        return super().send(data, flags)

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        data, parts, _, _ = self.recvmsg(bufsize, socket.CMSG_SPACE(_TIMESPEC.size), flags)
        self._note(parts)
        return data

    def recv_into(self, buffer: "WriteableBuffer", nbytes: int = 0, flags: int = 0) -> int:
        view = memoryview(buffer)[: nbytes or None]
        count, parts, _, _ = self.recvmsg_into([view], socket.CMSG_SPACE(_TIMESPEC.size), flags)
        self._note(parts)
        return count

    def _note(self, parts: list[tuple[int, int, bytes]]) -> None:
        self._stamps.arrived = None
        for level, kind, data in parts:
            if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS) and len(data) == _TIMESPEC.size:
                seconds, nanoseconds = _TIMESPEC.unpack(data)
                age = time.time() - seconds - nanoseconds / 1e9
                if 0 <= age <= _MOST_AGE:
                    self._stamps.arrived = time.monotonic() - age


class Lateness:
    """How late the event loop runs, measured while anybody is inside the context: one for all connections of a
    process."""

    def __init__(self) -> None:
        self.seconds = 0.0
        """All delays so far in total; its growth while waiting for a reply may be part of that reply's time."""
        self._entered = 0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> "Lateness":
        self._entered += 1
        if self._entered == 1:
            self._again()
        return self

    def __exit__(self, *error: object) -> None:
        self._entered -= 1
        if not self._entered and self._timer is not None:
            self._timer.cancel()

    def _again(self) -> None:
        loop = asyncio.get_running_loop()
        self._due = loop.time() + _TICK
        self._timer = loop.call_at(self._due, self._tick)

    def _tick(self) -> None:
        self.seconds += max(0.0, asyncio.get_running_loop().time() - self._due)
        self._again()
