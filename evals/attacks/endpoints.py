"""Endpoints of a model that never stop, or whose answers are larger than any memory; and answers fuzzed by a seed."""

import asyncio
import contextlib
import gzip
import json
import random
import time
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import cache
from typing import NamedTuple

from evals.attacks._child import run
from evals.attacks._replies import named
from evals.attacks._server import RIGHT, asked, serving
from evals.attacks.attempt import Attempt
from evals.attacks.floods import AT_ONCE, BUSY, packed

HOLDS = "whatever a model's endpoint sends, an answer within 2 s of the deadline, using less than 300 MiB"
DEADLINE = 8.0
MOST_SENT = 2**30
_OK = "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{more}Connection: close\r\n\r\n"
_EVENTS, _JSON = "text/event-stream", "application/json"


class Flood(NamedTuple):
    """An answer: its head, what it begins with, and what it repeats."""

    head: str
    begin: bytes
    repeat: bytes
    pause: float = 0.0
    """Seconds between the pieces."""


def _delta(**delta: object) -> bytes:
    return f"data: {json.dumps({'choices': [{'delta': delta}]})}\n\n".encode()


def _ok(kind: str = _EVENTS, more: str = "") -> str:
    return _OK.format(kind=kind, more=more)


@cache
def _bomb(data: bytes) -> bytes:
    return gzip.compress(data * (2**26 // len(data)), 6)


@cache
def floods() -> Mapping[str, Flood]:
    """Each kind by name."""
    call = {"index": 0, "id": "a", "function": {"name": "submit_diagnosis", "arguments": "x"}}
    floods = {
        "comments": Flood(_ok(), b"", b": keep-alive\n\n"), "empty lines": Flood(_ok(), b"", b"\n"),
        "one line": Flood(_ok(), b"data: ", b"x"), "tiny deltas": Flood(_ok(), b"", _delta(content="a")),
        "empty deltas": Flood(_ok(), b"", _delta()), "reasoning": Flood(_ok(), b"", _delta(reasoning_content="hm")),
        "arguments": Flood(_ok(), b"", _delta(tool_calls=[call])), "names": Flood(_ok(), b"", _delta(tool_calls=[
            {"index": 0, "function": {"name": "abc"}}])),
        "calls": Flood(_ok(), b"", b"".join(_delta(tool_calls=[{"index": n, "id": f"c{n}", "function": {
            "name": "ping", "arguments": "{}"}}]) for n in range(500))),
        "large arguments": Flood(_ok(), b"", _delta(tool_calls=[{**call, "function": {"arguments": "{" * 60_000}}])),
        "events": Flood(_ok(), b"", b"event: x\nid: 1\nretry: 1\n\n"), "a body": Flood(_ok(_JSON), b'{"a": "', b"x"),
        "brackets": Flood(_ok(_JSON), b"", b"["), "headers": Flood("HTTP/1.1 200 OK\r\n", b"", b"X-A: b\r\n"),
        "a header": Flood("HTTP/1.1 200 OK\r\nX-A: ", b"", b"b"),
        "status lines": Flood("", b"", b"HTTP/1.1 100 OK\r\n\r\n"),
        "chunks": Flood(_ok(_JSON, "Transfer-Encoding: chunked\r\n"), b"", b"1\r\nx\r\n"),
        "a chunk": Flood(_ok(_JSON, "Transfer-Encoding: chunked\r\n"), b"FFFFFFFF\r\n", b"x"),
        "by the byte": Flood(_ok(), b"", b":", 0.05),
        "deltas by the second": Flood(_ok(), b"", _delta(content="a"), 0.2),
        "gzip": Flood(_ok(_JSON, "Content-Encoding: gzip\r\n"), b"", _bomb(b"x")),
        "gzip of events": Flood(_ok(_EVENTS, "Content-Encoding: gzip\r\n"), b"", _bomb(_delta(content="a"))),
        "deflate": Flood(_ok(_JSON, "Content-Encoding: deflate\r\n"), b"", zlib.compress(bytes(2**26), 6)),
        "br": Flood(_ok(_JSON, "Content-Encoding: br\r\n"), b"", b"\x00\x01"),
        "zstd": Flood(_ok(_JSON, "Content-Encoding: zstd\r\n"), b"", b"\x28\xb5\x2f\xfd"),
        "gzip twice": Flood(_ok(_JSON, "Content-Encoding: gzip, gzip\r\n"), b"", _bomb(b"x")),
    }  # fmt: skip
    for status in (400, 401, 404, 429, 500, 503):
        head = _ok(_JSON).replace("200 OK", f"{status} Odd")
        floods[f"{status}"] = Flood(head, b'{"error": {"message": "', b"x")
        floods[f"{status} gzip"] = Flood(
            head.replace("Connection", "Content-Encoding: gzip\r\nConnection"), b"", _bomb(b"x")
        )
    return floods


@contextlib.asynccontextmanager
async def flooding(flood: Flood) -> AsyncIterator[str]:
    """The base URL of an endpoint that answers so."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(flood.head.encode() + flood.begin)
        piece = flood.repeat if flood.pause else flood.repeat * (1 + 2**16 // len(flood.repeat))
        sent = 0
        while sent < MOST_SENT:
            for at in range(0, len(piece), 2**18):
                writer.write(piece[at : at + 2**18])
                await writer.drain()
            sent += len(piece)
            await asyncio.sleep(flood.pause)

    async with serving(serve) as port:
        yield f"http://127.0.0.1:{port}/v1"


async def _well(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        command = await asked(reader)
        name = named(command)
        writer.write(packed(RIGHT.get(name, RIGHT.get(name.partition(" ")[0], "OK"))))
        await writer.drain()


async def _tried(name: str, flood: Flood, waiting: asyncio.Semaphore) -> Attempt:
    begun: list[float] = []

    async def noted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begun.append(time.monotonic())
        await _well(reader, writer)

    async with waiting, serving(noted) as port, flooding(flood) as url:
        ran = await run(
            "triage", f"redis://127.0.0.1:{port}", "timeouts", "--model", "flooded", "--format", "json",
            "--deadline", f"{DEADLINE:g}", "--window", "0.2",
            environ={"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "none"},
        )  # fmt: skip
    started = ran.ended - ran.seconds
    wrong = ran.wrong(DEADLINE + 2 + BUSY + (min(begun, default=started) - started))
    if not wrong and not json.loads(ran.out)["model"]["degraded"]:
        wrong = "the flood was accepted as an answer"
    return Attempt(name, held=not wrong, what=wrong)


def chosen(tries: int, rng: random.Random) -> Iterator[tuple[str, Flood]]:
    """So many of them, each once before any comes again."""
    every = list(floods().items())
    while tries > 0:
        rng.shuffle(every)
        yield from every[:tries]
        tries -= len(every)


async def attempts(tries: int, rng: random.Random) -> AsyncIterator[Attempt]:
    """Every kind, then again, as far as the tries go."""
    waiting = asyncio.Semaphore(AT_ONCE)
    trying = [_tried(name, flood, waiting) for name, flood in chosen(max(1, min(tries, 40)), rng)]
    for done in asyncio.as_completed(trying):
        yield await done
