"""A message that starts an incident in its thread, or says which server one is about."""

import asyncio
from collections.abc import Mapping
from typing import Any

from agent.service.journal import say
from agent.service.records import Submission
from agent.service.seam import Full
from agent.slack.blocks import OPTIONS_MOST
from agent.slack.desk import Desk, Refused, name_of
from agent.slack.message import question_about_target
from agent.slack.sealed import Place
from agent.slack.words import targets_in, text_in, ticket_of, url_in, without_mention
from agent.slack.workspace import SlackError
from agent.tickets.ticket import TicketError, text_of
from tools.errors import UsageError
from tools.settings.slack_table import ChannelTable
from tools.settings.tables import Settings

HERE_IS_BAD = "the settings of the target can't be used here; whoever runs rediagnose finds why in its journal"


async def start(
    desk: Desk, settings: Settings, channel: ChannelTable, place: Place, message: Mapping[str, Any], by: str
) -> None:
    """Open an incident about a message, or ask which server is meant. Raises `Refused` and `SlackError`."""
    own = {**message, "text": without_mention(text_of(message.get("text")), desk.workspace.me.user)}
    said, ts = text_in(own), text_of(message.get("ts"))
    names = [one.name for one in settings.targets if one.name]
    if (url := url_in(said)) and not settings.slack.urls:
        raise Refused("servers aren't taken by URL in Slack; name a target of rediagnose.toml")
    named = targets_in(said, names)
    earlier = [one for one in await _earlier(desk, place, ts) if text_of(one.get("ts")) < ts]
    ticket = ticket_of(said, earlier, _key(place), ts)
    target = url or (named[0] if len(named) == 1 else None) or (None if named else channel.target)
    wanted = Submission(ticket=ticket, key=_key(place), target=target, by=by)
    if len(named) > 1 and not url:
        await _ask(desk, place, wanted, named)
        return
    try:
        await _submit(desk, place, wanted)
    except TicketError as error:
        if target is not None or not names:
            raise Refused(str(error)) from None
        await _ask(desk, place, wanted, names)


async def chosen(desk: Desk, place: Place, user: str, target: str, question: str) -> None:
    """Open the incident that waited for a choice among the settings' targets. Raises `Refused`."""
    await desk.member(user)
    thread = await asyncio.to_thread(desk.threads.at, place)
    known = [one.name for one in (await desk.settings()).targets if one.name]
    if thread is None or thread.waiting is None:
        raise Refused("this was chosen already")
    if target not in known or question != thread.message:
        raise Refused("this choice isn't one that was offered here")
    wanted = Submission.model_validate_json(thread.waiting).model_copy(update={"target": target})
    try:
        incident = await _submit(desk, place, wanted)
    except TicketError as error:
        raise Refused(str(error)) from None
    # The question becomes the incident's message.
    await asyncio.to_thread(desk.threads.posted, incident, question)
    desk.wake()


async def _submit(desk: Desk, place: Place, wanted: Submission) -> str:
    try:
        done = await desk.service.submit(wanted)
    except Full as error:
        raise Refused(f"{error}; try again in {error.retry_after} s") from None
    except UsageError as error:
        say(f"slack: {error}")
        raise Refused(HERE_IS_BAD) from None
    assert done.incident is not None
    await asyncio.to_thread(desk.threads.begin, place, done.incident, wanted.by)
    desk.wake()
    return done.incident


async def _ask(desk: Desk, place: Place, wanted: Submission, names: list[str]) -> None:
    question = question_about_target(wanted.by, names[:OPTIONS_MOST])
    await asyncio.to_thread(desk.threads.wait, place, wanted.by, wanted.model_dump_json())
    ts = await desk.workspace.post(place, question, "", 0)
    await asyncio.to_thread(desk.threads.asked, place, ts)


async def _earlier(desk: Desk, place: Place, ts: str) -> list[dict[str, Any]]:
    """What was said in the thread before; nothing if the app may not read it, since the message itself says enough."""
    if place.thread == ts:
        return []
    try:
        return await desk.workspace.replies(place)
    except SlackError as error:
        say(f"the thread's earlier messages aren't read: {error}")
        return []


def _key(place: Place) -> str:
    return f"{place.team} {place.channel} {place.thread}"


def asked_by(message: Mapping[str, Any]) -> str:
    """Who wrote a message, as the audit log names them."""
    return name_of(text_of(message.get("user")) or text_of(message.get("bot_id")) or "unknown")
