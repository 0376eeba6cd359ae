"""Questions about an answer over HTTP: with a model and without one, once each, whatever dies, and at no cost."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from agent.service.known_answers import UNKNOWN, known_answer, offered
from agent.service.questions import BEGUN_MOST, OFTEN
from evals.endpoint import Hang, Move, Say, Status, endpoint
from evals.lab.servers import installed, running
from evals.said import Body, Call
from tests.served import DEAD, QUICK, Desk, Served, desk

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]
QUESTION = "# Someone who follows this incident asks"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path) as one:
        yield one


def only_questions(script: Callable[[Body], Move]) -> Callable[[Body], Move]:
    """A model that fails to investigate, so that the checks' answer stands, and answers questions by a script."""

    def move(body: Body) -> Move:
        asked = any(QUESTION in str(one.get("content")) for one in body["messages"])
        return script(body) if asked else Status(code=400, message="not now")

    return move


async def answered(place: Desk, *args: str, **about: Any) -> tuple[Served, str]:
    served = await place.serve(*args)
    id = await served.opened(**{"title": "slow", "target": DEAD, **about})
    await served.until(id, "answered")
    return served, id


async def ask(served: Served, id: str, text: str) -> Any:
    return await served.client.post(f"/v1/incidents/{id}/questions", json={"text": text})


def of(place: Desk, id: str, kind: str) -> list[dict[str, Any]]:
    return [one for one in place.events(id) if one["type"] == kind]


async def replies(place: Desk, id: str, number: int) -> list[dict[str, Any]]:
    """The replies once there are so many."""
    async with asyncio.timeout(120):
        while len(found := of(place, id, "reply")) < number:
            await asyncio.sleep(0.05)
    return found


async def test_without_a_model_what_is_suggested_is_answered_at_once_and_says_what_was_read(place: Desk) -> None:
    served, id = await answered(place, *QUICK)
    done = await ask(served, id, "What is the evidence?")
    assert done.status_code == 202 and done.json() == {"incident": id, "question": 1}
    (reply,) = of(place, id, "reply")
    (question,) = of(place, id, "question")
    assert question["text"] == "What is the evidence?" and question["by"]
    assert reply["by"] == "checks" and "process-down" in reply["text"]
    assert reply["cited"] and all(one["verified"] for one in reply["cited"])
    assert (await ask(served, id, "Write me a poem")).status_code == 202
    assert of(place, id, "reply")[-1]["text"] == UNKNOWN[0]
    assert (await ask(served, id, "Was it seen before?")).status_code == 202
    assert "no earlier incident" in of(place, id, "reply")[-1]["text"]
    other = await served.opened(title="slow again", target=DEAD)
    await served.until(other, "answered")
    await ask(served, other, "Was it seen before?")
    assert "Redis isn't running" in of(place, other, "reply")[0]["text"]
    with place.store() as store:
        found = store.incident(id)
    assert found is not None and found.diagnosis is not None
    for text in offered(found.diagnosis):
        assert known_answer(text, found, found.diagnosis, ()), text


async def test_a_model_answers_from_what_was_read_and_the_server_is_left_alone(place: Desk) -> None:
    taken: dict[str, str] = {}

    def script(body: Body) -> Move:
        if body["messages"][-1]["role"] == "tool":
            taken["tool"] = body["messages"][-1]["content"]
            return Say(text="It has [r1 nonsense=7], and one should FLUSHALL.")
        taken["first"] = json.dumps(body)
        return Say(text="", calls=(Call(name="reading", arguments={"id": "r1", "again": True}),
                                   Call(name="config_set", arguments={"maxmemory": 0}),
                                   Call(name="submit_diagnosis", arguments={})))  # fmt: skip

    async with running(installed()[0]) as server, endpoint(only_questions(script)) as at:
        place.environ |= {"OPENAI_BASE_URL": at.url, "REDIAGNOSE_MODEL": "scripted"}
        served, id = await answered(place, "--window", "0.2", target=server.url)
        before = (await served.incident(id))["diagnosis"]
        first, second = await _commands(server.url), await _commands(server.url)
        assert (await ask(served, id, "what about s1?\nAnd apply it: approve s1 now")).status_code == 202
        (reply,) = await replies(place, id, 1)
        assert await _commands(server.url) - second == second - first, "only this test asked the server anything"
        offered_ = {one["function"]["name"] for one in json.loads(taken["first"])["tools"]}
        assert offered_ == {"reading", "read_runbook"} and '"again"' not in taken["first"]
        assert "submit_diagnosis" in taken["tool"] and "error" in taken["tool"]
        assert reply["by"] == "scripted" and reply["text"].startswith("It has [r1 nonsense=7]")
        assert [one["verified"] for one in reply["cited"]] == [False]
        assert any("FLUSHALL" in one for one in reply["warnings"])
        assert any(one.startswith("config_set") for one in reply["warnings"])
        pieces = "".join(one["text"] for one in of(place, id, "reply-text"))
        assert pieces == reply["text"]
        assert (await served.incident(id))["diagnosis"] == before and not of(place, id, "decided")

        assert (await ask(served, id, "And now?")).status_code == 202
        await replies(place, id, 2)
        assert "nonsense=7" in taken["first"] and "Wrong in your last answer: r1 nonsense" in taken["first"]
        assert "look again" not in taken["first"]
        asked = len(at.requests)
        assert (await ask(served, id, "look again!")).status_code == 202
        assert "An approver can let the servers be looked at again" in of(place, id, "reply")[-1]["text"]
        assert len(at.requests) == asked


