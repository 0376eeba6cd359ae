"""The service's assistants: its tokens and roles, its incidents, its page where nobody can be asked."""

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import httpx2
import pytest
import redis.asyncio

from evals.lab.catalogue import FAULTS
from evals.lab.servers import installed
from tests.agent.mcp.assistants import MODES, Human, change_of, over_http
from tests.served import DEAD, QUICK, Desk, Served, desk

TOKENS = {"ann": ("approver", "a" * 40), "bob": ("approver", "b" * 40), "rita": ("reader", "r" * 40),
          "alerts": ("sender", "s" * 40)}  # fmt: skip
ANN, BOB, RITA, ALERTS = (token for _, token in TOKENS.values())
REPORT = "checkout can't save carts: OOM command not allowed"
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "check", "arguments": {}}}


class Place(NamedTuple):
    """A service and where it is."""

    desk: Desk
    served: Served
    base: str


async def placed(place: Desk, url: str, more: str = "") -> Place:
    digests = {name: (role, hashlib.sha256(token.encode()).hexdigest()) for name, (role, token) in TOKENS.items()}
    tokens = "".join(
        f'[[serve.token]]\nname = "{name}"\nroles = ["{role}"]\nsha256 = "{digest}"\n'
        for name, (role, digest) in digests.items()
    )
    place.settings(f'{tokens}[[targets]]\nname = "orders"\nurl = "{url}"\n{more}\n')
    served = await place.serve(*QUICK, "--urls", "refused")
    found = re.search(r"open {2}(http://127\.0\.0\.1:\d+)", served.said[-1])
    assert found, served.said
    return Place(place, served, found[1])


@pytest.fixture
async def dead(tmp_path: Path) -> AsyncIterator[Place]:
    async with desk(tmp_path) as one:
        yield await placed(one, DEAD)


async def test_only_who_may_gets_in_and_only_as_far(dead: Place) -> None:
    headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}

    async def status(token: str | None, body: bytes = json.dumps(CALL).encode(), **more: str) -> int:
        given = {**headers, **({"Authorization": f"Bearer {token}"} if token else {}), **more}
        async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
            return (await client.post(f"{dead.base}/mcp", content=body, headers=given)).status_code

    assert await status(None) == 401
    assert await status("x" * 40) == 401
    assert await status(ALERTS) == 403
    assert await status(RITA, Host="evil.example") == 421
    assert await status(RITA, b" " * 2**21) == 413
    assert await status(RITA, b"not json") == 400
    async with over_http(dead.base, RITA) as one:
        found = await one.call("triage", report="connection refused")
        assert found["causes"][0]["id"] == "process-down"
        id = found["incident"]
        assert (await one.call("recheck", incident=id))["now"]["incident"] == id
        assert (await one.call("reading", incident=id, reading="r1"))["id"] == "r1"
        assert (await one.call("check"))["counts"] == {"incident": 1}
        assert "process-down" in await one.read("rediagnose://incidents")
        for tool, given in (("propose", {"action": "CONFIG SET maxclients 9"}), ("apply", {"step": "s1"})):
            assert "whose role is approver" in await one.fails(tool, incident=id, **given)
        assert "aren't taken by URL" in await one.fails("triage", report="x", target="redis://127.0.0.1:2")
        assert "there is no incident" in await one.fails("recheck", incident="../x")
    async with over_http(dead.base, ANN) as one:
        assert "for a person" in await one.fails("apply", incident=id, step="s1")
        seen = await one.call("reading", incident=id, reading="r1")
        assert seen["id"] == "r1", "the incidents are everybody's"


async def test_a_session_belongs_to_the_token_that_opened_it(dead: Place) -> None:
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}}  # fmt: skip
    headers = {"accept": "application/json, text/event-stream"}
    async with httpx2.AsyncClient(trust_env=False, timeout=60, headers=headers) as client:

        async def post(token: str, body: dict[str, Any], **more: str) -> httpx2.Response:
            return await client.post(
                f"{dead.base}/mcp", json=body, headers={"Authorization": f"Bearer {token}", **more}
            )

        opened = await post(ANN, hello)
        session = {"mcp-session-id": opened.headers["mcp-session-id"]}
        assert (
            await post(ANN, {"jsonrpc": "2.0", "method": "notifications/initialized"}, **session)
        ).status_code == 202
        listed = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
        assert (await post(ANN, listed, **session)).status_code == 200
        for other in (BOB, RITA):
            assert (await post(other, listed, **session)).status_code == 404


