"""The watch as it goes on: rounds at a slow pace, checks at a slower one, until it's cancelled."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

from agent.fleet.look import Member
from agent.investigation.sources import Options
from agent.runbooks.library import Library
from agent.watch.checks import check_once
from agent.watch.rounds import Memory, watch_once
from tools.clock import Clock
from tools.errors import RediagnoseError
from tools.past.store import Store
from tools.records import Record

JITTER = 0.1
"""Share of an interval by which it varies, so that several watchers don't look at the same moment."""
FIRST = 1.0
"""Most seconds before the first round."""


class Pace(Record):
    """How often."""

    interval: float = 60.0
    """Seconds between two rounds."""
    check_interval: float = 900.0
    """Seconds between two checks; 0 for none."""


async def watch(
    members: Callable[[], Awaitable[Sequence[Member]]], store: Store, clock: Clock, pace: Pace, library: Library, *,
    busy: Callable[[str], bool] = lambda target: False, heard: Callable[[str], None] = lambda problem: None,
    options: Options | None = None, chance: random.Random | None = None,
) -> None:  # fmt: skip
    """Watch until it's cancelled. `members` is asked anew for each round; `heard` gets what went wrong.

    `busy` says whether a target is being investigated: it's left alone then.
    """
    chance = chance or random.Random()

    async def rounds() -> None:
        memory: Memory = {}
        await clock.sleep(FIRST * chance.random())
        while True:
            try:
                for problem in (await watch_once(await members(), store, clock, memory=memory, busy=busy)).problems:
                    heard(problem)
            except RediagnoseError as error:
                # A full disk today is no reason to stop for good.
                heard(str(error))
            await clock.sleep(_varied(pace.interval, chance))

    async def checks() -> None:
        await clock.sleep(FIRST)
        while pace.check_interval:
            try:
                await check_once(await members(), store, clock, library, options=options, busy=busy)
            except RediagnoseError as error:
                heard(str(error))
            await clock.sleep(_varied(pace.check_interval, chance))

    async with asyncio.TaskGroup() as group:
        group.create_task(rounds())
        group.create_task(checks())


def _varied(seconds: float, chance: random.Random) -> float:
    return seconds * (1 - JITTER + 2 * JITTER * chance.random())
