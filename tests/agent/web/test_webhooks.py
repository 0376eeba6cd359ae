"""Webhooks at the real service: a payload leads to an incident and an answer, anything else to a refusal."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.program import rediagnose
from tests.served import DEAD, QUICK, Desk, Served, Tracker, desk, issue
from tests.standins import serving
from tests.webhooks import SECRET, Sent, sent, ticket

pytestmark = [pytest.mark.live, pytest.mark.timeout(1500)]
SETTINGS = """
[[targets]]
name = "orders"
url = "{url}"

[[webhook]]
name = "alertmanager"
kind = "alertmanager"
secret_env = "SECRET"
target = "orders"

[[webhook]]
name = "github"
kind = "github"
secret_env = "SECRET"
target = "orders"

[[webhook]]
name = "grafana"
kind = "grafana"
secret_env = "SECRET"
timestamp_header = "X-Grafana-Alerting-Timestamp"
target = "orders"

[[webhook]]
name = "unmeant"
kind = "json"
secret_env = "SECRET"
map = {{ title = "title", key = "key" }}

[watch]
targets = []
"""
FIRING, RESOLVED = "alertmanager.json", "alertmanager_resolved.json"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path) as one:
        one.settings(SETTINGS.format(url=DEAD))
        one.environ["SECRET"] = SECRET
        yield one


async def deliver(served: Served, request: Sent, **more: Any) -> tuple[int, Any]:
    """Send as a sender does, who has no token of the service."""
    headers = {"Authorization": "", **request.headers}
    answer = await served.client.post(f"/v1/webhooks/{request.name}", content=request.body, headers=headers, **more)
    return answer.status_code, answer.json()


async def said_by(served: Served, words: str) -> None:
    """Wait until whoever keeps the journal reads this there."""
    async with asyncio.timeout(240):
        while not any(words in line for line in served.said):
            await asyncio.sleep(0.1)


def opened(number: int) -> Sent:
    return sent("github", {"action": "opened", "issue": issue(number), "repository": {"full_name": "a/b"}})


async def test_an_alert_opens_joins_and_closes(place: Desk) -> None:
    served = await place.serve(*QUICK)
    firing = ticket(FIRING)
    firing["alerts"] = [{**one, "status": "firing", "fingerprint": str(n)} for n, one in enumerate(firing["alerts"])]
    status, said = await deliver(served, sent("alertmanager", firing))
    assert status == 202 and [one["new"] for one in said["incidents"]] == [True, True], said
    ids = [one["incident"] for one in said["incidents"]]
    for id in ids:
        found = await served.until(id, "answered")
        assert found["target"] == "orders" and found["source"] == "alertmanager"
        assert found["diagnosis"]["causes"][0]["id"] == "process-down"
    status, said = await deliver(served, sent("alertmanager", firing))
    assert status == 202 and said["incidents"] == [{"incident": id, "new": False} for id in ids]
    firing["alerts"][1] |= {"status": "resolved", "endsAt": "2026-05-04T13:00:00Z"}
    status, said = await deliver(served, sent("alertmanager", firing))
    assert status == 202 and [one["incident"] for one in said["incidents"]] == ids
    assert [(await served.incident(id))["state"] for id in ids] == ["answered", "closed"]
    status, said = await deliver(served, sent("alertmanager", ticket(RESOLVED)))
    assert (status, said["incidents"]) == (202, [{"incident": None, "new": False}]), "nobody knows that one"


async def test_an_issue_gets_its_comment_once(place: Desk) -> None:
    async with serving(Tracker()) as tracker:
        place.environ |= {"GITHUB_API_URL": tracker.url}
        served = await place.serve(*QUICK)
        (one,) = (await deliver(served, opened(12)))[1]["incidents"]
        async with asyncio.timeout(240):
            while not (await served.incident(one["incident"]))["posted"]:
                await asyncio.sleep(0.1)
        labelled = {"action": "labeled", "issue": issue(12), "repository": {"full_name": "a/b"}}
        again = await deliver(served, sent("github", labelled))
        assert again == (202, {"incidents": [{"incident": one["incident"], "new": False}], "refused": []})
        closed = sent("github", {**labelled, "action": "closed", "issue": {**issue(12), "state": "closed"}})
        assert (await deliver(served, closed))[1]["incidents"] == again[1]["incidents"]
        assert (await served.incident(one["incident"]))["state"] == "closed"
        assert len(tracker.of["12"]) == 1


async def test_whatever_is_refused_leaves_nothing_behind(place: Desk) -> None:
    served = await place.serve(*QUICK)
    now = datetime.now(UTC)
    firing, grafana = ticket(FIRING), ticket("grafana.json")
    plain = sent("alertmanager", firing)
    refused: list[tuple[Sent, int]] = [
        (sent("github", {"action": "opened", "issue": issue(5)}, secret="another"), 403),
        (opened(5).without("X-Hub-Signature-256"), 401),
        (opened(5)._replace(body=opened(6).body), 403),
        (sent("grafana", grafana, at=now - timedelta(minutes=6)), 403),
        (sent("grafana", grafana, at=now + timedelta(minutes=6)), 403),
        (sent("alertmanager", firing, secret="another"), 401),
        (plain._replace(name="nobody"), 404),
        (plain._replace(name="%2e%2e"), 400),
        (plain._replace(body=b"{"), 400),
        (plain._replace(body=b"\xff"), 400),
        (plain._replace(body=b'{"alerts": [], "alerts": []}'), 400),
        (sent("alertmanager", grafana | {"alerts": "x"}), 422),
        (sent("alertmanager", ticket("pagerduty_incident_triggered.json")), 422),
        (plain.having(Content_Type="text/plain"), 415),
        (plain.having(Content_Encoding="gzip"), 415),
        (sent("unmeant", {"title": "slow", "key": "1"}), 422),
    ]
    for request, status in refused:
        came, said = await deliver(served, request)
        assert (came, set(said)) == (status, {"error"}), (request.name, request.headers, said)
        assert SECRET not in said["error"] and str(place.folder) not in said["error"]
    assert (await served.get("/v1/incidents"))["incidents"] == []
    assert (await deliver(served, sent("grafana", grafana, at=now)))[0] == 202
    await said_by(served, "no target for 'slow'")
    for wrong in (
        "github: refused with status 401",
        "github: refused with status 403",
        "alertmanager: refused with status 401",
    ):
        (line,) = [one for one in served.said if wrong in one]
        assert "SECRET, by " in line and "rediagnose.toml: secret_env" in line and "from 127.0.0.1" in line
    (unknown,) = [one for one in served.said if "status 404" in one]
    assert "there are alertmanager, github" in unknown and SECRET not in "".join(served.said)


async def test_a_body_that_is_too_large_or_too_slow_is_refused(place: Desk) -> None:
    served = await place.serve(*QUICK)
    plain = sent("alertmanager", ticket(FIRING))
    huge = plain._replace(body=b" " * (50 << 20))
    status, said = await deliver(served, huge)
    assert status == 413 and said["error"]

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b" " * (1 << 20)

    headers = {"Authorization": "", **plain.headers}
    streamed = await served.client.post("/v1/webhooks/alertmanager", content=pieces(), headers=headers)
    assert streamed.status_code == 413
    host, _, port = served.url.removeprefix("http://").strip("/").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = [f"{name}: {value}" for name, value in plain.headers.items()]
    head = ["POST /v1/webhooks/alertmanager HTTP/1.1", f"Host: {host}:{port}", "Content-Length: 100", *lines, "", "{"]
    writer.write("\r\n".join(head).encode())
    async with asyncio.timeout(240):
        assert (await reader.readline()).startswith(b"HTTP/1.1 408")
    writer.close()
    assert (await served.get("/v1/incidents"))["incidents"] == []


async def test_what_was_recorded_is_refused_by_every_process_and_after_a_restart(place: Desk) -> None:
    served = await place.serve(*QUICK)
    beside = await place.serve(*QUICK)
    (one,) = (await deliver(served, opened(5)))[1]["incidents"]
    assert (await served.client.post(f"/v1/incidents/{one['incident']}/close")).status_code == 200
    for process in (served, beside):
        status, said = await deliver(process, opened(5))
        assert status == 403 and "received before" in said["error"]
    await served.kill()
    await beside.kill()
    served = await place.serve(*QUICK)
    assert (await deliver(served, opened(5)))[0] == 403
    assert [one["id"] for one in (await served.get("/v1/incidents"))["incidents"]] == [one["incident"]]


@asynccontextmanager
async def silent() -> AsyncIterator[int]:
    """The port of something that takes connections and never says a word."""
    writers: list[asyncio.StreamWriter] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        while await reader.read(4096):
            pass

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()


async def test_a_full_queue_says_when_to_come_again_and_the_same_request_is_then_taken(place: Desk) -> None:
    async with silent() as port:
        place.settings(SETTINGS.format(url=f"redis://127.0.0.1:{port}"))
        served = await place.serve("--model", "offline", "--waiting", "1")
        (one,) = (await deliver(served, opened(1)))[1]["incidents"]
        headers = {"Authorization": "", **opened(2).headers}
        answer = await served.client.post("/v1/webhooks/github", content=opened(2).body, headers=headers)
        assert answer.status_code == 429 and int(answer.headers["retry-after"]) > 0
        assert len((await served.get("/v1/incidents"))["incidents"]) == 1
        closing = sent("github", {"action": "closed", "issue": {**issue(1), "state": "closed"}})
        assert (await deliver(served, closing))[0] == 202, "what needs no room is still taken"
        assert (await served.incident(one["incident"]))["state"] == "closed"
        status, said = await deliver(served, opened(2))
        assert status == 202 and said["incidents"][0]["new"]


async def test_settings_that_change_while_it_runs(place: Desk) -> None:
    served = await place.serve(*QUICK)
    good = SETTINGS.format(url=DEAD)
    place.settings("[[webhook]\n" + good)
    status, said = await deliver(served, opened(1))
    assert status == 503 and str(place.folder) not in json.dumps(said), "what was sent is still wanted"
    await said_by(served, "webhook github: ")
    place.settings(good.replace('secret_env = "SECRET"', 'secret_env = "GONE"'))
    assert (await deliver(served, opened(1)))[0] == 503
    await said_by(served, "GONE isn't set; set it")
    place.settings(good)
    assert (await deliver(served, opened(1)))[0] == 202


async def test_a_secret_that_is_missing_is_named_at_the_start(place: Desk) -> None:
    del place.environ["SECRET"]
    served = await place.serve(*QUICK)
    said = [one for one in served.said if "SECRET isn't set; set it" in one]
    assert len(said) == 4 and "webhook alertmanager: every request is refused" in said[0]


async def test_settings_that_are_no_longer_trusted_cost_what_needs_them_and_nothing_else(place: Desk) -> None:
    del place.environ["REDIAGNOSE_CONFIG"]
    file, state = place.folder / "rediagnose.toml", str(place.folder / "state")
    refused = await rediagnose("trust", str(place.folder / "nothing.toml"), XDG_STATE_HOME=state)
    assert refused.status == 2
    assert (await rediagnose("trust", str(file), XDG_STATE_HOME=state)).status == 0
    served = await place.serve(*QUICK)
    (one,) = (await deliver(served, opened(1)))[1]["incidents"]
    await served.until(one["incident"], "answered")
    file.write_text(SETTINGS.format(url='redis://127.0.0.1:2"\npassword_env = "SECRET'))
    status, said = await deliver(served, opened(2))
    assert status == 503 and str(place.folder) not in said["error"]
    await said_by(served, "isn't trusted")
    found = await served.until(await served.opened(title="slow", target="orders"), "answered", "unanswered")
    assert found["state"] == "unanswered" and "rediagnose trust" in found["problem"]
    assert (await served.incident(one["incident"]))["state"] == "answered"
    assert (await rediagnose("trust", str(file), XDG_STATE_HOME=state)).status == 0
    assert (await deliver(served, opened(2)))[0] == 202
