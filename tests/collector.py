"""A collector of traces: real HTTP on loopback that takes OTLP's protobuf apart."""

import asyncio
import contextlib
import gzip
import socket
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import uvicorn
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


class Seen(NamedTuple):
    """A span that arrived."""

    name: str
    kind: str
    id: bytes
    parent: bytes
    trace: bytes
    failed: bool
    said: dict[str, Any]
    """Its attributes."""
    events: tuple[str, ...]
    seconds: float


class Collector:
    """What arrived, and how it answers."""

    def __init__(self, status: int = 200, hangs: bool = False) -> None:
        self.url = ""
        self.spans: list[Seen] = []
        self.services: set[str] = set()
        self.raw = b""
        """All that was sent, to look for what mustn't be in it."""
        self.headers: list[dict[str, str]] = []
        self.requests = 0
        self.closing = asyncio.Event()
        self._status, self._hangs = status, hangs

    def named(self, name: str) -> list[Seen]:
        """The spans of this name, as they began."""
        return [one for one in self.spans if one.name == name]

    def one(self, name: str) -> Seen:
        """The only one."""
        found = self.named(name)
        assert len(found) == 1, [one.name for one in self.spans]
        return found[0]

    async def take(self, request: Request) -> Response:
        """Receive a batch."""
        self.requests += 1
        body = await request.body()
        if self._hangs:
            await self.closing.wait()
        if self._status != 200:
            return Response(status_code=self._status)
        assert request.headers["content-type"] == "application/x-protobuf"
        body = gzip.decompress(body) if request.headers.get("content-encoding") == "gzip" else body
        self.raw += body
        self.headers.append(dict(request.headers))
        for batch in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.services.add(_attributes(batch.resource.attributes)["service.name"])
            self.spans += [_seen(span) for scope in batch.scope_spans for span in scope.spans]
        answer = ExportTraceServiceResponse().SerializeToString()
        return Response(answer, media_type="application/x-protobuf")


def _seen(span: Span) -> Seen:
    return Seen(
        name=span.name, kind=Span.SpanKind.Name(span.kind), id=span.span_id, parent=span.parent_span_id,
        trace=span.trace_id, failed=span.status.code == span.status.STATUS_CODE_ERROR,
        said=_attributes(span.attributes), events=tuple(one.name for one in span.events),
        seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
    )  # fmt: skip


def _attributes(pairs: Any) -> dict[str, Any]:
    return {one.key: _value(one.value) for one in pairs}


def _value(value: AnyValue) -> Any:
    if value.WhichOneof("value") == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, value.WhichOneof("value") or "string_value")


@contextlib.asynccontextmanager
async def collecting(collector: Collector | None = None) -> AsyncIterator[Collector]:
    """A collector on a free port for as long as the block runs."""
    collector = collector or Collector()
    app = Starlette(routes=[Route("/v1/traces", collector.take, methods=["POST"])])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        collector.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(app, log_level=60, lifespan="off", timeout_graceful_shutdown=1)
        server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield collector
        finally:
            collector.closing.set()
            server.should_exit = True
            await task


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        """Signals are the test's own."""
        yield
