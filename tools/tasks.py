"""Several coroutines at once, as one group: what fails or is cancelled takes the others along."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def at_once(*work: Coroutine[Any, Any, T]) -> list[T]:
    """Their results, in order, once all are there. Raises an `ExceptionGroup` of what failed."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in work]
    return [task.result() for task in tasks]
