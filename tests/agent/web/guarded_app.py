"""A small service behind the guard, on a free port of loopback: a route for each thing that a request may need."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from agent.web.access.access import Access, access_of
from agent.web.access.connections import patient, uvicorn_options
from agent.web.access.guarded import guarded
from tools.settings.parsing import parse_settings

AFTER = 0.5
READER, APPROVER, SENDER = "r" * 40, "a" * 40, "s" * 40
TOKENS = """
[serve]
hosts = ["sre.example.org"]
https = false
[[serve.token]]
name = "rita"
roles = ["reader"]
token_env = "READER"
[[serve.token]]
name = "anna"
roles = ["approver"]
token_env = "APPROVER"
[[serve.token]]
name = "alertmanager"
roles = ["sender"]
token_env = "SENDER"
"""
ENVIRON = {"READER": READER, "APPROVER": APPROVER, "SENDER": SENDER}


def access(text: str = TOKENS, listen: str = "127.0.0.1:8080", **more: Any) -> Access:
    """What the settings in a file say."""
    environ = ENVIRON | more.pop("environ", {})
    return access_of(parse_settings(Path("rediagnose.toml"), text.encode(), environ), listen, environ=environ, **more)


class Reached:
    """The service's routes, and what reached them."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str | None, bytes]] = []
        self.streams = asyncio.Event()
        """Set to let a stream go on."""
        paths = (
            "/",
            "/incidents/{id}",
            "/v1/incidents",
            "/v1/incidents/{id}",
            "/metrics",
            "/healthz",
            "/static/{name}",
        )
        posts = (
            "/v1/incidents", "/v1/incidents/{id}/decisions", "/incidents/{id}/decisions", "/incidents/{id}/feedback",
            "/v1/webhooks/{name}",
        )  # fmt: skip
        self.app: ASGIApp = Starlette(
            routes=[
                Route("/events", self._events),
                *(Route(path, self._answer, methods=["GET"]) for path in paths),
                *(Route(path, self._answer, methods=["POST"]) for path in posts),
            ]
        )

    async def _answer(self, request: Request) -> Response:
        person = request.state.person
        body = await request.body()
        self.seen.append((request.method, request.url.path, person.name if person else None, body))
        if "text" in request.query_params:
            return PlainTextResponse(request.query_params["text"])
        return JSONResponse({"by": person.name if person else None, "csrf": request.state.csrf, "length": len(body)})

    async def _events(self, request: Request) -> Response:
        async def events() -> AsyncIterator[bytes]:
            for number in range(1000):
                yield f"id: {number}\n\n".encode()
                await self.streams.wait()
                self.streams.clear()

        return StreamingResponse(events(), media_type="text/event-stream")


class Served(NamedTuple):
    """The service as it runs."""

    reached: Reached
    access: Access
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, **headers: str) -> httpx2.AsyncClient:
        """A client that follows no redirect, and loads no certificates."""
        return httpx2.AsyncClient(base_url=self.url, headers=headers, timeout=20, trust_env=False, verify=False)

    def as_(self, token: str) -> httpx2.AsyncClient:
        """A program with a token."""
        return self.client(Authorization=f"Bearer {token}")

    @contextlib.asynccontextmanager
    async def browser(self, token: str) -> AsyncIterator[tuple[httpx2.AsyncClient, str]]:
        """A browser that is signed in, and what its forms send as `csrf`."""
        async with self.client(Origin=self.url) as client:
            done = await client.post("/access/sign-in", data={"token": token})
            assert done.status_code == 303, done.text
            yield client, (await client.get("/incidents/1")).json()["csrf"]

    async def raw(self, *pieces: bytes, seconds: float = 10, after: float = AFTER) -> bytes:
        """What the service answers to these bytes until it closes the connection or says nothing more.

        An answer may take some seconds to begin; so many of silence `after` it began are its end.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        came = b""
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            with contextlib.suppress(TimeoutError):
                while piece := await asyncio.wait_for(reader.read(65536), after if came else seconds):
                    came += piece
        except ConnectionError:
            pass
        finally:
            writer.close()
        return came

    async def asks(self, line: str, *headers: str, body: bytes = b"") -> int:
        """The status of one request whose every byte is given; 0 if the connection was closed without an answer."""
        given = (line, f"Host: 127.0.0.1:{self.port}", "Connection: close", *headers)
        came = await self.raw("\r\n".join((*given, "", "")).encode("latin-1") + body)
        return int(came.split(b" ", 2)[1]) if came.startswith(b"HTTP/1.1 ") else 0


class LoopbackServer(uvicorn.Server):
    """uvicorn, in a test that keeps its signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the test's own."""
        yield


@contextlib.asynccontextmanager
async def serving(
    granted: Access | None = None, app: ASGIApp | None = None, *, head_seconds: float = 10, **options: Any
) -> AsyncIterator[Served]:
    """Serve it as `rediagnose serve` does, for as long as the block runs."""
    reached, granted = Reached(), granted or access()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(
            guarded(app or reached.app, granted),
            **{
                **uvicorn_options(),
                "http": patient(head_seconds),
                "timeout_graceful_shutdown": 1,
                "log_level": 60,
                **options,
            },
        )
        server = LoopbackServer(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield Served(reached, granted, listener.getsockname()[1])
        finally:
            reached.streams.set()
            server.should_exit = True
            await task
