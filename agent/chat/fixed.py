"""Questions answered without a model, from the last answer: who, since when, why, where, what now, is it safe, what
is the evidence, what wasn't seen."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from agent.answer.diagnosis import Cause, Diagnosis, Evidence
from agent.report.changes import changes
from agent.report.deployment import tree
from agent.report.first_screen import do_now, not_seen
from agent.report.summary import explanation, headline, seen_evidence, sentence, what_not_to_do
from agent.report.words import all_in_words, timed_in_words, who
from tools.records import Reading, Scalar

OWNERS = 3
"""How many owners of connections are named if no cause names anybody."""
_STEP = re.compile(r"\bs\d+\b")
_SHORT = 8
"""Most words of a line without a question mark that is taken for one of these questions."""
CITED_MOST = 200
"""Most characters of a value that is cited."""
_BARE = re.compile(r"[\w.:/%+-]*[\w%]")
"""A value that needs no quotes."""
STEPS_OFFERED = 3
"""Steps of which it is suggested to ask whether they're safe."""


class Place(NamedTuple):
    """Where a conversation takes place, and what can be done there."""

    decide: str
    """How a step is approved."""
    past: str
    """What would show the past."""


TERMINAL = Place(
    "/plan shows the steps in full; /approve s1 asks you about one of them.",
    "--prometheus or --baseline would show it.",
)


class _Question(NamedTuple):
    words: re.Pattern[str]
    answer: Callable[[Diagnosis, Place], Iterator[str]]


def suggested(answer: Diagnosis) -> list[str]:
    """Questions that `fixed_answer` answers, and that make sense for this answer."""
    steps = [step for step in answer.own_plan if step.is_open and step.needs_approval]
    return [
        "What now?",
        "Why?",
        *(["What is the evidence?"] if answer.causes or answer.evidence else []),
        *(f"Is {step.id} safe?" for step in steps[:STEPS_OFFERED]),
        "Since when?",
        "Who?",
        *(["Where?"] if len(answer.target.nodes) > 1 else []),
        "What wasn't seen?",
    ]


def fixed_answer(text: str, answer: Diagnosis, place: Place = TERMINAL) -> list[str] | None:
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
            return list(question.answer(answer.model_copy(update={"plan": plan}), place))
    return None


def _who(answer: Diagnosis, _: Place) -> Iterator[str]:
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


def _since(answer: Diagnosis, place: Place) -> Iterator[str]:
    yield from (f"{phrase[:1].upper()}{phrase[1:]}." for phrase in changes(answer))
    times = timed_in_words([cause.evidence for cause in answer.causes], answer.readings)
    yield from (f"{phrase[:1].upper()}{phrase[1:]}." for phrase in times)
    if not times and not changes(answer):
        at = min((one.at for one in answer.readings if one.tool != "symptom"), default="")
        seen = f" It was already so at {at}, when this was read." if at else ""
        yield f"The readings don't show since when.{seen} {place.past}"


def _why(answer: Diagnosis, _: Place) -> Iterator[str]:
    yield sentence(explanation(answer) or headline(answer))
    if seen := all_in_words(seen_evidence(answer), answer.readings):
        yield f"Seen: {sentence('; '.join(seen))}"


def _evidence(answer: Diagnosis, _: Place) -> Iterator[str]:
    for cause in answer.causes:
        yield f"{cause.id}, {cause.probability:.0%} sure: {sentence(cause.why)}"
        yield from (f"  {line}" for line in _cited(cause.evidence))
    yield from _cited(answer.evidence)
    if not (answer.causes or answer.evidence):
        yield "Nothing was found, so there is no evidence of it."


def _cited(evidence: Iterable[Evidence]) -> Iterator[str]:
    for one in evidence:
        yield f"{one.reading} {one.field}{_value(one.value)}{'' if one.verified else ' (not verified)'}"


def _value(value: Scalar) -> str:
    """A value as it's cited; nothing for one that can't be cited whole."""
    text = value if isinstance(value, str) else json.dumps(value)
    if len(text) > CITED_MOST or '"' in text or "\n" in text:
        return ""
    return f"={text}" if _BARE.fullmatch(text) else f'="{text}"'


def _unseen(answer: Diagnosis, _: Place) -> Iterator[str]:
    lines = list(not_seen(answer))
    yield from lines or ["Everything that was looked at could be read."]


def _where(answer: Diagnosis, _: Place) -> Iterator[str]:
    if answer.causes and answer.causes[0].where:
        yield f"At {answer.causes[0].where}."
    yield from tree(answer)


def _what_now(answer: Diagnosis, place: Place) -> Iterator[str]:
    yield from do_now(answer)
    yield f"Don't: {what_not_to_do(answer)}"
    if any(step.needs_approval and step.is_open for step in answer.plan):
        yield place.decide


def _is_safe(answer: Diagnosis, _: Place) -> Iterator[str]:
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
        (r"\b(?:evidence|how do (?:you|we) know)\b", _evidence),
        (r"\b(?:(?:what|which) (?:wasn't|was not|isn't|couldn't be|could not be|can't be) (?:seen|read|known)|"
         r"blind spots?)\b", _unseen),
        (r"\b(?:is (?:it|that|this|s\d+) (?:safe|risky|dangerous)|how safe|safe to|how risky)\b", _is_safe),
        (r"\b(?:who|whose|which (?:client|app|application|service|team|user|owner)s?)\b", _who),
        (r"\b(?:what (?:now|next|to do|should|do (?:i|we))|how (?:do|can|should) (?:i|we)|now what)\b", _what_now),
        (r"\b(?:where|which (?:node|server|shard|replica)s?)\b", _where),
        (r"\b(?:why|how come|what makes you|what (?:is|was) (?:it|wrong))\b", _why),
    )
)  # fmt: skip
