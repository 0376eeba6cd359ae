"""What happened in an incident: its events as lines for a person."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

from agent.service.history import data_of
from agent.service.records import NumberedEvent
from tools.text import one_line

Tone = Literal["", "good", "bad", "unsure"]
SHOWN = (
    "submitted", "joined", "started", "checks-made", "model-failed", "model-retried", "proposal-forbidden", "answered",
    "posted", "step-changed", "decided", "closed", "feedback", "failed",
)  # fmt: skip
"""The kinds of events that are lines of the story. The others only move the line that says what goes on now."""
VERBS = {"approve": "approved", "refuse": "refused", "roll-back": "asked to roll back"}
MOST = 400
"""Characters of a line."""


class Line(NamedTuple):
    """A line of the story."""

    number: int
    at: datetime
    text: str
    tone: Tone = ""


def line(event: NumberedEvent) -> Line | None:
    """The line of an event; null for one that isn't part of the story."""
    if event.kind not in SHOWN:
        return None
    said = data_of(event)
    text, tone = _told(event.kind, said)
    return Line(event.number, event.at, one_line(text, MOST), tone) if text else None


def _told(kind: str, said: Mapping[str, Any]) -> tuple[str, Tone]:
    by = _text(said, "by") or "somebody"
    match kind:
        case "submitted":
            return (f"{by} asked for another look" if said.get("again") else f"Reported by {by}"), ""
        case "joined":
            return f"The alert fired again ({by})", ""
        case "started":
            model = _text(said, "model")
            how = "the checks alone" if model in ("", "offline") else f"the model {model}"
            return f"Looking at {_text(said, 'target')} with {how}", ""
        case "checks-made":
            return _found(said), ""
        case "model-failed":
            return f"The checks' answer is used: {_text(said, 'why')}", "unsure"
        case "model-retried":
            return f"The model is asked again: {_text(said, 'why')}", ""
        case "proposal-forbidden":
            return f"Forbidden by policy: {_text(said, 'action')} ({_text(said, 'why')})", "unsure"
        case "answered":
            return _answer(said), ""
        case "posted":
            url = _text(said, "url")
            return (f"Wrote a comment: {url}" if url else f"Notified {_text(said, 'place')}"), "good"
        case "step-changed":
            return _step(said)
        case "decided":
            verb = VERBS.get(_text(said, "verb"), "decided about")
            return f"{by} {verb} {_text(said, 'step')}: {_text(said, 'action')}", "bad" if verb == "refused" else "good"
        case "closed":
            why = _text(said, "why")
            return f"Closed by {by}{f' ({why})' if why == 'resolved' else ''}", ""
        case "feedback":
            return _judged(by, said)
        case _:
            return f"Failed: {_text(said, 'why')}", "bad"


def _found(said: Mapping[str, Any]) -> str:
    findings = said.get("findings")
    first = findings[0] if isinstance(findings, list) and findings else None
    if not isinstance(first, dict):
        return "The checks have found nothing so far"
    share = first.get("probability")
    return f"So far: {_text(first, 'id')}" + (f", {share:.0%} sure" if isinstance(share, float) else "")


def _answer(said: Mapping[str, Any]) -> str:
    whole = said.get("diagnosis")
    summary = _text(whole if isinstance(whole, dict) else said, "summary")
    # The whole of it is what the page begins with.
    return f"Answered: {summary.partition('. ')[0].removesuffix('.')}" if summary else "Answered"


def _step(said: Mapping[str, Any]) -> tuple[str, Tone]:
    step = said.get("step")
    found = step if isinstance(step, dict) else {}
    state = _text(found, "state")
    if state == "proposed":
        return f"{_text(found, 'id')} was not changed: {_text(said, 'detail')}", "bad"
    tone: Tone = "bad" if state in ("failed", "refused") else "good" if state in ("applied", "verified") else ""
    return f"{_text(found, 'id')} {state.replace('-', ' ')}: {_text(said, 'detail')}", tone


def _judged(by: str, said: Mapping[str, Any]) -> tuple[str, Tone]:
    inner = said.get("feedback")
    found = inner if isinstance(inner, dict) else said
    who = _text(found, "by") or by
    cause = _text(found, "cause")
    verdict = _text(found, "verdict")
    return (
        f"{who} says the answer is {verdict}{f': it was {cause}' if cause else ''}",
        "good" if verdict == "right" else "bad",
    )


def _text(said: Mapping[str, Any], name: str) -> str:
    found = said.get(name)
    return found if isinstance(found, str) else ""