async def test_a_look_that_is_cancelled_closes_its_incident(tmp_path: Path) -> None:
    async with desk(tmp_path) as place, httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        # It accepts connections and never answers.
        open_: list[asyncio.StreamWriter] = []
        silent = await asyncio.start_server(lambda reader, writer: open_.append(writer), "127.0.0.1", 0)
        one = await placed(place, f"redis://127.0.0.1:{silent.sockets[0].getsockname()[1]}")
        client.headers["Authorization"] = f"Bearer {ANN}"
        for mode in MODES:
            async with over_http(one.base, ANN, mode=mode) as assistant:
                looking = asyncio.create_task(assistant.raw("triage", report="it hangs"))
                async with asyncio.timeout(120):
                    while not assistant.progress:
                        await asyncio.sleep(0.05)
                looking.cancel()
                await asyncio.gather(looking, return_exceptions=True)
                async with asyncio.timeout(60):
                    while (newest := (await client.get(f"{one.base}/v1/incidents")).json()["incidents"][0])[
                        "state"
                    ] != "closed":
                        await asyncio.sleep(0.1)
            assert newest["closed_by"] == "ann"
        for writer in open_:
            writer.close()
        silent.close()
        await silent.wait_closed()


@pytest.mark.live
@pytest.mark.timeout(900)
@pytest.mark.parametrize("mode", MODES)
async def test_an_approver_applies_once_and_undoes_even_after_another_look(tmp_path: Path, mode: str) -> None:
    async with (
        FAULTS["oom-noeviction"].begin(installed()[0], Random(3)) as incident,
        desk(tmp_path) as place,
        redis.asyncio.Redis.from_url(incident.url, decode_responses=True) as server,
    ):
        before = (await server.config_get("maxmemory"))["maxmemory"]
        service = await placed(place, incident.url, "mcp.approve = true")
        ann, bob = Human("yes"), Human("yes")
        async with (
            over_http(service.base, ANN, human=ann, mode=mode) as one,
            over_http(service.base, BOB, human=bob, mode=mode) as other,
        ):
            found = await one.call("triage", report=REPORT)
            id, step = found["incident"], change_of(found)
            own = await other.call("propose", incident=id, action="CONFIG SET maxmemory 83886080", why="enough")
            assert (own["before"], own["risk"]) == (before, "risky")
            assert own == await one.call("propose", incident=id, step=own["step"])
            results = await asyncio.gather(
                one.raw("apply", incident=id, step=step["id"]), other.raw("apply", incident=id, step=step["id"])
            )
            assert "verified" in [(each.structured_content or {}).get("state") for each in results], results
            assert "is already verified" in await one.fails("apply", incident=id, step=step["id"])
            came = await one.call("apply", incident=id, step=own["step"])
            assert came["state"] == "proposed" and "look again" in came["said"], "its value moved"
            again = await one.call("recheck", incident=id)
            kept = next(each for each in again["now"]["plan"] if each["action"] == step["action"])
            assert kept["state"] == "verified"
            mine = next(each for each in again["now"]["plan"] if each["action"] == own["action"])
            shown = await other.call("propose", incident=id, step=mine["id"])
            assert shown["before"] != before, "what was proposed stands, with the value read anew"
            undone = await other.call("apply", incident=id, step=kept["id"], undo=True)
            assert undone["state"] == "rolled-back"
        assert (await server.config_get("maxmemory"))["maxmemory"] == before
        log = (tmp_path / "state" / "rediagnose" / "audit.jsonl").read_text().splitlines()
        audited = [json.loads(line) for line in log]
        assert [entry["action"] for entry in audited if entry["event"] == "applying"] == [
            step["action"], f"CONFIG SET maxmemory {before}",
        ]  # fmt: skip
        approved = [entry for entry in audited if entry["event"] == "approved"]
        assert {entry["channel"] for entry in approved} == {"mcp elicitation, pager-assistant 7"}
        assert approved[-1]["user"] == "bob"


@pytest.mark.live
@pytest.mark.timeout(900)
async def test_where_nobody_may_be_asked_the_answer_is_the_page(tmp_path: Path) -> None:
    async with FAULTS["oom-noeviction"].begin(installed()[0], Random(3)) as incident, desk(tmp_path) as place:
        service = await placed(place, incident.url)
        human = Human("yes")
        async with over_http(service.base, ANN, human=human) as one:
            found = await one.call("triage", report=REPORT)
            came = await one.call("apply", incident=found["incident"], step=change_of(found)["id"])
            assert came["state"] == "needs-a-person" and not human.asked
            link = came["said"].partition("on the page: ")[2]
            async with httpx2.AsyncClient(trust_env=False, headers={"Authorization": f"Bearer {ANN}"}) as client:
                assert (await client.get(link)).status_code == 200
