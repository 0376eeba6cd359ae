"""An incident watched before anybody is paged, as `rediagnose serve` watches its targets."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from agent.fleet.look import Member
from agent.watch.rounds import Memory, watch_once
from tools.clock import Clock
from tools.connection.target import parse_target
from tools.past.history import History
from tools.past.store import Store

EVERY = 30.0
"""Seconds between two rounds."""


@asynccontextmanager
async def watched(url: str, minutes: float, clock: Clock) -> AsyncIterator[History]:
    """Watch for so long; then, while the block runs, there is the past that was kept."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "watch.db")
        members = [Member(name="incident", target=parse_target(url, environ={}))]
        memory: Memory = {}
        ends = clock.monotonic() + 60 * minutes
        while (left := ends - clock.monotonic()) > 0:
            await watch_once(members, store, clock, memory=memory)
            await clock.sleep(min(EVERY, left))
        yield History(None, clock, kept=store.path)
