"""A model's own words and its plan, on a recorded incident: where they stand, and where they don't."""

from typing import Any

import pytest

from agent.answer.diagnosis import Diagnosis
from agent.report.markdown import markdown
from agent.report.page import html
from agent.report.text import text
from agent.tickets.chat_forms import discord
from agent.tickets.comment import comment
from agent.tickets.forms import markdown as ticket_form
from agent.tickets.notify import generic, slack
from evals.endpoint import Body
from tests.agent.investigation.test_arbitration import SCENARIOS, answer_to, cause, cited, submission

SCENARIO = next(one for one in SCENARIOS.values() if one.fault == "oom-noeviction")
PLAIN = answer_to(SCENARIO, {"outcome": "nothing of the kind"})
EVIDENCE = [cited(one.reading, one.field, one.value) for one in PLAIN.causes[0].evidence]
SUMMARY = "Memory is at its limit, so that writes are refused. 164 were refused while I looked."


def said(summary: str = SUMMARY, plan: tuple[Body, ...] = (), **more: Any) -> Body:
    found = submission("diagnosed", [cause("oom-noeviction", 0.9, *EVIDENCE)], [])
    return {**found, "summary": summary, "plan": plan, **more}


def planned(action: str = "", why: str = "It helps.", kind: str = "config_set", **more: Any) -> Body:
    return {
        "step": None,
        "kind": kind,
        "action": action,
        "why": why,
        "verify": None,
        "avoid": None,
        "drop": False,
        **more,
    }


def actions(answer: Diagnosis) -> list[str]:
    return [step.action for step in answer.plan]


def test_line_one_of_every_form_is_the_models_summary() -> None:
    answer = answer_to(SCENARIO, said())
    assert answer.model.degraded is None and answer.model.turns == 1
    assert (answer.summary, answer.summary_by) == (SUMMARY, "model")
    assert " ".join(text(answer).split()).startswith(SUMMARY)
    assert text(answer, detail=-1).startswith(SUMMARY.removesuffix("."))
    assert markdown(answer).startswith(f"**{SUMMARY}**")
    assert f"<h1>{SUMMARY}</h1>" in html(answer)
    shown = SUMMARY.removesuffix(".")
    assert shown in ticket_form(comment(answer, "m")).split("\n\n")[1]
    assert slack(answer, None, "")["text"].startswith(f"*{shown}*")
    assert generic(answer, None, "")["title"] == shown
    assert discord(answer, None, "")["embeds"][0]["title"] == shown


@pytest.mark.parametrize("summary", [
    "Memory is full: 165 writes were refused [r3 errorstat_OOM.count.delta=165].",
    "Memory is full, and 2,108 writes were refused.", "Run FLUSHALL, it is safe. Memory is full.", "",
])  # fmt: skip
def test_a_summary_that_isnt_so_or_advises_harm_is_the_checks_instead(summary: str) -> None:
    answer = answer_to(SCENARIO, said(summary))
    assert answer.model.degraded is None and answer.summary_by == "checks"
    assert answer.summary.startswith("Redis' memory limit is reached") and "2,108" not in answer.summary
    assert "FLUSHALL" not in answer.summary and text(answer).splitlines()[0] == text(PLAIN).splitlines()[0]


def test_what_a_summary_says_before_it_advises_harm_stands() -> None:
    answer = answer_to(SCENARIO, said("Memory is at its limit. Now flush the cache, then restart it."))
    assert (answer.summary, answer.summary_by) == ("Memory is at its limit.", "model")
    assert [one.action for one in answer.refused] == ["a sentence of the model's summary"]
    told = "Sentinel has promoted another one. It can't demote this one, since its user may not run SLAVEOF."
    assert answer_to(SCENARIO, said(told)).summary == told


def test_a_summary_is_bounded_and_one_line_without_secrets() -> None:
    long = "Memory is at its limit\x1b[2J,\nsee redis://u:hunter2@h:1. " + "It goes on and on, as it does. " * 40
    answer = answer_to(SCENARIO, said(long))
    assert answer.summary_by == "model" and len(answer.summary) <= 320 and answer.summary.endswith(".")
    assert "hunter2" not in answer.to_json() and not set("\x1b\n") & set(answer.summary)


def test_where_the_checks_answer_stands_their_words_do() -> None:
    given = submission("no-fault", [], [])
    answer = answer_to(SCENARIO, {**given, "summary": "Redis is fine."})
    assert answer.outcome == "diagnosed" and answer.model.degraded
    assert answer.summary_by == "checks" and not answer.evidence and "fine" not in text(answer).splitlines()[0]


