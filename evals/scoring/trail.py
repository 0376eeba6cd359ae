"""What happened in an investigation, a line each: what was read, what was said, what was answered."""

from collections.abc import Iterable, Iterator

from agent.answer.diagnosis import Diagnosis, Evidence
from agent.answer.events import (
    ChecksMade,
    Event,
    ModelAnswered,
    ModelFailed,
    ModelRetried,
    ModelText,
    ProposalForbidden,
    ReadingTaken,
    StepChanged,
)
from agent.report.render import figures_text
from evals.scoring.answered import Answered

MOST_LINES, MOST_LETTERS = 200, 400
"""Of one investigation, and of one line."""


def trail(done: Answered) -> tuple[str, ...]:
    """The events and the answer, none of them with a time: two runs give the same."""
    lines = list(_event_lines(done.events))
    shown = lines if len(lines) <= MOST_LINES else [*lines[:MOST_LINES], f"… and {len(lines) - MOST_LINES} more"]
    if done.answer is not None:
        shown += _answer(done.answer)
    if done.error is not None:
        shown.append(f"failed: {done.error}")
    return tuple(line if len(line) <= MOST_LETTERS else f"{line[: MOST_LETTERS - 1]}…" for line in shown)


def _event_lines(events: Iterable[Event]) -> Iterator[str]:
    text: list[str] = []
    for event in events:
        if isinstance(event, ModelText):
            text.append(event.text)
            continue
        if text:
            yield f"said: {' '.join(''.join(text).split())}"
            text.clear()
        if line := _line(event):
            yield line
    if text:
        yield f"said: {' '.join(''.join(text).split())}"


def _line(event: Event) -> str | None:
    match event:
        case ReadingTaken(reading=reading) if reading.tool != "symptom":
            return f"{reading.id} {reading.tool} {reading.node or ''}  {figures_text(reading)}".rstrip()
        case ChecksMade(findings=findings):
            found = ", ".join(f"{cause.id} {cause.probability:.0%}" for cause in findings[:5])
            return f"checks: {found or 'nothing'}"
        case ModelAnswered(turn=turn, tool_calls=calls):
            return f"turn {turn}: {', '.join(calls) or 'no call'}"
        case ModelRetried(why=why):
            return f"asked again: {why}"
        case ModelFailed(why=why):
            return f"model given up: {why}"
        case ProposalForbidden(action=action, why=why):
            return f"forbidden: {action}: {why}"
        case StepChanged(step=step, detail=detail):
            return f"{step.id} {step.state}: {step.action}: {detail}"
    return None


def _answer(answer: Diagnosis) -> Iterator[str]:
    yield f"answered: {answer.outcome}"
    for cause in answer.causes:
        cited = "; ".join(_cited(one) for one in cause.evidence)
        yield f"  {cause.probability:.0%} {cause.id}: {cause.why} [{cited or 'no evidence'}]"
    for step in answer.plan:
        yield f"  {step.id} {step.kind} {step.action} ({step.state})"
    for line in answer.unknown:
        yield f"  unknown: {line}"


def _cited(one: Evidence) -> str:
    return f"{one.reading} {one.field}={one.value}{'' if one.verified else ' (unverified)'}"
