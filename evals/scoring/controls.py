"""The controls: what is right without looking at anything. An arm that is no better than these has found nothing."""

import math
import random
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import get_args

from agent.answer.diagnosis import OFFLINE, Cause, Diagnosis, ModelUse, Outcome, TargetInfo
from agent.answer.taxonomy import CAUSES
from evals.scoring.answered import Answered
from evals.scoring.arm import CONTROLS
from evals.scoring.scenario import Scenario
from tools.records import Footprint

SEED = 0
Control = Callable[[Scenario, int], Answered]
"""Answers a scenario in an epoch."""
POSSIBLE: tuple[str, ...] = (*sorted(CAUSES), *sorted(set(get_args(Outcome)) - {"diagnosed"}))
"""All that can be answered."""
_WORD = re.compile(r"[a-z0-9]+")


def controls(index: Sequence[Scenario]) -> dict[str, Control]:
    """The controls by name, made from the whole index, whatever of it was selected."""
    usual, share = constant(index)
    tickets = Tickets(index)
    baselines: tuple[Control, ...] = (
        lambda one, epoch: guess(one, usual, share),
        lambda one, epoch: guess(one, *tickets.guess(one)),
        lambda one, epoch: guess(one, drawn(one, epoch), 1 / len(POSSIBLE)),
    )
    return dict(zip(CONTROLS, baselines, strict=True))


def constant(index: Sequence[Scenario]) -> tuple[str, float]:
    """The answer that is right most often, and how often."""
    return _most(Counter(one.expected[0] for one in index))


def drawn(one: Scenario, epoch: int) -> str:
    """Any cause or outcome, each as likely, the same at every run."""
    return random.Random(f"{SEED} {one.id} {epoch}").choice(POSSIBLE)


class Tickets:
    """The ticket alone: what the scenarios with the most similar tickets were.

    Similarity is the cosine of the tickets' words, each weighed by how rare it is. The scenario itself is left out, its
    siblings of another seed or server aren't: people write the same of the same fault. Among equally similar tickets
    the commonest answer is taken; a ticket like no other gets the constant answer.
    """

    def __init__(self, index: Sequence[Scenario]) -> None:
        self._index = index
        self._words = [Counter(words(one.ticket)) for one in index]
        seen = Counter(word for counted in self._words for word in counted)
        self._weight = {word: math.log((1 + len(index)) / count) for word, count in seen.items()}

    def guess(self, one: Scenario) -> tuple[str, float]:
        """The answer for a scenario, and how likely it is."""
        own = Counter(words(one.ticket))
        others = [(other, counted) for other, counted in zip(self._index, self._words, strict=True) if other != one]
        if not others:
            return "insufficient-evidence", 0.0
        alike = [round(self._cosine(own, counted), 9) for _, counted in others]
        best = max(alike)
        if best <= 0:
            return constant([other for other, _ in others])
        nearest = [other for (other, _), like in zip(others, alike, strict=True) if like == best]
        answer, share = _most(Counter(other.expected[0] for other in nearest))
        return answer, round(share * min(1.0, best), 3)

    def _cosine(self, one: Mapping[str, int], other: Mapping[str, int]) -> float:
        both = sum(self._weigh(one, word) * self._weigh(other, word) for word in sorted(one.keys() & other.keys()))
        return both / (self._length(one) * self._length(other)) if both else 0.0

    def _weigh(self, counted: Mapping[str, int], word: str) -> float:
        return counted[word] * self._weight.get(word, 0.0)

    def _length(self, counted: Mapping[str, int]) -> float:
        return math.sqrt(sum(self._weigh(counted, word) ** 2 for word in sorted(counted)))


def words(ticket: str) -> list[str]:
    """A ticket's words."""
    return _WORD.findall(ticket.lower())


def _most(counted: Counter[str]) -> tuple[str, float]:
    answer, count = min(counted.items(), key=lambda item: (-item[1], item[0]))
    return answer, round(count / counted.total(), 3)


def guess(one: Scenario, answer: str, probability: float) -> Answered:
    """An answer of someone who read nothing: it cites nothing."""
    causes = (Cause(id=answer, probability=probability, where=None, why="", evidence=()),)
    outcome: Outcome = next((known for known in get_args(Outcome) if known == answer), "diagnosed")
    return Answered(answer=Diagnosis(
        symptom=one.ticket, target=TargetInfo(url=""), outcome=outcome,
        causes=causes if outcome == "diagnosed" else (), findings=(), ruled_out=(), unknown=(), plan=(), readings=(),
        footprint=Footprint(commands=0, pings=0, bytes=0), model=ModelUse(name=OFFLINE), seconds=0.0,
    ))  # fmt: skip
