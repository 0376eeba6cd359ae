"""Webhooks at the real service: a payload leads to an incident and its answer, anything else to a refusal."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.served import QUICK, Desk, Served, desk, issue
from tests.ticketing import TICKETS

pytestmark = [pytest.mark.live, pytest.mark.timeout(1500)]
SECRET = "3f7a1c5e9b2d4f6a8c0e1b3d5f7a9c1e"
SETTINGS = """
[[targets]]
name = "orders"
url = "redis://127.0.0.1:1"
match = { alertname = "*" }

[[webhook]]
name = "alerts"
kind = "alertmanager"
secret_env = "HOOK_SECRET"
target = "orders"

[[webhook]]
name = "issues"
kind = "github"
secret_env = "HOOK_SECRET"
target = "orders"
"""
BEARER = {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/json"}


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path) as one:
        one.settings(SETTINGS)
        one.environ["HOOK_SECRET"] = SECRET
        yield one


async def post(served: Served, name: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
    """Send as a sender does, who has no token of the service's own."""
    answer = await served.client.post(f"/v1/webhooks/{name}", content=body, headers={"Authorization": "", **headers})
    return answer.status_code, answer.json()


def signed(body: bytes, delivery: str, secret: str = SECRET) -> dict[str, str]:
    mac = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={mac}", "X-GitHub-Event": "issues",
        "X-GitHub-Delivery": delivery,
    }  # fmt: skip


async def test_an_alert_opens_joins_and_closes(place: Desk) -> None:
    served = await place.serve(*QUICK)
    firing = (TICKETS / "alertmanager.json").read_bytes()
    status, said = await post(served, "alerts", firing, BEARER)
    assert status == 202 and said["incidents"][0]["new"] and not said["refused"], said
    ids = [one["incident"] for one in said["incidents"]]
    for id in ids:
        found = await served.until(id, "answered")
        assert found["target"] == "orders" and found["source"] == "alertmanager"
    status, said = await post(served, "alerts", firing, BEARER)
    assert status == 202 and [one["incident"] for one in said["incidents"]] == ids
    over = json.loads(firing)
    over["status"] = "resolved"
    for one in over["alerts"]:
        one |= {"status": "resolved", "endsAt": "2026-05-04T13:00:00Z"}
    status, said = await post(served, "alerts", json.dumps(over).encode(), BEARER)
    assert status == 202, said
    assert {(await served.incident(id))["state"] for id in ids} == {"closed"}


async def test_what_isnt_proven_or_was_received_before_is_refused(place: Desk) -> None:
    served = await place.serve(*QUICK)
    body = json.dumps({"action": "opened", "issue": issue(5), "repository": {"full_name": "a/b"}}).encode()
    assert (await post(served, "issues", body, signed(body, "1", "another secret")))[0] == 403
    assert (await post(served, "issues", body, {"Content-Type": "application/json"}))[0] in (401, 403)
    assert (await post(served, "alerts", body, {**BEARER, "Authorization": "Bearer nobody"}))[0] == 401
    assert (await post(served, "nobody", body, BEARER))[0] == 404
    assert (await post(served, "alerts", b"{", BEARER))[0] == 400
    assert (await post(served, "alerts", body, BEARER))[0] == 422
    status, said = await post(served, "alerts", b" " * (50 << 20), BEARER)
    assert status == 413 and said["error"]
    status, said = await post(served, "issues", body, signed(body, "1"))
    assert status == 202 and len(said["incidents"]) == 1, said
    again = await post(served, "issues", body, signed(body, "1"))
    await served.kill()
    served = await place.serve(*QUICK)
    assert await post(served, "issues", body, signed(body, "1")) == again, "it is remembered across a restart"
    assert len((await served.get("/v1/incidents"))["incidents"]) == 1


async def test_what_the_queue_had_no_room_for_may_be_sent_again(place: Desk) -> None:
    served = await place.serve(*QUICK, "--waiting", "1", "--jobs", "1")
    bodies = [json.dumps({"action": "opened", "issue": issue(number)}).encode() for number in (1, 2)]
    first = await post(served, "issues", bodies[0], signed(bodies[0], "1"))
    assert first[0] == 202, first
    second = await post(served, "issues", bodies[1], signed(bodies[1], "2"))
    await served.until(first[1]["incidents"][0]["incident"], "answered")
    if second[0] == 429:
        second = await post(served, "issues", bodies[1], signed(bodies[1], "2"))
    assert second[0] == 202 and second[1]["incidents"][0]["new"], second
