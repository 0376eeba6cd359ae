"""Identity services that send for ever, slowly, or packed: no token, a clear line, in time and little memory."""

import asyncio
import contextlib
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from tools.clock import SystemClock
from tools.connection.bounded_body import MOST, SECONDS
from tools.connection.credentials import AwsIam, EntraId
from tools.connection.tokens import WITHIN, tokens_of
from tools.errors import UsageError

Send = Callable[[asyncio.StreamWriter], Awaitable[None]]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
KINDS: dict[str, EntraId | AwsIam] = {
    "entra": EntraId(type="entra", identity="managed"), "chain": EntraId(type="entra"),
    "aws": AwsIam(type="aws-iam", user="u", cache="c", region="eu-central-1"),
}  # fmt: skip


async def endless(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b'\r\n{"access_token": "')
    for _ in range(64 * MOST // 2**16):
        writer.write(b"a" * 2**16)
        await writer.drain()


async def chunked(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(64 * MOST // 2**16):
        writer.write(b"10000\r\n" + b" " * 2**16 + b"\r\n")
        await writer.drain()


async def slow(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def packed(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd")


@asynccontextmanager
async def service(send: Send, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await reader.readuntil(b"\r\n\r\n")
            await send(writer)
        writer.transport.abort()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/token"
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AZURE_CLIENT_ID"):
            monkeypatch.delenv(name, raising=False)
        values = {
            "IDENTITY_ENDPOINT": url, "IDENTITY_HEADER": "header-secret", "AWS_CONTAINER_CREDENTIALS_FULL_URI": url,
            "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", "PATH": "/nonexistent",
        }  # fmt: skip
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        yield


@pytest.mark.parametrize("kind", ["entra", "aws"])
@pytest.mark.parametrize("send", [endless, chunked, packed])
async def test_what_is_too_large_or_packed_is_no_token(kind: str, send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    async with service(send, monkeypatch):
        tokens = tokens_of(KINDS[kind], SystemClock())
        assert tokens is not None
        tracemalloc.start()
        try:
            with pytest.raises(UsageError, match="no token") as raised:
                await tokens.current()
            assert tracemalloc.get_traced_memory()[1] < 24 * MOST
        finally:
            tracemalloc.stop()
    assert "header-secret" not in str(raised.value)


@pytest.mark.live
@pytest.mark.alone
@pytest.mark.parametrize("kind", ["entra", "chain", "aws"])
async def test_what_has_no_end_in_time_is_no_token(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before, began = threading.active_count(), time.monotonic()
    async with service(slow, monkeypatch):
        tokens = tokens_of(KINDS[kind], SystemClock())
        assert tokens is not None
        with pytest.raises(UsageError, match=r"no token|no AWS keys"):
            await tokens.current()
        assert time.monotonic() - began < WITHIN + 5
        # Its thread comes to an end as well, where the library asks once.
        while kind == "entra" and threading.active_count() > before and time.monotonic() - began < 3 * SECONDS:
            await asyncio.sleep(0.1)
    assert kind != "entra" or threading.active_count() <= before
