"""What goes on in an incident, out of its events: the line while it looks, what is decided, and who asked."""

from collections.abc import Iterable, Mapping
from typing import Any

from agent.report.markup import in_chat
from agent.service.history import data_of, waiting
from agent.service.questions import CHECKS
from agent.service.records import NumberedEvent
from agent.slack.blocks import context, person, section
from agent.slack.message import Message
from agent.tickets.notify import in_code, with_code
from tools.patterns import deferred
from tools.text import one_line

DECIDED = ("decided", "step-changed", "answered", "submitted")
"""Kinds of events that say what is decided and not carried out yet."""
LINE_MOST, REPLY_MOST = 1000, 40
"""Characters of a line, and lines of a reply."""
_CITED = deferred(r"r[0-9]{1,4} [^ =]{1,200}=.*")
"""A line that only cites a value of a reading."""
VERBS = {"approve": "approved", "refuse": "refused", "roll-back": "asked to undo"}


class Progress:
    """The line that says what an investigation does at the moment."""

    def __init__(self) -> None:
        self._taken = 0
        self.line = ""

    def after(self, event: NumberedEvent) -> None:
        """Follow an event."""
        said = data_of(event)
        if event.kind == "started":
            self._taken, self.line = 0, "Looking"
        elif event.kind == "reading-taken":
            self._taken += 1
            self.line = f"{self._taken} reading{'s' * (self._taken != 1)}"
        elif event.kind == "model-asked":
            self.line = f"{self._taken} readings; the model thinks (turn {said.get('turn')})"


def undecided(history: Iterable[NumberedEvent]) -> dict[str, str]:
    """By step, what was decided about it and by whom, for those of which nothing has come yet."""
    return {
        step: f"{'undo' if one.undo else 'approval'} by {person(one.by)}, being carried out"
        for step, one in waiting(history).items()
    }


def askers(history: Iterable[NumberedEvent]) -> set[str]:
    """Who asked for the looks at an incident."""
    return {str(data_of(event).get("by")) for event in history if event.kind == "submitted"}


def notice(event: NumberedEvent) -> Message | None:
    """What is written into the thread about an event; null if the one message says it all."""
    said = data_of(event)
    if event.kind == "decided":
        who, verb = person(str(said.get("by"))), VERBS.get(str(said.get("verb")), "decided about")
        action = in_code(one_line(str(said.get("action")), LINE_MOST))
        return _told(f"{who} {verb} {in_code(str(said.get('step')))}: {action}")
    if event.kind == "step-changed":
        found = said.get("step")
        step = found if isinstance(found, dict) else {}
        state, detail = str(step.get("state")), str(said.get("detail") or "")
        if state in ("refused", "approved") or not detail:
            return None
        words = "was not changed" if state == "proposed" else state.replace("-", " ")
        return _told(f"{in_code(str(step.get('id')))} {words}: {with_code(one_line(detail, LINE_MOST))}")
    return _reply(said) if event.kind == "reply" else None


def _line(text: str) -> str:
    return f"• {in_code(text)}" if _CITED.fullmatch(text.strip()) else with_code(text)


def _told(line: str) -> Message:
    return Message(line[:LINE_MOST], [section([line])])


def _reply(said: Mapping[str, Any]) -> Message:
    text = str(said.get("text") or "")
    lines = [_line(one_line(line, LINE_MOST)) for line in text.splitlines() if line.strip()][:REPLY_MOST]
    blocks = []
    while lines:
        size = room = 0
        while room < len(lines) and size + len(lines[room]) < 2900:
            size += len(lines[room]) + 1
            room += 1
        blocks.append(section(lines[: max(room, 1)]))
        lines = lines[max(room, 1) :]
    cited = said.get("cited")
    wrong = (
        [one for one in cited if isinstance(one, dict) and not one.get("verified")] if isinstance(cited, list) else []
    )
    by = str(said.get("by"))
    small = ["by the checks, without a model" if by == CHECKS else f"by {in_chat(one_line(by, 80))}"]
    if wrong:
        small.append(f"{len(wrong)} of the values that it cites {'are' if wrong[1:] else 'is'} not in the readings")
    shown = in_chat(one_line(text, 300))
    return Message(shown or "-", [*blocks, context("; ".join(small))])
