"""The first screen of answers made by hand: what comes first, what is left out, and what is said once."""

from agent.answer.diagnosis import ModelUse
from agent.answer.open_points import Blind, Refused
from agent.report.detail import EVIDENCE, QUIET
from agent.report.text import text
from tests.stand_in import BUSY, answer, step
from tools.records import Unavailable

WELL = "Redis is fine: nothing was found that explains the report."


def flat(shown: str) -> str:
    """A text as one line."""
    return " ".join(shown.split())


def test_what_it_is_comes_first_and_who_found_it_last() -> None:
    use = ModelUse(name="offline", why="--model offline")
    before, _, last = text(answer("maxclients-exhausted", use=use)).partition("\nBy ")
    assert before.splitlines()[0] == "Redis is full and turns new clients away."
    assert "--model offline" in last and "--model" not in before


def test_what_hides_a_cause_that_fits_is_said_first_and_once() -> None:
    blind = Blind(what="SLOWLOG: denied", hides=("slow-on-command", "big-key-delete"), reading="slowlog", kind="denied",
                  nodes=("127.0.0.1:6379",))  # fmt: skip
    given = answer("no-fault").model_copy(
        update={"blind": (blind,), "unknown": ("log can't be read", "slowlog (denied: NOPERM) can't be read")}
    )
    said = flat(text(given))
    assert "Not seen SLOWLOG: denied; it would show slow-on-command, big-key-delete. The log can't be read." in said
    assert "NOPERM" not in said


def test_all_that_was_refused_is_named_and_why_with_v() -> None:
    refused = (Refused(action="FLUSHALL", why="deleting data"), Refused(action="CONFIG SET dir /tmp", why="a path"))
    given = answer("no-fault").model_copy(update={"refused": refused})
    assert "Note Refused: FLUSHALL; CONFIG SET dir /tmp." in flat(text(given))
    assert "Refused: FLUSHALL (deleting data)" in text(given, detail=EVIDENCE)
    assert "Note" not in text(answer("no-fault"))


def test_without_a_report_nothing_is_said_of_one() -> None:
    given = flat(text(answer("no-fault").model_copy(update={"symptom": ""})))
    assert given.startswith("Redis is fine: nothing was found wrong.") and "reported" not in given


def test_a_command_of_a_shell_keeps_its_case() -> None:
    for avoid, shown in (("kill -9; it loses", "kill -9; it"), ("chmod 777, running", "chmod 777,"),
                         ("sending it again", "Sending it")):  # fmt: skip
        given = answer("maxclients-exhausted", plan=(step("CONFIG SET x 1", avoid=avoid),))
        assert f"Don't {shown}" in flat(text(given))


def test_a_name_that_does_not_resolve_is_said_first() -> None:
    unavailable = BUSY.model_copy(update={"unavailable": Unavailable(kind="dns", detail="no such name")})
    given = answer("outside-redis").model_copy(update={"readings": (unavailable,)})
    assert text(given).startswith("The server's name doesn't resolve.")


def test_what_could_not_be_read_has_words() -> None:
    unknown = "info, slowlog, clients, config_get weren't read, because there was no connection (busy)"
    given = answer("no-fault").model_copy(update={"unknown": (unknown, "latency_sample (misconf: M) can't be read")})
    said = flat(text(given))
    assert "INFO, the slow log, the list of clients, the configuration weren't read" in said
    assert "The PINGs' latency (M) can't be read" in said


def test_who_stopped_it_reads_so() -> None:
    given = answer("no-fault").model_copy(update={"interrupted": True})
    assert "Stopped by you, after 2 readings." in text(given)


def test_a_quiet_answer_is_one_line_and_handles_stand_as_they_are() -> None:
    (line,) = text(answer("no-fault"), detail=QUIET).splitlines()
    assert line.startswith(WELL[:-1])
    shown = text(answer("no-fault"), revealed={"key#1": "a  b" + "c" * 200})
    assert "\nHandles\n  key#1 = 'a  b" in shown


def test_a_command_to_paste_stands_below_the_step_and_stays_one() -> None:
    pasted = "redis-cli -h 10.0.0.7 -p 6379 CONFIG SET client-output-buffer-limit 'pubsub 33554432 8388608 60'"
    shown = text(answer("maxclients-exhausted", plan=(step("CONFIG SET x 1", paste=(pasted,), login=True),)))
    assert "$ redis-cli -h 10.0.0.7 -p 6379 CONFIG SET" in shown and " \\\n" in shown
    assert "REDISCLI_AUTH" in shown
