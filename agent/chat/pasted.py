"""Pasted output in a conversation: beside a server it's of then, without one it's what is talked about."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

from agent.chat import shown
from agent.chat.session import Session
from agent.investigation.model_settings import ModelSettings
from agent.investigation.sources import Sources
from agent.pastes.incident import Incident, gathered, incident_of, recognised, shows_a_server
from agent.pastes.keeping import keep
from agent.recordings.pasted import answered
from agent.recordings.replay import recorded_target
from tools.paste.gather import Text
from tools.paste.pieces import Recognised
from tools.record.replay import Replay
from tools.record.virtual import VirtualClock


async def add_files(session: Session, paths: Sequence[str]) -> None:
    """Take the pasted output of files, folders or archives. Raises `UsageError`."""
    await _add(session, [recognised(one) for one in gathered(paths)])


async def add_text(session: Session, text: str) -> bool:
    """Take what was pasted into the conversation; false if no server's output is in it."""
    found = recognised(Text("the conversation", text))
    if not any(map(shows_a_server, found.pieces)):
        return False
    await _add(session, [found])
    return True


def about(session: Session, found: Sequence[Recognised], symptom: str) -> str:
    """Make a paste what the conversation is about; needs a running `VirtualLoop`. Returns what was reported."""
    incident: Incident = incident_of(found, symptom)
    loop = asyncio.get_running_loop()
    clock = VirtualClock(incident.tape.began - timedelta(seconds=loop.time()), loop)
    session.pasted, session.clock, session.keep_paste = tuple(found), clock, partial(keep, incident)
    session.target = recorded_target(incident.tape)
    head = incident.tape.head
    session.options = session.options.model_copy(update={"window": head.window, "one_node": head.one_node})
    session.use_sources(Sources(replay=Replay(incident.tape, clock), pasted=incident.told))
    return head.symptom


async def _add(session: Session, found: Sequence[Recognised]) -> None:
    before = session.incident.symptom if session.incident else ""
    if session.pasted:
        symptom = about(session, (*session.pasted, *found), before)
        if session.incident:
            await session.incident.close()
            session.incident, session.conversation = None, None
        await session.look(symptom)
        return
    incident = incident_of(found, before)
    then = await answered(incident, ModelSettings(), session.library)
    session.use_sources(replace(session.sources, then=then))
    shown.say(session.console, then.pasted.told if then.pasted else "", "bold")
    if session.incident is None:
        await session.look(incident.tape.head.symptom)
    else:
        shown.answer(session.console, session.incident.answer())
