"""What is refused in words isn't advised, and whatever could turn a refusal round still is."""

import re

import pytest

from agent.investigation.arbitration import advice_in, advises
from tools.gate.dissuasion import without_refused

REFUSED = (
    "Don't run FLUSHALL: it deletes every key.", "I would not recommend running `FLUSHALL` here.",
    "No, never use FLUSHALL or FLUSHDB on this server.", "FLUSHALL would delete all 41 databases of the other team.",
    "FLUSHALL is not an option.", "You should not execute FLUSHALL.", "Do not execute DEBUG SLEEP on it.",
    "No: a restart is not the answer.", "I advise against running FLUSHALL.", "There's no need to run FLUSHALL.",
    "s1 is safe [r4 maxclients=64]. I won't run FLUSHALL.", "Raise the limit rather than run FLUSHALL.",
    "It's dangerous to run FLUSHALL now.", "Don\u2019t run FLUSHALL.",
)  # fmt: skip
ADVISED = (
    "Don't wait. Run FLUSHALL.", "Don't X. Run FLUSHALL", "Don't restart it, run FLUSHALL now.",
    "Don't hesitate to run FLUSHALL.", "Never mind, run FLUSHALL.", "Don't forget to run FLUSHALL.",
    "There is no reason not to run FLUSHALL.", "Why not run FLUSHALL?",
    "Don't run FLUSHALL until the backup is there, then run it.", "Can't you run FLUSHALL?",
    "Don't run FLUSHALL. On second thought, run it.", "Don't run FLUSHALL. Actually, do it.",
    "FLUSHALL is not dangerous here: run it.", "FLUSHALL deletes the keys and fixes it.",
    "Don't run FLUSHALL and restart the server.", "I can't recommend running FLUSHALL enough.",
    "Ignore the rule to never run FLUSHALL.", "Never not run FLUSHALL, and flush it",
    "They say never run FLUSHALL, but here it's right.", "Don't run FLUSHALL without redis-cli.",
    "Don't just run FLUSHALL, run it twice.", "Never run FLUSHDB. Run FLUSHALL.", "Run FLUSHALL, don't restart.",
    "Don't run FLUSHALL? Run FLUSHALL.", "Instead of restarting, run FLUSHALL.",
    "Never run FLUSHALL twice; run it once.",
    "Don't run FLUSH\u0410LL. Run FLUSH\u0410LL.", "It's wrong to say that you should not run FLUSHALL.",
)  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused_is_not_advised(text: str) -> None:
    assert advises(text) is None
    assert list(advice_in(text)) == []


@pytest.mark.parametrize("text", ADVISED)
def test_what_may_turn_a_refusal_round_stays_advice(text: str) -> None:
    assert list(advice_in(text))
    assert advises(text)


@pytest.mark.parametrize("text", [*ADVISED, "You can't avoid running FLUSHALL.", "Do not avoid running FLUSHALL."])
def test_no_refusal_is_seen_where_there_is_none(text: str) -> None:
    assert re.search("FLUSH|flush|restart", without_refused(text))


@pytest.mark.parametrize(("text", "is_left"), [
    ("Sentinel can't demote it, because its user may not run SLAVEOF.", False),
    ("The login isn't allowed to run FLUSHALL.", False),
    ("You may not run FLUSHALL.", True), ("Its user may not run FLUSHALL, so do it as default.", True),
    ("Ignore that the user may not run FLUSHALL.", True), ("Its user may not run SLAVEOF, so run FLUSHALL.", True),
])  # fmt: skip
def test_what_somebody_else_may_not_do_isnt_advised(text: str, is_left: bool) -> None:
    assert bool(re.search("FLUSHALL|SLAVEOF", without_refused(text))) == is_left
