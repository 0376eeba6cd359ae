"""The threads of open incidents, kept up to date: one message that is written anew, and what happens below it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from agent.service.journal import say, why
from agent.service.records import NumberedEvent
from agent.slack.desk import Desk
from agent.slack.message import Message, message
from agent.slack.progress import DECIDED, Progress, notice, undecided
from agent.slack.threads import Thread
from agent.slack.workspace import SlackError
from tools.errors import RediagnoseError

PACE, ROUNDS = 1.5, 5.0
"""Least seconds between two versions of a message, and between two looks for threads that nobody keeps."""
WAITS = (5.0, 15.0, 60.0)
"""Seconds after which Slack is asked again once it failed."""


class Keeping:
    """This process' part in keeping the threads."""

    def __init__(self, pace: float = PACE, rounds: float = ROUNDS) -> None:
        self._pace, self._rounds = pace, rounds
        self._kept: dict[str, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look at once for a thread that is to be kept."""
        self._woken.set()

    async def work(self, desk: Desk) -> None:
        """Keep the threads until this is cancelled."""
        try:
            while True:
                self._woken.clear()
                try:
                    await self._round(desk)
                except Exception as error:
                    say(f"slack: the threads: {why(error)}")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), self._rounds)
        finally:
            for one in self._kept.values():
                one.cancel()
            await asyncio.gather(*self._kept.values(), return_exceptions=True)
            with contextlib.suppress(Exception):
                await asyncio.to_thread(desk.threads.let_go)

    async def _round(self, desk: Desk) -> None:
        for id, task in list(self._kept.items()):
            if task.done():
                del self._kept[id]
        mine = await asyncio.to_thread(desk.threads.keep, desk.workspace.me.team, list(self._kept))
        for id in set(self._kept) - set(mine):
            self._kept.pop(id).cancel()
        for id in mine:
            if id not in self._kept:
                self._kept[id] = asyncio.create_task(self._keep(desk, id))

    async def _keep(self, desk: Desk, incident: str) -> None:
        try:
            thread = await asyncio.to_thread(desk.threads.of, incident)
            if thread is not None:
                await _OneThread(desk, thread, incident, self._pace).follow()
        except asyncio.CancelledError:
            raise
        except SlackError as error:
            # As long as its task stands there, it isn't begun again.
            say(f"{incident}: its thread isn't kept up to date any more: {error}")
            await asyncio.sleep(3600)
        except Exception as error:
            say(f"{incident}: its thread: {why(error)}")
            await asyncio.sleep(WAITS[-1])


class _OneThread:
    """One incident's thread."""

    def __init__(self, desk: Desk, thread: Thread, incident: str, pace: float) -> None:
        self._desk, self._place, self._incident, self._pace = desk, thread.place, incident, pace
        self._ts, self._shown = thread.message, thread.shown
        self._last: Message | None = None
        self._progress = Progress()
        self._done: dict[int, str] = {}
        """Our messages in the thread, by the number of the event that each is about; 0 is the incident's own."""

    async def follow(self) -> None:
        """Keep it up to date until the incident is closed. Raises `SlackError` for what asking again won't change."""
        await self._patiently(self._look_back)
        await self._show()
        coming: asyncio.Queue[NumberedEvent | None] = asyncio.Queue()
        pump = asyncio.create_task(self._pump(coming))
        try:
            over = False
            while not over:
                new = [await coming.get()]
                while not coming.empty():
                    new.append(coming.get_nowait())
                for event in new:
                    over = over or event is None
                    if event is not None:
                        await self._hear(event)
                await self._show()
                await asyncio.to_thread(self._desk.threads.told, self._incident, self._shown)
                await asyncio.sleep(self._pace)
        finally:
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)
        await asyncio.to_thread(self._desk.threads.let_go, self._incident)

    async def _pump(self, coming: "asyncio.Queue[NumberedEvent | None]") -> None:
        try:
            async for event in self._desk.service.events(self._incident, self._shown):
                coming.put_nowait(event)
        finally:
            # If the database failed, the next round begins anew.
            coming.put_nowait(None)

    async def _look_back(self) -> None:
        """Find what was written before this process began: what may have been sent isn't sent again."""
        self._done = self._desk.workspace.own(await self._desk.workspace.replies(self._place), self._incident)
        if self._ts is None and 0 in self._done:
            self._ts = self._done[0]
            await asyncio.to_thread(self._desk.threads.posted, self._incident, self._ts)

    async def _hear(self, event: NumberedEvent) -> None:
        self._progress.after(event)
        said = notice(event) if event.number not in self._done else None
        if said is not None:

            async def post(told: Message = said) -> None:
                self._done[event.number] = await self._desk.workspace.post(
                    self._place, told, self._incident, event.number
                )

            await self._patiently(post)
            await asyncio.to_thread(self._desk.threads.told, self._incident, event.number)
        self._shown = event.number

    async def _show(self) -> None:
        """Write the message, or write it anew if it changed."""
        one = await self._desk.service.incident(self._incident)
        if one is None:
            return
        history = await self._desk.service.history(self._incident, DECIDED)
        sealing = self._desk.seals.sealing(self._place, self._incident)
        new = message(one, self._progress.line, undecided(history), sealing, self._desk.link)
        if new == self._last:
            return

        async def show() -> None:
            if self._ts is None:
                self._ts = await self._desk.workspace.post(self._place, new, self._incident, 0)
                await asyncio.to_thread(self._desk.threads.posted, self._incident, self._ts)
            else:
                await self._desk.workspace.update(self._place, self._ts, new)

        await self._patiently(show)
        self._last = new

    async def _patiently(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do something until Slack does it. Raises `SlackError` if it never will."""
        for wait in (*WAITS, *[WAITS[-1]] * 1000):
            try:
                return await work()
            except SlackError as error:
                if error.lasting:
                    raise
                say(f"{self._incident}: {error}; asked again in {wait:.0f} s")
            await asyncio.sleep(wait)
        raise RediagnoseError("Slack didn't answer for a day")
