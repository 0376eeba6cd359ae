"""What a person is asked, and what becomes of a change that is broken off: said, closed in the log."""

from datetime import UTC, datetime

import pytest

from agent.remediation.approval import SHOWN_MOST, ApprovalRequest, answers, restoring
from agent.remediation.course import Course
from tools.clock import SystemClock
from tools.errors import GateError, Unlogged
from tools.gate.apply import Applied
from tools.gate.ledger import AuditEvent, Entry, change_entry
from tools.gate.policy import Change, allowed_change

NODE = "127.0.0.1:6379"
SET = allowed_change(NODE, ("CONFIG", "SET", "timeout", "300"), "0")
SAFE = allowed_change(NODE, ("CONFIG", "SET", "slowlog-max-len", "256"), "128")
KILL = allowed_change(NODE, ("CLIENT", "KILL", "ID", "7"), "addr=10.0.0.1:5 name=app flags=N")
PURGE = allowed_change(NODE, ("MEMORY", "PURGE"))


class At(SystemClock):
    def now(self) -> datetime:
        return datetime(2026, 1, 31, 2, 5, 7, tzinfo=UTC)


NOT_SENT = "CONFIG SET timeout 300 was not sent"
SENT = f"CONFIG SET timeout 300 was sent to {NODE}, but no answer was read: check whether it took effect, don't assume"
MADE = f"CONFIG SET timeout 300 was applied on {NODE}; it then read '300'; whether it helped was not measured"


@pytest.mark.parametrize(
    ("event", "said", "closed", "state"),
    [
        (None, "nothing was sent", None, None), ("approved", NOT_SENT, "stopped", None),
        ("stopped", NOT_SENT, None, None), ("refused", NOT_SENT, None, None),
        ("applying", SENT, "unanswered", "failed"),
        ("unanswered", SENT, None, "failed"), ("applied", MADE, "unmeasured", "applied"),
        ("unmeasured", MADE, None, "applied"),
        ("failed", f"{NODE} refused CONFIG SET timeout 300: why", None, "failed"),
        ("verified", f"CONFIG SET timeout 300 was applied on {NODE} and measured: why", None, "verified"),
        ("worse", f"CONFIG SET timeout 300 was applied on {NODE} and measured: why", None, "applied"),
        ("rolled-back", f"CONFIG SET timeout 300 was applied on {NODE}, which undid a change", None, "rolled-back"),
    ],
)  # fmt: skip
def test_what_is_broken_off_is_said_and_closed(
    event: AuditEvent | None, said: str, closed: str | None, state: str | None
) -> None:
    log: list[Entry] = []
    course = Course(log.append, At())
    course.begin()
    if event:
        course(change_entry(SystemClock(), event, SET, why="why", step="s1"))
    assert course.said("interrupted") == f"interrupted: {said}"
    assert course.came_to == state
    course.close("interrupted")
    if closed is None:
        assert len(log) == (event is not None)
        return
    last = log[-1]
    assert (len(log), last.event, last.why, last.step) == (2, closed, "interrupted", "s1")
    assert last.time == "2026-01-31T02:05:07.000+00:00"


def test_what_an_undo_was_sent_for_is_said_as_one() -> None:
    course = Course(lambda one: None, At())
    course(change_entry(SystemClock(), "applying", SET.model_copy(update={"restores": True})))
    assert f"was sent to {NODE} to undo the change, but" in course.said("x")
    course.begin()
    assert course.said("x") == "x: nothing was sent" and course.came_to is None


def test_what_could_not_be_written_down_is_tried_again_at_the_end() -> None:
    log: list[Entry] = []
    fails = [True, False]

    def write(one: Entry) -> None:
        if fails.pop(0):
            raise Unlogged("full")
        log.append(one)

    course = Course(write, At())
    with pytest.raises(Unlogged):
        course(change_entry(SystemClock(), "verified", SET))
    assert course.came_to == "verified"
    course.close("interrupted")
    assert [one.event for one in log] == ["verified"]


@pytest.mark.parametrize(
    ("request_", "lines"),
    [
        (ApprovalRequest(step="s1", change=SET, unchecked="The memory isn't known."),
         ["s1 CONFIG SET timeout 300", f"   on      {NODE}", "   change  0 -> 300", "   risk    risky",
          "   unknown The memory isn't known.", "   undo    CONFIG SET timeout 0"]),
        (ApprovalRequest(step="s1", change=SET, takes_back=True),
         ["s1 CONFIG SET timeout 300", f"   on      {NODE}", "   change  0 -> 300", "   risk    risky"]),
        (ApprovalRequest(step="s2", change=KILL),
         ["s2 CLIENT KILL ID 7", f"   on      {NODE}", "   is      addr=10.0.0.1:5 name=app flags=N",
          "   risk    risky", "   undo    nothing; it cannot be undone"]),
        (ApprovalRequest(step="s3", change=PURGE),
         ["s3 MEMORY PURGE", f"   on      {NODE}", "   risk    risky", "   undo    nothing; it cannot be undone"]),
    ],
)  # fmt: skip
def test_a_person_is_shown_what_would_be_sent(request_: ApprovalRequest, lines: list[str]) -> None:
    assert request_.lines() == lines


def test_a_long_value_that_was_read_is_cut_and_what_would_be_sent_never() -> None:
    new = "3600 1 " * 60 + "3600 1"
    for old, shown in (("x" * SHOWN_MOST, "x" * SHOWN_MOST), ("x" * (SHOWN_MOST + 1), "x" * SHOWN_MOST + "… (201 ")):
        change = Change(node=NODE, args=("CONFIG", "SET", "save", new), risk="risky", before=old)
        row = ApprovalRequest(step="s1", change=change).lines()[2]
        assert row.startswith(f"   change  {shown}") and row.endswith(f'-> "{new}"')


@pytest.mark.parametrize(
    ("change", "words"), [(SAFE, ("y", "yes")), (SET, ("yes", "timeout")), (KILL, ("yes",)), (PURGE, ("yes",))]
)
def test_a_risk_takes_more_than_a_letter(change: Change, words: tuple[str, ...]) -> None:
    assert answers(ApprovalRequest(step="s1", change=change)) == words


def test_what_was_applied_is_taken_back_from_what_it_read() -> None:
    made = Applied(change=SET, read_before="0", read_after="300", reply="OK")
    back = restoring(made)
    assert (back.args, back.before, back.restores) == (("CONFIG", "SET", "timeout", "0"), "300", True)
    for one in (made.model_copy(update={"read_after": None}), made.model_copy(update={"change": KILL})):
        with pytest.raises(GateError, match="can't be undone"):
            restoring(one)
