"""Whether events are traced, by the usual variables, and the one function that attaches it to their stream."""

import os
import sys
from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple, Protocol

from agent.answer.events import Emit, Event
from tools.text import one_line

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
HTTP = "http/protobuf"
EXTRA = "pip install 'rediagnose[otel]'"
Say = Callable[[str], None]


class Part(NamedTuple):
    """What of an incident the events are: all its parts are one trace, whichever process and machine they are from."""

    incident: str
    first: bool = False
    """Whether it's the first investigation, which the others belong to."""


class Listen(Protocol):
    """Makes a receiver of one investigation's events that passes them on."""

    def __call__(self, emit: Emit, part: Part | None = None, /) -> Emit:
        """Without a part they are a trace of their own."""


def untraced(emit: Emit, part: Part | None = None, /) -> Emit:
    """Events just go on."""
    return emit


def wanted(environ: Mapping[str, str]) -> str | None:
    """The variable that asks for traces; null if none does."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    if environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none":
        return None
    return next((name for name in ENDPOINTS if environ.get(name, "").strip()), None)


def listener(environ: Mapping[str, str], say: Say, *, lasting: bool = False) -> Listen:
    """What traces the events of each investigation, if the environment asks for it; `say` gets a line where it can't.

    A `lasting` program hears about traces that weren't accepted when that happens, any other at its end, since a person
    may be reading or deciding until then.
    """
    if (asked := wanted(environ)) is None:
        return untraced
    protocol = next((environ[name].strip() for name in PROTOCOLS if environ.get(name, "").strip()), HTTP)
    if protocol != HTTP:
        say(f"no traces are sent: {protocol} isn't supported; set OTEL_EXPORTER_OTLP_PROTOCOL={HTTP}")
        return untraced
    try:
        from agent.tracing.exporting import Exporting
        from agent.tracing.spans import Spans
    except ImportError:
        say(f"{asked} is set, but no traces are sent without OpenTelemetry: {EXTRA}")
        return untraced
    from tools.errors import bug

    try:
        exporting = Exporting(say, lasting=lasting)
    except Exception as error:
        # Its text may hold what the variables do, such as a token.
        say(f"no traces are sent: the OTEL_ variables can't be used ({type(error).__name__})")
        return untraced

    def listen(emit: Emit, part: Part | None = None, /) -> Emit:
        origin = exporting.origin(part.incident) if part else None
        made = Spans(exporting.tracer, content=content(environ), origin=origin, first=part is None or part.first)
        spans: Spans | None = exporting.kept(made)

        def both(event: Event) -> None:
            nonlocal spans
            emit(event)
            if spans is None:
                return
            try:
                spans.hear(event)
            except Exception as error:
                # What is traced must not fail for the sake of the trace.
                spans = None
                bug("the traces", error)

        return both

    return listen


def content(environ: Mapping[str, str]) -> bool:
    """Whether what a model is sent and answers is part of its spans."""
    asked = environ.get("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "").strip().lower()
    return asked in ("true", "span_only", "span_and_event")


@cache
def of_this_process() -> Listen:
    """The same by this process's own environment, once; what can't be done is said on stderr."""
    return listener(os.environ, _say)


@cache
def of_this_service() -> Listen:
    """The same for a process that stays."""
    return listener(os.environ, _say, lasting=True)


def _say(line: str) -> None:
    print(one_line(f"rediagnose: {line}"), file=sys.stderr, flush=True)
