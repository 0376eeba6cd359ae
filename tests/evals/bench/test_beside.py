"""What an application notices: nothing is called broken that may be what else ran on the server's core."""

import random

from evals.bench.beside import Measured, judged
from evals.bench.page import Page
from evals.bench.records import Gate
from evals.bench.spent import Served

GATE = Gate(name="p99", limit=1.1, floor=1.0)


def measured(ratio: float, held: float = 0.0, pairs: int = 8) -> Measured:
    """Pairs of segments of a second each, with a triage `ratio` times as slow, in which others held the core."""
    rng, one = random.Random(1), Measured()
    served = Served(commands=90, ms=3.0, longest=0.4, cycle=0.9)
    for number in range(pairs):
        first = 2.0 * number
        one.pairs.append(((first, first + 1), (first + 1, first + 2)))
        one.without.append(served)
        one.with_.append(served)
        for at, slow in ((first, 1.0), (first + 1, ratio)):
            one.took += [(at + step / 1000, slow * rng.uniform(0.9, 1.0)) for step in range(1000)]
            one.held += [(at + step / 20, at + (step + 1) / 20, held if slow > 1 else 0.0) for step in range(20)]
    return one


def judge(one: Measured) -> Gate:
    return judged(GATE, one, Page("beside", lambda text: None, 0.0))


def test_a_server_that_had_its_core_is_judged_by_the_interval() -> None:
    assert judge(measured(1.0)).outcome == "held"
    assert judge(measured(1.5)).outcome == "broken"
    assert judge(measured(1.0, pairs=3)).why.startswith("3 of 3 pairs have enough batches")


def test_what_others_do_on_the_servers_core_isnt_a_triages_doing() -> None:
    nothing = judge(measured(1.5, held=0.01))
    assert (nothing.outcome, nothing.value) == ("can't tell here", None)
    assert "0 of 8 pairs have enough batches" in nothing.why and "50% are left out" in nothing.why
    some = measured(1.0)
    # A tenth of the slices, in which all is slow.
    some.held = [
        (began, ended, 0.01 if number % 10 == 0 else 0.0) for number, (began, ended, _) in enumerate(some.held)
    ]
    late = [began for began, _, lost in some.held if lost]
    some.took = [(at, 50.0 if any(0 <= at - began < 0.05 for began in late) else ms) for at, ms in some.took]
    assert judge(some).outcome == "held" and (judge(some).high or 9) < 1.1
