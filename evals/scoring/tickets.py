"""The control that reads the ticket alone, in time that grows with the different wordings and not with their square."""

import math
import re
from bisect import insort
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from evals.scoring.scenario import Scenario

_WORD = re.compile(r"[a-z0-9]+")
ALIKE = 9
"""Digits to which two similarities are compared: the order in which words were added up mustn't decide."""
SLACK = 1e-5
"""How far below the best a wording may lie and still be looked at digit by digit."""
Answers = Counter[str]


@dataclass(eq=False)
class Wording:
    """Tickets that differ by nothing but words which no other ticket has, such as an order's number."""

    weights: dict[str, float]
    """By word, how often it stands there times how rare it is; only what some other ticket has too."""
    answers: dict[float, Answers] = field(default_factory=dict)
    """By a ticket's length, which its own words add to: the answers."""
    lengths: list[float] = field(default_factory=list)
    """In order."""

    def add(self, length: float, answer: str) -> None:
        """One more ticket."""
        if length not in self.answers:
            self.answers[length] = Answers()
            insort(self.lengths, length)
        self.answers[length][answer] += 1

    def others(self, length: float, answer: str) -> Iterator[tuple[float, Answers]]:
        """Its tickets by length without one of this length and answer."""
        for each in self.lengths:
            rest = self.answers[each] - Answers([answer]) if each == length else self.answers[each]
            if rest:
                yield each, rest

    def all(self) -> Iterator[tuple[float, Answers]]:
        """Its tickets by length."""
        return ((length, self.answers[length]) for length in self.lengths)


class Tickets:
    """The ticket alone: what the scenarios with the most similar tickets were.

    Similarity is the cosine of the tickets' words, each weighed by how rare it is. The scenario itself is left out, its
    siblings of another seed or server aren't: people write the same of the same fault. Among equally similar tickets
    the commonest answer is taken; a ticket like no other gets the constant answer.
    """

    def __init__(self, index: Sequence[Scenario]) -> None:
        self.compared = 0
        """How many pairs of wordings were compared: what the time goes into."""
        self._all = Answers(one.expected[0] for one in index)
        # Words are counted twice over: to hold those of each ticket takes ten times what the tickets do.
        seen = Counter(word for one in index for word in {*words(one.ticket)})
        rarity = {word: math.log((1 + len(index)) / count) for word, count in seen.items()}
        self._wordings: dict[tuple[tuple[str, int], ...], Wording] = {}
        self._homes: dict[str, tuple[Wording, float]] = {}
        """By scenario, its wording and its ticket's length."""
        for one in index:
            bag = Counter(words(one.ticket))
            shared = tuple((word, bag[word]) for word in sorted(bag) if seen[word] > 1)
            if shared not in self._wordings:
                self._wordings[shared] = Wording({word: count * rarity[word] for word, count in shared})
            home, length = self._wordings[shared], _length(bag[word] * rarity[word] for word in sorted(bag))
            home.add(length, one.expected[0])
            self._homes[one.id] = home, length
        self._having: dict[str, list[Wording]] = {}
        for wording in self._wordings.values():
            for word in wording.weights:
                self._having.setdefault(word, []).append(wording)
        self._near: dict[int, list[tuple[float, Wording]]] = {}

    def guess(self, one: Scenario) -> tuple[str, float]:
        """The answer for a scenario of the index, and how likely it is."""
        (home, length), own = self._homes[one.id], one.expected[0]
        if self._all.total() == 1:
            return "insufficient-evidence", 0.0
        groups = [(self._dot(home, home), home.others(length, own))]
        groups += [(product, wording.all()) for product, wording in self._neighbours(home)]
        best, found = 0.0, Answers()
        for product, tickets in groups:
            for other, answers in tickets:
                alike = round(product / (length * other), ALIKE) if product else 0.0
                if alike > best:
                    best, found = alike, Answers(answers)
                elif alike == best and best:
                    found += answers
                else:
                    # Longer ones are less alike.
                    break
        if not best:
            return most(self._all - Answers([own]))
        answer, share = most(found)
        return answer, round(share * min(1.0, best), 3)

    def _neighbours(self, home: Wording) -> list[tuple[float, Wording]]:
        """The other wordings that may be the most similar, each with the product of the two."""
        if id(home) not in self._near:
            self._near[id(home)] = self._nearest(home)
        return self._near[id(home)]

    def _nearest(self, home: Wording) -> list[tuple[float, Wording]]:
        # Of a wording that comes several times, the others of it are a bound already.
        several = sum(answers.total() for answers in home.answers.values()) > 1
        best = self._dot(home, home) / home.lengths[-1] if several and home.weights else 0.0
        met, products = {id(home)}, list[tuple[float, float, Wording]]()
        rest = sum(weight**2 for weight in home.weights.values())
        for word, weight in sorted(home.weights.items(), key=lambda item: (-item[1], item[0])):
            # What has none of the words up to here is at most as similar as the rest of them allows.
            if math.sqrt(max(rest, 0.0)) < best * (1 - SLACK):
                break
            rest -= weight**2
            for other in self._having[word]:
                if id(other) not in met:
                    met.add(id(other))
                    product = self._dot(home, other)
                    score = product / other.lengths[0] if product else 0.0
                    products.append((score, product, other))
                    best = max(best, score)
        return [(product, other) for score, product, other in products if score >= best * (1 - SLACK)]

    def _dot(self, one: Wording, other: Wording) -> float:
        self.compared += 1
        both = sorted(one.weights.keys() & other.weights.keys())
        return sum(one.weights[word] * other.weights[word] for word in both)


def words(ticket: str) -> list[str]:
    """A ticket's words."""
    return _WORD.findall(ticket.lower())


def most(counted: Answers) -> tuple[str, float]:
    """The commonest answer, and its share."""
    answer, count = min(counted.items(), key=lambda item: (-item[1], item[0]))
    return answer, round(count / counted.total(), 3)


def _length(weights: Iterable[float]) -> float:
    return round(math.sqrt(sum(weight**2 for weight in weights)), 12)
