"""A question to a person: about one change, for a few minutes, and answered once."""

import pytest

from agent.mcp.incidents import Wanted
from agent.mcp.questions import Questions, is_yes
from agent.remediation.approval import ApprovalRequest
from tools.clock import SystemClock
from tools.errors import GateError
from tools.gate.policy import allowed_change

NODE = "127.0.0.1:6379"
RISKY = ApprovalRequest(step="s1", change=allowed_change(NODE, ("CONFIG", "SET", "timeout", "300"), "0"))
MOVED = ApprovalRequest(step="s1", change=allowed_change(NODE, ("CONFIG", "SET", "timeout", "300"), "10"))
SAFE = ApprovalRequest(step="s2", change=allowed_change(NODE, ("CONFIG", "SET", "slowlog-max-len", "256"), "128"))
WANTED = Wanted("i1", "s1")


class Clock(SystemClock):
    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


def test_it_stays_the_same_while_the_change_does() -> None:
    questions = Questions(Clock())
    first = questions.ask("ann", WANTED, RISKY, "orders")
    assert questions.ask("ann", WANTED, RISKY, "orders") == first
    assert questions.ask("bob", WANTED, RISKY, "orders").text != first.text
    moved = questions.ask("ann", WANTED, MOVED, "orders")
    assert moved.code != first.code and "10 -> 300" in moved.text


def test_it_is_answered_once_and_only_by_whoever_was_asked() -> None:
    questions = Questions(Clock())
    first = questions.ask("ann", WANTED, RISKY, "orders")
    for by, wanted in (("bob", WANTED), ("ann", WANTED._replace(undo=True)), ("ann", WANTED._replace(step="s2"))):
        with pytest.raises(GateError, match="nothing was asked"):
            questions.take(by, wanted)
    assert questions.take("ann", WANTED) == RISKY
    with pytest.raises(GateError, match="call apply again"):
        questions.take("ann", WANTED)
    assert questions.ask("ann", WANTED, RISKY, "orders").code != first.code


def test_it_expires_and_the_next_one_says_so() -> None:
    clock = Clock()
    questions = Questions(clock)
    first = questions.ask("ann", WANTED, RISKY, "orders")
    clock.seconds = 300.0
    with pytest.raises(GateError, match="expired after 5 minutes"):
        questions.take("ann", WANTED)
    questions.ask("ann", WANTED, RISKY, "orders")
    clock.seconds = 600.0
    again = questions.ask("ann", WANTED, RISKY, "orders")
    assert again.text.startswith("The earlier question expired") and again.code != first.code


@pytest.mark.parametrize(
    ("request_", "yes", "no"),
    [(RISKY, ("yes", " Timeout "), ("y", "ok", "true", "1", "yes!", "")), (SAFE, ("y", "YES"), ("sure", "slowlog"))],
)
def test_a_risky_change_takes_the_whole_word(
    request_: ApprovalRequest, yes: tuple[str, ...], no: tuple[str, ...]
) -> None:
    assert all(is_yes(request_, word) for word in yes)
    assert not any(is_yes(request_, word) for word in no)
