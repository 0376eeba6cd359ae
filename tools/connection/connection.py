"""One connection to a node: dialled stage by stage, its bytes counted, its late replies kept apart."""

import asyncio
import errno
import socket
import ssl
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import hiredis

from tools.connection import icmp
from tools.connection.protocol import GOODBYES, Command, Reply, ServerError
from tools.connection.target import Target
from tools.errors import Unanswered
from tools.records import Kind, Values


class Connection(asyncio.Protocol):
    """A connection whose every failure is an `Unanswered` with its kind.

    Replies that come after their call timed out are dropped when they come, so a slow server doesn't cost the
    connection its slot. A goodbye (an error that the server writes before it closes) is kept even where the
    closing beat our own writing.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.stages: Values = {}
        """`<stage>_ms` of each stage passed (dns, tcp, tls), in milliseconds, and the address that was dialled."""
        self.stage = "dns"
        """The stage that it's in: dns, tcp, tls, open."""
        self.sent = 0
        self.received = 0
        self._parser = hiredis.Reader(encoding="utf-8", errors="backslashreplace")
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[asyncio.Future[Reply]] = deque()
        self._unasked: deque[Reply] = deque()
        self._end: Unanswered | None = None
        self._ended = asyncio.Event()

    @property
    def usable(self) -> bool:
        """Whether it's open in both directions."""
        return self._transport is not None and self._end is None

    async def open(self, timeout: float) -> None:
        """Dial within `timeout` seconds. Raises `Unanswered`, its values the stages that were passed."""
        try:
            async with asyncio.timeout(timeout):
                await self._dial()
                await self._start_tls()
        except TimeoutError:
            self.close()
            detail = f"no answer in stage {self.stage} for {timeout:g} s"
            raise Unanswered("tls" if self.stage == "tls" else "timeout", detail, self.stages) from None
        self.stage = "open"

    async def _dial(self) -> None:
        loop = asyncio.get_running_loop()
        began = time.perf_counter()
        if self.target.path is not None:
            self.stage = "tcp"
            try:
                await loop.create_unix_connection(lambda: self, self.target.path)
            except OSError as error:
                raise self._failed(error) from None
            self._passed(began)
            return
        try:
            found = await loop.getaddrinfo(self.target.host, self.target.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise Unanswered("dns", f"{self.target.host}: {error}", self.stages) from None
        self._passed(began)
        self.stage = "tcp"
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        failure = Unanswered("dns", f"{self.target.host}: no address", self.stages)
        port = self.target.port or 0
        for address in addresses:
            began = time.perf_counter()
            self.stages["address"] = address
            try:
                await self._connect(address, port)
            except OSError as error:
                failure = self._failed(error)
                continue
            self._passed(began)
            return
        raise failure

    async def _connect(self, address: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            icmp.listen(sock, on=True)
            await loop.sock_connect(sock, (address, port))
            icmp.listen(sock, on=False)
            await loop.create_connection(lambda: self, sock=sock)
        except BaseException:
            # Of a connect that ran into its time-out too: the kernel tries again after an error.
            self.stages |= icmp.heard(sock)
            sock.close()
            raise

    async def _start_tls(self) -> None:
        if self.target.tls is None:
            return
        self.stage = "tls"
        began = time.perf_counter()
        assert self._transport is not None
        try:
            upgraded = await asyncio.get_running_loop().start_tls(
                self._transport, self, self.target.tls.context(), server_hostname=self.target.host
            )
        except (OSError, ssl.SSLError) as error:
            self.close()
            raise Unanswered("tls", f"handshake: {_named(error)}", self.stages) from None
        assert isinstance(upgraded, asyncio.Transport)
        self._transport = upgraded
        self._passed(began)

    def _passed(self, began: float) -> None:
        self.stages[f"{self.stage}_ms"] = round((time.perf_counter() - began) * 1000, 3)

    def _failed(self, error: OSError) -> Unanswered:
        name = _named(error)
        self.stages["tcp_error"] = name
        kind: Kind = "timeout" if name == "ETIMEDOUT" else "reset" if name == "ECONNRESET" else "refused"
        return Unanswered(kind, f"{self.target.node}: {name}", self.stages)

    async def exchange(self, commands: Sequence[Command], timeout: float) -> list[Reply]:
        """Send commands in one write; their replies, in order, each a value or a `ServerError`.

        Raises `Unanswered`: timeout (the connection stays usable), reset, or the kind of the server's goodbye.
        """
        futures = self._send(commands)
        try:
            async with asyncio.timeout(timeout):
                return [await future for future in futures]
        except TimeoutError:
            raise Unanswered("timeout", f"{commands[0][0]}: no reply in {timeout:g} s") from None
        finally:
            for future in futures:
                future.cancel()

    def _send(self, commands: Sequence[Command]) -> list[asyncio.Future[Reply]]:
        if self._end is not None:
            raise self._end
        assert self._transport is not None
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Reply]] = [loop.create_future() for _ in commands]
        self._waiting.extend(futures)
        packed = b"".join(_packed(command) for command in commands)
        self.sent += len(packed)
        self._transport.write(packed)
        while self._unasked:
            self._deliver(self._unasked.popleft())
        return futures

    def unasked(self) -> list[Reply]:
        """Take what came although no command asked for it, oldest first: a subscriber's messages."""
        came = list(self._unasked)
        self._unasked.clear()
        return came

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        try:
            self._parser.feed(data)
            while (reply := self._parser.gets()) is not False:
                self._deliver(_plain(reply))
        except hiredis.ProtocolError as error:
            # TLS records, HTTP, anything that isn't RESP: what came instead of a reply is the reading.
            self.stages["speaks_resp"] = False
            kind: Kind = "tls" if data[:1] in (b"\x15", b"\x16") else "reset"
            self._finish(Unanswered(kind, f"{self.target.node}: not the Redis protocol: {error}"))
            self.close()

    def _deliver(self, reply: Reply) -> None:
        if isinstance(reply, ServerError) and reply.kind in ("maxclients", "protected"):
            self._finish(Unanswered(reply.kind, GOODBYES[reply.kind]))
        elif not self._waiting:
            self._unasked.append(reply)
        else:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        why = f"closed by the peer ({_named(exc)})" if exc else "closed by the peer"
        self._finish(Unanswered("reset", f"{self.target.node}: {why}"))

    def _finish(self, end: Unanswered) -> None:
        if self._end is None:
            self._end = end
        self._ended.set()
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(self._end)
                future.exception()  # seen: a reply that nobody waits for any more isn't a warning

    async def closed(self, timeout: float) -> bool:
        """Whether the peer closed the connection within `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._ended.wait()
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Close at once, without waiting for the peer."""
        if self._transport is not None:
            self._transport.abort()


def _packed(command: Command) -> bytes:
    # The stub types the argument as a tuple of one; any length is right.
    packed: bytes = hiredis.pack_command(tuple(command))  # type: ignore[arg-type]
    return packed


def _named(error: BaseException | None) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "verify_message", None)
    number = getattr(error, "errno", None)
    return str(reason or errno.errorcode.get(number or 0) or type(error).__name__)


def _plain(reply: Any) -> Reply:
    if isinstance(reply, list):
        return [_plain(item) for item in reply]
    if isinstance(reply, hiredis.ReplyError):
        return ServerError(str(reply))
    return reply
