"""What is said and advised where something is wrong and no cause was found."""

import pytest

from agent.answer.diagnosis import NAMELESS, Cause, Diagnosis
from agent.answer.open_points import Complained, Evidence
from agent.checks.complaints.known import COUNTERS, EVENTS, STATES
from agent.report.first_screen import do_now
from agent.report.first_steps import step_for
from agent.report.summary import do_first, headline
from tests.stand_in import answer


def nameless(*complaints: Complained, findings: tuple[Cause, ...] = ()) -> Diagnosis:
    return answer("insufficient-evidence").model_copy(update={
        "causes": (), "findings": findings, "plan": (), "blind": (), "alerts": (),
        "summary_by": "checks", "complaints": complaints, "unknown": (f"{NAMELESS}: {complaints[0].what}.",),
    })  # fmt: skip


def complained(what: str, field: str, **more: str) -> Complained:
    evidence = (Evidence(reading="r1", field=field, value=1),)
    return Complained(what=what, node="10.1.2.3:6379", evidence=evidence, **more)


CRASHED = complained("the log says that it crashed, once, 9 s ago", "crash.count")


@pytest.mark.parametrize("event", EVENTS)
def test_each_critical_event_has_a_first_step(event: str) -> None:
    assert step_for(f"{event}.count", "log") is not None


@pytest.mark.parametrize("field", [*STATES, "rdb_last_bgsave_status", "master_link_status"])
def test_each_state_has_a_first_step(field: str) -> None:
    assert field in ("loading", "async_loading") or step_for(field, "info") is not None


@pytest.mark.parametrize("counter", [one.pattern for one in COUNTERS if one.pattern.isidentifier()])
def test_each_counter_has_a_first_step(counter: str) -> None:
    assert counter == "expired_time_cap_reached_count" or step_for(f"{counter}.delta", "info") is not None


def test_the_first_line_says_what_is_wrong() -> None:
    other = complained("rdb_last_bgsave_status is err", "rdb_last_bgsave_status")
    found = nameless(CRASHED)
    assert headline(found) == "The log says that it crashed, once, 9 s ago; no known cause explains it"
    assert headline(nameless(other)) == "rdb_last_bgsave_status is err; no known cause explains it"
    assert "(and 1 more); no known cause explains them" in headline(nameless(CRASHED, other))


def test_what_a_cause_explains_isnt_first() -> None:
    explained = complained("a PING took 900 ms", "max_ms", explained_by="fork-stall")
    assert headline(nameless(explained, CRASHED)).startswith("The log says that it crashed")


def test_a_hint_forbids_to_say_that_no_cause_is_known() -> None:
    hint = Cause(id="oom-killed", probability=0.4, where=None, why="Status 137.", evidence=())
    assert headline(nameless(CRASHED, findings=(hint,))).endswith("; what was read doesn't show why")


def test_the_first_step_decides_and_names_the_server() -> None:
    assert "BUG REPORT START" in do_first(nameless(CRASHED))
    failed = nameless(complained("12 calls of get were failed over the window", "get.failed_calls.delta"))
    assert list(do_now(failed))[1:] == [
        "$ redis-cli -h 10.1.2.3 -p 6379 INFO errorstats", "$ redis-cli -h 10.1.2.3 -p 6379 CLIENT LIST",
    ]  # fmt: skip


def test_without_a_step_it_is_as_ever() -> None:
    assert do_first(nameless(complained("something new", "something.new"))).startswith("Run this again")
