"""A scripted model's endpoint: real HTTP on loopback, in OpenAI's two formats, with an endpoint's faults."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping

import uvicorn
from httpx2 import ASGITransport, ReadError
from httpx2 import Request as HttpRequest
from httpx2 import Response as HttpResponse
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from evals.said import Body as Body
from evals.said import Call as Call
from evals.said import Say as Say
from evals.said import response_events, whole_response
from tools.records import Record

SSE, JSON = "text/event-stream", "application/json"


class Cut(Record):
    """Begin an answer and drop the connection."""

    after: Say
    lines: int = 2
    """Lines of the stream that are still sent."""


class Hang(Record):
    """Stop answering, until the client or the endpoint goes away."""

    after: Say | None = None
    """None hangs before the headers; else two lines of this answer are sent first."""


class Raw(Record):
    """Send a body as it is."""

    body: str
    content_type: str = SSE


class Status(Record):
    """Answer with an error."""

    code: int
    message: str = "scripted"
    headers: Mapping[str, str] = {}
    error: Mapping[str, str] = {}
    """More fields of the error object, such as `param`."""


Move = Say | Cut | Hang | Raw | Status
Script = Callable[[Body], Move]


def in_turn(moves: Iterable[Move]) -> Script:
    """A script that makes one move after the other and then refuses."""
    left = iter(moves)
    return lambda _: next(left, Status(code=400, message="the script has ended"))


class Endpoint:
    """A running endpoint and what it was asked."""

    def __init__(self, script: Script) -> None:
        self.requests: list[Body] = []
        """The bodies of the requests so far."""
        self.raw: list[bytes] = []
        """The same as they came over the wire."""
        self.paths: list[str] = []
        """Where they were sent, with the query."""
        self.headers: list[Mapping[str, str]] = []
        """The headers of the requests so far."""
        self.url = ""
        """The base URL."""
        self._script = script
        self._closing = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        self.raw.append(await request.body())
        body = await request.json()
        self.requests.append(body)
        self.paths.append(f"{request.url.path}?{request.url.query}")
        self.headers.append(dict(request.headers))
        move = self._script(body)
        in_items = request.url.path.endswith("/responses")
        if isinstance(move, Hang) and move.after is None:
            await self._gone(receive)
        elif isinstance(move, Status):
            error = {"message": move.message, "type": "scripted", "param": None, "code": None, **move.error}
            await _send(send, json.dumps({"error": error}), JSON, move.code, move.headers)
        elif isinstance(move, Raw):
            await _send(send, move.body, move.content_type)
        elif isinstance(move, Say) and (move.plain or not body.get("stream")):
            await _send(send, json.dumps(whole_response(move) if in_items else _completion(move)), JSON)
        else:
            await self._stream(move, body, receive, send, in_items=in_items)

    async def _stream(
        self, move: Say | Cut | Hang, body: Body, receive: Receive, send: Send, *, in_items: bool
    ) -> None:
        message = move if isinstance(move, Say) else move.after
        assert message is not None
        usage = bool(body.get("stream_options", {}).get("include_usage"))
        if in_items:
            lines = [f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in response_events(message)]
        else:
            lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in _chunks(message, usage=usage)]
            lines.append("data: [DONE]\n\n")
        await send(_start(200, SSE))
        for line in lines if isinstance(move, Say) else lines[: move.lines if isinstance(move, Cut) else 2]:
            await send({"type": "http.response.body", "body": line.encode(), "more_body": True})
            # So that pieces arrive as pieces.
            await asyncio.sleep(0)
        if isinstance(move, Say):
            await send({"type": "http.response.body", "body": b""})
        elif isinstance(move, Hang):
            await self._gone(receive)
        # What is left without its end is dropped by the server: a connection that was cut.

    async def _gone(self, receive: Receive) -> None:
        left = asyncio.ensure_future(receive())
        closing = asyncio.ensure_future(self._closing.wait())
        await asyncio.wait((left, closing), return_when=asyncio.FIRST_COMPLETED)
        for waiting in (left, closing):
            waiting.cancel()
        await asyncio.gather(left, closing, return_exceptions=True)

    def close(self) -> None:
        """Let what hangs end."""
        self._closing.set()


@contextlib.asynccontextmanager
async def endpoint(script: Script | Iterable[Move]) -> AsyncIterator[Endpoint]:
    """Serve a script on a free port of loopback for as long as the block runs."""
    app = Endpoint(script if callable(script) else in_turn(script))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        app.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        # Dropping a connection is an error to the server that is made to do it.
        server = _Server(uvicorn.Config(app, log_level=60, lifespan="off", timeout_graceful_shutdown=2))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield app
        finally:
            app.close()
            server.should_exit = True
            await serving


class InProcess(ASGITransport):
    """Carries a client's requests to a script without a socket: nothing hangs or comes in pieces on this way."""

    def __init__(self, script: Script) -> None:
        super().__init__(app=Endpoint(script))

    async def handle_async_request(self, request: HttpRequest) -> HttpResponse:
        """The script's answer. Raises `ReadError` for one that was cut."""
        try:
            return await super().handle_async_request(request)
        except AssertionError:
            raise ReadError("the connection was cut", request=request) from None


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the program's own, not this server's."""
        yield


def _start(status: int, content_type: str, headers: Mapping[str, str] | None = None) -> Message:
    pairs = {"content-type": content_type, **(headers or {})}
    return {
        "type": "http.response.start", "status": status,
        "headers": [(name.lower().encode(), value.encode()) for name, value in pairs.items()],
    }  # fmt: skip


async def _send(
    send: Send, body: str, content_type: str, status: int = 200, headers: Mapping[str, str] | None = None
) -> None:
    await send(_start(status, content_type, headers))
    await send({"type": "http.response.body", "body": body.encode()})


def _calls(message: Say) -> list[Body]:
    return [
        {
            "id": call.id or f"call_{number}", "type": "function",
            "function": {
                "name": call.name,
                "arguments": call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments),
            },
        }
        for number, call in enumerate(message.calls)
    ]  # fmt: skip


def _reason(message: Say) -> str:
    if message.reason:
        return message.reason
    return "length" if message.length else "tool_calls" if message.calls else "stop"


def _usage(message: Say) -> Body:
    tokens_in, tokens_out = message.usage or (0, 0)
    details = {"prompt_tokens_details": {"cached_tokens": message.cached}} if message.cached else {}
    all_ = tokens_in + tokens_out
    return {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": all_, **details}


def _completion(said: Say) -> Body:
    message = {"role": "assistant", "content": said.text or None} | ({"tool_calls": _calls(said)} if said.calls else {})
    message |= said.more
    choice = {"index": 0, "message": message, "finish_reason": _reason(said)}
    whole = {"id": "c", "object": "chat.completion", "created": 0, "model": "scripted", "choices": [choice]}
    return whole | ({"usage": _usage(said)} if said.usage else {})


def _chunks(message: Say, *, usage: bool) -> Iterator[Body]:
    """The answer in pieces, the arguments of several calls in turn, as a model writes them."""
    frame = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "scripted"}

    def chunk(delta: Body, reason: str | None = None) -> Body:
        return {**frame, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    yield chunk({"role": "assistant", "content": ""})
    for name, value in message.more.items():
        yield chunk({name: value})
    for start in range(0, len(message.text), 16):
        yield chunk({"content": message.text[start : start + 16]})
    for index, call in enumerate(_calls(message)):
        arguments = call["function"]["arguments"]
        first = {"index": index, **call, "function": {"name": call["function"]["name"], "arguments": ""}}
        yield chunk({"tool_calls": [first]})
        for start in range(0, len(arguments), 24):
            piece = {"index": index, "function": {"arguments": arguments[start : start + 24]}}
            yield chunk({"tool_calls": [piece]})
    yield chunk({}, _reason(message))
    if usage and message.usage:
        yield {**frame, "choices": [], "usage": _usage(message)}
