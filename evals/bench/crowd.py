"""Ten thousand clients of an application that is well: bare sockets, there within a second or two, and used since."""

import asyncio
import socket
import struct
import time
from collections.abc import Sequence

from evals.lab.wire import packed

AT_ONCE = 500
"""Connections that are on their way at a time: a server's queue of those that it hasn't accepted is no longer."""
RESTED = 2.2
"""Seconds after which each is used again: who did nothing since it connected would be a leak of connections."""
OWNERS = 7
"""Names that they go by."""
PATIENCE = 30.0
"""Seconds for one reply."""


class Crowd:
    """Idle clients of one server, until it's closed."""

    def __init__(self, host: str, port: int) -> None:
        self._place = (host, port)
        self._sockets: list[socket.socket] = []

    async def grow(self, size: int) -> None:
        """Connect until there are so many, all of which have been used for a while. Raises `OSError`."""
        await asyncio.to_thread(self._grow, size)

    def _grow(self, size: int) -> None:
        while len(self._sockets) < size:
            begin = len(self._sockets)
            for number in range(begin, min(size, begin + AT_ONCE)):
                one = socket.create_connection(self._place, timeout=PATIENCE)
                self._sockets.append(one)
                # Closed by a reset, so that no thousands of them wait for their last segment during the next look.
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.sendall(packed("CLIENT", "SETNAME", f"app-{number % OWNERS}"))
            _read(self._sockets[begin:], b"+OK\r\n")
        time.sleep(RESTED)
        for one in self._sockets:
            one.sendall(packed("EXISTS", "bench:0000001"))
        _read(self._sockets, b":1\r\n")

    def close(self) -> None:
        """End all connections."""
        for one in self._sockets:
            one.close()


def _read(sockets: Sequence[socket.socket], expected: bytes) -> None:
    for one in sockets:
        if (reply := one.recv(len(expected), socket.MSG_WAITALL)) != expected:
            raise ConnectionError(f"a client of the crowd was answered {reply!r}")
