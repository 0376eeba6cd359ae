"""Calls that several callers wait for are made once, and end with the last of them."""

import asyncio

import pytest

from tools.connection.shared import SharedCalls


class Work:
    """Work that goes on until it's let go."""

    def __init__(self) -> None:
        self.begun = 0
        self.cancelled = 0
        self.go = asyncio.Event()

    async def __call__(self) -> int:
        self.begun += 1
        number = self.begun
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if number == 3:
            raise ValueError("third")
        return number


async def test_callers_at_the_same_time_share_one_call() -> None:
    shared, work = SharedCalls(), Work()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(shared.result("a", work)) for _ in range(3)]
        other = group.create_task(shared.result("b", work))
        await asyncio.sleep(0)
        work.go.set()
    assert [task.result() for task in tasks] == [1, 1, 1] and other.result() == 2
    with pytest.raises(ValueError, match="third"):
        await shared.result("a", work)


async def test_a_call_ends_with_the_last_of_its_callers() -> None:
    shared, work = SharedCalls(), Work()
    callers = [asyncio.create_task(shared.result("a", work)) for _ in range(2)]
    await asyncio.sleep(0)
    callers[0].cancel()
    await asyncio.wait(callers[:1])
    await asyncio.sleep(0)
    assert work.cancelled == 0 and not callers[1].done()
    callers[1].cancel()
    await asyncio.wait(callers)
    await asyncio.sleep(0)
    assert (work.begun, work.cancelled) == (1, 1)
    work.go.set()
    assert await shared.result("a", work) == 2