async def test_a_model_that_fails_is_named_and_what_is_known_is_said(place: Desk) -> None:
    async with endpoint(only_questions(lambda _: Status(code=401, message="no such key"))) as at:
        place.environ |= {"OPENAI_BASE_URL": at.url, "REDIAGNOSE_MODEL": "scripted"}
        served, id = await answered(place, "--window", "0.2")
        await ask(served, id, "why is it slow?")
        (reply,) = await replies(place, id, 1)
        why, _, known = reply["text"].partition("\n")
        assert why.startswith("The model didn't answer: ") and "refused" in known


async def test_killed_while_a_model_answers_it_is_answered_once(place: Desk) -> None:
    moves: list[Move] = [Hang(after=Say(text="It is begun and never ended, since")), Say(text="Redis isn't running.")]
    said = iter(moves)
    async with endpoint(only_questions(lambda _: next(said))) as at:
        place.environ |= {"OPENAI_BASE_URL": at.url, "REDIAGNOSE_MODEL": "scripted"}
        served, id = await answered(place, "--window", "0.2")
        await ask(served, id, "why so slow?")
        async with asyncio.timeout(60):
            while not any(QUESTION in str(one["messages"]) for one in at.requests):
                await asyncio.sleep(0.05)
        busy = await ask(served, id, "another?")
        assert busy.status_code == 409 and "is being answered" in busy.json()["error"]
        assert (await ask(served, id, "why so slow?")).json()["question"] == 1, "a second click"
        await served.kill()
        served = await place.serve("--window", "0.2")
        (reply,) = await replies(place, id, 1)
        assert reply["text"] == "Redis isn't running." and not reply["lost"]
        assert (await ask(served, id, "What now?")).status_code == 202
        await replies(place, id, 2)
        assert [one["question"] for one in of(place, id, "reply")] == [1, 2]


async def test_a_question_that_ends_the_service_each_time_is_said_to_be_lost(place: Desk) -> None:
    async with endpoint(only_questions(lambda _: Hang())) as at:
        place.environ |= {"OPENAI_BASE_URL": at.url, "REDIAGNOSE_MODEL": "scripted"}
        served, id = await answered(place, "--window", "0.2")
        await ask(served, id, "why so slow?")
        for number in range(1, BEGUN_MOST + 1):
            async with asyncio.timeout(60):
                while sum(QUESTION in str(one["messages"]) for one in at.requests) < number:
                    await asyncio.sleep(0.05)
            await served.kill()
            served = await place.serve("--window", "0.2")
        (reply,) = await replies(place, id, 1)
        assert reply["lost"] and "Ask again" in reply["text"]


async def test_what_may_not_be_asked_is_refused_and_secrets_arent_kept(place: Desk) -> None:
    place.settings('[[targets]]\nname = "orders"\nurl = "redis://127.0.0.1:1"\npassword_env = "ORDERS"\n')
    place.environ["ORDERS"] = "hunter2hunter2"
    served, id = await answered(place, *QUICK, target="orders")
    path = f"/v1/incidents/{id}/questions"
    for sent, status in (
        ({}, 422), ({"text": ""}, 422), ({"text": " \n"}, 409), ({"text": "x" * 2001}, 422),
        ({"text": "why", "approve": "s1"}, 422), ({"text": 1}, 422),
    ):  # fmt: skip
        assert (await served.client.post(path, json=sent)).status_code == status, sent
    assert (await served.client.post("/v1/incidents/nope/questions", json={"text": "why?"})).status_code == 404
    await ask(served, id, "is hunter2hunter2 right, or redis://u:other-secret@h:1?")
    kept = json.dumps(place.events(id))
    assert "hunter2" not in kept and "other-secret" not in kept
    for _ in range(OFTEN - 1):
        assert (await ask(served, id, "why?")).status_code == 202
    often = await ask(served, id, "why?")
    assert often.status_code == 429 and int(often.headers["retry-after"]) > 0
    await served.client.post(f"/v1/incidents/{id}/close")
    closed = await ask(served, id, "why?")
    assert closed.status_code == 409 and "closed" in closed.json()["error"]


async def _commands(url: str) -> int:
    from redis.asyncio import Redis

    async with Redis.from_url(url) as redis:
        return int((await redis.info("stats"))["total_commands_processed"])
