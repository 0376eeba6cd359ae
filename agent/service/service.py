"""The service: what the seam promises, by the database and the engine."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection

from sqlalchemy.exc import SQLAlchemyError

from agent.answer.diagnosis import Step
from agent.service import decided, questions
from agent.service.answering import answer
from agent.service.changing import change, note_refusal
from agent.service.database import Database
from agent.service.engine import Engine, question_id
from agent.service.journal import say, why
from agent.service.leases import LASTS
from agent.service.looking import look
from agent.service.outages import enduring, is_outage
from agent.service.plant import Plant
from agent.service.proposing import propose
from agent.service.records import Decision, Feedback, Incident, NumberedEvent, Query, Submission, Submitted
from agent.service.retention import DAY, Limits, clean
from agent.service.seen import DurableSeen
from agent.service.store import Store, Work
from agent.service.telling import NO_COMMENTS, places, tell
from agent.service.totals import Total, all_totals
from agent.service.watching import Watching

HOUSEKEEPING = 5.0
"""Seconds between two looks for what was accepted but isn't queued."""
CLEANING = 720
"""Such looks between two for what is too old or too much."""
QUEUED_WITHIN = 5.0
"""Seconds that are waited for the engine to queue what was accepted."""
JOBS, WAITING = 4, 200
"""Investigations at the same time in one process, and incidents that may wait for one."""


