"""A primary and a replica whose way to it is ours, and applications at both ends."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from random import Random

from evals.lab.fault import Incident
from evals.lab.servers import ServerKind, start
from evals.lab.topologies import Member, until
from evals.lab.traffic import application, application_name, fill, key
from evals.lab.way import Way, way
from evals.lab.wire import LOST, dial

MOST_WRITTEN = 120 * 2**20
"""Bytes that one incident's writers send at most."""
COMMON = {"repl-diskless-sync": "yes", "repl-diskless-sync-delay": "0", "repl-ping-replica-period": "1"}


@asynccontextmanager
async def member(kind: ServerKind, password: str = "", **config: str) -> AsyncIterator[Member]:
    """One server for a deployment that is put together by hand; settings are written with _ for -."""
    named = {name.replace("_", "-"): value for name, value in config.items()}
    server = await start(kind, config=COMMON | ({"requirepass": password} if password else {}) | named)
    try:
        yield Member(server, password)
    finally:
        await server.stop()


async def write(url: str, rng: Random, rate: float, keys: int = 40) -> None:
    """Overwrite `keys` keys with `rate` bytes a second, through whatever happens."""
    size, sent, name = round(rng.uniform(6, 14) * 1024), 0, application_name(rng)
    while sent < MOST_WRITTEN:
        with suppress(*LOST):
            wire = await dial(url, name=name)
            try:
                while sent < MOST_WRITTEN:
                    await wire.ask("SET", f"page:{rng.randrange(keys)}:html", "x" * size)
                    sent += size
                    await asyncio.sleep(size / rate)
            finally:
                await wire.close()
        await asyncio.sleep(0.3)


async def browse(url: str, rng: Random, rate: float = 30) -> None:
    """Read only, `rate` times a second, through whatever happens."""
    name = application_name(rng)
    while True:
        with suppress(*LOST):
            wire = await dial(url, name=name)
            try:
                while True:
                    await wire.ask("GET", f"{key(rng)}:s")
                    await asyncio.sleep(rng.uniform(0.5, 1.5) / rate)
            finally:
                await wire.close()
        await asyncio.sleep(rng.uniform(0.2, 0.6))


async def linked(member: Member, status: str = "up") -> bool:
    """Whether a replica's link has this status. Raises one of `LOST`."""
    return (await member.info())["master_link_status"] == status


class Pair:
    """A primary, the way to it, and the replica that takes it."""

    def __init__(self, above: Member, below: Member, between: Way) -> None:
        self.above = above
        self.below = below
        self.between = between

    def incident(self, at: Member, seen: Member) -> Incident:
        """An incident in which the agent is given one end, and which is seen at one."""
        return Incident(url=at.url, pid=at.server.pid, own_url=seen.url)

    def either(self, rng: Random, seen: Member) -> Incident:
        """An incident in which it's given the one end or the other."""
        return self.incident(rng.choice((self.above, self.below)), seen)


@asynccontextmanager
async def pair(
    kind: ServerKind, rng: Random, *, keys: int = 0, replica: Mapping[str, str] | None = None, **primary: str
) -> AsyncIterator[Pair]:
    """A primary and a replica in step, an application that writes above and one that reads below."""
    async with (
        member(kind, **primary) as above, way(above.server) as between,
        member(kind, replicaof=f"127.0.0.1 {between.port}", **(replica or {})) as below,
        application(above.url, rng) as hands,
    ):  # fmt: skip
        pair = Pair(above, below, between)
        await until(partial(linked, pair.below), "the replica's link up")
        await fill(above.url, rng, keys or rng.randrange(500, 3000))
        hands.spawn(browse(below.url, Random(rng.random())))
        await asyncio.sleep(0.5)
        yield pair
