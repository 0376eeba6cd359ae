"""What fills a server without being the fault: a great many keys, a great many clients."""

import asyncio
from random import Random

from evals.lab.traffic import application_name, key
from evals.lab.wire import LOST, Crew, Wire, dial, packed

KEYS = 1_000_000
_CALLS = 10_000
"""Keys of one pipeline."""
_TOGETHER = 50
"""Clients that connect, or ask, at a time."""
_ASKED = 800.0
"""Commands a second of all of them together."""
_GIVEN_UP = 2.0
"""Seconds without an answer after which a client of the crowd connects anew."""


async def million(url: str, count: int = KEYS) -> None:
    """Write so many small keys that no application uses. Raises one of `LOST`."""
    wire = await dial(url)
    try:
        for begin in range(0, count, _CALLS):
            numbers = range(begin, min(begin + _CALLS, count))
            await wire.pipeline(b"".join(packed("SET", f"visitor:{n:07d}:seen", n) for n in numbers), len(numbers))
        # They have been there for long: what it took to bring them isn't part of the incident.
        await wire.ask("SLOWLOG", "RESET")
    finally:
        await wire.close()


class _Member:
    """One client of the crowd, connected or not."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.wire: Wire | None = None

    async def connect(self, url: str) -> None:
        try:
            self.wire = await dial(url, name=self.name)
        except LOST:
            self.wire = None

    async def use(self, url: str, rng: Random) -> None:
        """Ask once, or connect where there is no connection."""
        if self.wire is None:
            return await self.connect(url)
        try:
            await self.wire.ask("GET", f"{key(rng)}:s", timeout=_GIVEN_UP)
        except LOST:
            await self.leave()

    async def leave(self) -> None:
        if self.wire is not None:
            await self.wire.close()
            self.wire = None


async def crowd(hands: Crew, url: str, rng: Random, count: int) -> None:
    """Connect so many clients, and have each ask something every few seconds for as long as the crew works."""
    members = [_Member(application_name(rng)) for _ in range(count)]
    for at in range(0, count, _TOGETHER):
        await asyncio.gather(*(one.connect(url) for one in members[at : at + _TOGETHER]))
    # Each has been of use before anybody looks: a pool that was just opened isn't what it's meant to be.
    await _round(members, url, rng)
    hands.spawn(_asking(members, url, Random(rng.random())))


async def _round(members: list[_Member], url: str, rng: Random) -> None:
    for at in range(0, len(members), _TOGETHER):
        async with asyncio.TaskGroup() as group:
            for one in members[at : at + _TOGETHER]:
                group.create_task(one.use(url, rng))
            group.create_task(asyncio.sleep(_TOGETHER / _ASKED))


async def _asking(members: list[_Member], url: str, rng: Random) -> None:
    try:
        while True:
            await _round(members, url, rng)
    finally:
        await asyncio.gather(*(one.leave() for one in members))
