"""Background traffic of clients that find their node: by the slots of a cluster, or by asking sentinels."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from redis.crc import key_slot

from evals.lab.topologies import MASTER, SLOTS, Deployment, Member
from evals.lab.traffic import SLOWEST_RETRY, application_name, key
from evals.lab.wire import LOST, Argument, Crew, Wire, crew, dial

Route = Callable[[str], Awaitable[str]]
"""The URL of the node that has a key. Raises one of `LOST` where nobody tells."""


def slot_of(name: str) -> int:
    """The slot of a key."""
    slot: int = key_slot(name.encode())
    return slot


def key_at(first: int, last: int, rng: random.Random) -> str:
    """A hash tag whose slot is among these."""
    while True:
        tag = f"{rng.randrange(10**6)}"
        if first <= slot_of(tag) <= last:
            return tag


def by_slots(deployment: Deployment) -> Route:
    """As a cluster client finds a key's node: what any node that answers told last."""
    owners: dict[int, str] = {}

    async def learn() -> None:
        for member in deployment.members:
            with suppress(*LOST):
                ranges = await member.ask("CLUSTER", "SLOTS", timeout=0.5)
                owners.clear()
                owners.update({slot: _url(member, end) for first, last, end, *_ in ranges
                               for slot in range(first, last + 1)})  # fmt: skip
                return
        raise OSError("no node answers")

    async def find(name: str) -> str:
        if len(owners) < SLOTS:
            await learn()
        url = owners.get(slot_of(name))
        if url is None:
            raise OSError("no node has that slot")
        return url

    return find


def by_sentinels(deployment: Deployment) -> Route:
    """As a Sentinel client finds the master: the first sentinel that answers names it."""

    async def find(name: str) -> str:
        for one in deployment.sentinels:
            with suppress(*LOST):
                host, port = await one.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER, timeout=0.5)
                return _url(deployment.primary, (host, port))
        raise OSError("no sentinel answers")

    return find


def _url(like: Member, end: tuple[str, int | str]) -> str:
    login = f":{like.password}@" if like.password else ""
    return f"redis://{login}{end[0]}:{end[1]}"


def _operation(at: str, rng: random.Random) -> tuple[Argument, ...]:
    value = "x" * rng.randrange(16, 400)
    commands: tuple[tuple[Argument, ...], ...] = (
        ("GET", f"{at}:s"), ("SET", f"{at}:s", value, "EX", rng.randrange(600, 7200)), ("INCR", f"{at}:n"),
        ("HSET", f"{at}:h", f"f{rng.randrange(20)}", value),
    )  # fmt: skip
    return rng.choices(commands, (55, 25, 10, 10))[0]


async def _work(route: Route, rng: random.Random, rate: float, name: str, timeout: float) -> None:
    wires: dict[str, Wire] = {}
    wait = 0.1
    try:
        while True:
            url = ""
            try:
                operation = _operation(key(rng), rng)
                url = await route(str(operation[1]))
                if url not in wires:
                    wires[url] = await dial(url, name=name, timeout=timeout)
                await wires[url].ask(*operation, timeout=timeout)
                wait = 0.1
                await asyncio.sleep(rng.uniform(0.5, 1.5) / rate)
            except LOST:
                if url in wires:
                    await wires.pop(url).close()
                await asyncio.sleep(rng.uniform(0.5, 1) * wait)
                wait = min(2 * wait, SLOWEST_RETRY)
    finally:
        for wire in wires.values():
            await wire.close()


@asynccontextmanager
async def routed(route: Route, rng: random.Random, *, rate: float | None = None) -> AsyncIterator[Crew]:
    """An application of a few clients that find their node by `route`, at `rate` operations a second all together."""
    count, name = rng.randrange(3, 7), application_name(rng)
    each = (rate or rng.uniform(50, 110)) / count
    async with crew() as hands:
        for _ in range(count):
            hands.spawn(_work(route, random.Random(rng.random()), each, name, 2.0))
        yield hands
