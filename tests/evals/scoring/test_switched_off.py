"""What is answered where the check that knows the cause is off: never that all is well, and seldom something else."""

from agent.answer.taxonomy import CAUSES
from evals.scoring.switched_off import BROUGHT_ABOUT, MOST_WRONG, other, verdicts


def test_what_brings_something_about_is_a_cause() -> None:
    assert {cause for pair in BROUGHT_ABOUT for cause in pair} <= set(CAUSES)
    assert all(cause != named for cause, named in BROUGHT_ABOUT)


def test_what_nobody_knows_is_seldom_taken_for_what_isn_t_there() -> None:
    judged = verdicts()
    assert len(judged) > 300
    assert [scenario.id for scenario, verdict in judged if verdict.outcome == "no-fault"] == []
    pairs = {scenario.id: pair for scenario, verdict in judged if (pair := other(scenario, verdict))}
    wrong = {id: pair for id, pair in pairs.items() if pair not in BROUGHT_ABOUT}
    assert len(wrong) <= MOST_WRONG * len(judged), wrong
