"""Messages: which of them starts an incident, asks about one, or is none of our business."""

import asyncio
from collections.abc import Mapping
from typing import Any

from agent.answer.diagnosis import OFFLINE
from agent.service.journal import say
from agent.service.known_answers import known_answer
from agent.service.records import Incident
from agent.service.seam import Full, NotSo
from agent.slack.desk import Desk, Refused, name_of
from agent.slack.pasted import answer_files, files_of
from agent.slack.sealed import Place
from agent.slack.starting import HERE_IS_BAD, asked_by, start
from agent.slack.threads import Thread
from agent.slack.words import is_resolved, mentioned, text_in, without_mention
from agent.slack.workspace import SlackError
from agent.tickets.ticket import object_of, text_of
from tools.errors import UsageError
from tools.settings.slack_table import ChannelTable
from tools.settings.tables import Settings

SUBTYPES = ("", "file_share", "thread_broadcast")
"""Kinds of messages that people write; edits, deletions and joins are others."""


async def hear(desk: Desk, body: Mapping[str, Any]) -> None:
    """Take in an event. What a person is to hear of it is said to them alone."""
    event = object_of(body.get("event"))
    thread = text_of(event.get("thread_ts")) or text_of(event.get("ts"))
    place = Place(team=desk.workspace.me.team, channel=text_of(event.get("channel")), thread=thread)
    if not (place.channel and thread) or event.get("type") not in ("app_mention", "message"):
        return
    try:
        await _hear(desk, place, event)
    except (Refused, NotSo, Full) as refused:
        await _tell(desk, place, event, str(refused))
    except UsageError as error:
        say(f"slack: {error}")
        await _tell(desk, place, event, HERE_IS_BAD)


async def _tell(desk: Desk, place: Place, event: Mapping[str, Any], why: str) -> None:
    if user := text_of(event.get("user")):
        try:
            await desk.tell(place, user, why)
        except SlackError as error:
            say(str(error))


async def _hear(desk: Desk, place: Place, event: Mapping[str, Any]) -> None:
    me, settings = desk.workspace.me, await desk.settings()
    channel = settings.slack.channel_of(place.channel)
    if event.get("bot_id") or event.get("bot_profile") or event.get("subtype") == "bot_message":
        if channel is not None and _is_alert(channel, place, event) and event.get("bot_id") != me.bot:
            await _alert(desk, settings, channel, place, event)
        return
    user, is_mention = text_of(event.get("user")), event.get("type") == "app_mention"
    if not user or user == me.user or text_of(event.get("subtype")) not in SUBTYPES:
        return
    if not is_mention and me.user in mentioned(text_of(event.get("text"))):
        # It comes as a mention, too.
        return
    thread = await asyncio.to_thread(desk.threads.at, place)
    if thread is None and not is_mention:
        return
    if channel is None:
        raise Refused("this channel isn't among the [[slack.channel]] of rediagnose.toml")
    if event.get("edited") and thread is not None:
        return
    await desk.member(user)
    await _wanted(desk, settings, channel, place, event, thread)


def _is_alert(channel: ChannelTable, place: Place, event: Mapping[str, Any]) -> bool:
    """Whether this is an alert of a bot that the settings name, and neither in a thread nor edited."""
    by = {text_of(event.get("bot_id")), text_of(event.get("app_id"))}
    is_new = event.get("type") == "message" and text_of(event.get("subtype")) in ("", "bot_message")
    return is_new and place.thread == event.get("ts") and bool(by & set(channel.alerts))


async def _alert(desk: Desk, settings: Settings, channel: ChannelTable, place: Place, event: Mapping[str, Any]) -> None:
    text = text_in(event)
    if not text or is_resolved(text):
        return
    try:
        await start(desk, settings, channel, place, event, asked_by(event))
    except Refused as refused:
        say(f"slack: an alert in {place.channel}: {refused}")


async def _wanted(
    desk: Desk, settings: Settings, channel: ChannelTable, place: Place, event: Mapping[str, Any], thread: Thread | None
) -> None:
    is_mention = event.get("type") == "app_mention"
    said = text_in({**event, "text": without_mention(text_of(event.get("text")), desk.workspace.me.user)})
    if files := files_of(event):
        try:
            await answer_files(desk, place, files, said)
        except UsageError as error:
            if is_mention:
                raise Refused(str(error).removeprefix("--paste: ")) from None
        return
    incident = await desk.service.incident(thread.incident) if thread and thread.incident else None
    if incident is None or incident.state == "closed":
        if is_mention:
            await start(desk, settings, channel, place, event, asked_by(event))
        return
    if not said or not (is_mention or _is_question(said, event)):
        return
    if not is_mention and await desk.service.answerer() == OFFLINE and not _is_known(said, incident):
        # People talk to each other here; what nobody would answer isn't a question to us.
        return
    await desk.service.ask(incident.id, said, name_of(text_of(event.get("user"))))


def _is_known(said: str, incident: Incident) -> bool:
    answer = incident.diagnosis
    return answer is not None and known_answer(said, incident, answer, ()) is not None


def _is_question(said: str, event: Mapping[str, Any]) -> bool:
    """Whether somebody who mentions nobody asks something."""
    return said.rstrip().endswith("?") and not mentioned(text_of(event.get("text")))
