"""Bounded reads of a provider's REST interface: GET of listed paths with a token, and nothing else."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from ipaddress import ip_address
from typing import Any, NamedTuple

import httpx2

from tools.errors import Unanswered, UsageError
from tools.http import ACCEPTED, bounded, redirect, retry_after, web_url
from tools.providers import names
from tools.records import Kind
from tools.text import one_line

MOST = 4 << 20
"""Bytes of one answer."""
REQUESTS, PAGES, AT_ONCE = 24, 3, 6
"""The most requests of one look, pages of one list, and requests at the same time."""
_REFUSED: Mapping[int, Kind] = {
    401: "denied", 403: "denied", 404: "not-recorded", 407: "denied", 408: "timeout", 429: "busy", 500: "busy",
    502: "busy", 503: "busy", 504: "timeout",
}  # fmt: skip


class Listed(NamedTuple):
    """How an interface writes a list: the keys of its objects and of the next page, which is a token or a URL."""

    items: str
    further: str
    parameter: str = ""
    """What carries the token of the next page; empty where the next page is a URL."""


def checked_base(url: str, source: str) -> str:
    """The base address of an interface: over TLS, or on this machine. Raises `UsageError` naming `source`."""
    there = web_url(url)
    if there is None or there.query or there.userinfo or (there.scheme != "https" and not _is_loopback(there.host)):
        raise UsageError(f"{source}: not the base of a provider's interface; use https://HOST, where a token is sent")
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Rest:
    """Reads of one look: at most so many, and each of a listed path. Raises `Unanswered` for what isn't answered."""

    def __init__(self, name: str, token: Callable[[], Awaitable[str]], paths: Sequence[str], remedy: str) -> None:
        """`paths` are patterns of whole paths, and `remedy` says how to see which rights it takes."""
        self.name = name
        self._token = token
        self._paths = [re.compile(path, re.IGNORECASE) for path in paths]
        self._remedy = remedy
        self._left = REQUESTS
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._client = httpx2.AsyncClient(
            follow_redirects=False, headers=ACCEPTED, event_hooks=bounded(MOST), timeout=None
        )

    async def __aenter__(self) -> "Rest":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def get(self, base: str, path: str, what: str, **query: str) -> Mapping[str, Any]:
        """The object at a path below a base address. It takes as long as whoever asks allows."""
        assert any(one.fullmatch(path) for one in self._paths), f"{path} isn't listed"
        async with self._slots:
            if self._left <= 0:
                raise Unanswered("timeout", f"no more than {REQUESTS} requests are made; {what} wasn't asked for")
            self._left -= 1
            return self._parsed(*await self._read(httpx2.URL(f"{base}{path}", params=query), what), what)

    async def items(self, base: str, path: str, listed: Listed, what: str, **query: str) -> list[Mapping[str, Any]]:
        """The objects of a list, of its first pages."""
        found: list[Mapping[str, Any]] = []
        for _ in range(PAGES):
            answer = await self.get(base, path, what, **query)
            found += some(answer.get(listed.items))
            further = answer.get(listed.further)
            if not isinstance(further, str) or not further:
                break
            if listed.parameter:
                query |= {listed.parameter: further}
            elif (named := _of_same_path(further, f"{base}{path}")) is not None:
                query = named
            else:
                # A token is sent to no address that an answer names.
                break
        return found

    async def _read(self, url: httpx2.URL, what: str) -> tuple[httpx2.Response, bytes]:
        body = bytearray()
        try:
            headers = {"Authorization": f"Bearer {await self._token()}", "Accept": "application/json"}
            async with self._client.stream("GET", url, headers=headers) as response:
                async for chunk in response.aiter_bytes():
                    body += chunk
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise Unanswered(_kind(error), f"{self.name}, asked about {what}: {type(error).__name__}") from None
        return response, bytes(body)

    def _parsed(self, response: httpx2.Response, body: bytes, what: str) -> Mapping[str, Any]:
        status = response.status_code
        if moved := redirect(status, response.headers, response.url):
            raise Unanswered("malformed", f"{self.name} redirects to {moved.where}, which isn't followed")
        if status != 200:
            why = f"{self.name} answered {what} with HTTP {status}"
            if status == 401:
                why += "; log in again"
            elif status == 403:
                why += f"; {self._remedy}"
            elif status == 429 and (seconds := retry_after(response.headers)) is not None:
                why += f" and asks to wait {seconds:.0f} s"
            raise Unanswered(_REFUSED.get(status, "refused"), one_line(why, 300))
        try:
            found = json.loads(body, parse_constant=str)
        except (ValueError, RecursionError):
            raise Unanswered("malformed", f"{self.name}'s answer about {what} isn't JSON") from None
        if not isinstance(found, dict):
            raise Unanswered("malformed", f"{self.name}'s answer about {what} is no object")
        return found


def _of_same_path(further: str, here: str) -> dict[str, str] | None:
    """The query of a next page's URL; None if it's another address."""
    url, asked = web_url(further), httpx2.URL(here)
    if url is None or (url.scheme, url.netloc, url.path.lower()) != (asked.scheme, asked.netloc, asked.path.lower()):
        return None
    return dict(url.params)


def some(value: object, most: int = 1000) -> list[Mapping[str, Any]]:
    """The first objects of a list; none of what is no list."""
    return [one for one in value[:most] if isinstance(one, dict)] if isinstance(value, list) else []


def dig(value: Any, *path: str) -> Any:
    """What is at a path of keys; None where there is nothing."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def moment(value: object) -> float | None:
    """A moment as JSON has it, such as 2026-11-30T18:00:00.5Z."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        found = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", value))
    except ValueError:
        return None
    return names.moment(found) if found.tzinfo else None


def _kind(error: BaseException) -> Kind:
    if isinstance(error, httpx2.ReadError | httpx2.DecodingError) and error.__cause__ is None:
        # Of this program's own bounds.
        return "malformed"
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, TimeoutError | httpx2.TimeoutException):
            return "timeout"
        if type(seen).__name__.startswith("SSL"):
            return "tls"
        if type(seen).__name__ == "gaierror":
            return "dns"
        seen = seen.__cause__ or seen.__context__
    return "refused" if isinstance(error, httpx2.ConnectError) else "reset"
