"""Which changes a warning means, in which direction, and which it leaves alone."""

import pytest

from agent.plan.arrangement import consistent
from agent.plan.drafts import Draft
from agent.plan.warned import warned
from tests.stand_in import step
from tools.gate.policy import Change, parse_command


def change(action: str, before: str | None = None) -> Change:
    return Change(node="127.0.0.1:6379", args=parse_command(action), risk="risky", before=before)


@pytest.mark.parametrize(
    ("avoid", "action", "before", "means"),
    [
        ("A higher maxclients; it's the client's.", "CONFIG SET maxclients 20000", "10000", True),
        ("A higher maxclients; it's the client's.", "CONFIG SET maxclients 5000", "10000", False),
        ("A higher maxmemory; it has no end.", "CONFIG SET maxmemory 0", "100mb", True),
        ("A higher maxmemory; it has no end.", "CONFIG SET maxmemory 1gb", "0", False),
        ("Only raising maxclients; it fills too.", "CONFIG SET maxclients 20000", "10000", False),
        ("An allkeys-* policy on a store; it deletes.", "CONFIG SET maxmemory-policy allkeys-lru", "noeviction", True),
        ("The policy noeviction; misses fail.", "CONFIG SET maxmemory-policy noeviction", "allkeys-lru", True),
        ("activedefrag; there is nothing.", "CONFIG SET activedefrag yes", "no", True),
        ("Switching stop-writes-on-bgsave-error off; x", "BGSAVE", None, False),
        ("CLIENT UNPAUSE; it frees nothing.", "CLIENT UNPAUSE", None, True),
    ],
)  # fmt: skip
def test_what_a_warning_means(avoid: str, action: str, before: str | None, means: bool) -> None:
    assert warned(change(action, before), avoid) == means


def test_of_two_steps_the_earlier_stands_and_a_runbooks_own_warning_spares_its_own() -> None:
    def draft(action: str, ref: str, avoid: str | None = None, before: str = "1") -> Draft:
        return Draft(step=step(action).model_copy(update={"avoid": avoid}), change=change(action, before), ref=ref)

    higher = "A higher maxclients; the number isn't the trouble."
    mine = draft("CONFIG SET maxclients 20", "maxclients-exhausted/1", higher)
    assert consistent([mine]) == ([mine], [])
    other = draft("CONFIG SET timeout 300", "connection-churn/1", higher)
    kept, dropped = consistent([other, mine])
    assert kept == [other] and [one.by for one in dropped] == ["plan"] and dropped[0].avoid == higher
    kept, dropped = consistent([mine, other])
    assert kept == [mine, other] and not dropped, "what's likelier isn't undone by what is less likely"
    twice = draft("CONFIG SET timeout 60", "", None)
    kept, dropped = consistent([other, twice])
    assert kept == [other] and dropped[0].why == "another step sets timeout to 300"
