"""Messages in Slack: what starts an incident, what asks about one, and what is none of the app's business."""

import asyncio
import re

from sqlalchemy import select

from agent.service.database import Database
from agent.service.records import Query
from agent.service.tables import slack_events
from tests.agent.slack.conftest import Place
from tests.slack_stand_in import CHANNEL, OTHER, Json, settings, shown

MEMORY = "Redis' memory limit is reached, and it refuses writes"
HOSTILE = "<!channel> <@U0ANN> @here *bold* `code` <https://evil.example|good> :fire: & a\u202eb"
INFO = (
    "# Server\r\nredis_version:7.2.4\r\nuptime_in_seconds:100\r\ntcp_port:6379\r\n# Clients\r\nconnected_clients:10\r\n"
)


async def opened(place: Place) -> list[str]:
    return [one.id for one in await place.service.incidents(Query())]


async def test_a_mention_starts_an_incident_whose_message_is_written_anew(place: Place) -> None:
    asked = await place.slack.mention("checkout times out on orders", "U0EVE")
    await place.until(lambda: place.slack.own(asked["ts"]))
    id = await place.answer(asked["ts"])
    message = await place.message(asked["ts"], "decide")
    assert MEMORY in shown(message["blocks"])
    assert [one["ts"] for one in place.slack.own(asked["ts"])] == [message["ts"]] and message["edited"]
    found = await place.service.incident(id)
    assert found is not None and found.symptom == "checkout times out on orders" and found.target == "orders"


async def test_the_threads_earlier_messages_are_the_ticket_without_their_secrets(place: Place) -> None:
    root = place.slack.said("ALERT checkout latency", "U0BOB")
    place.slack.said("redis-cli -a hunter2secret says OOM", "U0BOB", root["ts"])
    asked = await place.slack.mention("look at orders please", "U0EVE", root["ts"])
    place.slack.said("said afterwards", "U0BOB", root["ts"])
    found = await place.service.incident(place.incident(root["ts"]))
    assert found is not None
    assert "checkout latency" in found.symptom and "OOM" in found.symptom and asked["thread_ts"] == root["ts"]
    assert "hunter2secret" not in found.symptom and "afterwards" not in found.symptom


async def test_without_a_server_it_asks_which_one(place: Place) -> None:
    asked = await place.slack.mention("it is slow", "U0EVE")
    question = await place.message(asked["ts"], "target")
    chosen = place.slack.click_of(question, "target", "U0EVE")
    for value, said in (("nowhere", "isn't one that was offered"), ("carts", "")):
        chosen["actions"][0]["selected_option"] = {"value": value}
        await place.slack.send("interactive", chosen)
        assert said in (place.slack.last_whisper() if said else "")
    found = await place.service.incident(place.incident(asked["ts"]))
    assert found is not None and found.target == "carts" and found.symptom == "it is slow"
    # The question becomes the incident's message.
    await place.until(lambda: "Looking at carts" in shown(question["blocks"]))
    await place.slack.send("interactive", chosen)
    assert "chosen already" in place.slack.last_whisper() and len(await opened(place)) == 1


async def test_two_named_servers_are_asked_about_and_a_channel_has_its_own(place: Place) -> None:
    asked = await place.slack.mention("orders or carts is slow", "U0EVE")
    question = await place.message(asked["ts"], "target")
    assert [one["value"] for one in question["blocks"][1]["elements"][0]["options"]] == ["orders", "carts"]
    place.settings(settings(place.slack).replace(f'id = "{CHANNEL}"', f'id = "{CHANNEL}"\ntarget = "carts"'))
    other = await place.slack.mention("it is slow", "U0EVE")
    found = await place.service.incident(place.incident(other["ts"]))
    assert found is not None and found.target == "carts"


async def test_a_url_is_refused_unless_the_settings_allow_it(place: Place) -> None:
    await place.slack.mention("<redis://10.0.0.9:6379> is slow", "U0EVE")
    assert "aren't taken by URL" in place.slack.last_whisper() and await opened(place) == []
    place.settings(settings(place.slack).replace("[slack]", "[slack]\nurls = true"))
    asked = await place.slack.mention("<redis://10.0.0.9:6379> is slow", "U0EVE")
    found = await place.service.incident(place.incident(asked["ts"]))
    assert found is not None and found.target == "redis://10.0.0.9:6379"


