"""A clock that jumps to what is due, and never past what is still under way elsewhere."""

import asyncio
import time

from agent.recordings.replay import on_virtual_time


def test_nobody_waits_for_what_only_the_clock_would_bring() -> None:
    async def day() -> float:
        await asyncio.gather(asyncio.sleep(86_400), asyncio.sleep(10))
        return asyncio.get_running_loop().time()

    began = time.monotonic()
    assert on_virtual_time(day()) >= 86_400
    assert time.monotonic() - began < 600


def test_a_thread_is_waited_for() -> None:
    async def looked_up() -> str:
        async with asyncio.timeout(60):
            await asyncio.to_thread(time.sleep, 0.3)
        return "found"

    assert on_virtual_time(looked_up()) == "found"
