"""What an assistant hears while servers are looked at: the latest line, a few times a second at most."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from mcp.server.mcpserver import Context

from agent.answer.events import ChecksMade, Event, ModelAsked, ModelFailed, ReadingBegun, ReadingTaken, Started
from tools.text import one_line

PACE = 0.2
"""Seconds between two lines."""


class Heard:
    """Turns events into lines."""

    def __init__(self) -> None:
        self.number = 0
        self.line = ""
        self.news = asyncio.Event()
        self._taken, self._found = 0, ""

    def say(self, line: str) -> None:
        """Take a line."""
        self.number, self.line = self.number + 1, one_line(line, 200)
        self.news.set()

    def __call__(self, event: Event) -> None:
        if isinstance(event, Started):
            self.say(f"looking at {event.target}")
        elif isinstance(event, ReadingBegun):
            self._say(f"reading {event.begun.tool}")
        elif isinstance(event, ReadingTaken):
            self._taken += event.reading.tool != "symptom"
            self._say(f"read {event.reading.tool}")
        elif isinstance(event, ChecksMade) and event.findings:
            self._found = f"; so far {event.findings[0].id} {event.findings[0].probability:.0%}"
            self._say("checked")
        elif isinstance(event, ModelAsked):
            self._say(f"model turn {event.turn}")
        elif isinstance(event, ModelFailed):
            self._say("the checks' answer is used")

    def _say(self, now: str) -> None:
        self.say(f"{self._taken} readings{self._found}; {now}")


@contextlib.asynccontextmanager
async def progress(ctx: Context[Any, Any]) -> AsyncIterator[Heard]:
    """Notify the client of what is heard, if it wants to know."""
    heard = Heard()

    async def tell() -> None:
        while True:
            await heard.news.wait()
            heard.news.clear()
            await ctx.report_progress(heard.number, None, heard.line)
            await asyncio.sleep(PACE)

    telling = asyncio.create_task(tell())
    try:
        yield heard
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
    if heard.news.is_set():
        await ctx.report_progress(heard.number, None, heard.line)