async def test_an_alert_of_a_named_bot_starts_one_and_other_bots_dont(place: Place) -> None:
    attached: Json = {
        "attachments": [{"title": "[FIRING:1] RedisDown", "text": "orders doesn't answer", "color": "danger"}]
    }
    alert = await place.slack.write("", "", bot_id="B0ALERTS", **attached)
    found = await place.service.incident(place.incident(alert["ts"]))
    assert found is not None and found.title == "[FIRING:1] RedisDown" and found.target == "orders"
    await place.slack.write("orders is slow", "", bot_id="B0OTHER")
    await place.slack.write("orders is slow", "", bot_id="B0BOT", user="U0BOT")
    await place.slack.write(
        "", "", bot_id="B0ALERTS", attachments=[{"title": "[RESOLVED] RedisDown", "text": "orders"}]
    )
    await place.slack.write("orders too", "", alert["ts"], bot_id="B0ALERTS")
    assert len(await opened(place)) == 1


async def test_an_event_that_comes_again_counts_once_after_a_restart_too(place: Place) -> None:
    one = place.slack.said("<@U0BOT> orders is slow", "U0EVE")
    event = place.slack.event(one, "app_mention")
    await asyncio.gather(*(place.slack.send("events_api", event) for _ in range(5)))
    await place.restart()
    await place.slack.send("events_api", event)
    found = await place.service.incident(place.incident(one["ts"]))
    assert found is not None and found.alerts == 1 and len(await opened(place)) == 1


async def test_edited_and_deleted_messages_joins_and_other_teams_events_are_left_alone(place: Place) -> None:
    for subtype in ("message_changed", "message_deleted", "channel_join"):
        await place.slack.write("<@U0BOT> orders is slow", "U0EVE", subtype=subtype)
    one = place.slack.said("<@U0BOT> orders is slow", "U0EVE")
    foreign = place.slack.event(one, "app_mention", team_id=OTHER, authorizations=[])
    await place.slack.send("events_api", foreign)
    assert await opened(place) == [] and place.slack.whispers == []


async def test_strangers_bots_and_other_channels_start_nothing_and_hear_why(place: Place) -> None:
    for by in ("U0FAR", "U0BOTTY", "U0GONE"):
        await place.slack.mention("orders is slow", by)
        assert "other organisations" in place.slack.last_whisper()
    await place.slack.mention("orders is slow", "U0EVE", channel="C0RANDOM")
    assert "this channel isn't among" in place.slack.last_whisper().lower()
    assert await opened(place) == [] and len(place.slack.whispers) == 4


async def test_questions_in_the_thread_are_answered_there_and_talk_isnt(place: Place) -> None:
    id, message = await place.answered()
    thread = message["thread_ts"]
    await place.slack.write("What is the evidence?", "U0BOB", thread)
    await place.slack.write("lunch?", "U0BOB", thread)
    await place.slack.write("<@U0ANN> can you look?", "U0BOB", thread)
    await place.slack.mention("what now?", "U0ANN", thread)
    await place.until(lambda: len(place.slack.own(thread)) == 3)
    asked = [place.service.store.history(id, ("question",))]
    assert len(asked[0]) == 2 and "slack:U0BOB" in asked[0][0].data
    assert "maxmemory" in shown(place.slack.own(thread)[1]["blocks"])
    await place.slack.write("What is the evidence?", "U0FAR", thread)
    assert "other organisations" in place.slack.last_whisper()


async def test_a_file_in_the_thread_is_a_paste(place: Place) -> None:
    full = INFO + "maxclients:10\r\nrejected_connections:5000\r\n"
    place.slack.files["F0INFO"] = (_file(place, "F0INFO", len(full)), full.encode())
    asked = await place.slack.mention("what is this?", "U0EVE", files=[{"id": "F0INFO"}], subtype="file_share")
    (message,) = await place.until(lambda: place.slack.own(asked["ts"]))
    assert "From what was pasted" in shown(message["blocks"]) and "Approve" not in shown(message["blocks"])
    assert await opened(place) == []


