"""Answers and readings cut to what fits into an assistant's context, in the words in which a model would get them."""

import json
from collections.abc import Iterable, Sequence

from agent.answer.diagnosis import Cause, Diagnosis, Step
from agent.chat.changes import Moved, became
from agent.fleet.records import Report
from agent.loop.digest import reading_json
from agent.mcp.records import (
    Checked,
    CheckedTarget,
    Cited,
    Figure,
    Rechecked,
    Short,
    ShortCause,
    ShortStep,
    ShownReading,
)
from agent.remediation.approval import SHOWN_MOST
from tools.errors import ToolError
from tools.records import Reading, Scalar
from tools.text import one_line

CITED_MOST, STEPS_MOST, LINES_MOST, TARGETS_MOST = 6, 10, 6, 60
WORDS_MOST = 600
"""Characters of one text."""
READING_MOST = 12_000
"""Bytes of one reading."""
NAMED_MOST = 60
"""How many readings are named if one that doesn't exist was requested."""


def short(incident: str, target: str, answer: Diagnosis) -> Short:
    """An answer in short."""
    server = " ".join(filter(None, (answer.target.server, answer.target.version)))
    return Short(
        incident=incident, target=target, server=server or None, nodes=answer.target.nodes[:LINES_MOST],
        outcome=answer.outcome, summary=_words(answer.summary), causes=tuple(map(_cause, answer.causes)),
        plan=tuple(map(_step, answer.plan[:STEPS_MOST])),
        complaints=_lines(one.what for one in answer.complaints if one.explained_by is None),
        unknown=_lines((*(one.what for one in answer.blind), *answer.unknown)), answered_by=answer.model.name,
    )  # fmt: skip


def rechecked(was: Diagnosis, now: Short, causes: Sequence[Cause], moved: Iterable[Moved]) -> Rechecked:
    """A second look in short."""
    figures = (
        Figure(node=one.node, tool=one.tool, field=one.field, was=one.was, now=one.now, reading=one.reading)
        for one in moved
    )
    return Rechecked(now=now, causes=tuple(became(was.causes, causes)), changed=tuple(figures))


def shown_reading(readings: Sequence[Reading], id: str, fields: str | None) -> ShownReading:
    """One of the readings, or those of its fields that a glob names. Raises `ToolError` naming those there are."""
    found = next((one for one in readings if one.id == id), None)
    if found is None:
        known = ", ".join(f"{one.id} {one.tool}" for one in readings[-NAMED_MOST:])
        raise ToolError(f"there is no reading {one_line(id, 20)!r}; the newest are {known or 'none'}")
    shown = json.loads(reading_json(found, {"at": found.at}, most=READING_MOST, fields=fields))
    return ShownReading.model_validate(shown)


def checked(report: Report) -> Checked:
    """A check of targets in short."""
    lines = report.targets[:TARGETS_MOST]
    return Checked(
        counts={level: number for level, number in report.counts.items() if number}, complete=report.complete,
        left_out=len(report.targets) - len(lines),
        targets=tuple(
            CheckedTarget(
                name=one.name, level=one.level, said=_words(one.said), causes=tuple(each.id for each in one.causes),
                soon=_lines(each.what for each in one.preventive),
            )
            for one in lines
        ),
    )  # fmt: skip


def cited(answer: Diagnosis) -> list[Reading]:
    """The readings that the causes cite, each once, the first cause's first."""
    ids = dict.fromkeys(one.reading for cause in answer.causes for one in cause.evidence)
    known = {one.id: one for one in answer.readings}
    return [known[id] for id in ids if id in known]


def _cause(cause: Cause) -> ShortCause:
    evidence = tuple(
        Cited(reading=one.reading, field=one.field, value=_value(one.value), verified=one.verified)
        for one in cause.evidence[:CITED_MOST]
    )
    return ShortCause(
        id=cause.id, probability=cause.probability, node=cause.where, why=_words(cause.why), evidence=evidence
    )


def _step(step: Step) -> ShortStep:
    return ShortStep(
        id=step.id, kind=step.kind, node=step.node, action=step.action, before=step.before and _shown(step.before),
        why=_words(step.why), risk=step.risk, undo=step.rollback and _words(step.rollback),
        verify=step.verify and _words(step.verify), avoid=step.avoid and _words(step.avoid), state=step.state,
    )  # fmt: skip


def _value(value: Scalar) -> Scalar:
    return _shown(value) if isinstance(value, str) else value


def _shown(value: str) -> str:
    return value if len(value) <= SHOWN_MOST else f"{value[:SHOWN_MOST]}…"


def _words(text: str) -> str:
    return one_line(text, WORDS_MOST)


def _lines(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(_words, list(dict.fromkeys(texts))[:LINES_MOST]))
