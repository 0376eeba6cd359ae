"""The durable engine: what was begun is carried on after a crash, here or by another process."""

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Protocol

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetEnqueueOptions, SetWorkflowID

from agent.service.database import Database
from agent.service.journal import say, why
from agent.service.leases import LASTS, Leases
from agent.service.outages import is_no_outage, is_outage
from agent.service.store import Work
from tools.errors import UsageError

FORM = "1"
"""The form of the workflows below: unfinished work of another form isn't taken on, that of another release is."""
INVESTIGATIONS, DECISIONS, QUESTIONS = "investigations", "decisions", "questions"
POLLS = 0.2
"""Seconds between two looks for work."""
ATTEMPTS = 20
"""How often work is begun that ends with the process each time."""
AT_ONCE = 5000
"""Most work that is forgotten at a time."""
LEAVES_WITHIN = 5.0
"""Seconds that are waited for what watches over the leases, when the database may be away."""
DEAD = {"ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"}


class Steps(Protocol):
    """What the workflows are made of; each may run again after a crash, and has to bear it."""

    async def look(self, incident: str, round: int) -> str:
        """Investigate; `answered` if there is an answer to hand out."""

    async def places(self, incident: str) -> list[str]:
        """Where its answer is handed out."""

    async def tell(self, incident: str, round: int, place: str) -> str:
        """Hand out an answer in one place."""

    async def carry_out(self, decision: int) -> str:
        """Carry out a decision."""

    async def reply(self, question: int) -> str:
        """Answer a question."""


