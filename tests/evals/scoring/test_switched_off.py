"""What is answered where the check that knows the cause is off: never that all is well, and seldom something else.

The golden files hold it of every recorded fault, and the test of the golden files that it's so.
"""

from typing import get_args

from agent.answer.diagnosis import Outcome
from agent.answer.taxonomy import CAUSES
from evals.scoring.scenario import BUNDLED, load
from evals.scoring.switched_off import BROUGHT_ABOUT, MOST_WRONG
from tests.golden.entries import FOLDER, entries, taken_for_unnamed

CAUSE_BY_ID = {scenario.id: scenario.cause for scenario in load(BUNDLED)}
TAKEN_FOR = {
    id: taken_for
    for path in FOLDER.glob("*.txt")
    for id, text in entries(path).items()
    if (taken_for := taken_for_unnamed(text))
}


def test_what_brings_something_about_is_a_cause() -> None:
    assert {cause for pair in BROUGHT_ABOUT for cause in pair} <= set(CAUSES)
    assert all(cause != named for cause, named in BROUGHT_ABOUT)


def test_what_nobody_knows_is_never_called_well() -> None:
    assert len(TAKEN_FOR) > 300
    assert set(TAKEN_FOR.values()) <= {*CAUSES, *get_args(Outcome)}
    assert [id for id, taken_for in TAKEN_FOR.items() if taken_for == "no-fault"] == []


def test_what_nobody_knows_is_seldom_taken_for_what_isn_t_there() -> None:
    pairs = {id: (CAUSE_BY_ID[id], taken_for) for id, taken_for in TAKEN_FOR.items() if taken_for in CAUSES}
    wrong = {id: pair for id, pair in pairs.items() if pair not in BROUGHT_ABOUT}
    assert len(wrong) <= MOST_WRONG * len(TAKEN_FOR), wrong
