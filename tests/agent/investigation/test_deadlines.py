"""A server that doesn't answer, or hardly: every tool comes back within its deadline, and says so."""

import asyncio
import contextlib
import random
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from agent.investigation.investigation import Investigation
from agent.investigation.sources import Options
from agent.runbooks.library import load
from evals.lab.catalogue import FAULTS
from evals.lab.servers import installed, running
from tools.clock import SystemClock
from tools.connection.target import parse_target
from tools.errors import ToolError
from tools.records import Reading
from tools.toolbox import DEADLINE

pytestmark = [pytest.mark.live, pytest.mark.alone]

ARGUMENTS: dict[str, dict[str, Any]] = {
    "info": {"sections": ["server"], "window": 0.5}, "config_get": {"parameters": ["maxclients"]},
    "latency_sample": {"count": 5, "seconds": 0.5}, "idle_probe": {"seconds": 1}, "silence": {"seconds": 2},
    "propose_config_set": {"parameter": "timeout", "value": "300", "why": "w"},
}  # fmt: skip
LEAST = 1.0
"""Seconds of margin for a machine that is busy."""


@asynccontextmanager
async def frozen() -> AsyncIterator[str]:
    async with running(installed()[0]) as server:
        server.signal(signal.SIGSTOP)
        yield server.url


@asynccontextmanager
async def dropped() -> AsyncIterator[str]:
    fault = FAULTS["firewall-drop"]
    if reason := fault.unavailable(installed()[0]):
        pytest.skip(reason)
    async with fault.begin(installed()[0], random.Random(1)) as incident:
        yield incident.url


@asynccontextmanager
async def dripping() -> AsyncIterator[str]:
    """Something that accepts, and answers with one byte a second of a reply that would be a megabyte."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            for byte in b"$1048576\r\n" + b"x" * 600:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(1)
        writer.close()

    serving: set[asyncio.Task[None]] = set()

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        serving.add(task)

    server = await asyncio.start_server(accepted, "127.0.0.1", 0)
    yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    for task in serving:
        task.cancel()
    await asyncio.gather(*serving)


@pytest.mark.parametrize("silence", [frozen, dropped, dripping])
async def test_every_tool_comes_back(silence: Callable[[], AbstractAsyncContextManager[str]]) -> None:
    async with silence() as url:
        case = Investigation(
            parse_target(url, environ={}), "it hangs", load(), SystemClock(), lambda event: None,
            Options(deadline=300),
        )  # fmt: skip

        async def call(name: str) -> Reading | str:
            given = dict(ARGUMENTS.get(name, {}))
            schema = case.toolbox.tools[name].schema()["function"]["parameters"].get("properties", {})
            if "window" in schema:
                given["window"] = 0.5
            # The bound is the toolbox' own; this only ends a test that would hang.
            async with asyncio.timeout(DEADLINE + 12 + LEAST):
                try:
                    return await case.toolbox.call(name, given)
                except ToolError as error:
                    return str(error)

        names = list(case.toolbox.tools)
        came = dict(zip(names, await asyncio.gather(*(call(name) for name in names)), strict=True))
        await case.close()
    assert len(came) > 20
    silent = {
        name for name, reading in came.items()
        if isinstance(reading, Reading) and reading.unavailable and reading.unavailable.kind == "timeout"
    }  # fmt: skip
    assert {"connect", "ping", "info", "slowlog", "clients", "config_get", "memory", "replication"} <= silent


@pytest.mark.parametrize("silence", [frozen, dropped, dripping])
async def test_a_triage_ends_by_its_deadline(silence: Callable[[], AbstractAsyncContextManager[str]]) -> None:
    async with silence() as url:
        case = Investigation(
            parse_target(url, environ={}), "it hangs", load(), SystemClock(), lambda event: None, Options(deadline=12),
        )  # fmt: skip
        async with asyncio.timeout(12 + 5 + LEAST):
            await case.plan(await case.survey())
        answer = case.answer()
        await case.close()
    assert answer.outcome in ("diagnosed", "insufficient-evidence")
    assert not answer.target.version
