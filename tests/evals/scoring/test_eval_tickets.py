"""The control that reads the ticket alone: the same as comparing each with each, and less work."""

import math
import random
from collections import Counter
from collections.abc import Sequence

import pytest

from evals.scoring.controls import constant
from evals.scoring.scenario import BUNDLED, Scenario, load
from evals.scoring.tickets import Tickets, most, words
from tests.stand_in import scenario

CAUSES = ("lua-busy", "thp", "cow-blowup", "no-fault")


def each_with_each(index: Sequence[Scenario]) -> list[tuple[str, float]]:
    """The definition, written down plainly."""
    bags = [Counter(words(one.ticket)) for one in index]
    seen = Counter(word for bag in bags for word in bag)
    vectors = [{w: bag[w] * math.log((1 + len(index)) / seen[w]) for w in sorted(bag)} for bag in bags]
    lengths = [math.sqrt(sum(weight**2 for weight in vector.values())) for vector in vectors]
    found = []
    for at, vector in enumerate(vectors):
        alike = {}
        for other, theirs in enumerate(vectors):
            if other != at:
                product = sum(vector[word] * theirs[word] for word in sorted(vector.keys() & theirs.keys()))
                alike[other] = round(product / (lengths[at] * lengths[other]), 9) if product else 0.0
        best = max(alike.values())
        if best <= 0:
            found.append(constant([one for other, one in enumerate(index) if other != at]))
        else:
            answer, share = most(Counter(index[other].expected[0] for other, like in alike.items() if like == best))
            found.append((answer, round(share * min(1.0, best), 3)))
    return found


def made(count: int, wordings: int, *, numbered: bool = False, seed: int = 0) -> list[Scenario]:
    rng = random.Random(seed)
    # As in what people write, few words are everywhere and most are seldom.
    vocabulary = [f"w{number}" for number in range(2 * wordings)]
    weights = [1 / (1 + number) for number in range(len(vocabulary))]
    texts = [" ".join(rng.choices(vocabulary, weights, k=rng.randint(1, 12))) for _ in range(wordings)]
    return [
        scenario(f"s{number}", rng.choice(CAUSES), ticket=rng.choice(texts) + (f" inc {number}" if numbered else ""))
        for number in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize("numbered", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_it_is_what_comparing_each_with_each_gives(seed: int, numbered: bool) -> None:
    index = [*made(120, 40, numbered=numbered, seed=seed), scenario("s900", "thp", ticket=""),
             scenario("s901", "thp", ticket="like no other")]  # fmt: skip
    tickets = Tickets(index)
    assert [tickets.guess(one) for one in index] == each_with_each(index)


def test_of_the_recorded_incidents_as_well() -> None:
    index = load(BUNDLED)[::4]
    tickets = Tickets(index)
    assert [tickets.guess(one) for one in index] == each_with_each(index)


def compared(index: Sequence[Scenario]) -> int:
    tickets = Tickets(index)
    for one in index:
        tickets.guess(one)
    return tickets.compared


@pytest.mark.parametrize("numbered", [False, True])
def test_the_work_grows_with_the_tickets_and_not_with_their_square(numbered: bool) -> None:
    few, many = compared(made(500, 50, numbered=numbered)), compared(made(8000, 50, numbered=numbered))
    assert many <= 16 * few
    assert compared(made(8000, 50)) < 20 * 8000


def test_of_texts_that_all_differ_most_pairs_are_left_out() -> None:
    index = made(2000, 2000)
    assert compared(index) < len(index) ** 2 / 4
