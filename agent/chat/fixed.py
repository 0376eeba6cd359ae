"""Questions answered without a model, from the last answer: who, since when, why, where, what now, is it safe."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from agent.answer.diagnosis import Cause, Diagnosis
from agent.report.changes import changes
from agent.report.deployment import tree
from agent.report.first_screen import do_now
from agent.report.summary import explanation, headline, seen_evidence, sentence, what_not_to_do
from agent.report.words import all_in_words, timed_in_words, who
from tools.records import Reading

OWNERS = 3
"""How many owners of connections are named if no cause names anybody."""
_STEP = re.compile(r"\bs\d+\b")
_SHORT = 8
"""Most words of a line without a question mark that is taken for one of these questions."""


class _Question(NamedTuple):
    words: re.Pattern[str]
    answer: Callable[[Diagnosis], Iterator[str]]


def fixed_answer(text: str, answer: Diagnosis) -> list[str] | None:
    """The answer to one of these questions, as lines; None for any other text."""
    is_question = text.endswith("?")
    if not is_question and len(text.split()) > _SHORT:
        return None
    for question in _QUESTIONS:
        found = question.words.search(text)
        # Without a question mark it may be part of the report, so it has to begin like a question.
        if found and (is_question or not found.start()):
            named = _STEP.findall(text)
            plan = tuple(step for step in answer.plan if step.id in named) if named else answer.plan
            return list(question.answer(answer.model_copy(update={"plan": plan})))
    return None


def _who(answer: Diagnosis) -> Iterator[str]:
    top = answer.causes[:1]
    cited = [phrase for phrase, _ in _owners(top, answer.readings)]
    if cited:
        yield from (sentence(phrase) for phrase in dict.fromkeys(cited))
        return
    groups = [one for one in answer.readings if one.tool == "clients" and one.values]
    if not groups:
        yield "The clients are unknown: CLIENT LIST couldn't be read."
        return
    yield "The readings don't point to any client. Most connections are held by:"
    for reading in groups[-1:]:
        for row in (f"o{number}" for number in range(1, OWNERS + 1)):
            if whose := who(reading, row):
                yield f"  {whose}: {reading.get(f'{row}.count')} connections"


def _owners(causes: Iterable[Cause], readings: Iterable[Reading]) -> Iterator[tuple[str, str]]:
    """Phrases that name a client or owner, and who that is."""
    by_id = {reading.id: reading for reading in readings}
    for cause in causes:
        for one in cause.evidence:
            reading = by_id.get(one.reading)
            row = one.field if reading and who(reading, one.field) else one.field.rpartition(".")[0]
            if reading and row and (whose := who(reading, row)):
                for phrase in all_in_words([cause.evidence], list(by_id.values())):
                    if whose in phrase:
                        yield phrase, whose


def _since(answer: Diagnosis) -> Iterator[str]:
    yield from (f"{phrase[:1].upper()}{phrase[1:]}." for phrase in changes(answer))
    times = timed_in_words([cause.evidence for cause in answer.causes], answer.readings)
    yield from (f"{phrase[:1].upper()}{phrase[1:]}." for phrase in times)
    if not times and not changes(answer):
        at = min((one.at for one in answer.readings if one.tool != "symptom"), default="")
        seen = f" It was already so at {at}, when this was read." if at else ""
        yield f"The readings don't show since when.{seen} --prometheus or --baseline would show it."


def _why(answer: Diagnosis) -> Iterator[str]:
    yield sentence(explanation(answer) or headline(answer))
    if seen := all_in_words(seen_evidence(answer), answer.readings):
        yield f"Seen: {sentence('; '.join(seen))}"


def _where(answer: Diagnosis) -> Iterator[str]:
    if answer.causes and answer.causes[0].where:
        yield f"At {answer.causes[0].where}."
    yield from tree(answer)


def _what_now(answer: Diagnosis) -> Iterator[str]:
    yield from do_now(answer)
    yield f"Don't: {what_not_to_do(answer)}"
    if any(step.needs_approval and step.is_open for step in answer.plan):
        yield "/plan shows the steps in full; /approve s1 asks you about one of them."


def _is_safe(answer: Diagnosis) -> Iterator[str]:
    step = next((one for one in answer.own_plan if one.is_open), None)
    if step is None:
        yield "There is no step to take, so there is no risk."
        return
    yield f"{step.id} {sentence(step.action)} It's {step.risk}. {sentence(step.why)}"
    yield sentence(f"To undo it: {step.rollback}" if step.rollback else "There is nothing to undo")
    if step.unchecked:
        yield sentence(f"Not checked: {step.unchecked}")
    yield f"Don't: {what_not_to_do(answer)}"
    yield "Nothing is changed without your approval."


_QUESTIONS = tuple(
    _Question(re.compile(words, re.IGNORECASE), answer)
    for words, answer in (
        (r"\b(?:since when|how long|when did|from when)\b", _since),
        (r"\b(?:is (?:it|that|this|s\d+) (?:safe|risky|dangerous)|how safe|safe to|how risky)\b", _is_safe),
        (r"\b(?:who|whose|which (?:client|app|application|service|team|user|owner)s?)\b", _who),
        (r"\b(?:what (?:now|next|to do|should|do (?:i|we))|how (?:do|can|should) (?:i|we)|now what)\b", _what_now),
        (r"\b(?:where|which (?:node|server|shard|replica)s?)\b", _where),
        (r"\b(?:why|how come|what makes you|what (?:is|was) (?:it|wrong))\b", _why),
    )
)  # fmt: skip
