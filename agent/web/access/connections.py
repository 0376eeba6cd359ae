"""Connections that take their time: a bound on what comes before a request, and on who reads no answer."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS, WRITE_SECONDS = 10.0, 30.0
"""In which a request's line and headers have to come, and in which an answer has to be taken."""
CONNECTIONS_MOST = 500


class Patient(H11Protocol):
    """uvicorn's connection, which waits for a request only so long."""

    head_seconds, write_seconds = HEAD_SECONDS, WRITE_SECONDS
    _head: asyncio.TimerHandle | None = None
    _write: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head = self.loop.call_later(self.head_seconds, self._end)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        waits = self.conn.their_state is h11.IDLE
        if waits and self._head is None and self.conn.trailing_data[0]:
            self._head = self.loop.call_later(self.head_seconds, self._end)
        elif not waits and self._head is not None:
            self._head.cancel()
            self._head = None

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._head, self._write):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write = self.loop.call_later(self.write_seconds, self._end)

    def resume_writing(self) -> None:
        if self._write is not None:
            self._write.cancel()
            self._write = None
        super().resume_writing()

    def _end(self) -> None:
        # Not closed: what nobody reads would be waited for.
        self.transport.abort()


def patient(head_seconds: float = HEAD_SECONDS, write_seconds: float = WRITE_SECONDS) -> type[Patient]:
    """The kind of connection that has these bounds."""
    return type("Patient", (Patient,), {"head_seconds": head_seconds, "write_seconds": write_seconds})


def uvicorn_options() -> dict[str, Any]:
    """How uvicorn is run in front of `guarded`, which does the rest itself.

    Without its own log of requests; it would believe a proxy that nobody named; there are no websockets.
    """
    return {
        "http": patient(), "ws": "none", "access_log": False, "proxy_headers": False, "server_header": False,
        "limit_concurrency": CONNECTIONS_MOST, "timeout_keep_alive": 10, "timeout_graceful_shutdown": 5,
    }  # fmt: skip