async def test_a_paste_that_was_acknowledged_is_answered_by_the_next_process_if_this_one_ends(place: Place) -> None:
    place.answers_within = 0.05
    await place.restart()
    full = INFO + "maxclients:10\r\nrejected_connections:5000\r\n"
    place.slack.files["F0INFO"] = (_file(place, "F0INFO", len(full)), full.encode())
    place.slack.gives_files.clear()
    said = "redis-cli -a hunter2secret said this"
    asked = await place.slack.mention(said, "U0EVE", files=[{"id": "F0INFO"}], subtype="file_share")
    await place.until(lambda: place.slack.fetched)
    database = place.service.store.database
    await place.until(lambda: _left(database))
    assert "hunter2secret" not in _left(database)[0]
    await place.app.stop()
    assert _left(database) and not place.slack.own(asked["ts"])
    place.slack.gives_files.set()
    await place.restart()
    (message,) = await place.until(lambda: place.slack.own(asked["ts"]))
    assert "From what was pasted" in shown(message["blocks"])
    await place.until(lambda: not _left(database))


def _left(database: Database) -> list[str]:
    with database.reading() as connection:
        return list(connection.scalars(select(slack_events.c.body)))


async def test_the_token_goes_to_slacks_own_files_only(place: Place) -> None:
    why = ("isn't kept by slack", "couldn't be fetched (status 302)", "larger than 2 mib", "isn't kept by slack")
    far: Json = {"url_private": "https://evil.example/F0INFO"}
    moved: Json = {"url_private": f"{place.slack.base}/moved/F0INFO"}
    large: Json = {"size": 3 * 2**20}
    for change, said in zip((far, moved, large, {"is_external": True}), why, strict=True):
        place.slack.files["F0INFO"] = ({**_file(place, "F0INFO", 10), **change}, INFO.encode())
        await place.slack.mention("what is this?", "U0EVE", files=[{"id": "F0INFO"}], subtype="file_share")
        assert said in place.slack.last_whisper().lower()
    assert place.slack.fetched == []


def _file(place: Place, name: str, size: int) -> Json:
    return {"id": name, "name": "info.txt", "size": size, "url_private": f"{place.slack.base}/files/{name}"}


async def test_hostile_words_from_servers_are_neither_markup_nor_mentions(place: Place) -> None:
    answer = place.full.model_copy(update={
        "causes": tuple(one.model_copy(update={"why": HOSTILE, "where": HOSTILE}) for one in place.full.causes),
        "unknown": (HOSTILE * 400,), "plan": tuple(one.model_copy(update={"why": HOSTILE, "avoid": HOSTILE})
        for one in place.full.plan),
    })  # fmt: skip
    asked = await place.slack.mention("orders is slow", "U0EVE")
    await place.answer(asked["ts"], answer)
    message = await place.message(asked["ts"], "decide")
    for action in ("evidence", "plan"):
        view = await place.slack.click(message, action, "U0FAR")
        assert view is not None
        for text in (shown(view["blocks"]), shown(message["blocks"])):
            assert not any(bad in text for bad in ("<!", "<@", "<http", "\u202e"))
            prose = re.sub(r"`[^`\n]*`", "", text)
            assert not any(bad in prose for bad in ("@here", ":fire:", "*bold*", "`"))


async def test_slack_that_asks_to_be_left_alone_is_asked_again_and_a_day_isnt_waited_for(place: Place) -> None:
    place.slack.limits = {"chat.postMessage": [0, 0], "chat.update": [86_400]}
    asked = await place.slack.mention("checkout times out on orders", "U0EVE")
    await place.until(lambda: place.slack.own(asked["ts"]))
    assert [name for name, _ in place.slack.calls].count("chat.postMessage") == 3
    await place.answer(asked["ts"])
    await place.message(asked["ts"], "decide")


async def test_a_restart_neither_repeats_nor_forgets(place: Place) -> None:
    id, message = await place.answered()
    await place.slack.write("What is the evidence?", "U0BOB", message["thread_ts"])
    await place.until(lambda: len(place.slack.own(message["thread_ts"])) == 2)
    await place.app.stop()
    await place.service.look_again(id, "slack:U0EVE")
    await place.restart()
    await place.until(lambda: "Looking at orders" in shown(message["blocks"]))
    await place.answer(message["thread_ts"], round=2)
    await place.message(message["thread_ts"], "decide")
    await place.service.close(id, "slack:U0EVE")
    await place.until(lambda: "no longer offered" in shown(message["blocks"]))
    assert len(place.slack.own(message["thread_ts"])) == 2
    again = await place.slack.mention("orders again", "U0EVE", message["thread_ts"])
    assert place.incident(again["thread_ts"]) != id
