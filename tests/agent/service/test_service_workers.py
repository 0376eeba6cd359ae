"""Several processes on one database: each incident is answered once, and what one leaves the others take on."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import update

from agent.service.database import Database
from agent.service.records import Submission
from agent.service.seen import DurableSeen
from agent.service.store import Store
from agent.service.tables import incidents
from agent.tickets.ticket import Ticket
from evals.endpoint import Move, Say, Status, endpoint
from evals.lab.servers import installed, running
from evals.said import Body
from tests.postgres import postgres
from tests.served import DEAD, QUICK, Desk, Hook, Served, Tracker, desk, issue
from tests.standins import serving
from tests.webhooks import NOW
from tools.clock import SystemClock

pytestmark = [pytest.mark.live, pytest.mark.timeout(1500)]
SEVERAL, SOME = 24, 4
QUESTION = "# Someone who follows this incident asks"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path) as one:
        yield one


async def test_two_processes_share_one_file(place: Desk) -> None:
    async with serving(Hook()) as hook:
        args = (*QUICK, "--jobs", "2", "--notify", hook.url)
        first, second = await asyncio.gather(place.serve(*args), place.serve(*args))
        # The same alert at both at the same moment, from as many targets.
        asked = [
            one.submit(title="slow", target=f"redis://127.0.0.{number + 1}:1", key=str(number))
            for number in range(SEVERAL) for one in (first, second)
        ]  # fmt: skip
        done = await asyncio.gather(*asked)
        ids = {one["incident"] for one in done}
        assert len(ids) == SEVERAL == sum(one["new"] for one in done)
        for id in ids:
            assert (await first.until(id, "answered"))["alerts"] == 2
        async with asyncio.timeout(240):
            while len(hook.seen) < SEVERAL:
                await asyncio.sleep(0.1)
    assert Counter(hook.links) == dict.fromkeys(ids, 1)
    rounds = Counter(kind for id in ids for kind in (one["type"] for one in place.events(id)))
    assert rounds["started"] == rounds["answered"] == SEVERAL
    assert await first.stop() == 0
    id = await second.opened(title="slow", target=DEAD)
    await second.until(id, "answered")


async def test_one_target_is_looked_at_by_one_at_a_time(place: Desk) -> None:
    first, second = await place.serve(*QUICK), await place.serve(*QUICK)
    ids = [await one.opened(title="slow", target=DEAD) for one in (first, second) for _ in range(4)]
    for id in ids:
        await first.until(id, "answered")
    spans = []
    with place.store() as store:
        for id in ids:
            at = {one.kind: one.at for one in store.events(id, 0, 100_000)}
            spans.append((at["started"], at["answered"]))
    spans.sort()
    assert all(before[1] <= after[0] for before, after in pairwise(spans)), spans


async def test_on_postgresql_a_killed_workers_work_is_taken_on_by_the_other(place: Desk) -> None:
    with postgres() as url:
        place.database = url
        async with serving(Tracker()) as tracker, running(installed()[0]) as server:
            place.environ |= {"GITHUB_API_URL": tracker.url}
            args = ("--model", "offline", "--window", "2", "--jobs", "2")
            # Each has a state of its own, as on another machine: only the database says that it's alive.
            served = await place.serve(*args, "--lease", "10", state="one")
            worker = await place.work(*args, "--lease", "10", state="two")
            ids = [await served.opened(ticket=issue(one), target=f"{server.url}/{one}") for one in range(8)]
            async with asyncio.timeout(240):
                while not _begun_by(place, worker.process.pid):
                    await asyncio.sleep(0.05)
            begun = _begun_by(place, worker.process.pid)
            await worker.kill()
            for id in ids:
                await served.until(id, "answered")
            async with asyncio.timeout(240):
                while sum(map(len, tracker.of.values())) < len(ids):
                    await asyncio.sleep(0.1)
            assert begun and {len(comments) for comments in tracker.of.values()} == {1}
            kinds = {id: Counter(one["type"] for one in place.events(id)) for id in ids}
            assert all(one["answered"] == 1 for one in kinds.values())
            assert sum(one["started"] for one in kinds.values()) > len(ids), "some were begun again"


async def test_on_postgresql_a_question_is_answered_once_by_one_of_two(place: Desk) -> None:
    asked: list[str] = []

    def script(body: Body) -> Move:
        if QUESTION not in str(body["messages"]):
            return Status(code=400, message="not now")
        asked.append(str(body["messages"][-1]["content"]))
        return Say(text=f"It is answer {len(asked)}.")

    with postgres() as url:
        place.database = url
        async with endpoint(script) as at:
            place.environ |= {"OPENAI_BASE_URL": at.url, "REDIAGNOSE_MODEL": "scripted"}
            args = ("--window", "0.2")
            first, second = await asyncio.gather(place.serve(*args, state="one"), place.serve(*args, state="two"))
            await place.work(*args, state="three")
            ids = [await first.opened(title="slow", target=f"redis://127.0.0.{one + 1}:1") for one in range(SOME)]
            for id in ids:
                await second.until(id, "answered")

            async def ask(one: Served, id: str) -> httpx2.Response:
                return await one.client.post(f"/v1/incidents/{id}/questions", json={"text": "why so slow?"})

            # The same question from two people who look at two processes, at the same moment.
            done = await asyncio.gather(*(ask(one, id) for id in ids for one in (first, second)))
            numbers = [one.json()["question"] for one in done if one.status_code == 202]
            async with asyncio.timeout(240):
                while len({one["question"] for one in _replies(place, ids)}) < len(set(numbers)):
                    await asyncio.sleep(0.1)
            # Of two that come at once, the later one is the same, is refused, or comes after the reply.
            assert {one.status_code for one in done} <= {202, 409} and len(set(numbers)) >= len(ids)
            said = _replies(place, ids)
            assert Counter(one["question"] for one in said) == dict.fromkeys(numbers, 1)
            assert len(asked) == len(said) == len({one["text"] for one in said})
            questions = [one for id in ids for one in place.events(id) if one["type"] == "question"]
            assert sorted(one["question"] for one in questions) == sorted(set(numbers))


async def test_on_postgresql_what_another_one_answers_at_that_moment_isnt_begun_again() -> None:
    with postgres() as url:
        database = Database(url)
        database.prepare()
        store = Store(database, SystemClock())
        asked = Submission(ticket=Ticket(source="text", title="slow"), key="a", by="somebody")
        _, work = store.submit(asked, "orders", 100)
        assert work and store.begin(work.incident, work.round)
        with ThreadPoolExecutor(1) as pool:
            with database.writing() as connection:
                connection.execute(update(incidents).values(state="answered"))
                begun = pool.submit(store.begin, work.incident, work.round)
                with database.reading() as other:
                    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                    while not (begun.done() or other.exec_driver_sql(waits).scalar()):
                        await asyncio.sleep(0.05)
            assert begun.result() is None
        assert store.has_answered(work.incident, work.round)
        database.close()


async def test_on_postgresql_a_signed_request_is_taken_in_once(tmp_path: Path) -> None:
    with postgres() as url:
        databases = [Database(url) for _ in range(2)]
        databases[0].prepare()
        first, second = (DurableSeen(one, most=50, kept=timedelta(hours=1), every=10) for one in databases)
        first.add(("github mac 1", "github id 2"), NOW)
        assert second.known("github mac 1", NOW) and second.known("github id 2", NOW)
        # Both at once, and each tidies up meanwhile.
        with ThreadPoolExecutor(8) as pool:
            added = [
                pool.submit(one.add, (f"github mac {key}", f"github id {key}"), NOW + timedelta(seconds=key))
                for key in range(100) for one in (first, second)
            ]  # fmt: skip
            for each in added:
                each.result()
        first.clean(NOW + timedelta(seconds=100))
        late = NOW + timedelta(seconds=100)
        assert all(second.known(f"github mac {key}", late) for key in range(80, 100))
        assert not any(second.known(f"github mac {key}", late) for key in range(60))
        assert not second.known("github mac 99", NOW + timedelta(hours=2))
        for one in databases:
            one.close()


def _replies(place: Desk, ids: list[str]) -> list[dict[str, Any]]:
    return [one for id in ids for one in place.events(id) if one["type"] == "reply"]


def _begun_by(place: Desk, pid: int) -> list[str]:
    """The work that a process has begun and not ended, according to the engine."""
    with place.store() as store, store.database.reading() as connection:
        found = connection.exec_driver_sql(
            "SELECT workflow_uuid, executor_id FROM dbos.workflow_status WHERE status = 'PENDING'"
        )
        return [row[0] for row in found if f"-{pid}-" in str(row[1])]
