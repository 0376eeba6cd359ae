"""Endpoints that answer with a redirect: what was meant for them must not arrive where it points."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from pydantic import SecretStr

from agent.answer.diagnosis import Diagnosis, ModelUse, TargetInfo
from agent.model.client import Model
from agent.tickets.notify import Webhook, notify
from agent.tickets.rest import Rest
from agent.tickets.ticket import ServiceError
from evals.attacks.attempt import Attempt
from tools.errors import RediagnoseError
from tools.past.prometheus import Prometheus
from tools.records import Footprint

HOLDS = "no redirect is followed with a prompt, a token or a body"
STATUSES = (300, 301, 302, 303, 307, 308)
SECRET = "a-token-that-nobody-else-gets"
_ANSWER = Diagnosis(
    symptom="", target=TargetInfo(url=""), outcome="no-fault", causes=(), findings=(), ruled_out=(), unknown=(),
    plan=(), readings=(), footprint=Footprint(commands=0, pings=0, bytes=0), model=ModelUse(name="offline"),
    seconds=0.0,
)  # fmt: skip


@asynccontextmanager
async def http(host: str, answer: Callable[[bytes], bytes]) -> AsyncIterator[str]:
    """An HTTP server that answers a request's head and ends the connection; its base URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            writer.write(answer(head))
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, host, 0) as server:
        yield f"http://{host}:{server.sockets[0].getsockname()[1]}"


async def _model(url: str) -> None:
    async with Model("m", lambda _: None, base_url=f"{url}/v1", api_key=SECRET, backoff=0.01) as model:
        await model.ask([{"role": "user", "content": "the whole prompt"}], [], ends=time.monotonic() + 5)


async def _rest(url: str, method: str) -> None:
    headers = {"Authorization": f"Bearer {SECRET}"}
    rest = Rest("GitHub", url, headers, token=SECRET, source="GITHUB_TOKEN", patience=5)
    try:
        await rest.ask(method, "/repos/a/b/issues/1", {"body": "a comment"} if method == "POST" else None)
    finally:
        await rest.close()


async def _read(url: str) -> None:
    await _rest(url, "GET")


async def _posted(url: str) -> None:
    await _rest(url, "POST")


async def _notified(url: str) -> None:
    await notify(Webhook(name="hook", url=SecretStr(f"{url}/services/{SECRET}"), form="slack"), _ANSWER, patience=5)


async def _queried(url: str) -> None:
    async with Prometheus(url.replace("://", f"://user:{SECRET}@"), 5) as prometheus:
        await prometheus.query("up", 0)


CLIENTS: dict[str, Callable[[str], Awaitable[None]]] = {
    "model": _model, "ticket read": _read, "ticket written": _posted, "webhook": _notified, "prometheus": _queried,
}  # fmt: skip


async def attempts(tries: int, rng: random.Random) -> AsyncIterator[Attempt]:
    """Every client with every status and form of address, and then at random."""
    arrived: list[bytes] = []

    def caught(head: bytes) -> bytes:
        arrived.append(head)
        return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"

    async with http("127.0.0.2", caught) as elsewhere:
        place = elsewhere.removeprefix("http://")
        forms = (
            elsewhere, f"{elsewhere}/v1/chat/completions", f"//{place}/x", f"http://user:pw@{place}/", f"HTTP://{place}",
            f"{elsewhere}/%0d%0a", f"\t{elsewhere}", f"{elsewhere}#@127.0.0.1", f"http:\\\\{place}\\x",
        )  # fmt: skip
        every = [(name, status, form) for form in forms for status in STATUSES for name in CLIENTS]
        rng.shuffle(every)
        for name, status, form in every[:tries]:
            arrived.clear()
            asked: list[bytes] = []

            def moved(head: bytes, status: int = status, form: str = form, asked: list[bytes] = asked) -> bytes:
                asked.append(head)
                response = (
                    f"HTTP/1.1 {status} Moved\r\nLocation: {form}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                )
                return response.encode()

            message = ""
            async with http("127.0.0.1", moved) as url:
                try:
                    await CLIENTS[name](url)
                except (RediagnoseError, ServiceError) as error:
                    message = str(error)
            held = not arrived and len(asked) == 1 and bool(message) and SECRET not in message
            what = f"{len(arrived)} requests arrived, {len(asked)} were asked, said {message!r}"
            yield Attempt(f"{name} {status} {form!r}", held, what)
