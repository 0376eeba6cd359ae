"""Faults on the client's side: the server is idle, and its clients wait for one of their own connections."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random

from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig

from evals.lab.fault import Family, Incident
from evals.lab.servers import LabError, Server, ServerKind, running
from evals.lab.traffic import APPLICATIONS, application, fill, key
from evals.lab.wire import LOST, Crew, crew, dial

FAULTS = Family("client side")
NONE_LEFT = "No connection available."
"""What redis-py's pool says that waits for a connection; the one that doesn't wait says `TOO_MANY`."""
TOO_MANY = "Too many connections"
_EMPTY = (
    "redis.exceptions.ConnectionError: No connection available. In checkout, since the release of this morning.",
    "Half of the requests of one service fail with 'No connection available.' from Redis, all others work.",
    "redis.exceptions.MaxConnectionsError: Too many connections. Redis seems to be at its limit.",
    "'Too many connections' from Redis in one service since the traffic rose a little.",
)


class Pool:
    """An application's pool of `size` connections, with what its callers were told."""

    def __init__(self, url: str, name: str, size: int, *, waits: bool) -> None:
        kind: type[ConnectionPool] = BlockingConnectionPool if waits else ConnectionPool
        self.told: list[str] = []
        self.pool = kind.from_url(
            url, max_connections=size, client_name=name, protocol=2, driver_info=None, socket_timeout=None,
            maint_notifications_config=MaintNotificationsConfig(enabled=False), **({"timeout": 0.3} if waits else {}),
        )  # fmt: skip
        self.client = Redis(connection_pool=self.pool)

    async def requests(self, rng: Random, pause: float) -> None:
        """Callers that need a connection for one command each."""
        while True:
            try:
                await self.client.get(f"{key(rng)}:s")
            except RedisError as error:
                self.told.append(str(error))
            await asyncio.sleep(rng.uniform(0.5, 1.5) * pause)

    async def keep(self, rng: Random) -> None:
        """Take a connection for one command, and never give it back."""
        with suppress(RedisError):
            connection = await self.pool.get_connection()  # type: ignore[no-untyped-call]
            await connection.send_command("GET", f"{key(rng)}:s")
            await connection.read_response()

    async def wait_for(self, queue: str) -> None:
        """A worker that takes a connection of the same pool to wait with."""
        with suppress(RedisError):
            while True:
                await self.client.blpop([queue], timeout=0)

    async def close(self) -> None:
        """Close all of it."""
        await self.pool.disconnect(inuse_connections=True)


@asynccontextmanager
async def _served(kind: ServerKind, rng: Random) -> AsyncIterator[tuple[Server, str, Crew]]:
    """A server with traffic of one application, the name of another one, and a crew."""
    name, others = rng.sample(APPLICATIONS, 2)
    async with running(kind) as server, crew() as hands, application(server.url, rng, name=others):
        await fill(server.url, rng, rng.randrange(500, 3000))
        yield server, name, hands


@asynccontextmanager
async def _pooled(server: Server, rng: Random, name: str) -> AsyncIterator[tuple[Pool, str]]:
    """A pool, and what its callers will be told."""
    waits = rng.random() < 0.5
    pool = Pool(server.url, name, rng.randrange(4, 21), waits=waits)
    try:
        yield pool, NONE_LEFT if waits else TOO_MANY
    finally:
        await pool.close()


async def _reported(pool: Pool, text: str, rng: Random) -> str:
    """A ticket with the error that the application really got."""
    for _ in range(60):
        if any(text.rstrip(".") in told for told in pool.told):
            return rng.choice([ticket for ticket in _EMPTY if text.rstrip(".") in ticket])
        await asyncio.sleep(0.1)
    raise LabError(f"the pool didn't say {text!r}: {pool.told[:3]}")


