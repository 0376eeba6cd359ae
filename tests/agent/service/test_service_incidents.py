"""Incidents over HTTP: opened, joined, answered, closed, found again; against the program as it's started."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.program import rediagnose
from tests.served import DEAD, QUICK, Desk, Hook, Tracker, desk, issue
from tests.standins import serving

pytestmark = [pytest.mark.live, pytest.mark.timeout(1500)]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path) as one:
        yield one


async def test_an_incident_is_answered_and_its_events_can_be_followed_from_any_number(place: Desk) -> None:
    served = await place.serve(*QUICK)
    id = await served.opened(title="checkout times out", target=DEAD)
    found = await served.until(id, "answered")
    assert found["diagnosis"]["causes"][0]["id"] == "process-down"
    assert found["diagnosis"]["readings"] and found["recording"]
    assert (place.folder / "state/rediagnose/service/recordings" / found["recording"]).is_file()
    (listed,) = (await served.get("/v1/incidents"))["incidents"]
    assert listed["diagnosis"]["summary"] and not listed["diagnosis"]["readings"]
    assert (await served.client.post(f"/v1/incidents/{id}/close")).status_code == 200
    events = await served.events(id)
    kinds = [one["type"] for one in events]
    assert kinds[0] == "submitted" and kinds[-1] == "closed"
    assert {"started", "reading-taken", "checks-made", "answered"} <= set(kinds)
    assert [one["number"] for one in events] == list(range(1, len(events) + 1))
    assert await served.events(id, after=events[4]["number"]) == events[5:]
    assert (await served.client.post(f"/v1/incidents/{id}/close")).status_code == 409


async def test_an_alert_that_fires_again_joins_and_resolved_closes(place: Desk) -> None:
    served = await place.serve(*QUICK)
    first = await served.submit(title="slow", target=DEAD, key="a")
    assert first["new"]
    assert await served.submit(title="slow", target=DEAD, key="a") == {**first, "new": False}
    assert (await served.incident(first["incident"]))["alerts"] == 2
    assert await served.submit(key="a", resolved=True) == {**first, "new": False}
    assert (await served.incident(first["incident"]))["state"] == "closed"
    assert await served.submit(key="a", resolved=True) == {"incident": None, "new": False}
    again = await served.submit(title="slow", target=DEAD, key="a")
    assert again["new"] and again["incident"] != first["incident"]


async def test_many_alerts_at_once_are_one_incident_each(place: Desk) -> None:
    served = await place.serve(*QUICK)
    keys = [f"k{number % 40}" for number in range(200)]
    done = await asyncio.gather(*(served.submit(title=key, target=DEAD, key=key) for key in keys))
    assert sum(one["new"] for one in done) == 40
    ids = {one["incident"] for one in done}
    assert len(ids) == 40
    for id in ids:
        assert (await served.until(id, "answered"))["alerts"] == 5
    text = (await served.client.get("/metrics")).text
    assert 'rediagnose_answers_total{cause="process-down",outcome="diagnosed"} 40.0' in text


async def test_a_full_queue_refuses_and_says_when_to_come_again(place: Desk) -> None:
    served = await place.serve(*QUICK, "--waiting", "2", "--jobs", "1")
    answers = [
        await served.client.post("/v1/incidents", json={"title": "x", "target": DEAD, "key": str(one)})
        for one in range(4)
    ]
    assert [one.status_code for one in answers] == [201, 201, 429, 429]
    assert int(answers[-1].headers["retry-after"]) > 0
    assert (
        await served.client.post("/v1/incidents", json={"title": "x", "target": DEAD, "key": "0"})
    ).status_code == 200
    assert 'refusals_total{reason="full"} 2.0' in (await served.client.get("/metrics")).text


async def test_the_answer_goes_to_the_ticket_and_to_the_webhook_once(place: Desk) -> None:
    async with serving(Tracker()) as tracker, serving(Hook()) as hook:
        place.environ |= {"GITHUB_API_URL": tracker.url}
        served = await place.serve(*QUICK, "--notify", hook.url)
        id = await served.opened(ticket=issue(12), target=DEAD)
        found = await served.until(id, "answered")
        async with asyncio.timeout(240):
            while not ((found := await served.incident(id))["posted"] and hook.seen):
                await asyncio.sleep(0.1)
        assert found["posted"].startswith("https://github.com/")
        assert (await served.submit(ticket=issue(12), target=DEAD)) == {"incident": id, "new": False}
        assert (await served.client.post(f"/v1/incidents/{id}/look-again")).status_code == 202
        async with asyncio.timeout(240):
            while len(hook.seen) < 2:
                await asyncio.sleep(0.1)
        assert len(tracker.of["12"]) == 1, "the second answer replaces the first one's comment"
        assert hook.links == [id, id]
        assert (await served.submit(ticket={**issue(12), "state": "closed"}))["incident"] == id
        assert (await served.incident(id))["closed_at"]


async def test_incidents_are_found_by_what_is_in_them_and_page_by_page(place: Desk) -> None:
    served = await place.serve(*QUICK)
    ids = [await served.opened(title=f"Schnäppchen {number}", target=DEAD, key=str(number)) for number in range(3)]
    other = await served.opened(title="100% elsewhere", target="redis://127.0.0.1:2", key="o")
    for id in (*ids, other):
        await served.until(id, "answered")

    async def found(query: str) -> list[str]:
        return [one["id"] for one in (await served.get(f"/v1/incidents?{query}"))["incidents"]]

    assert await found("") == [other, *reversed(ids)]
    assert await found("target=redis%3A%2F%2F127.0.0.1%3A2") == [other]
    assert await found("text=SCHN%C3%84PPCHEN") == list(reversed(ids))
    assert await found("text=0%25+else") == [other]
    assert await found("text=%25%25") == []
    assert await found("cause=process-down&limit=2") == [other, ids[2]]
    assert await found(f"before={ids[2]}") == [ids[1], ids[0]]
    await served.submit(key="o", resolved=True)
    assert await found("open=false") == [other]
    assert other not in await found("open=true")
    similar = (await served.incident(ids[2]))["similar"]
    assert [one["id"] for one in similar] == [ids[1], ids[0]]
    shown = await rediagnose("incidents", "list", "--closed", XDG_STATE_HOME=str(place.folder / "state"))
    assert shown.status == 0 and other in shown.out and ids[0] not in shown.out
    shown = await rediagnose("incidents", "show", ids[2], XDG_STATE_HOME=str(place.folder / "state"))
    assert "Redis isn't running." in shown.out and f"earlier: {ids[1]}" in shown.out
    file = place.folder / "one.tar.gz"
    told = await rediagnose("incidents", "export", ids[2], "-o", str(file), XDG_STATE_HOME=str(place.folder / "state"))
    assert told.status == 0 and file.stat().st_size > 1000, told.err
    told = await rediagnose("incidents", "export", ids[2], "-o", str(file), XDG_STATE_HOME=str(place.folder / "state"))
    assert told.status == 2 and "exists already" in told.err


async def test_what_is_said_about_an_answer_is_kept(place: Desk) -> None:
    served = await place.serve(*QUICK)
    id = await served.opened(title="slow", target=DEAD)
    await served.until(id, "answered", "unanswered")
    said = {"verdict": "wrong", "cause": "no-fault", "note": "it was the switch"}
    assert (await served.client.post(f"/v1/incidents/{id}/feedback", json=said)).status_code == 201
    (kept,) = (await served.incident(id))["feedback"]
    assert kept | said == kept and kept["by"]


REFUSED: list[tuple[str, str, dict[str, Any], int]] = [
    ("GET", "/v1/incidents/nope", {}, 404),
    ("GET", "/v1/incidents/%00", {}, 400),
    ("GET", f"/v1/incidents/{'x' * 500}", {}, 404),
    ("GET", f"/v1/incidents/{'x' * 5000}", {}, 414),
    ("GET", "/v1/incidents?nope=1", {}, 422),
    ("GET", "/v1/incidents?limit=x", {}, 422),
    ("POST", "/v1/incidents", {"content": b"{", "headers": {"content-type": "application/json"}}, 422),
    ("POST", "/v1/incidents", {"content": b"\xff", "headers": {"content-type": "application/json"}}, 422),
    ("POST", "/v1/incidents", {"content": b"title=x"}, 415),
    ("POST", "/v1/incidents", {"json": {}}, 422),
    ("POST", "/v1/incidents", {"json": {"title": "x", "more": 1}}, 422),
    ("POST", "/v1/incidents", {"json": {"resolved": True}}, 422),
    ("POST", "/v1/incidents", {"json": {"title": "x", "target": "nobody"}}, 422),
    ("POST", "/v1/incidents", {"json": {"title": "x"}}, 422),
    ("POST", "/v1/incidents", {"json": {"title": "x", "target": "redis://u:secret@127.0.0.1:1"}}, 422),
    ("POST", "/v1/incidents", {"json": {"ticket": {"what": "is this"}, "target": DEAD}}, 422),
    ("POST", "/v1/incidents", {"json": {"title": "x", "text": "y" * 1_200_000}}, 413),
    ("DELETE", "/v1/incidents", {}, 405),
]


async def test_what_cant_be_used_is_refused_with_a_sentence(place: Desk) -> None:
    served = await place.serve(*QUICK)
    for method, path, more, status in REFUSED:
        answer = await served.client.request(method, path, **more)
        assert answer.status_code == status, (method, path[:60], answer.status_code, answer.text)
        assert answer.json()["error"] and "secret" not in answer.text
    nobody = {"Authorization": "Bearer nobody"}
    for path in ("/v1/incidents", "/metrics", "/openapi.json"):
        assert (await served.client.get(path, headers=nobody)).status_code == 401
    for path in ("/healthz", "/readyz"):
        assert (await served.client.get(path, headers=nobody)).status_code == 200
    assert await served.stop() == 0


async def test_urls_may_be_refused(place: Desk) -> None:
    place.settings('[[targets]]\nname = "orders"\nurl = "redis://127.0.0.1:1"\nmatch = { app = "orders" }\n')
    served = await place.serve(*QUICK, "--urls", "refused")
    answer = await served.client.post("/v1/incidents", json={"title": "x", "target": DEAD})
    assert answer.status_code == 422 and "name a target" in answer.json()["error"]
    id = await served.opened(title="x", labels={"app": "orders"})
    assert (await served.until(id, "answered"))["target"] == "orders"


@pytest.mark.parametrize(("args", "said"), [
    (("--listen", "0.0.0.0:0"), "127.0.0.1"),
    (("--listen", "127.0.0.1"), "HOST:PORT"),
    (("--database", "mysql://h/x"), "mysql isn't supported"),
    (("--database", "nonsense"), "not a URL"),
    (("--database", "postgresql://u:secret@127.0.0.1:1/x"), "check --database"),
    (("--notify", "nobody"), "nobody"),
])  # fmt: skip
async def test_wrong_usage_is_said_at_the_start(args: tuple[str, ...], said: str) -> None:
    done = await rediagnose("serve", "--model", "offline", *args)
    assert done.status == 2 and said in done.err and "secret" not in done.err, done