def test_an_outcome_without_a_cause_rests_on_what_it_cites() -> None:
    well = next(one for one in SCENARIOS.values() if one.fault == "healthy-load")
    asked = answer_to(well, {**submission("no-fault", [], []), "evidence": []})
    assert asked.model.turns == 2, "what shows it is asked for once"
    given = {**submission("no-fault", [], []), "summary": "It's a cache that is full by design. Nothing waits on it."}
    answer = answer_to(well, {**given, "evidence": [cited("r1", "stage", "ping"), cited("r1", "stage", "tls")]})
    assert [(one.value, one.verified) for one in answer.evidence] == [("ping", True), ("tls", False)]
    assert " ".join(text(answer).split()).startswith(
        "It's a cache that is full by design. Nothing waits on it. no-fault:"
    )
    assert "stage=tls (UNVERIFIED)" in text(answer, detail=1)


def test_the_models_order_stands_and_prose_is_a_step_by_hand() -> None:
    answer = answer_to(SCENARIO, said(plan=(
        planned(step="oom-noeviction/2"), planned("Ask the team's lead to stop the importer", kind="command"),
    )))  # fmt: skip
    own = "Unverified advice of the model: Ask the team's lead to stop the importer"
    assert actions(answer)[:2] == [PLAIN.plan[1].action, own]
    assert actions(answer)[2:] == [PLAIN.plan[0].action, PLAIN.plan[2].action]
    assert answer.plan[1].kind == "outside" and answer.plan[1].unverified and not answer.refused
    assert [step.id for step in answer.plan] == ["s1", "s2", "s3", "s4"]


def test_what_no_server_understands_is_a_step_by_hand() -> None:
    sentences = ("MEMORY PURGE to give the pages back once the keys are gone", "TYPE <the key that the error names>",
                 "Look up the importer's owner, who knows what it writes")  # fmt: skip
    answer = answer_to(SCENARIO, said(plan=tuple(planned(one, kind="command") for one in sentences)))
    assert not answer.refused
    assert actions(answer)[-3:] == [f"Unverified advice of the model: {one}" for one in sentences]


def test_a_runbooks_step_that_doesnt_fit_keeps_the_models_order() -> None:
    answer = answer_to(SCENARIO, said(plan=(
        planned("Ask the importer's owner to pause it", kind="outside"), planned(step="oom-noeviction/9"),
    )))  # fmt: skip
    assert actions(answer) == ["Unverified advice of the model: Ask the importer's owner to pause it", *actions(PLAIN)]


def test_a_step_that_was_left_out_takes_little_of_the_first_screen() -> None:
    answer = answer_to(SCENARIO, said(plan=(planned(step="oom-noeviction/1", why="It has to stay.", drop=True),)))
    (left,) = answer.dropped
    screen = " ".join(text(answer).split())
    assert f"Left out: {left.action[:40]}" in screen and left.action not in screen and "It has to stay" in screen
    assert left.action in " ".join(text(answer, detail=1).split())


def test_a_step_is_dropped_with_a_reason_and_its_warning_stays() -> None:
    drop = planned(step="oom-noeviction/2", why="The machine has no memory left.", drop=True)
    answer = answer_to(SCENARIO, said(plan=(drop,)))
    (left,) = answer.dropped
    assert (left.by, left.why, left.action) == ("model", "The machine has no memory left.", PLAIN.plan[1].action)
    assert PLAIN.plan[1].action not in actions(answer)
    assert "the model leaves it out: The machine has no memory left" in " ".join(text(answer, detail=1).split())
    everything = tuple(planned(step=f"oom-noeviction/{n}", why="No.", drop=True) for n in range(1, 9))
    answer = answer_to(SCENARIO, said(plan=everything))
    assert len(answer.plan) == 1 and answer.plan[0].avoid
    unreasoned = answer_to(SCENARIO, said(plan=(planned(step="oom-noeviction/2", why="", drop=True),)))
    assert not unreasoned.dropped and actions(unreasoned) == actions(PLAIN)


def test_what_contradicts_the_plan_is_left_out_and_said() -> None:
    answer = answer_to(SCENARIO, said(plan=(
        planned("CONFIG SET maxmemory-policy allkeys-lru"), planned("CONFIG SET maxmemory 123456789"),
        planned("config set MAXMEMORY 22mb"), planned("CONFIG SET maxmemory-policy volatile-lru"),
    )))  # fmt: skip
    why = {one.action: one.why for one in answer.dropped}
    assert "An allkeys-* policy" in why.pop("CONFIG SET maxmemory-policy allkeys-lru")
    assert why.pop("CONFIG SET maxmemory 123456789").startswith("another step sets maxmemory to")
    assert not why, "the same value in another form is the same step"
    assert actions(answer)[-1] == "CONFIG SET maxmemory-policy volatile-lru" and not answer.plan[-1].unverified


def test_policy_judges_all_the_same() -> None:
    answer = answer_to(SCENARIO, said(plan=(
        planned("FLUSHALL", kind="command"), planned("flushall async", kind="command"),
        planned("Flush the whole database by hand", kind="command"), planned("CONFIG SET protected-mode no"),
        planned(step="oom-noeviction/2", why="Then run FLUSHALL, it is safe.", drop=True),
    )))  # fmt: skip
    assert actions(answer) == actions(PLAIN) and not answer.dropped and len(answer.refused) >= 3
