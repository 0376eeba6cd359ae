"""Whole incidents on a fault of the lab, led from a thread: over Socket Mode, and by signed requests to the service."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple

import httpx2
import pytest
import redis.asyncio

from evals.lab.catalogue import FAULTS
from evals.lab.servers import installed
from tests.served import QUICK, Desk, desk
from tests.slack_stand_in import ENVIRON, Json, Slack, settings, shown, signed, slack

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]
STEP = "CONFIG SET maxmemory"
PATIENCE = 180.0


class Lab(NamedTuple):
    """A server in trouble, a Slack, and a place to start processes."""

    slack: Slack
    place: Desk
    redis: "redis.asyncio.Redis"
    audit: Path

    async def maxmemory(self) -> str:
        return str((await self.redis.config_get("maxmemory"))["maxmemory"])

    def entries(self, *events: str) -> list[str]:
        """Who is in the audit log for these events."""
        lines = map(json.loads, self.audit.read_text().splitlines()) if self.audit.exists() else ()
        return [one["user"] for one in lines if one["event"] in events]

    async def message(self, thread: str, words: str) -> Json:
        """The incident's message once it says something."""

        def found() -> Json | None:
            own = self.slack.own(thread)
            return own[0] if own and words in shown(own[0]["blocks"]) else None

        said: Json = await self.slack.until(found)
        return said

    async def told(self, thread: str, words: str) -> Json:
        """A message below it once there is one with these words."""
        own = self.slack.own
        said: Json = await self.slack.until(
            lambda: next((one for one in own(thread)[1:] if words in shown(one["blocks"])), None)
        )
        return said


@asynccontextmanager
async def lab(folder: Path, *, http: bool = False) -> AsyncIterator[Lab]:
    async with (
        FAULTS["oom-noeviction"].begin(installed()[0], Random(3)) as incident,
        slack() as stand_in,
        desk(folder) as place,
    ):
        target = f'[[targets]]\nname = "orders"\nurl = "{incident.url}"\n'
        place.settings(settings(stand_in, http=http) + target)
        place.environ |= ENVIRON
        client = redis.asyncio.Redis.from_url(incident.url, decode_responses=True)
        yield Lab(stand_in, place, client, folder / "audit.jsonl")
        await client.aclose()
        assert stand_in.complaints == []


async def test_a_full_server_is_led_from_a_mention_to_the_undo_through_a_crash(tmp_path: Path) -> None:
    async with lab(tmp_path) as one:
        args = (*QUICK, "--audit", str(one.audit))
        process = await one.place.slack(*args)
        before = await one.maxmemory()
        asked = await one.slack.mention("checkout can't save on orders", "U0EVE")
        thread = asked["ts"]
        message = await one.message(thread, "Approve…")
        assert "Redis' memory limit is reached, and it refuses writes" in shown(message["blocks"])

        await one.slack.write("What is the evidence?", "U0EVE", thread)
        await one.told(thread, "maxmemory")
        for by in ("U0EVE", "U0FAR"):
            assert await one.slack.click(message, "decide", by) is None

        first = await one.slack.click(message, "decide", "U0ANN")
        second = await one.slack.click(message, "decide", "U0BOB")
        assert first is not None and second is not None and STEP in shown(first["blocks"])
        said = await asyncio.gather(
            *(one.slack.submit(first, "U0ANN") for _ in range(2)), one.slack.submit(second, "U0BOB")
        )
        assert None in said
        await process.kill()
        assert one.slack.own(thread)[0] is message
        await one.place.slack(*args)
        await one.message(thread, "Undo…")
        assert await one.maxmemory() != before
        assert len(one.entries("applying")) == 1
        assert set(one.entries("approved")) in ({"slack:U0ANN"}, {"slack:U0BOB"})
        await one.told(thread, "verified")

        assert await one.slack.click(message, "roll-back", "U0FAR") is None
        undo = await one.slack.click(message, "roll-back", "U0BOB")
        assert undo is not None and await one.slack.submit(undo, "U0BOB") is None
        await one.told(thread, "rolled back")
        assert await one.maxmemory() == before and one.entries("rolled-back") == ["slack:U0BOB"]
        assert sum("What is the evidence" not in shown(m["blocks"]) and "approved" in shown(m["blocks"])
                   for m in one.slack.own(thread)[1:]) == 1  # fmt: skip


async def test_the_service_takes_in_signed_requests_beside_its_page(tmp_path: Path) -> None:
    async with lab(tmp_path, http=True) as one:
        served = await one.place.serve(*QUICK, "--audit", str(one.audit))
        async with httpx2.AsyncClient(base_url=served.url, trust_env=False, timeout=60) as door:

            async def send(payload: Json) -> int:
                body, headers = signed(payload)
                return (await door.post("/slack/events", content=body, headers=headers)).status_code

            async with asyncio.timeout(PATIENCE):
                while await send({"type": "url_verification", "challenge": "c"}) == 503:
                    await asyncio.sleep(0.1)
            asked = one.slack.said("<@U0BOT> checkout can't save on orders", "U0EVE")
            assert await send(one.slack.event(asked, "app_mention")) == 200
            message = await one.message(asked["ts"], "Approve…")
            assert await send(one.slack.click_of(message, "decide", "U0ANN")) == 200
            view = (await one.slack.until(lambda: one.slack.views))[-1]["view"]
            body, headers = signed(one.slack.submission_of(view, "U0ANN"))
            answers = [await door.post("/slack/events", content=body, headers=headers) for _ in range(2)]
            assert [one.status_code for one in answers] == [200, 403]
            await one.message(asked["ts"], "Undo…")
            assert one.entries("applying") == ["slack:U0ANN"]
            (found,) = (await served.get("/v1/incidents"))["incidents"]
            assert found["source"] == "slack" and (await door.post("/slack/events")).status_code == 401
