"""The database goes away under a running service and comes back: nothing is lost, nothing is done twice."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from evals.lab.servers import installed, running
from tests.decided import decision, filled, planned, said, sets
from tests.postgres import postgres_server
from tests.served import PATIENCE, Desk, Served, Tracker, desk, issue
from tests.standins import serving

pytestmark = [pytest.mark.live, pytest.mark.timeout(1500)]
NUMBER = 6


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path) as one:
        yield one


async def test_postgresql_dies_and_comes_back_under_a_running_service(place: Desk) -> None:
    with postgres_server() as database:
        place.database = database.url
        async with serving(Tracker()) as tracker, running(installed()[0]) as server:
            place.environ |= {"GITHUB_API_URL": tracker.url}
            args = ("--model", "offline", "--window", "3", "--jobs", "2", "--lease", "8")
            served, worker = await place.serve(*args, state="one"), await place.work(*args, state="two")
            ids = [await served.opened(ticket=issue(one), target=f"{server.url}/{one}") for one in range(NUMBER)]
            async with asyncio.timeout(PATIENCE):
                while (await served.get("/v1/incidents"))["incidents"][-1]["state"] == "queued":
                    await asyncio.sleep(0.1)
            async with served.client.stream("GET", f"/v1/incidents/{ids[-1]}/events") as on:
                assert on.status_code == 200
                heard = asyncio.create_task(_until_answered(on.aiter_lines()))
                database.kill()
                await _says_so(served)
                # Longer than a lease: each process finds the other one's run out.
                await asyncio.sleep(10)
                assert not heard.done()
                database.start()
                async with asyncio.timeout(PATIENCE):
                    while (await served.client.get("/readyz")).status_code != 200:
                        await asyncio.sleep(0.2)
                for id in ids:
                    await served.until(id, "answered")
                await asyncio.wait_for(heard, PATIENCE)
            later = await served.opened(ticket=issue(NUMBER), target=f"{server.url}/{NUMBER}")
            await served.until(later, "answered")
            async with asyncio.timeout(PATIENCE):
                while sum(map(len, tracker.of.values())) < NUMBER + 1:
                    await asyncio.sleep(0.1)
            assert [len(comments) for comments in tracker.of.values()] == [1] * (NUMBER + 1)
            for id in (*ids, later):
                kinds = Counter(one["type"] for one in place.events(id))
                assert kinds["answered"] == kinds["posted"] == kinds["submitted"] == 1 and not kinds["failed"], kinds
            # Neither took the other one for dead.
            assert served.process.returncode is None and worker.process.returncode is None
            for one in (served, worker):
                lines = [line for line in one.said if "doesn't answer" in line]
                assert len(lines) == 1 and sum("answers again" in line for line in one.said) == 1, one.said
                assert all(line.startswith("rediagnose: ") for line in one.said), one.said


async def test_postgresql_that_freezes_is_away_and_everything_goes_on_once_it_thaws(place: Desk) -> None:
    with postgres_server() as database:
        place.database = database.url
        served = await place.serve("--model", "offline", "--window", "0.2", "--lease", "60")
        first = await served.opened(title="slow", target="redis://127.0.0.1:1")
        await served.until(first, "answered")
        async with served.client.stream("GET", f"/incidents/{first}/stream") as on:
            lines = (line async for line in on.aiter_lines() if line.startswith("event: "))
            database.freeze()
            async with asyncio.timeout(PATIENCE):
                while await anext(lines) != "event: away":
                    pass
            ready = await served.client.get("/readyz")
            assert ready.status_code == 503 and "the database doesn't answer" in ready.json()["error"]
            database.thaw()
            async with asyncio.timeout(PATIENCE):
                while await anext(lines) != "event: back":
                    pass
        later = await served.opened(title="slow", target="redis://127.0.0.1:1")
        await served.until(later, "answered")
        assert served.process.returncode is None
        assert sum("the database doesn't answer" in one for one in served.said) == 1, served.said


async def test_a_change_is_made_once_whenever_the_database_dies_meanwhile(place: Desk) -> None:
    draw = random.Random(18)
    with postgres_server() as database:
        place.database = database.url
        served = await place.serve("--model", "offline", "--window", "0.5")
        came: list[str] = []
        for _ in range(6):
            async with filled() as (server, redis):
                id, step = await planned(served, server.url)
                await redis.config_resetstat()
                path = f"/v1/incidents/{id}/decisions"
                assert (await served.client.post(path, json=decision(step))).status_code == 202
                await asyncio.sleep(draw.uniform(0, 2.5))
                database.kill()
                await asyncio.sleep(1)
                database.start()
                await said(place, id)
                (told,) = [one for one in place.events(id) if one["type"] == "step-changed"]
                state = told["step"]["state"]
                came.append(f"{state}: {told['detail']}")
                now = (await redis.config_get("maxmemory"))["maxmemory"]
                assert await sets(redis) <= 1, came
                assert (state in ("applied", "verified")) == (now == step["after"]), came
        assert served.process.returncode is None
        print(*came, sep="\n")


async def _says_so(served: Served) -> None:
    """It is alive but not ready, and says why, to machines and to people."""
    assert (await served.client.get("/healthz")).status_code == 200
    ready = await served.client.get("/readyz")
    assert ready.status_code == 503 and "the database doesn't answer: " in ready.json()["error"]
    assert "@" not in ready.text and "127.0.0.1" not in ready.text
    sent = await served.client.post("/v1/incidents", json={"title": "slow", "target": "redis://127.0.0.1:1"})
    assert sent.status_code == 503 and int(sent.headers["retry-after"]) > 0
    for path in ("/", "/incidents/x"):
        page = await served.client.get(path, headers={"Accept": "text/html"})
        assert page.status_code == 503 and int(page.headers["retry-after"]) > 0
        assert page.headers["content-type"].startswith("text/html")
        assert "The database doesn" in page.text and "Nothing is lost" in page.text


async def _until_answered(lines: AsyncIterator[str]) -> None:
    async for line in lines:
        if line == "event: answered":
            return
    raise AssertionError("the stream ended")
