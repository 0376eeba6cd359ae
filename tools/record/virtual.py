"""Time that passes only while somebody waits for it."""

import asyncio
import selectors
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any


class _Impatient(selectors.DefaultSelector):
    """Doesn't wait for the clock, unless a socket is open that could bring something else."""

    ahead = 0.0
    own = 1
    """The loop's own pipe."""
    abroad = 0
    """Work of other threads, such as looking up a name: it ends in its own time."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        mapping: Mapping[Any, Any] = self.get_map() or {}
        if timeout is None or timeout <= 0 or len(mapping) > self.own or self.abroad:
            began = time.monotonic()
            found: list[tuple[selectors.SelectorKey, int]] = super().select(timeout)
            self.ahead += time.monotonic() - began if timeout else 0.0
            return found
        self.ahead += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to what is due next. While a real connection is open it runs normally."""

    def __init__(self) -> None:
        self._selecting = _Impatient()
        super().__init__(self._selecting)
        self._selecting.own = len(self._selecting.get_map() or {})

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        pending = super().run_in_executor(executor, func, *args)
        self._selecting.abroad += 1
        pending.add_done_callback(self._back)
        return pending

    def _back(self, _: object) -> None:
        self._selecting.abroad -= 1

    def time(self) -> float:
        return self._selecting.ahead


class VirtualClock:
    """The time of a virtual loop, as that of the incident that began at `began`."""

    def __init__(self, began: datetime, loop: asyncio.AbstractEventLoop) -> None:
        self._began = began
        self._loop = loop

    def now(self) -> datetime:
        return self._began + timedelta(seconds=self._loop.time())

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
