"""Dialling an endpoint stage by stage: the name, the TCP connection, TLS."""

import asyncio
import contextlib
import errno
import socket
import ssl
import time
from collections.abc import Callable, Iterator

from tools.connection import icmp
from tools.connection.arrival import StampedSocket, Stamps
from tools.connection.certificate import validity
from tools.connection.connection import Progress
from tools.connection.target import Target
from tools.connection.trust import Trusted, allowed, own_addresses, plain
from tools.errors import Unanswered
from tools.records import Kind


class Stream(asyncio.StreamReaderProtocol):
    """A stream that shows what arrives, and that ends behind what came before the end, however it was ended.

    asyncio's own forgets what was not yet read when the peer resets the connection: a full server's goodbye.
    """

    def __init__(
        self, reader: asyncio.StreamReader, arrived: Callable[[bytes], None], lost: Callable[[Exception | None], None]
    ) -> None:
        super().__init__(reader)
        self._arrived = arrived
        self._lost = lost

    def data_received(self, data: bytes) -> None:
        self._arrived(data)
        super().data_received(data)

    def eof_received(self) -> bool:
        super().eof_received()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost(exc)
        super().connection_lost(None)


MOST_REFUSED = 4
"""Addresses of a name that are named of those which refused."""
Opened = tuple[asyncio.Transport, Stream]


async def dial(target: Target, progress: Progress, stream: Callable[[], Stream], stamps: Stamps) -> Opened:
    """Connect `stream()` to the target; `stamps` tells of its bytes.

    Raises `Unanswered`, its values the stages that were passed. A dial that fails or is cancelled leaves no socket.
    """
    loop = asyncio.get_running_loop()
    if target.path is not None:
        progress.stage = "tcp"
        try:
            with _timed(progress):
                return await loop.create_unix_connection(stream, target.path)
        except OSError as error:
            raise _failed(target, progress, error) from None
    try:
        with _timed(progress):
            found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unanswered("dns", f"{target.host}: {error}", progress.stages) from None
    failure = Unanswered("dns", f"{target.host}: no address", progress.stages)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if target.named_from is not None:
        # What was resolved is what is judged and dialled: a name may mean another address a moment later.
        addresses = await _trusted(target, addresses, progress)
    refused: list[str] = []
    for address in addresses:
        progress.stage = "tcp"
        progress.stages["address"] = address
        sock = StampedSocket(socket.AF_INET6 if ":" in address else socket.AF_INET, stamps)
        try:
            with _timed(progress):
                await _connect(sock, address, target.port or 0, progress)
            if target.tls is None:
                return await loop.create_connection(stream, sock=sock)
            return await _secure(sock, target, progress, stream)
        except OSError as error:
            sock.close()
            failure = _failed(target, progress, error)
            if isinstance(error, ConnectionRefusedError):
                refused.append(address)
                progress.stages["refused_addresses"] = " ".join(refused[:MOST_REFUSED])
        except BaseException:
            sock.close()
            raise
    raise failure


async def _trusted(target: Target, addresses: list[str], progress: Progress) -> list[str]:
    """The addresses of a neighbour that may be dialled. Raises `Unanswered` ("untrusted") where none may."""
    hosts = [await _addresses(host) for host in target.named_from or ()]
    given = frozenset(plain(one) for some in hosts for one in some) if hosts else frozenset((plain("127.0.0.1"),))
    tls = target.tls
    trusted = Trusted(
        given=given, own=own_addresses(given), networks=target.trust,
        credentials=target.has_credentials,
        # The system's authorities vouch for everybody's names, the attacker's among them.
        verified=tls is not None and tls.cacert is not None and tls.check_hostname and not tls.insecure,
    )  # fmt: skip
    may, why_not = allowed(addresses, trusted)
    if not may:
        raise Unanswered("untrusted", f"{target.node} isn't contacted: {why_not}", progress.stages)
    return may


async def _addresses(host: str) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(entry[4][0]) for entry in found]


async def _connect(sock: socket.socket, address: str, port: int, progress: Progress) -> None:
    try:
        sock.setblocking(False)
        icmp.listen(sock, on=True)
        await asyncio.get_running_loop().sock_connect(sock, (address, port))
        icmp.listen(sock, on=False)
    except BaseException:
        # Of a connect that ran into its time-out too: the kernel tries again after an error.
        progress.stages |= icmp.last_error(sock)
        raise


async def _secure(sock: socket.socket, target: Target, progress: Progress, stream: Callable[[], Stream]) -> Opened:
    assert target.tls is not None
    progress.stage = "tls"
    context = target.tls.context()
    try:
        with _timed(progress):
            opened: Opened = await asyncio.get_running_loop().create_connection(
                stream, sock=sock, ssl=context, server_hostname=target.host
            )
    except ssl.SSLCertVerificationError as error:
        progress.stages["certificate_refused"] = error.verify_message
        raise Unanswered("tls", f"handshake: {reason(error)} ({error.verify_message})", progress.stages) from None
    except (OSError, ssl.SSLError) as error:
        raise Unanswered("tls", f"handshake: {reason(error)}", progress.stages) from None
    _note_certificate(opened[0], progress)
    return opened


def _note_certificate(transport: asyncio.Transport, progress: Progress) -> None:
    secured = transport.get_extra_info("ssl_object")
    life = validity(secured.getpeercert(binary_form=True) or b"") if secured else None
    if life:
        progress.stages["certificate_expires_in_seconds"] = life.ends - int(time.time())
        progress.stages["certificate_lifetime_seconds"] = life.ends - life.begins


@contextlib.contextmanager
def _timed(progress: Progress) -> Iterator[None]:
    began = time.perf_counter()
    yield
    progress.stages[f"{progress.stage}_ms"] = round((time.perf_counter() - began) * 1000, 3)


def _failed(target: Target, progress: Progress, error: OSError) -> Unanswered:
    name = reason(error)
    progress.stages["tcp_error"] = name
    kind: Kind = "timeout" if name == "ETIMEDOUT" else "reset" if name == "ECONNRESET" else "refused"
    return Unanswered(kind, f"{target.node}: {name}", progress.stages)


def reason(error: BaseException | None) -> str:
    """The short name of what went wrong with a socket: OpenSSL's reason, errno's name or the exception's."""
    text = getattr(error, "reason", None) or getattr(error, "verify_message", None)
    number = getattr(error, "errno", None)
    return str(text or errno.errorcode.get(number or 0) or type(error).__name__)
