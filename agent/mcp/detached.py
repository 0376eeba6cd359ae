"""Work that goes on to its end when whoever asked for it doesn't wait any longer."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")
_UNDER_WAY: set[asyncio.Task[Any]] = set()


def to_its_end(work: Coroutine[Any, Any, Result]) -> "asyncio.Future[Result]":
    """Begin it. A call that is cancelled while it waits for this leaves the work alone: a change that was sent has to
    be measured and logged."""
    task = asyncio.get_running_loop().create_task(work)
    _UNDER_WAY.add(task)
    task.add_done_callback(_ended)
    return asyncio.shield(task)


def _ended(task: asyncio.Task[Any]) -> None:
    _UNDER_WAY.discard(task)
    if not task.cancelled():
        # Whoever waits hears of it; nobody may.
        task.exception()


async def all_ended() -> None:
    """Wait for what is under way."""
    await asyncio.gather(*_UNDER_WAY, return_exceptions=True)