class Engine:
    """One process' part in the work. There is one for each process."""

    def __init__(self, database: Database, steps: Steps, jobs: int, lease: float = LASTS) -> None:
        self.database, self.jobs = database, jobs
        self.id = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self.leases = Leases(database, self.id, lease)
        self._busy: set[str] = set()
        self._investigate, self._decide, self._reply = _workflows(steps, self._busy)
        self._watches: list[threading.Thread] = []
        self._ended = threading.Event()

    async def start(self) -> None:
        """Take part in the work. Raises `UsageError` if the engine can't use the database."""
        await asyncio.to_thread(self.leases.renew)
        # In a thread, so that the engine runs investigations in a loop of its own, and not in the one that answers.
        await asyncio.to_thread(self._launch)
        # Two, since the engine's own calls wait for the database for as long as it's away, and longer.
        self._watches = [
            threading.Thread(target=self._watch_on, args=(work,), name=name, daemon=True)
            for name, work in (("leases", self._stay_alive), ("left work", self.take_over))
        ]
        for one in self._watches:
            one.start()

    def _launch(self) -> None:
        log = logging.getLogger("dbos")
        log.setLevel(logging.WARNING)
        log.addFilter(is_no_outage)
        url = self.database.url.set(drivername=self.database.url.get_backend_name())
        config: DBOSConfig = {
            "name": "rediagnose", "system_database_url": url.render_as_string(hide_password=False),
            "executor_id": self.id, "application_version": FORM, "log_level": "WARNING",
            # The default one executes what is in the database.
            "serializer": DBOSPortableJSONSerializer(),
            "notification_listener_polling_interval_sec": 1.0, "scheduler_polling_interval_sec": 3600.0,
        }  # fmt: skip
        if opening := self.database.opening:
            config["db_engine_kwargs"] = opening
        try:
            DBOS(config=config)
            DBOS.launch()
            for name in (INVESTIGATIONS, DECISIONS, QUESTIONS):
                DBOS.register_queue(
                    name, partition_concurrency=1, worker_concurrency=self.jobs, polling_interval_sec=POLLS,
                    on_conflict="always_update",
                )  # fmt: skip
        except Exception as error:
            raise UsageError(f"the database {self.database.name}: {why(error)}; check --database") from error

    async def investigate(self, work: Work) -> None:
        """Let a round be investigated, once, however often this is asked."""
        with SetWorkflowID(work.id), SetEnqueueOptions(queue_partition_key=work.target):
            await DBOS.enqueue_workflow_async(INVESTIGATIONS, self._investigate, work.incident, work.round)

    async def decide(self, decision: int, target: str) -> None:
        """Let a decision be carried out, once."""
        with SetWorkflowID(f"decision/{decision}"), SetEnqueueOptions(queue_partition_key=target):
            await DBOS.enqueue_workflow_async(DECISIONS, self._decide, decision)

    async def reply(self, question: int, incident: str) -> None:
        """Let a question be answered, once."""
        with SetWorkflowID(question_id(question)), SetEnqueueOptions(queue_partition_key=incident):
            await DBOS.enqueue_workflow_async(QUESTIONS, self._reply, question)

    async def underway(self) -> set[str]:
        """The ids of all work that is queued or begun."""
        found = await DBOS.list_workflows_async(
            status=["ENQUEUED", "PENDING", "DELAYED"], load_input=False, load_output=False
        )
        return {one.workflow_id for one in found}

    async def given_up(self, id: str) -> bool:
        """Whether work with this id was begun too often, or ended with an error of the engine's own."""
        found = await DBOS.get_workflow_status_async(id)
        return found is not None and found.status in DEAD

    async def forget(self, before: float) -> None:
        """Delete what the engine keeps about work that was done before a time."""
        when = datetime.fromtimestamp(before, UTC).isoformat()
        done = await DBOS.list_workflows_async(
            completed_before=when, limit=AT_ONCE, load_input=False, load_output=False
        )
        if done:
            await DBOS.delete_workflows_async([one.workflow_id for one in done])

    def _watch_on(self, work: Callable[[], None]) -> None:
        while not self._ended.wait(self.leases.pace):
            try:
                work()
            except Exception as error:
                if not is_outage(error):
                    say(f"leases: {why(error)}")

    def _stay_alive(self) -> None:
        """Renew the own lease."""
        if not self.leases.renew() and self._busy:
            self._end()

    def _end(self) -> None:
        """End this process: it stood still for so long that another one has taken on what it does."""
        with contextlib.suppress(OSError):
            os.write(2, b"rediagnose: another process took this one for dead and took on its work, so it ends\n")
        os._exit(3)

    def take_over(self) -> None:
        """Queue again what was begun by processes that are no more."""
        begun = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
        doers = {one.executor_id for one in begun if one.executor_id}
        if gone := sorted(doers - self.leases.alive()):
            DBOS._recover_pending_workflows(gone)
        self.leases.sweep()

    async def stop(self) -> None:
        """Leave what is unfinished to the other processes, or to the next one."""
        self._ended.set()
        with contextlib.suppress(Exception):
            for one in self._watches:
                await asyncio.to_thread(one.join, LEAVES_WITHIN)
            await asyncio.to_thread(self.leases.give_up)


def question_id(number: int) -> str:
    """The engine's name for a question."""
    return f"question/{number}"


def _workflows(steps: Steps, busy: set[str]) -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
    # What stands between the steps runs again after a crash: it must come to the same.
    @DBOS.workflow(name="investigate", max_recovery_attempts=ATTEMPTS)
    async def investigate(incident: str, round: int) -> str:
        with _in(busy, f"{incident}/{round}"):
            came = await DBOS.run_step_async({"name": "look"}, steps.look, incident, round)
            if came == "answered":
                for place in await DBOS.run_step_async({"name": "places"}, steps.places, incident):
                    await DBOS.run_step_async({"name": f"tell {place}"}, steps.tell, incident, round, place)
        return came

    @DBOS.workflow(name="decide", max_recovery_attempts=ATTEMPTS)
    async def decide(decision: int) -> str:
        with _in(busy, f"decision/{decision}"):
            return await DBOS.run_step_async({"name": "carry out"}, steps.carry_out, decision)

    @DBOS.workflow(name="reply", max_recovery_attempts=ATTEMPTS)
    async def reply(question: int) -> str:
        with _in(busy, question_id(question)):
            return await DBOS.run_step_async({"name": "reply"}, steps.reply, question)

    return investigate, decide, reply


@contextlib.contextmanager
def _in(busy: set[str], id: str) -> Iterator[None]:
    busy.add(id)
    try:
        yield
    finally:
        busy.discard(id)
