"""Files in a thread: what a server said, pasted in place of reaching it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from agent.answer.diagnosis import Diagnosis
from agent.pastes.incident import incident_of, recognised
from agent.recordings.pasted import answered
from agent.report.markup import in_chat
from agent.report.summary import headline
from agent.slack.blocks import context, header
from agent.slack.desk import Desk
from agent.slack.message import Message, answer_blocks
from agent.slack.sealed import Place
from agent.slack.workspace import SlackError
from agent.tickets.ticket import objects_of, text_of
from tools.errors import UsageError
from tools.paste.gather import Text
from tools.text import one_line

FILES_MOST = 5
NOTE = "From what was pasted; no server was asked, and nothing of it can be applied."


async def answer_files(desk: Desk, place: Place, files: Sequence[Mapping[str, Any]], symptom: str) -> None:
    """Investigate files, and write the answer into the thread.

    Raises `UsageError` where nothing in them could be read or is of a server, and `SlackError`.
    """
    texts = [await _text(desk, text_of(one.get("id"))) for one in files[:FILES_MOST]]
    if all(one.refused for one in texts):
        raise UsageError(texts[0].refused or "no file could be read")
    incident = await asyncio.to_thread(lambda: incident_of(map(recognised, texts), symptom))
    talk = await asyncio.to_thread(desk.talk)
    answer = await answered(incident, talk.model, await asyncio.to_thread(talk.library))
    await desk.workspace.post(place, _message(answer), "paste", 0)


def files_of(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The files of a message that may be text."""
    return [
        one for one in objects_of(message.get("files"))
        if not text_of(one.get("mimetype")).startswith(("image/", "video/", "audio/"))
    ]  # fmt: skip


async def _text(desk: Desk, id: str) -> Text:
    try:
        name, data = await desk.workspace.file(id)
    except SlackError as error:
        return Text(id, "", str(error))
    if b"\0" in data[:8192]:
        return Text(name, "", "it isn't text")
    return Text(name, data.decode("utf-8", "replace"))


def _message(answer: Diagnosis) -> Message:
    title = headline(answer)
    return Message(in_chat(one_line(title, 300)), [header(title), *answer_blocks(answer), context(NOTE)])
