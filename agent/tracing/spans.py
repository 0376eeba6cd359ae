"""The stream of one investigation's events as spans: names, nodes, kinds and counts, never values or texts."""

import time
from collections.abc import Callable

from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    set_span_in_context,
)

from agent.answer.diagnosis import Diagnosis, ModelUse, Step
from agent.answer.events import (
    Answered,
    Event,
    ModelAnswered,
    ModelAsked,
    ModelFailed,
    ModelRetried,
    ProposalForbidden,
    Question,
    ReadingBegun,
    ReadingTaken,
    Reply,
    Resumed,
    Started,
    StepChanged,
)
from agent.tracing import genai
from agent.tracing.genai import Attributes
from agent.tracing.identity import being
from tools.records import Reading
from tools.toolbox import PendingCall

UNANSWERED = "unanswered"
"""Error type of what was still open when the program, or what came next, began."""


class Spans:
    """Makes spans of events. Those of one investigation, and of what is asked and changed later, are one trace."""

    def __init__(
        self, tracer: Tracer, *, content: bool = False, now: Callable[[], int] = time.time_ns,
        origin: SpanContext | None = None, first: bool = True,
    ) -> None:  # fmt: skip
        """`content` says whether what a model is sent and answers is included; `now` is in nanoseconds.

        `origin` is the identity of an incident's first span: that of this investigation if it's the `first`, else what
        the spans belong to.
        """
        self._origin, self._first = origin, first
        self._tracer, self._content, self._now = tracer, content, now
        self._root: Span | None = None
        self._question: Span | None = None
        self._turn: Span | None = None
        self._calls: dict[str, Span] = {}
        self._changes: dict[str, Span] = {}
        self._model = ""
        self._use: ModelUse | None = None

    def hear(self, event: Event) -> None:
        """Take the next event."""
        match event:
            case Started():
                self.end()
                self._model = event.model
                about: Attributes = {"rediagnose.target": event.target, "rediagnose.model": event.model}
                with being(self._origin if self._first else None):
                    self._root = self._begun("investigate", about, Context() if self._first else self._around())
            case Resumed():
                self.end()
                self._model = event.diagnosis.model.name
                self._root = self._begun("resume", {"rediagnose.target": event.diagnosis.target.url}, Context())
                self._ended(self._root)
            case ReadingBegun():
                self._calls[event.begun.id] = self._begun(*_call(event.begun))
            case ReadingTaken():
                if (call := self._calls.pop(event.reading.id, None)) is not None:
                    if event.reading.asked:
                        call.update_name(f"execute_tool {event.reading.tool}")
                    self._ended(call, _taken(event.reading))
            case Question():
                self._end_question(UNANSWERED)
                self._question = self._begun("question", {})
            case Reply():
                self._end_turn(UNANSWERED)
                self._end_question()
            case ModelAsked() | ModelRetried() | ModelAnswered() | ModelFailed():
                self._hear_model(event)
            case StepChanged():
                self._change(event.step)
            case ProposalForbidden():
                # What was proposed may be an intruder's text.
                self._ended(self._begun("proposal forbidden", {}))
            case Answered():
                self._end_turn(UNANSWERED)
                self._end_question()
                if self._root is not None and self._root.is_recording():
                    self._ended(self._root, _answer(event.diagnosis))
            case _:
                pass

    def end(self) -> None:
        """End what is open: nothing comes after it."""
        self._end_turn(UNANSWERED)
        self._end_question(UNANSWERED)
        for span in (*self._calls.values(), *self._changes.values()):
            self._ended(span, error=UNANSWERED)
        self._calls.clear()
        self._changes.clear()
        if self._root is not None and self._root.is_recording():
            self._ended(self._root, error=UNANSWERED)

    def __del__(self) -> None:
        self.end()

    def _hear_model(self, event: ModelAsked | ModelRetried | ModelAnswered | ModelFailed) -> None:
        if isinstance(event, ModelAsked):
            self._end_turn(UNANSWERED)
            name = f"chat {self._model}".rstrip()
            self._turn = self._begun(name, genai.asked(event, self._model), kind=SpanKind.CLIENT)
        elif isinstance(event, ModelRetried):
            if self._turn is not None:
                waits: Attributes = {"rediagnose.attempt": event.attempt, "rediagnose.wait_seconds": event.seconds}
                self._turn.add_event("retry", waits, self._now())
        elif isinstance(event, ModelFailed):
            error = "EndpointError" if event.endpoint else "ModelError"
            if self._turn is None:
                self._ended(self._begun("model abandoned", {}), error=error)
            self._end_turn(error)
        elif self._turn is not None:
            about = genai.answered(event, self._use) | (genai.content(event) if self._content else {})
            self._use = event.use
            turn, self._turn = self._turn, None
            self._ended(turn, about)

    def _change(self, step: Step) -> None:
        span = self._changes.pop(step.id, None) or self._begun("change", _step(step))
        span.add_event(step.state, timestamp=self._now())
        if step.state == "approved":
            self._changes[step.id] = span
            return
        self._ended(span, {"rediagnose.step.state": step.state}, "failed" if step.state == "failed" else None)

    def _end_turn(self, error: str) -> None:
        if self._turn is not None:
            turn, self._turn = self._turn, None
            self._ended(turn, error=error)

    def _end_question(self, error: str | None = None) -> None:
        if self._question is not None:
            question, self._question = self._question, None
            self._ended(question, error=error)

    def _begun(
        self, name: str, about: Attributes, context: Context | None = None, kind: SpanKind = SpanKind.INTERNAL
    ) -> Span:
        if context is None:
            parent = self._question or self._root
            context = set_span_in_context(parent, Context()) if parent is not None else self._around()
        return self._tracer.start_span(name, context, kind, about, start_time=self._now())

    def _around(self) -> Context:
        """What belongs to an incident whose first span was made elsewhere."""
        return set_span_in_context(NonRecordingSpan(self._origin), Context()) if self._origin else Context()

    def _ended(self, span: Span, about: Attributes | None = None, error: str | None = None) -> None:
        span.set_attributes(about or {})
        if error is not None:
            span.set_attribute("error.type", error)
            span.set_status(Status(StatusCode.ERROR))
        span.end(self._now())


def _call(call: PendingCall) -> tuple[str, Attributes]:
    about: Attributes = {"rediagnose.tool": call.tool, "rediagnose.reading": call.id}
    return f"read {call.tool}", about | ({"rediagnose.node": call.node} if call.node is not None else {})


def _taken(reading: Reading) -> Attributes:
    # A server that doesn't answer is what was to be found out, and no failure of the call.
    found: Attributes = {"rediagnose.unavailable": reading.unavailable.kind} if reading.unavailable else {}
    return found | (genai.called(reading.tool) if reading.asked else {})


def _answer(answer: Diagnosis) -> Attributes:
    return {
        "rediagnose.outcome": answer.outcome, "rediagnose.causes": [one.id for one in answer.causes],
        "rediagnose.degraded": answer.model.degraded is not None, "rediagnose.interrupted": answer.interrupted,
        "rediagnose.commands": answer.footprint.commands, "rediagnose.bytes": answer.footprint.bytes,
    }  # fmt: skip


def _step(step: Step) -> Attributes:
    about: Attributes = {
        "rediagnose.step": step.id, "rediagnose.step.kind": step.kind, "rediagnose.step.risk": step.risk,
    }  # fmt: skip
    if step.node is not None:
        about["rediagnose.node"] = step.node
    return about
