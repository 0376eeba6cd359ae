"""Servers that never stop, and replies larger than any memory: time and memory of a process of its own."""

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from uuid import uuid4

from evals.attacks._child import run
from evals.attacks._replies import named
from evals.attacks._server import INFO, RIGHT, Serve, asked, serving
from evals.attacks.attempt import Attempt
from tools.connection.protocol import Command

HOLDS = "whatever a server sends, an answer within 2 s of the deadline, using less than 300 MiB"
DEADLINE, BUSY = 5.0, 4.0
"""Seconds of an investigation, and those that a busy machine may take besides: its end, and what it prints."""
MOST_SENT = 512 * 2**20
"""Bytes that one server sends at most: no attack goes on for ever."""
AT_ONCE = 2
_CHUNK = 2**16
Endless = tuple[bytes, bytes]
"""How a flood begins, and what it repeats."""
FLOODS: dict[str, Endless] = {
    "statuses": (b"", b"+OK\r\n"), "empty lines": (b"", b"\r\n"), "no line end": (b"+", b"x"),
    "no type": (b"", b"x"), "a bulk": (b"$1000000000\r\n", b"x"), "small bulks": (b"", b"$1\r\na\r\n"),
    "a list": (b"*1000000000\r\n", b":1\r\n"), "lists in lists": (b"", b"*1\r\n"), "wide lists": (b"", b"*1000000\r\n"),
    "lists at the bound": (b"*262000\r\n", b"$8\r\nabcdefgh\r\n"), "empty lists": (b"*262000\r\n", b"*0\r\n"),
    "maps": (b"%1000000\r\n", b"+a\r\n"), "attributes": (b"", b"|1\r\n+a\r\n+b\r\n"), "pushes": (b"", b">1\r\n+a\r\n"),
    "a big number": (b"(", b"9"), "big numbers": (b"", b"(" + b"9" * 60_000 + b"\r\n"),
    "streamed": (b"$?\r\n", b";4\r\nabcd\r\n"),
    "verbatim": (b"=900000000\r\ntxt:", b"x"), "errors": (b"", b"-ERR no\r\n"), "an error": (b"-", b"ERR "),
    "long errors": (b"", b"-ERR " + b"x" * 60_000 + b"\r\n"), "nulls": (b"*200000\r\n", b"_\r\n"),
    "letters of four bytes": (b"$8000000\r\n", "\U0001f4a9".encode()), "no letters": (b"$8000000\r\n", b"\xff"),
    "web": (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
}  # fmt: skip
_LINE = "id={n} addr=127.0.0.1:5 name={name} age=5 idle=1 flags=N db=0 omem=0 events=r cmd=get\n"
_SLAVE = "slave{n}:ip=127.0.0.1,port={n},state=online,offset=1,lag=1\r\n"
LARGE: dict[str, tuple[str, str]] = {
    "many clients": ("CLIENT LIST", "".join(_LINE.format(n=n, name="app") for n in range(1, 80_000))),
    "long names": ("CLIENT LIST", "".join(_LINE.format(n=n, name="x" * 350_000) for n in range(1, 20))),
    "credentials": ("CLIENT LIST", "".join(_LINE.format(n=n, name="AUTH,-" * 60_000) for n in range(1, 20))),
    "urls": ("CLIENT LIST", _LINE.format(n=5, name="a:" * 150_000 + "://" * 90_000)),
    "fields": ("INFO", INFO + "".join(f"f{n}:{n}\r\n" for n in range(250_000))),
    "sections": ("INFO", INFO + "".join(f"# s{n}\r\na:1\r\n" for n in range(200_000))),
    "errors": ("INFO", INFO + "# Errorstats\r\n" + "".join(f"errorstat_E{n}:count=1\r\n" for n in range(120_000))),
    "commands": ("INFO", INFO + "# Commandstats\r\n" + "".join(f"cmdstat_c{n}:calls=1\r\n" for n in range(120_000))),
    "replicas": ("INFO", INFO.replace("connected_slaves:1", "\r\nconnected_slaves:1" * 100_000)),
    "a replica": ("INFO", INFO.replace("ip=127.0.0.1", "ip=" + ",port=1,state=a,offset=1,lag=1" * 90_000)),
    "nodes": ("INFO", INFO + "".join(_SLAVE.format(n=n) for n in range(1, 40_000))),
    "advice": ("MEMORY DOCTOR", "a! " * 300_000), "text": ("INFO", INFO + "os:" + "x" * 3_000_000),
}  # fmt: skip


def flooding(begin: bytes, repeat: bytes, *, quiet: bool) -> Serve:
    """A server that floods: at once, or in place of its first reply."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if quiet:
            await reader.read(_CHUNK)
        writer.write(begin)
        piece, sent = repeat * (1 + _CHUNK // len(repeat)), 0
        while sent < MOST_SENT:
            writer.write(piece)
            sent += len(piece)
            await writer.drain()

    return serve


def right_but(word: str, made: Callable[[], bytes], *, slowly: bool = False) -> Serve:
    """A server whose reply to one command is this, and whose others are right."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            command = await asked(reader)
            if not named(command).startswith(word):
                writer.write(_right(command))
                continue
            payload = made()
            for at in range(0, len(payload), 64 if slowly else 2**20):
                writer.write(payload[at : at + (64 if slowly else 2**20)])
                await writer.drain()
                if slowly:
                    await asyncio.sleep(0.001)

    return serve


def _right(command: Command) -> bytes:
    name = named(command)
    return packed(RIGHT.get(name, RIGHT.get(name.partition(" ")[0], "OK")))


def packed(reply: object) -> bytes:
    """A reply as a server sends it."""
    if isinstance(reply, list):
        return b"*%d\r\n" % len(reply) + b"".join(map(packed, reply))
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    data = reply if isinstance(reply, bytes) else str(reply).encode()
    return b"$%d\r\n%s\r\n" % (len(data), data)


def _nine_million(begin: bytes, repeat: bytes) -> bytes:
    return begin + repeat * (9_000_000 // len(repeat))


def servers(rng: random.Random) -> Iterator[tuple[str, Serve]]:
    """Every flood at once, late and in one reply; every large reply; and each now and then by the byte."""
    floods: list[tuple[str, Serve]] = []
    for name, (begin, repeat) in FLOODS.items():
        floods += [(f"{name} at once", flooding(begin, repeat, quiet=False))]
        floods += [(f"{name} once asked", flooding(begin, repeat, quiet=True))]
        for word in ("CLIENT LIST", "INFO", "SLOWLOG GET", "CONFIG GET"):
            floods.append((f"{name} for {word}", right_but(word, partial(_nine_million, begin, repeat))))
    for name, (word, text) in LARGE.items():
        floods += [(name, right_but(word, partial(packed, text)))] * 3
        floods.append((f"{name} by the byte", right_but(word, partial(packed, text), slowly=True)))
    rng.shuffle(floods)
    yield from floods


async def _tried(name: str, serve: Serve, folder: Path | None, waiting: asyncio.Semaphore) -> Attempt:
    begun: list[float] = []

    async def noted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begun.append(time.monotonic())
        await serve(reader, writer)

    async with waiting, serving(noted) as port:
        # A port may come again.
        record = ["--record", str(folder / f"{uuid4().hex}.rec")] if folder else []
        ran = await run(
            "triage", f"redis://127.0.0.1:{port}", "timeouts", "--model", "offline", "--format", "json",
            "--deadline", f"{DEADLINE:g}", "--window", "0.2", *record,
        )  # fmt: skip
    # The program's own start isn't the server's doing.
    started = ran.ended - ran.seconds
    wrong = ran.wrong(DEADLINE + 2 + BUSY + (min(begun, default=started) - started))
    return Attempt(f"{name}{' recorded' if folder else ''}", held=not wrong, what=wrong)


async def attempts(tries: int, rng: random.Random) -> AsyncIterator[Attempt]:
    """Floods and large replies, every other one of them recorded."""
    waiting = asyncio.Semaphore(AT_ONCE)
    chosen = [one for one, _ in zip(servers(rng), range(tries), strict=False)]
    with tempfile.TemporaryDirectory() as folder:
        trying = [
            _tried(name, serve, Path(folder) if number % 2 else None, waiting)
            for number, (name, serve) in enumerate(chosen)
        ]
        for done in asyncio.as_completed(trying):
            yield await done
