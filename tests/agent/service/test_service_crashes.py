"""The service killed at any moment and started again: nothing is lost, nothing is posted or applied twice."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.service.decided import take
from agent.service.records import Decision
from evals.lab.servers import installed, running
from tests.decided import decision, filled, planned, said, sets
from tests.served import DEAD, QUICK, Desk, Hook, Tracker, desk, issue
from tests.standins import HANG, WORKS, Fault, serving
from tools.clock import SystemClock

pytestmark = [pytest.mark.live, pytest.mark.timeout(1500)]
LOST = Fault(-1, works=True)
"""What was sent is done, and its answer never comes."""


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path) as one:
        yield one


async def until(what: Callable[[], object], seconds: float = 240) -> None:
    """Wait for something to be so."""
    async with asyncio.timeout(seconds):
        while not what():
            await asyncio.sleep(0.05)


def unsure(place: Desk, id: str) -> bool:
    """Whether it was said that a notification may have arrived."""
    return any("may have arrived" in one.get("why", "") for one in place.events(id))


async def test_killed_at_ten_moments_none_is_lost_and_none_posted_twice(place: Desk) -> None:
    draw = random.Random(18)
    async with serving(Tracker()) as tracker, serving(Hook()) as hook:
        place.environ |= {"GITHUB_API_URL": tracker.url}
        args = (*QUICK, "--notify", hook.url)
        ids: list[str] = []
        served = await place.serve(*args)
        for number in range(10):
            ids += [await served.opened(ticket=issue(10 * number + one), target=DEAD) for one in range(3)]
            await asyncio.sleep(draw.uniform(0, 2.5))
            await served.kill()
            served = await place.serve(*args)
        assert len(set(ids)) == 30
        for id in ids:
            assert (await served.until(id, "answered"))["diagnosis"]["causes"]
        await until(lambda: len(tracker.of) == 30 and all(tracker.of.values()))
        # What may have been sent isn't sent again.
        await until(lambda: {id for id in ids if id not in hook.links} <= {id for id in ids if unsure(place, id)})
    assert {len(comments) for comments in tracker.of.values()} == {1}
    assert max(Counter(hook.links).values()) == 1


async def test_killed_between_answer_and_comment_it_is_posted_once(place: Desk) -> None:
    async with serving(Tracker()) as tracker:
        tracker.faults = {"POST": [LOST, WORKS]}
        place.environ |= {"GITHUB_API_URL": tracker.url}
        served = await place.serve(*QUICK)
        id = await served.opened(ticket=issue(7), target=DEAD)
        await until(lambda: tracker.of.get("7"))
        await served.kill()
        served = await place.serve(*QUICK)
        await until(lambda: "PATCH" in {one.method for one in tracker.seen})
        async with asyncio.timeout(240):
            while not (found := await served.incident(id))["posted"]:
                await asyncio.sleep(0.1)
    assert found["state"] == "answered" and len(tracker.of["7"]) == 1


async def test_a_notification_that_may_have_arrived_isnt_sent_again(place: Desk) -> None:
    async with serving(Hook()) as hook:
        hook.faults = {"POST": [HANG, WORKS]}
        served = await place.serve(*QUICK, "--notify", hook.url)
        id = await served.opened(title="slow", target=DEAD)
        await until(lambda: hook.seen)
        await served.kill()
        served = await place.serve(*QUICK, "--notify", hook.url)
        other = await served.opened(title="slow", target=DEAD)
        await until(lambda: len(hook.seen) == 2)
        await served.client.post(f"/v1/incidents/{id}/close")
        said = [one["why"] for one in await served.events(id) if one["type"] == "failed"]
    assert hook.links == [id, other]
    assert len(said) == 1 and "may have arrived" in said[0]


async def test_killed_while_looking_it_is_looked_at_again(place: Desk) -> None:
    args = ("--model", "offline", "--window", "3")
    served = await place.serve(*args)
    async with running(installed()[0]) as server:
        id = await served.opened(title="slow", target=server.url)
        await served.until(id, "looking")
        await asyncio.sleep(1)
        await served.kill()
        served = await place.serve(*args)
        assert (await served.until(id, "answered"))["recording"]
        await served.client.post(f"/v1/incidents/{id}/close")
        kinds = [one["type"] for one in await served.events(id)]
    assert kinds.count("answered") == 1 and kinds.count("started") == 2


async def test_killed_at_ten_moments_of_a_change_it_is_never_made_twice(place: Desk) -> None:
    draw = random.Random(18)
    args = ("--model", "offline", "--window", "0.5")
    served = await place.serve(*args)
    came: list[str] = []
    for _ in range(10):
        async with filled() as (server, redis):
            id, step = await planned(served, server.url)
            await redis.config_resetstat()
            path = f"/v1/incidents/{id}/decisions"
            assert (await served.client.post(path, json=decision(step))).status_code == 202
            await asyncio.sleep(draw.uniform(0, 2.5))
            await served.kill()
            made = await sets(redis)
            served = await place.serve(*args)
            await said(place, id)
            (told,) = [one for one in place.events(id) if one["type"] == "step-changed"]
            state = told["step"]["state"]
            came.append(f"{made} {state}: {told['detail']}")
            now = (await redis.config_get("maxmemory"))["maxmemory"]
            assert await sets(redis) <= 1, came
            assert (state in ("applied", "verified")) == (now == step["after"]), came
            if state == "proposed":
                assert "nothing was sent" in told["detail"] and now == step["before"]
    assert len(came) == 10


async def test_a_change_is_made_once_refused_or_rolled_back_as_decided(place: Desk) -> None:
    served = await place.serve("--model", "offline", "--window", "0.5")
    async with filled() as (server, redis):
        id, step = await planned(served, server.url)
        await redis.config_resetstat()
        path = f"/v1/incidents/{id}/decisions"

        async def decide(verb: str, **other: Any) -> int:
            return (await served.client.post(path, json=decision(step, verb) | other)).status_code

        assert await decide("approve", action="CONFIG SET maxmemory 0") == 409
        assert await decide("approve", before="1") == 409
        assert await decide("approve", step="s99") == 409
        assert await decide("roll-back") == 409
        assert await decide("refuse") == 202
        assert (await served.stepped(id, step["id"], "proposed"))["state"] == "refused"
        assert [await decide("approve") for _ in range(3)] == [202, 202, 202]
        assert await decide("refuse") == 409
        assert (await served.stepped(id, step["id"], "refused"))["state"] in ("applied", "verified")
        assert (await redis.config_get("maxmemory"))["maxmemory"] == step["after"]
        assert await decide("approve") == 409
        assert await decide("roll-back") == 202
        assert (await served.stepped(id, step["id"], "applied", "verified"))["state"] == "rolled-back"
        assert (await redis.config_get("maxmemory"))["maxmemory"] == step["before"]
        assert await sets(redis) == 2
        audit = (place.folder / "state/rediagnose/audit.jsonl").read_text()
        assert audit.count('"event":"applying"') == 2 and audit.count('"event":"refused"') == 1
        await redis.config_set("maxmemory", "123456789")
        assert await decide("approve") == 202
        told = await said(place, id, "look again")
        assert "was" in told and await sets(redis) == 3, "only the test itself changed it"


async def test_a_decision_is_too_old_after_its_time(place: Desk) -> None:
    served = await place.serve("--model", "offline", "--window", "0.5")
    async with filled() as (server, _):
        id, step = await planned(served, server.url)
        await served.kill()
        # Approved six minutes ago, by a process that ended.
        with place.store(_Earlier()) as store:
            assert take(store, id, Decision(**decision(step), by="somebody")) is not None
        served = await place.serve("--model", "offline", "--window", "0.5")
        assert "too old" in await said(place, id, "decide again")
        assert (await served.stepped(id, step["id"]))["state"] == "proposed"


class _Earlier(SystemClock):
    def now(self) -> datetime:
        return datetime.now(UTC) - timedelta(minutes=6)
