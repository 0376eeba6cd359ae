"""Finished spans on their way to the collector, in the background, and the little time they have at the end."""

import atexit
import logging
import threading
from collections.abc import Callable, Sequence
from weakref import WeakSet

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanContext

from agent.tracing.identity import Ids, origin
from agent.tracing.spans import Spans

ENDS = 1.5
"""Seconds that the end of the program may wait for what wasn't sent yet."""
SEEN_WITHIN = 1000
"""Milliseconds after which finished spans are sent while the program runs."""
LOST = "not all traces were accepted; check the OTEL_EXPORTER_OTLP_ variables and the collector"


class Exporting:
    """One tracer for all of a process, and what it still has to send."""

    def __init__(
        self, say: Callable[[str], None], *, lasting: bool = False, exporter: SpanExporter | None = None,
        ends: float = ENDS,
    ) -> None:  # fmt: skip
        """The exporter and its destination come from the OTEL_ variables unless given."""
        # Its messages contain addresses and replies, come from another thread, and repeat.
        logging.getLogger("opentelemetry").propagate = False
        logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
        self._say, self._lasting, self._ends = say, lasting, ends
        self._watched = _Watched(exporter or OTLPSpanExporter(), self._failed)
        self._said = self._over = False
        self._open: WeakSet[Spans] = WeakSet()
        # A name in OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES goes before this one.
        named = Resource.create()
        if named.attributes.get(SERVICE_NAME, "unknown_service").__str__().startswith("unknown_service"):
            named = named.merge(Resource({SERVICE_NAME: "rediagnose"}))
        self._provider = TracerProvider(resource=named, shutdown_on_exit=False, id_generator=Ids())
        self._provider.add_span_processor(BatchSpanProcessor(self._watched, schedule_delay_millis=SEEN_WITHIN))
        self.tracer = self._provider.get_tracer("rediagnose")
        atexit.register(self.close)

    def origin(self, incident: str) -> SpanContext:
        """The identity of an incident's first span."""
        return origin(incident, self._provider.sampler)

    def kept(self, spans: Spans) -> Spans:
        """Spans that are ended with the program if nothing else ends them."""
        self._open.add(spans)
        return spans

    def close(self) -> None:
        """Send what is left, as far as the time allows."""
        if self._over:
            return
        self._over = True
        atexit.unregister(self.close)
        for one in list(self._open):
            one.end()
        # Its own limit covers neither a connection that hangs nor the attempts after it.
        sending = threading.Thread(target=self._provider.shutdown, daemon=True)
        sending.start()
        sending.join(self._ends)
        if (sending.is_alive() or self._watched.failed) and not self._said:
            self._say(LOST)

    def _failed(self) -> None:
        if self._lasting and not self._said and not self._over:
            self._said = True
            self._say(LOST)


class _Watched(SpanExporter):
    """An exporter that remembers whether anything was refused."""

    def __init__(self, exporter: SpanExporter, failed: Callable[[], None]) -> None:
        self._exporter, self._tell = exporter, failed
        self.failed = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self.failed = True
            self._tell()
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._exporter.force_flush(timeout_millis)
