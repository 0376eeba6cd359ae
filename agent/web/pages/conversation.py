"""The conversation about an answer: what people asked, and what was replied."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from agent.answer.diagnosis import OFFLINE, Diagnosis, Evidence
from agent.chat.told import why_not
from agent.loop.digest import literal
from agent.service.history import data_of
from agent.service.known_answers import offered
from agent.service.questions import MOST
from agent.service.records import Incident, NumberedEvent
from agent.web.pages.verdict import Cited, Verdict
from tools.text import one_line

KINDS = ("question", "reply")
PIECE = "reply-text"
"""The kind of event that a piece of a reply is, as it streams."""
TURNS_MOST = 40
"""Questions that are shown, the newest."""
ANNOUNCED_MOST = 400
"""Characters of a reply that a screen reader hears at once."""
_EVIDENCE = TypeAdapter(tuple[Evidence, ...])


class Reply(NamedTuple):
    """What was replied."""

    by: str
    text: str
    cited: tuple[Cited, ...]
    """The values that it cites and the readings have."""
    wrong: tuple[str, ...]
    """What it cites and they don't, a line each."""
    warnings: tuple[str, ...]
    is_old: bool
    """Whether it's about an earlier answer, whose readings aren't shown any more."""
    is_lost: bool


class Turn(NamedTuple):
    """A question, with its reply once there is one."""

    number: int
    by: str
    at: datetime
    text: str
    reply: Reply | None


def conversation(one: Incident, history: Sequence[NumberedEvent], answerer: str) -> Mapping[str, Any]:
    """What a page needs of it."""
    turns = _turns(one.diagnosis, history)
    return {
        "turns": turns[-TURNS_MOST:], "turns_before": max(0, len(turns) - TURNS_MOST), "question_most": MOST,
        "suggested": offered(one.diagnosis) if one.diagnosis else [],
        "answerer": None if answerer == OFFLINE else answerer,
    }  # fmt: skip


def announced(event: NumberedEvent) -> str | None:
    """What is said aloud of an event; null if it isn't part of the conversation."""
    if event.kind not in KINDS:
        return None
    said = data_of(event)
    who = f"{said.get('by')} asks" if event.kind == "question" else "The reply"
    return one_line(f"{who}: {said.get('text')}", ANNOUNCED_MOST)


def _turns(answer: Diagnosis | None, history: Sequence[NumberedEvent]) -> list[Turn]:
    about = max((event.number for event in history if event.kind == "answered"), default=0)
    turns: dict[int, Turn] = {}
    for event in history:
        if event.kind not in KINDS:
            continue
        said = data_of(event)
        number = int(said["question"])
        if event.kind == "question":
            turns[number] = Turn(number, str(said["by"]), event.at, str(said["text"]), None)
        elif number in turns:
            turns[number] = turns[number]._replace(reply=_reply(said, answer, about))
    return list(turns.values())


def _reply(said: Mapping[str, Any], answer: Diagnosis | None, about: int) -> Reply:
    is_old, is_lost = said["about"] != about, bool(said["lost"])
    evidence = _EVIDENCE.validate_python(said["cited"])
    by_id = {one.id: one for one in answer.readings} if answer else {}
    shown = () if is_old or answer is None else Verdict(answer).cited([one for one in evidence if one.verified])
    wrong = [
        f"{one.reading} {one.field}={literal(one.value)}"
        + ("" if is_old else f": {why_not(by_id.get(one.reading), one.field)}")
        for one in evidence if not one.verified
    ]  # fmt: skip
    return Reply(str(said["by"]), str(said["text"]), shown, tuple(wrong), tuple(map(str, said["warnings"])),
                 is_old and not is_lost, is_lost)  # fmt: skip
