"""A plan that replaces another: what of the earlier one stands."""

from agent.plan.planned import kept_after
from tests.stand_in import step

OWN = step("CONFIG SET maxclients 900", before="64", rollback="CONFIG SET maxclients 64", proposed_by="ada")
FOUND = step("CONFIG SET maxmemory 90mb")


def test_what_people_proposed_stands_after_another_look() -> None:
    plan = kept_after((FOUND, OWN.model_copy(update={"id": "s2"})), (FOUND,))
    assert [(one.id, one.action) for one in plan] == [("s3", FOUND.action), ("s2", OWN.action)]


def test_it_goes_if_it_was_decided_about_or_the_answer_proposes_the_same() -> None:
    for state in ("refused", "failed", "rolled-back"):
        assert kept_after((OWN.model_copy(update={"state": state}),), (FOUND,)) == (FOUND,)
    assert kept_after((OWN,), (step(OWN.action),)) == (step(OWN.action),)
    assert kept_after((FOUND,), ()) == (), "what the answer proposed goes with it"
