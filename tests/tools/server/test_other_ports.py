"""A wrong port of a host that isn't this machine: what else answers there is said, and nothing else is tried."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.answer.diagnosis import Diagnosis
from agent.recordings.replay import case, on_virtual_time
from evals.lab.servers import ServerKind, free_port, running
from evals.lab.servers import start as start_server
from tests.program import rediagnose
from tools.connection.budget import Budget
from tools.connection.target import Target, parse_target
from tools.host.listener import STAND_IN
from tools.record.load import load as recording
from tools.record.tape import Tape
from tools.server.other_ports import USUAL, answering

HOST, EMPTY = "127.79.16.5", "127.79.16.6"
"""Addresses of loopback that nobody else uses, with the usual ports free."""
OPTIONS = "--window", "0.3", "--model", "offline"


@contextlib.asynccontextmanager
async def closed(host: str) -> AsyncIterator[int]:
    """A port at which nothing listens, and that isn't taken for this machine's own."""
    port = free_port(STAND_IN)
    async with await asyncio.start_server(lambda reader, writer: writer.close(), STAND_IN, port):
        yield port


async def test_each_kind_of_listener_is_told_apart(kind: ServerKind) -> None:
    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(64)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async def secured(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(64)
        writer.write(b"\x15\x03\x01\x00\x02\x02\x46")
        writer.close()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with contextlib.AsyncExitStack() as open_:
        plain = await open_.enter_async_context(running(kind))
        locked = await open_.enter_async_context(running(kind, requirepass="secret"))
        listeners = [
            await open_.enter_async_context(await asyncio.start_server(one, "127.0.0.1", 0))
            for one in (web, secured, mute)
        ]
        http, tls, silent = (one.sockets[0].getsockname()[1] for one in listeners)
        ports = plain.port, locked.port, http, tls, silent, free_port()
        target = parse_target("redis://user:hush@127.0.0.1:1/3", environ={})
        found = await answering(target, budget := Budget(), ports)
    assert found == {
        f"127.0.0.1:{plain.port}": "redis", f"127.0.0.1:{locked.port}": "redis", f"127.0.0.1:{tls}": "tls",
    }  # fmt: skip
    assert budget.commands == len(ports)


async def replayed(tape: Tape) -> tuple[Diagnosis, int]:
    """The answer to a recording, and how much of what it asked wasn't in it."""
    async with case(tape, tape.head.symptom) as incident:
        return incident.answer(), incident.misses


@pytest.mark.parametrize(
    "target",
    [
        parse_target("redis://10.0.0.1:6379", environ={}).neighbour("10.0.0.2", 6379),
        parse_target("redis+sentinel://10.0.0.1:26379/shop", environ={}),
        parse_target("unix:///tmp/redis.sock", environ={}),
    ],
)
async def test_only_the_host_that_a_person_named_is_tried(target: Target) -> None:
    with pytest.raises(ValueError, match="only on the host that a person named"):
        await answering(target, Budget())


async def test_the_port_that_was_meant_is_in_the_first_lines(kind: ServerKind, tmp_path: Path) -> None:
    server, file = await start_server(kind, host=HOST, port=USUAL[0]), tmp_path / "wrong-port.rec"
    try:
        async with closed(HOST) as port:
            url = f"redis://:hush@{HOST}:{port}"
            seen = await rediagnose("triage", url, "connection refused", *OPTIONS, "--record", str(file))
            answer = json.loads((await rediagnose("triage", url, *OPTIONS, "--format", "json")).out)
            comment = await rediagnose("annotate", "-", "--url", url, *OPTIONS, said="Redis: connection refused")
            doctor = await rediagnose("doctor", url, "--model", "offline")
    finally:
        await server.stop()
    at = f"{HOST}:{USUAL[0]}"
    assert at in " ".join(seen.out.splitlines()[:8]) and "hush" not in seen.out
    assert at in comment.out and at in doctor.out
    top = answer["causes"][0]
    assert top["id"] == "process-down"
    assert {"reading", "field", "value", "verified"} <= set(top["evidence"][0])
    assert {"field": "servers_at", "value": at, "verified": True}.items() <= top["evidence"][-1].items()
    tape = Tape(recording(file))
    assert {*tape.nodes} == {f"{HOST}:{port}"}, "what was tried is no node of the deployment"
    again, misses = await asyncio.to_thread(on_virtual_time, replayed(tape))
    assert at in again.causes[0].why and misses == 0


async def test_nothing_else_listens_there(kind: ServerKind) -> None:
    async with closed(EMPTY) as port:
        url = f"redis://{EMPTY}:{port}"
        answer = json.loads((await rediagnose("triage", url, *OPTIONS, "--format", "json")).out)
        doctor = await rediagnose("doctor", url, "--model", "offline")
    (reading,) = (one for one in answer["readings"] if one["tool"] == "other_ports")
    assert reading["values"]["servers_at"] == "" and "Redis answers" not in doctor.out
    assert answer["causes"][0]["id"] == "process-down" and "wrong port" not in answer["causes"][0]["why"]
