"""Buttons and dialogs: who may approve what, once, and what a button is worth that was issued for something else."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx2
import pytest
import uvicorn
from starlette.applications import Starlette

from tests.agent.slack.conftest import Place
from tests.slack_stand_in import OTHER, Json, settings, shown, signed

STEP = "CONFIG SET maxmemory"


async def asked(place: Place) -> tuple[str, Json, Json]:
    """An incident, its message, and the dialog that somebody on the list opened."""
    id, message = await place.answered()
    view = await place.slack.click(message, "decide", "U0ANN")
    assert view is not None
    return id, message, view


async def test_the_dialog_shows_the_exact_change_and_an_approval_counts_once(place: Place) -> None:
    id, message, view = await asked(place)
    text = shown(view["blocks"])
    step = next(one for one in place.full.plan if one.needs_approval)
    for part in (step.action, f"*On:* `{step.node}`", f"*Value before:* `{step.before}`", "*Risk:*", "*Undo:*"):
        assert part in text
    second = await place.slack.click(message, "decide", "U0BOB")
    assert second is not None
    said = await asyncio.gather(*(place.slack.submit(view, "U0ANN") for _ in range(3)))
    assert None in said
    assert "approval by @U0ANN" in str(await place.slack.submit(second, "U0BOB")).replace("\u200b", "")
    assert place.decisions(id) == ["approve s2 slack:U0ANN"]
    await place.until(lambda: "approval by <@U0ANN>" in shown(message["blocks"]))
    await place.until(lambda: "<@U0ANN> approved" in shown(place.slack.own(message["thread_ts"])[-1]["blocks"]))


@pytest.mark.parametrize("by", ["U0EVE", "U0FAR", "U0BOTTY", "U0GONE", "U0NOBODY"])
async def test_nobody_else_gets_the_dialog(place: Place, by: str) -> None:
    id, message = await place.answered()
    assert await place.slack.click(message, "decide", by) is None
    # Of somebody that Slack doesn't know it can't be said who they are.
    assert (
        by == "U0NOBODY"
        or "other organisations" in place.slack.last_whisper()
        or "aren't among" in place.slack.last_whisper()
    )
    place.slack.complaints.clear()
    assert place.decisions(id) == []


async def test_somebody_who_was_taken_off_the_list_can_no_longer_approve(place: Place) -> None:
    id, _, view = await asked(place)
    place.settings(settings(place.slack).replace("U0ANN", "U0OTHER"))
    assert "among those who may approve" in str(await place.slack.submit(view, "U0ANN"))
    place.settings(settings(place.slack).replace("[[slack.approve]]", '[[slack.approve]]\ntargets = ["carts"]'))
    assert "nobody who may approve" in str(await place.slack.submit(view, "U0ANN"))
    assert place.decisions(id) == []


async def test_with_four_eyes_whoever_asked_cannot_approve(place: Place) -> None:
    place.settings(settings(place.slack, four_eyes=True))
    id, message = await place.answered("U0ANN")
    assert await place.slack.click(message, "decide", "U0ANN") is None
    assert "you asked for this look" in place.slack.last_whisper().lower()
    await place.slack.send("interactive", place.slack.click_of(message, "again", "U0BOB"))
    await place.answer(message["thread_ts"], round=2)
    await place.message(message["thread_ts"], "decide")
    # Who asked for another look asked for what it proposes, too.
    assert await place.slack.click(message, "decide", "U0BOB") is None
    assert place.decisions(id) == []


async def test_a_stolen_button_does_nothing_but_say_so(place: Place) -> None:
    id, message = await place.answered()
    _, other = await place.answered()
    mine, theirs = (place.slack.click_of(one, "decide", "U0ANN") for one in (message, other))
    forged = json.loads(json.dumps(mine))
    forged["actions"][0]["value"] = forged["actions"][0]["value"].replace('"step":"s2"', '"step":"s1"')
    moved = {**mine, "container": theirs["container"], "message": theirs["message"]}
    away = {**mine, "container": {**mine["container"], "channel_id": "C0RANDOM"}}
    foreign = {**mine, "team": {"id": OTHER}}
    turned = json.loads(json.dumps(mine))
    turned["actions"][0]["action_id"] = "roll-back"
    await place.until(lambda: place.thread(message["thread_ts"]).message)
    wrong_message = {**mine, "container": {**mine["container"], "message_ts": "1.000001"}}
    for number, payload in enumerate((forged, moved, away, foreign, turned, wrong_message), 1):
        await place.slack.send("interactive", payload)
        assert len(place.slack.whispers) == number and place.slack.whispers[-1]["user"] == "U0ANN"
    assert place.slack.views == [] and place.decisions(id) == []


async def test_a_dialog_is_of_whoever_opened_it_and_of_what_it_showed(place: Place) -> None:
    id, _, view = await asked(place)
    forged = {**view, "private_metadata": view["private_metadata"].replace("s2", "s1")}
    said = [await place.slack.submit(view, "U0BOB"), await place.slack.submit(forged, "U0ANN"),
            await place.slack.submit({**view, "callback_id": "wrong"}, "U0ANN")]  # fmt: skip
    foreign = await place.slack.send("interactive", place.slack.submission_of(view, "U0ANN", team=OTHER))
    assert all(said) and foreign["response_action"] == "update" and place.decisions(id) == []


async def test_an_old_dialog_and_one_of_another_answer_say_so(place: Place) -> None:
    id, message, view = await asked(place)
    place.clock.ahead = timedelta(minutes=6)
    assert "older than 5 minutes" in str(await place.slack.submit(view, "U0ANN"))
    place.clock.ahead = timedelta()
    await place.service.look_again(id, "slack:U0EVE")
    assert "this incident is queued" in str(await place.slack.submit(view, "U0ANN")).lower()
    changed = place.full.model_copy(update={
        "plan": tuple(one.model_copy(update={"action": "CONFIG SET maxmemory 99"}) for one in place.full.plan)
    })  # fmt: skip
    await place.answer(message["thread_ts"], changed, round=2)
    assert "no longer what would be done" in str(await place.slack.submit(view, "U0ANN"))
    await place.service.close(id, "ann")
    assert "closed" in str(await place.slack.submit(view, "U0ANN"))
    assert place.decisions(id) == []


async def test_wrong_keeps_what_it_was(place: Place) -> None:
    id, message = await place.answered()
    view = await place.slack.click(message, "wrong", "U0EVE")
    assert view is not None
    values = {
        "cause": {"cause": {"selected_option": {"value": "fork-stall"}}},
        "note": {"note": {"value": "<!here> no"}},
    }
    assert await place.slack.submit(view, "U0EVE", values) is None
    found = await place.service.incident(id)
    assert found is not None
    (said,) = found.feedback
    assert (said.by, said.verdict, said.cause, said.note) == ("slack:U0EVE", "wrong", "fork-stall", "<!here> no")
    await place.until(lambda: "says the answer is wrong" in shown(message["blocks"]))
    assert "<!" not in shown(message["blocks"])
    assert await place.slack.click(message, "wrong", "U0FAR") is None


async def test_another_look_is_asked_for_once(place: Place) -> None:
    id, message = await place.answered()
    click = place.slack.click_of(message, "again", "U0EVE")
    await asyncio.gather(place.slack.send("interactive", click), place.slack.send("interactive", click))
    assert "queued" in place.slack.last_whisper()
    assert [json.loads(one.data).get("again") for one in place.service.store.history(id, ("submitted",))] == [
        None,
        True,
    ]


async def test_the_buttons_still_work_after_a_restart(place: Place) -> None:
    id, message, view = await asked(place)
    await place.restart()
    again = await place.slack.click(message, "decide", "U0ANN")
    assert again is not None and await place.slack.submit(view, "U0ANN") is None
    assert place.decisions(id) == ["approve s2 slack:U0ANN"]


class Door:
    """The route of the signed requests, on a real server."""

    def __init__(self, base: str) -> None:
        self.client = httpx2.AsyncClient(base_url=base, trust_env=False, timeout=60)

    async def send(self, body: bytes, headers: dict[str, str]) -> httpx2.Response:
        return await self.client.post("/slack/events", content=body, headers=headers)


async def test_signed_requests_are_taken_in_once_and_forged_ones_not_at_all(place: Place) -> None:
    place.settings(settings(place.slack, http=True))
    await place.restart()
    config = uvicorn.Config(Starlette(routes=place.app.routes()), port=0, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    await place.until(lambda: server.started)
    door = Door(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}")
    said: Any = await door.send(*signed({"type": "url_verification", "challenge": "c"}))
    assert said.json() == {"challenge": "c"}
    one = place.slack.said("<@U0BOT> orders is slow", "U0EVE")
    event = place.slack.event(one, "app_mention")
    body, headers = signed(event)
    forged = [
        signed(event, secret="another"), signed(event, at=1e9), (body + b" ", headers), (body, {}),
        (body, {**headers, "X-Slack-Request-Timestamp": "soon"}),
    ]  # fmt: skip
    for wrong in forged:
        assert (await door.send(*wrong)).status_code == 401
    assert [(await door.send(body, headers)).status_code for _ in range(2)] == [200, 403]
    # Slack itself signs anew what it sends again.
    retried = signed({**event, "more": 1})
    assert (await door.send(retried[0], {**retried[1], "X-Slack-Retry-Num": "1"})).status_code == 200
    found = await place.service.incident(place.incident(one["ts"]))
    assert found is not None and found.alerts == 1
    await place.answer(one["ts"])
    message = await place.message(one["ts"], "decide")
    click = signed(place.slack.click_of(message, "decide", "U0ANN"))
    assert (await door.send(*click)).status_code == 200
    view = (await place.slack.until(lambda: place.slack.views))[-1]["view"]
    sent = signed(place.slack.submission_of(view, "U0ANN"))
    assert [(await door.send(*sent)).status_code for _ in range(2)] == [200, 403]
    assert place.decisions(found.id) == ["approve s2 slack:U0ANN"]
    await door.client.aclose()
    server.should_exit = True
    await serving
