"""The identity of an incident's trace, derived from the incident's own: each process of a service comes to the same."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry.context import Context
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision, Sampler
from opentelemetry.trace import SpanContext, TraceFlags

_NEXT: ContextVar[SpanContext | None] = ContextVar("the identity of the span that is begun", default=None)


class Ids(RandomIdGenerator):
    """Random ids, unless a span's identity is given."""

    def generate_trace_id(self) -> int:
        given = _NEXT.get()
        return given.trace_id if given else super().generate_trace_id()

    def generate_span_id(self) -> int:
        given = _NEXT.get()
        return given.span_id if given else super().generate_span_id()

    def is_trace_id_random(self) -> bool:
        return False


def origin(incident: str, sampler: Sampler) -> SpanContext:
    """The identity of the first span of an incident's trace."""
    digest = hashlib.sha256(f"rediagnose {incident}".encode()).digest()
    trace_id, span_id = int.from_bytes(digest[:16], "big"), int.from_bytes(digest[16:24], "big")
    # Whether it's sampled has to be the same for what comes later, in whichever process.
    decision = sampler.should_sample(Context(), trace_id, "investigate").decision
    sampled = decision is Decision.RECORD_AND_SAMPLE
    return SpanContext(trace_id, span_id, True, TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT))


@contextmanager
def being(identity: SpanContext | None) -> Iterator[None]:
    """The span that is begun meanwhile has this identity."""
    before = _NEXT.set(identity)
    try:
        yield
    finally:
        _NEXT.reset(before)
