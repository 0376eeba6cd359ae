"""What an application notices: nothing is called broken that may be what else ran on the server's core."""

import random

from evals.bench.beside import Measured, judged
from evals.bench.page import Page
from evals.bench.records import Gate
from evals.bench.spent import Served

GATE = Gate(name="p99", limit=1.1, floor=1.0)


def measured(ratio: float, waited: float) -> Measured:
    """Eight pairs of segments of a second each, with a triage `ratio` times as slow."""
    rng, one = random.Random(1), Measured()
    served = Served(commands=90, ms=3.0, longest=0.4, cycle=0.9)
    for number in range(8):
        first = 2.0 * number
        one.pairs.append(((first, first + 1), (first + 1, first + 2)))
        one.without.append(served)
        one.with_.append(served)
        for at, slow in ((first, 1.0), (first + 1, ratio)):
            one.took += [(at + step / 1000, slow * rng.uniform(0.9, 1.0)) for step in range(1000)]
    one.waited = waited
    return one


def outcome(ratio: float, waited: float) -> str:
    return judged(GATE, measured(ratio, waited), Page("beside", lambda text: None, 0.0)).outcome


def test_a_server_that_had_its_core_is_judged_by_the_interval() -> None:
    assert outcome(1.0, 0.01) == "held"
    assert outcome(1.5, 0.01) == "broken"


def test_a_server_whose_core_others_held_isnt_called_broken() -> None:
    assert outcome(1.5, 1.0) == "can't tell here"
    assert outcome(1.0, 1.0) == "held"
