"""What each kind of event becomes, as the SDK's own exporter in memory keeps it."""

import gc
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import DEFAULT_ON, ParentBased, Sampler, TraceIdRatioBased

from agent.answer.diagnosis import ModelUse
from agent.answer.events import (
    Answered,
    Event,
    ModelAnswered,
    ModelAsked,
    ModelFailed,
    ProposalForbidden,
    Question,
    Reply,
    Resumed,
    Started,
    StepChanged,
)
from agent.tracing.identity import Ids, origin
from agent.tracing.spans import Spans
from tests.stand_in import answer, step

STARTED = Started(target="redis://h:6379", symptom="slow", model="m", why_model="")
ANSWERED = Answered(diagnosis=answer())


def made(
    events: Sequence[Event], incident: str = "", *, first: bool = True, sampler: Sampler = DEFAULT_ON
) -> list[ReadableSpan]:
    """The finished spans of these events and of nothing after them."""
    # What was there before needn't be looked through for what ends here.
    gc.freeze()
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False, id_generator=Ids(), sampler=sampler)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    about = origin(incident, provider.sampler) if incident else None
    spans = Spans(provider.get_tracer("test"), origin=about, first=first)
    for event in events:
        spans.hear(event)
    del spans
    gc.collect()
    gc.unfreeze()
    return list(exporter.get_finished_spans())


def named(spans: Sequence[ReadableSpan]) -> dict[str, ReadableSpan]:
    found = {one.name: one for one in spans}
    assert len(found) == len(spans), [one.name for one in spans]
    return found


def asked(turn: int) -> tuple[Event, Event]:
    use = ModelUse(name="m", turns=turn, tokens_in=100 * turn, tokens_out=10 * turn)
    return ModelAsked(turn=turn, endpoint="https://models.test"), ModelAnswered(turn=turn, tool_calls=(), use=use)


def changed(state: str) -> StepChanged:
    return StepChanged(step=step("CONFIG SET requirepass hush", state=state), detail="maxclients was 1")


def test_a_question_holds_its_turns_and_is_part_of_the_incident() -> None:
    first, second = asked(1), asked(2)
    spans = made([STARTED, *first, ANSWERED, Question(text="why?"), *second, Reply(text="so")])
    root = next(one for one in spans if one.name == "investigate")
    question = next(one for one in spans if one.name == "question")
    chats = [one for one in spans if one.name == "chat m"]
    assert [one.parent.span_id for one in chats if one.parent] == [root.context.span_id, question.context.span_id]
    assert len({one.context.trace_id for one in spans}) == 1
    assert [(one.attributes or {})["gen_ai.usage.input_tokens"] for one in chats] == [100, 100]
    assert (chats[0].attributes or {})["server.port"] == 443
    assert all(one.status.is_unset for one in spans)


@pytest.mark.parametrize("last", ["applied", "verified", "rolled-back", "failed"])
def test_a_change_lasts_from_the_approval_to_its_outcome(last: str) -> None:
    change = named(made([STARTED, ANSWERED, changed("approved"), changed(last)]))["change"]
    assert [one.name for one in change.events] == ["approved", last]
    assert (change.attributes or {})["rediagnose.step.state"] == last
    assert change.status.is_unset == (last != "failed")
    assert "hush" not in change.to_json()


def test_a_refusal_is_an_outcome() -> None:
    change = named(made([STARTED, ANSWERED, changed("refused")]))["change"]
    assert (change.attributes or {})["rediagnose.step.state"] == "refused"


def test_a_decision_outside_an_investigation_is_a_trace_of_its_own() -> None:
    (change,) = made([changed("approved"), changed("applied")])
    assert change.parent is None


def test_all_of_an_incident_is_one_trace_whichever_process_makes_it() -> None:
    turn = asked(1)
    first = named(made([STARTED, ANSWERED], "i1"))["investigate"]
    assert first.parent is None and first.context
    later = [
        *made([changed("approved"), changed("applied")], "i1", first=False),
        *made([STARTED, ANSWERED], "i1", first=False),
        *made([Question(text="why?"), *turn, Reply(text="so", cited=())], "i1", first=False),
    ]
    assert [one.name for one in later] == ["change", "investigate", "chat", "question"]
    assert {one.context.trace_id for one in later if one.context} == {first.context.trace_id}
    assert [one.parent.span_id for one in later if one.name != "chat" and one.parent] == [first.context.span_id] * 3
    ids = [one.context.span_id for one in (first, *later) if one.context]
    assert len(set(ids)) == len(ids)
    (other,) = made([STARTED, ANSWERED], "i2")
    assert other.context and other.context.trace_id != first.context.trace_id


def test_an_incident_that_isnt_sampled_has_no_changes_in_the_air() -> None:
    some = ParentBased(TraceIdRatioBased(0.5))
    changes = [changed("approved"), changed("applied")]
    seen = [
        (len(made([STARTED, ANSWERED], id, sampler=some)), len(made(changes, id, first=False, sampler=some)))
        for id in map(str, range(40))
    ]
    assert set(seen) == {(0, 0), (1, 1)}


def test_what_nobody_ended_is_an_error() -> None:
    spans = named(made([STARTED, ModelAsked(turn=1)]))
    assert {one.attributes and one.attributes["error.type"] for one in spans.values()} == {"unanswered"}


def test_a_turn_that_failed_and_a_model_that_was_abandoned_afterwards() -> None:
    spans = named(made([STARTED, ModelAsked(turn=1), ModelFailed(why="hush"), ModelFailed(why="hush"), ANSWERED]))
    assert {"chat m", "model abandoned"} <= set(spans)
    assert not any("hush" in one.to_json() for one in spans.values())


def test_what_is_forbidden_is_counted_without_its_words() -> None:
    spans = named(made([STARTED, ProposalForbidden(action="FLUSHALL hush", why="hush"), ANSWERED]))
    assert "hush" not in spans["proposal forbidden"].to_json()


def test_a_resumed_conversation_is_one_trace() -> None:
    spans = made([Resumed(diagnosis=answer(), said=()), Question(text="?"), *asked(1), Reply(text="so")])
    assert len({one.context.trace_id for one in spans}) == 1
    assert {one.name for one in spans} == {"resume", "question", "chat offline"}