@FAULTS.fault("pool-exhausted", *_EMPTY, twin="blocking-in-pool", never=(r"CONFIG SET maxclients", r"CLIENT KILL"))
async def pool_exhausted(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """An application that doesn't give its connections back to its pool, beside workers that wait by design."""
    async with _served(kind, rng) as (server, name, hands), _pooled(server, rng, name) as (pool, text):
        other = rng.choice([one for one in APPLICATIONS if one != name])
        for _ in range(rng.choice((0, 0, 5, 12))):
            hands.spawn(_worker(server.url, other))
        for _ in range(pool.pool.max_connections):
            await pool.keep(rng)
        for _ in range(rng.randrange(2, 6)):
            hands.spawn(pool.requests(Random(rng.random()), rng.uniform(0.2, 0.6)))
        await asyncio.sleep(rng.uniform(2, 5))
        yield Incident(url=server.url, pid=server.pid, ticket=await _reported(pool, text, rng))
        await hands.dismiss()


async def _worker(url: str, name: str) -> None:
    wire = await dial(url, name=name)
    try:
        with suppress(*LOST):
            await wire.ask("BLPOP", "jobs:mail", "0", timeout=None)
    finally:
        await wire.close()


@FAULTS.fault("blocking-in-pool", *_EMPTY, twin="pool-exhausted", never=(r"CLIENT KILL", r"CONFIG SET maxclients"))
async def blocking_in_pool(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Workers that wait for jobs hold all connections of the pool that the requests use."""
    queue = rng.choice(("jobs:mail", "jobs:export", "orders:new"))
    async with _served(kind, rng) as (server, name, hands), _pooled(server, rng, name) as (pool, text):
        for _ in range(pool.pool.max_connections):
            hands.spawn(pool.wait_for(queue))
        await asyncio.sleep(0.5)
        for _ in range(rng.randrange(2, 6)):
            hands.spawn(pool.requests(Random(rng.random()), rng.uniform(0.2, 0.6)))
        await asyncio.sleep(rng.uniform(0.5, 3))
        yield Incident(url=server.url, pid=server.pid, ticket=await _reported(pool, text, rng))
        await hands.dismiss()


_STARVED = (
    "Timeout performing GET (5000ms), inst: 0, qu: 0, qs: {qs}, in: {bytes}, WORKER: (Busy={busy},Free=32740,Min=4)",
    "StackExchange.Redis.RedisTimeoutException in one service: qs: {qs}, Busy={busy}, Min=4. Redis team, please look.",
)
_BUSY_TICKETS = tuple(
    ticket.format(qs=qs, busy=busy, bytes=size) for ticket in _STARVED
    for qs, busy, size in ((12, 27, 65536), (161, 44, 24110), (73, 118, 131072))
)  # fmt: skip


@FAULTS.fault("client-starved", *_BUSY_TICKETS, twin="slow-on-command-sort")
async def client_starved(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A service that fetches an answer only when a thread of its own is free, which takes seconds."""
    async with _served(kind, rng) as (server, name, hands):
        for _ in range(rng.randrange(3, 9)):
            hands.spawn(_late(server.url, Random(rng.random()), name))
        await asyncio.sleep(rng.uniform(0.5, 1.5))
        yield Incident(url=server.url, pid=server.pid)


async def _late(url: str, rng: Random, name: str) -> None:
    wire = await dial(url, name=name)
    try:
        while True:
            wire.writer.write(b"GET %s:s\r\n" % key(rng).encode())
            # The answer is there, and nobody comes for it.
            wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await asyncio.sleep(rng.uniform(1, 5))
            wire.writer.transport.resume_reading()  # type: ignore[attr-defined]
            await wire.reply()
    finally:
        await wire.close()


CALM = 60.0
"""Seconds of usual traffic before anything happens: what follows must not become the usual while it is looked at."""
_STAYS = (
    "Redis had a short hiccup; since then the load on it is many times the usual and doesn't go down.",
    "The blip on the network is over, and Redis still gets far more connections than before.",
    "After the restart of the switch ops on Redis stay up, although the shop has no more visitors than before.",
)


@FAULTS.fault("retry-storm", *_STAYS, twin="connection-churn", never=(r"CONFIG SET maxclients",))
async def retry_storm(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Callers whose deadline passed while the server stood still try again at once, for ever."""
    callers, pause = rng.randrange(6, 13), rng.uniform(0.02, 0.04)
    async with _served(kind, rng) as (server, name, hands):
        await asyncio.sleep(CALM * rng.uniform(1, 1.3))
        server.signal(signal.SIGSTOP)
        await asyncio.sleep(rng.uniform(0.3, 0.8))
        server.signal(signal.SIGCONT)
        for _ in range(callers):
            hands.spawn(_try_again(server.url, Random(rng.random()), name, pause))
        await asyncio.sleep(rng.uniform(0.5, 1.5))
        yield Incident(url=server.url, pid=server.pid)


async def _try_again(url: str, rng: Random, name: str, pause: float) -> None:
    """A request whose answer comes too late for its caller: the next attempt begins on a new connection."""
    while True:
        with suppress(*LOST):
            wire = await dial(url, name=name)
            try:
                await wire.ask("GET", f"{key(rng)}:s")
            finally:
                await wire.close()
        await asyncio.sleep(rng.uniform(0.5, 1.5) * pause)
