"""A recorded incident in a form that a conversation can resume."""

from collections.abc import Iterable
from pathlib import Path

from agent.answer.diagnosis import Diagnosis
from agent.answer.events import Answered, Question, Reply, Resumed, event_of
from agent.chat.question import message
from agent.investigation.investigation import Investigation
from agent.investigation.model_stage import prompt_of
from agent.loop.run import offered_tools
from agent.loop.transcript import Transcript
from agent.remediation.applied import as_it_stands
from tools.errors import UsageError
from tools.gate.ledger import Ledger, changes_path
from tools.record.load import load
from tools.record.schema import Happened
from tools.records import Record

_TYPES = ("answered", "question", "reply", "resumed")


class Past(Record):
    """What a recording contains of an incident."""

    answer: Diagnosis
    """Its last state."""
    turns: tuple[Question | Reply, ...]
    """What was said, in order."""
    url: str
    """The target that was recorded, which isn't always the one named in its answer."""


def past(path: Path) -> Past:
    """The incident in a recording. Raises `UsageError` with the file and the remedy."""
    diagnosis: Diagnosis | None = None
    turns: list[Question | Reply] = []
    recording = load(path)
    for line in recording.lines:
        if not isinstance(line, Happened) or line.event.get("type") not in _TYPES:
            continue
        try:
            event = event_of(line.event)
        except ValueError as error:
            raise UsageError(f"{path}: damaged: {str(error).splitlines()[0]}") from None
        if isinstance(event, Answered):
            diagnosis = event.diagnosis
        elif isinstance(event, Resumed):
            diagnosis, turns = event.diagnosis, list(event.said)
        elif isinstance(event, Question | Reply):
            turns.append(event)
    if diagnosis is None:
        raise UsageError(f"{path}: it contains no answer; give a recording of chat or triage --record")
    plan = as_it_stands(diagnosis.plan, Ledger(changes_path(path)).read())
    # Its lines come from whoever wrote the file, and a person would paste them: a new look creates them again.
    bare = tuple(step.model_copy(update={"paste": (), "shown_by": ()}) for step in plan)
    return Past(answer=diagnosis.model_copy(update={"plan": bare}), turns=tuple(turns), url=recording.head.url)


def remembered(incident: Investigation, turns: list[Question | Reply]) -> Transcript:
    """A conversation with a model that begins with what was read and continues with what was said before."""
    transcript = Transcript(prompt_of(incident, offered_tools(incident.toolbox)))
    add_turns(transcript, turns)
    return transcript


def add_turns(transcript: Transcript, turns: Iterable[Question | Reply]) -> None:
    """Let a conversation with a model go on with what was said before."""
    for one in turns:
        if isinstance(one, Question):
            transcript.add_user_message(message(one.text, ""))
        else:
            transcript.messages.append({"role": "assistant", "content": one.text})
