"""A request's body, read whole before the service sees any of it: within its size, and within a time."""

import asyncio
import contextlib
from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.types import Message, Receive, Send

from agent.web.access.refusal import Refused

SECONDS = 15.0
"""In which a body has to have come, however slowly its first part comes."""
_FIELDS_MOST = 200
_LINGER_SECONDS, _LINGER_MOST = 10.0, 64 * 2**20
FORM = "application/x-www-form-urlencoded"


class Gone(Exception):
    """Whoever asked has hung up."""


async def read_body(receive: Receive, headers: Mapping[str, str], most: int, seconds: float) -> bytes:
    """The body. Raises `Refused` for one that is too large or too slow, and `Gone`."""
    if int(headers.get("content-length", 0)) > most:
        raise _too_large(most)
    came = bytearray()
    try:
        async with asyncio.timeout(seconds):
            more = True
            while more:
                message = await receive()
                if message["type"] != "http.request":
                    raise Gone
                came += message.get("body", b"")
                more = message.get("more_body", False)
                if len(came) > most:
                    raise _too_large(most)
    except TimeoutError:
        raise Refused(408, f"the body didn't come within {seconds:g} s", close=True) from None
    return bytes(came)


def _too_large(most: int) -> Refused:
    return Refused(413, f"the body is larger than {most} bytes", close=True)


def lingering(receive: Receive, send: Send) -> Send:
    """What ends an answer only when the request has been sent, or a moment later.

    Closed at once, the connection would be reset, and whoever is still sending wouldn't read why.
    """

    async def slow(message: Message) -> None:
        if message["type"] != "http.response.body" or message.get("more_body"):
            await send(message)
            return
        await send({**message, "more_body": True})
        came = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                more = True
                while more and came < _LINGER_MOST:
                    part = await receive()
                    came += len(part.get("body", b""))
                    more = part.get("more_body", False)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return slow


def replayed(body: bytes, receive: Receive) -> Receive:
    """What hands over a body that was read, and then whatever else comes."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def media_type(headers: Mapping[str, str]) -> str:
    """The body's type, without its parameters."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def form_of(body: bytes) -> dict[str, str]:
    """The fields of a form. Raises `Refused` for what isn't one."""
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=_FIELDS_MOST, encoding="utf-8", errors="strict"
        )
    except ValueError:
        raise Refused(400, "the form can't be read", close=True) from None
    return dict(pairs)
