"""Work that several callers wait for, done once."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class _Call:
    def __init__(self, task: asyncio.Task[Any]) -> None:
        self.task = task
        self.callers = 0


class SharedCalls:
    """Calls by key: whoever asks for one in progress waits for it.

    It is cancelled with the last of its waiters.
    """

    def __init__(self) -> None:
        self._calls: dict[Hashable, _Call] = {}
        self.kept: dict[str, object] = {}
        """What one of them leaves for another, by name."""

    async def result(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What `work` returns or raises, whether begun here or before."""
        call = self._calls.get(key)
        if call is None:
            call = self._calls[key] = _Call(asyncio.create_task(work()))
            call.task.add_done_callback(lambda _: self._calls.pop(key, None))
        call.callers += 1
        try:
            result: T = await asyncio.shield(call.task)
        finally:
            call.callers -= 1
            if not call.callers:
                call.task.cancel()
        return result
