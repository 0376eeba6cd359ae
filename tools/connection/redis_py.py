"""redis-py's connection under ours, and the one place that knows private names of redis-py.

What a library does to keep applications going would here change what is measured. So it neither retries nor reconnects,
sends no HELLO or CLIENT SETINFO, requests no maintenance notifications, strips the first word from no error, and
doesn't close when a read or a write fails. Its parsers allocate what a header promises, hundreds of megabytes for a
dozen bytes, so ours parses the replies. Loaded on first use: it takes 0.2 s.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from redis._parsers.base import AsyncBaseParser
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as ConnectionEnded
from redis.exceptions import RedisError

from tools.connection.parser import MISSING, ReplyParser
from tools.connection.protocol import Command, Reply

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
PRIVATE_NAMES = ("_connect", "_host_error", "_reader", "_writer", "_parser")
"""Names outside redis-py's documented interface: a test fails when one of them is gone."""


class BoundedParser(AsyncBaseParser):
    """Our parser in place of redis-py's: it reads the socket piece by piece, and keeps a reply within its bound."""

    def __init__(self, socket_read_size: int) -> None:
        super().__init__(socket_read_size)
        self._replies = ReplyParser()
        self.most: Callable[[], int] = lambda: 0
        """Bytes of the next reply at most."""

    def on_connect(self, connection: AbstractConnection) -> None:
        self._stream = connection._reader

    def on_disconnect(self) -> None:
        self._stream = None

    async def can_read(self) -> bool:
        # redis-py asks this of a connection taken from a pool; there is none here.
        return False

    async def can_read_destructive(self) -> bool:
        return False

    async def read_response(self, disable_decoding: bool = False) -> Any:
        while (reply := self._replies.reply(self.most())) is MISSING:
            piece = await self._stream.read(self._read_size) if self._stream is not None else b""
            if not piece:
                raise ConnectionEnded("closed")
            self._replies.feed(piece)
        return reply


class Wire(AbstractConnection):
    """A connection that does what it's asked and nothing else."""

    def __init__(self, dial: Callable[[], Awaitable[Streams]], most: Callable[[], int]) -> None:
        """`most` gives the bytes of the next reply at most."""
        super().__init__(
            protocol=2, parser_class=BoundedParser, decode_responses=True, encoding_errors="backslashreplace",
            driver_info=None, socket_timeout=None, socket_connect_timeout=None,
        )  # fmt: skip
        self._dial = dial
        assert isinstance(self._parser, BoundedParser)
        self._parser.most = most

    async def _connect(self) -> None:
        self._reader, self._writer = await self._dial()

    def _host_error(self) -> str:
        return "the server"

    def repr_pieces(self) -> list[tuple[str, Any]]:
        return []

    async def open(self) -> None:
        """Dial. Raises what `dial` does."""
        try:
            await self.connect()  # type: ignore[no-untyped-call]
        except RedisError as error:
            # It wraps whatever dialling raises.
            raise error.__cause__ or error from None

    def write(self, commands: Sequence[Command]) -> int:
        """Send commands in one write, without waiting until they are gone; the number of their bytes."""
        if self._writer is None:
            return 0
        packed = b"".join(self.pack_commands(commands))
        self._writer.write(packed)
        return len(packed)

    async def reply(self) -> Reply:
        """The next reply, a value or a `ServerError`. Raises `EOFError` at the end, `NotTheProtocol`, `TooLarge`."""
        try:
            return await self.read_response(timeout=math.inf, disconnect_on_error=False)
        except ConnectionEnded:
            raise EOFError from None

    def abort(self) -> None:
        """Close at once, without waiting for the peer."""
        if self._writer is not None:
            self._writer.transport.abort()
            self._reader = self._writer = None
