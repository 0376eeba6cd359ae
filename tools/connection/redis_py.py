"""redis-py's connection under ours, and the one place that knows private names of redis-py.

What a library for applications does to keep them going would here be a change of what is measured. So it neither
retries nor connects again, sends no HELLO and no CLIENT SETINFO, asks for no maintenance notifications, takes the
first word off no error, and doesn't close where a read or a write fails. Loaded on first use: it takes 0.2 s.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from redis._parsers.hiredis import _AsyncHiredisParser
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as ConnectionEnded
from redis.exceptions import RedisError

from tools.connection.protocol import Command, Reply, ServerError

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
PRIVATE_NAMES = {
    "connection": ("_connect", "_host_error", "_reader", "_writer"),
    "parser": ("parse_error", "_hiredis_PushNotificationType"),
}
"""What isn't part of redis-py's documented interface: a test tells when one of them is gone."""


class NotTheProtocol(Exception):
    """What came isn't the Redis protocol; the message says where it began not to be."""


class _Parser(_AsyncHiredisParser):
    @classmethod
    def parse_error(cls, response: str) -> ServerError:
        # redis-py's takes the first word off, and raises instead of returning: both are needed here.
        return ServerError(response)

    def on_connect(self, connection: AbstractConnection) -> None:
        super().on_connect(connection)  # type: ignore[no-untyped-call]
        # Nobody asked for pushes. redis-py reads on after one by recursion; as a reply it's counted and bounded.
        self._hiredis_PushNotificationType = None


class Wire(AbstractConnection):
    """A connection that does what it's asked and nothing else."""

    def __init__(self, dial: Callable[[], Awaitable[Streams]]) -> None:
        super().__init__(
            protocol=2, parser_class=_Parser, decode_responses=True, encoding_errors="backslashreplace",
            driver_info=None, socket_timeout=None, socket_connect_timeout=None,
        )  # fmt: skip
        self._dial = dial

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
        """The next reply, a value or a `ServerError`. Raises `EOFError` at the end, `NotTheProtocol`."""
        try:
            return await self.read_response(timeout=math.inf, disconnect_on_error=False)
        except ConnectionEnded:
            raise EOFError from None
        except Exception as error:
            # hiredis raises TypeError for some replies that no server sends, such as a set of lists.
            raise NotTheProtocol(str(error)) from None

    def abort(self) -> None:
        """Close at once, without waiting for the peer."""
        if self._writer is not None:
            self._writer.transport.abort()
            self._reader = self._writer = None
