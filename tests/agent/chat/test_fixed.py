"""The questions that are answered without a model, out of what was read."""

import pytest

from agent.answer.diagnosis import Cause, Diagnosis, Evidence
from agent.chat.fixed import fixed_answer, suggested
from agent.chat.slash import meant_command, nearest
from agent.evidence.cited import citations
from tests.stand_in import answer, step
from tools.records import Reading

CLIENTS = Reading(
    id="r3", tool="clients", args={}, node="127.0.0.1:6379", at="2026-01-31T02:05:07Z", ms=1.0,
    values={"o1.name": "checkout-api", "o1.address": "10.0.0.7", "o1.count": 91, "o1.idle_median": 1500},
    unavailable=None,
)  # fmt: skip


def incident() -> Diagnosis:
    """A leak, whose owner was read."""
    cited = tuple(
        Evidence(reading="r3", field=f"o1.{field}", value=(CLIENTS.values or {})[f"o1.{field}"], verified=True)
        for field in ("count", "idle_median")
    )
    cause = Cause(id="connection-leak", probability=0.9, where="127.0.0.1:6379", why="91 do nothing.", evidence=cited)
    plan = (step("CONFIG SET timeout 300", rollback="CONFIG SET timeout 0"),)
    base = answer("connection-leak", plan=plan)
    return base.model_copy(update={"causes": (cause,), "readings": (*base.readings, CLIENTS)})


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("who?", "clients checkout-api at 10.0.0.7: 91 connections"),
        ("Which application holds them?", "checkout-api at 10.0.0.7"),
        ("since when?", "idle for 25 min"),
        ("why", "91 do nothing."),
        ("where is it?", "At 127.0.0.1:6379."),
        ("what now?", "CONFIG SET timeout 300"),
        ("is it safe?", "CONFIG SET timeout 0"),
        ("is s1 safe here?", "CONFIG SET timeout 0"),
        ("is s7 safe here?", "no step to take"),
        ("What is the evidence?", "r3 o1.idle_median=1500"),
        ("what wasn't seen?", "could be read"),
    ],
)
def test_a_fixed_question_is_answered_from_the_readings(question: str, said: str) -> None:
    told = fixed_answer(question, incident())
    assert told is not None and said in " ".join(told)


@pytest.mark.parametrize(
    "text", ["is it the network?", "nobody knows who did it", "timeouts everywhere", "we don't know why it's slow"]
)
def test_what_is_no_such_question_is_left_alone(text: str) -> None:
    assert fixed_answer(text, incident()) is None


def test_nothing_is_made_up_where_it_was_not_read() -> None:
    told = fixed_answer("since when?", answer("process-down", cited=()))
    assert told is not None and "don't show since when" in " ".join(told)
    told = fixed_answer("who?", answer("process-down", cited=()))
    assert told == ["The clients are unknown: CLIENT LIST couldn't be read."]


@pytest.mark.parametrize(
    ("word", "meant"), [("aprove", "approve"), ("pln", "plan"), ("redings", "readings"), ("roll", "rollback")]
)
def test_a_misspelt_command_is_recognised(word: str, meant: str) -> None:
    assert nearest(word) == meant


def test_words_that_are_a_command_without_its_slash_are_asked_about() -> None:
    assert meant_command("plan") == "plan" and meant_command("aprove s1") == "approve"
    assert meant_command("timeouts everywhere") is None and meant_command("recheck the whole cluster now") is None


@pytest.mark.parametrize("value", ["ab", "a b", "1,2", "10.0.0.7:6379 10.0.0.8:6379", "end.", True, 1.5, 0])
def test_what_is_cited_as_evidence_is_found_to_be_as_read(value: str | float | bool) -> None:
    base = incident()
    reading = CLIENTS.model_copy(update={"values": {"o1.name": value}})
    cause = base.causes[0].model_copy(
        update={"evidence": (Evidence(reading="r3", field="o1.name", value=value, verified=True),)}
    )
    told = fixed_answer("evidence?", base.model_copy(update={"causes": (cause,), "readings": (reading,)}))
    assert told is not None
    (cited,) = citations("\n".join(told), [reading])
    assert cited.verified, told


def test_what_is_suggested_is_answered() -> None:
    for text in suggested(incident()):
        assert fixed_answer(text, incident()), text
