"""Background traffic that looks like an application's."""

import asyncio
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig

from evals.lab.wire import LOST, Crew, crew, dial, packed

APPLICATIONS = (
    "checkout-api", "cart-service", "web-frontend", "session-store", "pricing", "inventory-sync", "orders", "catalog",
    "search", "recommender", "rate-limiter", "mail-worker", "order-intake", "stock-import", "report-export", "renderer",
    "events", "billing", "shipping", "notifications",
)  # fmt: skip
OPERATORS = ("ops", "admin", "debug", "backup", "nightly-batch", "cleanup-job")
CHANNELS = ("orders:events", "prices", "audit", "catalog:changes", "stock:changes")
PREFIXES = ("feed", "report", "document", "catalog", "article", "recommend", "token", "campaign")
NOUNS = ("cart", "session", "user", "product", "order", "price", "stock")
FIELDS = ("items", "profile", "state", "total", "view", "meta")
SLOWEST_RETRY = 4.0
"""Seconds between attempts, at most."""


def application_name(rng: random.Random) -> str:
    """A client name as a team would choose it; whatever an application does, it may have any, so that none gives away
    what is wrong."""
    return rng.choice(APPLICATIONS)


def operator_name(rng: random.Random) -> str:
    """The client name of a person or a script that looks after the server."""
    return rng.choice(OPERATORS)


def channel_name(rng: random.Random) -> str:
    """A channel of Pub/Sub."""
    return rng.choice(CHANNELS)


def key_prefix(rng: random.Random) -> str:
    """What keys begin with that no application of the lab's usual traffic writes."""
    return rng.choice(PREFIXES)


def key(rng: random.Random) -> str:
    """A key as an application would write it."""
    return f"{rng.choice(NOUNS)}:{rng.randrange(2000)}:{rng.choice(FIELDS)}"


_WRITTEN = re.compile(rf"({'|'.join(NOUNS)}):\d{{1,4}}:({'|'.join(FIELDS)}|probe):?[a-z]?")


def written_by_application(at: str) -> bool:
    """Whether an application of the lab writes such a key, at any time."""
    return _WRITTEN.fullmatch(at) is not None or at == "session:0:probe"


def connect(url: str, *, name: str | None = None, timeout: float = 2.0) -> Redis:
    """A client of one connection, without retries; `timeout` in seconds for each wait."""
    return Redis.from_url(
        url, client_name=name, single_connection_client=True, retry=Retry(NoBackoff(), 0), socket_timeout=timeout,
        socket_connect_timeout=timeout, protocol=2, driver_info=None,
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
    )  # fmt: skip


async def _operation(client: Redis, rng: random.Random) -> None:
    at = key(rng)
    value = "x" * rng.randrange(16, 400)
    match rng.choices(("get", "set", "hset", "lpush", "incr", "expire"), (55, 20, 8, 6, 6, 5))[0]:
        case "get":
            await client.get(f"{at}:s")
        case "set":
            await client.set(f"{at}:s", value, ex=rng.randrange(600, 7200))
        case "hset":
            await client.hset(f"{at}:h", f"f{rng.randrange(20)}", value)
        case "lpush":
            # Not in a pipeline, which would take a connection of its own.
            await client.lpush(f"{at}:l", value)
            await client.ltrim(f"{at}:l", 0, 49)
        case "incr":
            await client.incr(f"{at}:n")
        case _:
            await client.expire(f"{at}:h", rng.randrange(600, 7200))


async def _work(url: str, rng: random.Random, rate: float, name: str, timeout: float) -> None:
    """One connection of the pool, at `rate` operations a second, through whatever happens to it."""
    client = connect(url, name=name, timeout=timeout)
    wait = 0.1
    try:
        while True:
            try:
                await _operation(client, rng)
                wait = 0.1
                await asyncio.sleep(rng.uniform(0.5, 1.5) / rate)
            except (RedisError, OSError):
                await client.aclose()
                await asyncio.sleep(rng.uniform(0.5, 1) * wait)
                wait = min(2 * wait, SLOWEST_RETRY)
    finally:
        await client.aclose()


@asynccontextmanager
async def application(
    url: str,
    rng: random.Random,
    *,
    clients: int | None = None,
    rate: float | None = None,
    name: str | None = None,
    timeout: float = 2.0,
) -> AsyncIterator[Crew]:
    """An application with a pool of `clients` held connections, at `rate` operations a second all together.

    It survives errors, reconnecting more and more slowly, and gives an answer up after `timeout` seconds. What isn't
    given is chosen by `rng`. The crew may take on more work that ends with it.
    """
    count = clients or rng.randrange(4, 9)
    name = name or application_name(rng)
    each = (rate or rng.uniform(60, 120)) / count
    async with crew() as hands:
        for _ in range(count):
            hands.spawn(_work(url, random.Random(rng.random()), each, name, timeout))
        yield hands


async def fill(url: str, rng: random.Random, count: int, *, size: int = 32, prefix: str = "") -> None:
    """Write `count` string keys with values of about `size` bytes, in pipelines that hold nobody up for long."""
    prefix = prefix or f"{rng.choice(NOUNS)}:"
    wire = await dial(url)
    try:
        for begin in range(0, count, 2000):
            numbers = range(begin, min(begin + 2000, count))
            await wire.pipeline(
                b"".join(packed("SET", f"{prefix}{number:07d}", "x" * size) for number in numbers), len(numbers)
            )
    finally:
        await wire.close()


async def works(url: str, *, times: int = 8, pause: float = 0.3, timeout: float = 1.0) -> bool:
    """Whether new connections are served: `times`, `pause` seconds apart, each let in and answered within `timeout`."""
    for _ in range(times):
        try:
            wire = await dial(url, timeout=timeout)
            try:
                await wire.ask("SET", "session:0:probe", "1", "EX", 60, timeout=timeout)
                await wire.ask("GET", "session:0:probe", timeout=timeout)
            finally:
                await wire.close()
        except LOST:
            return False
        # A slot that is free for a moment, or a server that runs for a moment, isn't fixed.
        await asyncio.sleep(pause)
    return True