class DurableService:
    """Incidents in a database, and this process' part in the work."""

    def __init__(
        self, database: Database, plant: Plant, *, jobs: int = JOBS, waiting: int = WAITING,
        limits: Limits | None = None, lease: float = LASTS,
    ) -> None:  # fmt: skip
        self._plant, self._waiting, self._limits = plant, waiting, limits or Limits()
        self.store = Store(database, plant.clock)
        self.seen = DurableSeen(database)
        self._watching = Watching(self.store)
        self._engine = Engine(database, self, jobs, lease)
        self._keeper: asyncio.Task[None] | None = None
        self._targets: set[str] = set()

    @property
    def engine_id(self) -> str:
        """The name of this process among those that share the work."""
        return self._engine.id

    async def start(self) -> None:
        """Take part in the work. Raises `UsageError` if the database can't be used."""
        await asyncio.to_thread(self.store.database.prepare)
        self._plant.recordings.mkdir(parents=True, exist_ok=True, mode=0o700)
        await self._engine.start()
        self._keeper = asyncio.create_task(self._keep_house())

    async def stop(self) -> None:
        """Leave; what is unfinished is carried on by other processes, or by the next one."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        await self._engine.stop()

    async def _keep_house(self) -> None:
        rounds = 0
        while True:
            try:
                await self._queue_what_was_left()
                if rounds % CLEANING == 0:
                    await asyncio.to_thread(clean, self.store, self._plant.recordings, self._limits)
                    await asyncio.to_thread(self.seen.clean, self.store.clock.now())
                    await self._engine.forget(self.store.now() - self._limits.days * DAY)
            except Exception as error:
                if not is_outage(error):
                    say(f"housekeeping: {why(error)}")
            rounds += 1
            await asyncio.sleep(HOUSEKEEPING)

    async def _queue_what_was_left(self) -> None:
        """Queue what a process accepted and didn't queue before it ended; what is queued already stays as it is."""
        waiting = await asyncio.to_thread(self.store.waiting)
        decisions = await asyncio.to_thread(decided.pending, self.store)
        asked = await asyncio.to_thread(questions.pending, self.store)
        if not (waiting or decisions or asked):
            return
        underway = await self._engine.underway()
        for work in waiting:
            if work.id in underway:
                continue
            if await self._engine.given_up(work.id):
                why = "the investigation ended this program each time it was begun, so it isn't begun again"
                await asyncio.to_thread(self.store.unanswered, work, why)
            else:
                await self._engine.investigate(work)
        for number, target in decisions:
            await self._engine.decide(number, target)
        for number, incident in asked:
            if question_id(number) in underway:
                continue
            if await self._engine.given_up(question_id(number)):
                await asyncio.to_thread(questions.lose, self.store, number)
            else:
                await self._engine.reply(number, incident)

    async def submit(self, submission: Submission) -> Submitted:
        target = ""
        if not submission.resolved:
            # It reads the settings.
            target = await asyncio.to_thread(self._plant.meant, submission.ticket, submission.target)
        done, work = await asyncio.to_thread(self.store.submit, submission, target, self._waiting)
        if work is not None:
            await self._queue(work)
        return done

    async def _queue(self, work: Work) -> None:
        async with _later():
            await self._engine.investigate(work)

    async def decide(self, incident: str, decision: Decision) -> None:
        taken = await asyncio.to_thread(decided.take, self.store, incident, decision)
        if taken is None:
            return
        if taken.number is not None:
            async with _later():
                await self._engine.decide(taken.number, taken.target)
        else:
            await asyncio.to_thread(note_refusal, self._plant, incident, taken.step, decision)

    async def propose(self, incident: str, action: str, node: str | None, why: str, by: str) -> Step:
        return await propose(self.store, self._plant, incident, action, node, why, by)

    async def close(self, incident: str, by: str) -> None:
        await asyncio.to_thread(self.store.close, incident, by)

    async def look_again(self, incident: str, by: str) -> None:
        await self._queue(await asyncio.to_thread(self.store.again, incident, by, self._waiting))

    async def judge(self, incident: str, feedback: Feedback) -> None:
        await asyncio.to_thread(decided.judge, self.store, incident, feedback)

    async def ask(self, incident: str, text: str, by: str) -> int:
        taken = await asyncio.to_thread(questions.take, self.store, self._plant, incident, text, by)
        if taken.is_open:
            async with _later():
                await self._engine.reply(taken.number, incident)
        return taken.number

    async def answerer(self) -> str:
        return await asyncio.to_thread(questions.answerer, self._plant)

    async def incident(self, incident: str) -> Incident | None:
        return await asyncio.to_thread(self.store.incident, incident)

    async def incidents(self, query: Query) -> tuple[Incident, ...]:
        return await asyncio.to_thread(self.store.incidents, query)

    async def similar(self, incident: Incident) -> tuple[Incident, ...]:
        return await asyncio.to_thread(self.store.similar, incident)

    async def history(self, incident: str, kinds: Collection[str]) -> tuple[NumberedEvent, ...]:
        return await asyncio.to_thread(self.store.history, incident, kinds)

    def answers(self) -> bool:
        return self.store.database.answers

    def events(self, incident: str, after: int = 0) -> AsyncIterator[NumberedEvent]:
        return self._watching.events(incident, after)

    async def look(self, incident: str, round: int) -> str:
        """A step of the engine's."""
        came = await enduring(look, self.store, self._plant, incident, round)
        say(f"{incident}: {came}")
        return came

    async def places(self, incident: str) -> list[str]:
        """A step of the engine's."""
        return await enduring(places, self.store, self._plant, incident)

    async def tell(self, incident: str, round: int, place: str) -> str:
        """A step of the engine's."""
        came = await enduring(tell, self.store, self._plant, incident, round, place)
        if came != NO_COMMENTS:
            say(f"{incident}: {place}: {came}")
        return came

    async def carry_out(self, decision: int) -> str:
        """A step of the engine's."""
        came = await enduring(change, self.store, self._plant, decision, self._engine.id)
        say(f"decision {decision}: {came}")
        return came

    async def reply(self, question: int) -> str:
        """A step of the engine's."""
        came = await enduring(answer, self.store, self._plant, question)
        say(f"question {question}: {came}")
        return came

    def investigated(self) -> set[str]:
        """The targets that wait for an investigation or are being investigated; while the database is away, as before.
        It blocks."""
        try:
            self._targets = {one.target for one in self.store.waiting()}
        except SQLAlchemyError as error:
            if not is_outage(error):
                raise
        return self._targets

    async def totals(self) -> list[Total]:
        """What is counted over all incidents."""
        return await asyncio.to_thread(all_totals, self.store.database)


@contextlib.asynccontextmanager
async def _later() -> AsyncIterator[None]:
    """What is in the database but couldn't be queued is queued by the housekeeping."""
    try:
        # The engine waits for a database that is away; whoever asked knows already that it's kept.
        async with asyncio.timeout(QUEUED_WITHIN):
            yield
    except Exception as error:
        say(f"not queued yet: {why(error)}")
