"""REST over HTTP: bounded in time and bytes, one retry, no token to another host, one line per failure."""

import asyncio
import base64
import json
import os
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import httpx2
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from agent.tickets.ticket import ServiceError
from tools.errors import UsageError
from tools.http import ACCEPTED, bounded, redirect, retry_after, web_url
from tools.redact import HIDDEN, hide_secrets
from tools.settings.secret_source import SecretSource
from tools.text import printable

PATIENCE = 10.0
"""Seconds for one request and its answer."""
NO_IDENTITY = (400, 403, 404, 405, 500, 501)
"""Statuses of a service that doesn't reveal who a token belongs to."""
_MOST_WAIT = 5.0
"""Longest pause, in seconds, that a service may request before a second attempt."""
_MOST_BYTES = 8 * 2**20


class Answer(NamedTuple):
    """What a service answered."""

    status: int
    data: Any
    """The JSON of its body; null if it has none."""
    headers: Mapping[str, str]


class _Retryable(Exception):
    """It may be asked once more."""

    def __init__(self, error: ServiceError, seconds: float) -> None:
        super().__init__(str(error))
        self.error = error
        self.seconds = seconds


def checked_base(url: str, source: str) -> str:
    """The base URL of an API, without its trailing slash. Raises `UsageError` naming `source`."""
    parsed = web_url(url)
    if parsed is None or parsed.userinfo or parsed.query:
        raise UsageError(f"{source}: not the address of an API; use https://HOST, without credentials")
    return url.rstrip("/")


def credential(
    secret: SecretSource | None, names: tuple[str, ...], section: str, environ: Mapping[str, str]
) -> tuple[str, str]:
    """A service's token, and where it is set. Raises `UsageError` if there is none."""
    if secret is not None:
        token, source = secret.read(environ).get_secret_value(), secret.env or str(secret.file)
    else:
        source = next((name for name in names if environ.get(name, "").strip()), "")
        if not source:
            raise UsageError(f"--post: no token: set {names[0]}, or token_env or token_file under [{section}]")
        token = environ[source].strip()
    if not token.isascii() or not token.isprintable():
        raise UsageError(f"--post: {source} isn't a token: it has characters that can't be sent in a header")
    return token, source


def basic(user: str, token: str) -> str:
    """An Authorization header with user and token."""
    return "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode()


class Rest:
    """A client of one service. Every failure is a `ServiceError`; no message contains the token."""

    def __init__(
        self, name: str, base: str, headers: Mapping[str, str], *, token: str, source: str, patience: float = PATIENCE,
    ) -> None:  # fmt: skip
        self.name = name
        self.base = base
        self._token = token
        self._source = source
        self._patience = patience
        own = {"User-Agent": "rediagnose", "Accept": "application/json", **ACCEPTED, **headers}
        self._client = httpx2.AsyncClient(
            headers=own, timeout=patience, follow_redirects=False, event_hooks=bounded(_MOST_BYTES + 1)
        )

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def ask(
        self, method: str, path: str, body: Any = None, *, take: Collection[int] = (), query: str = ""
    ) -> Answer:
        """One request, repeated once if a failure may be temporary.

        `take` lists statuses that are an answer, not an error.
        """
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(_Retryable), stop=stop_after_attempt(2), wait=_wait, sleep=asyncio.sleep,
            reraise=True,
        )  # fmt: skip
        try:
            answer: Answer = await retrying(self._once, method, path, body, take, query)
        except _Retryable as again:
            raise again.error from None
        return answer

    async def _once(self, method: str, path: str, body: Any, take: Collection[int], query: str) -> Answer:
        url = self.base + path + (f"?{query}" if query else "")
        answer, text = await self._request(method, url, path, body)
        if moved := redirect(answer.status, answer.headers, httpx2.URL(url)):
            at = self._at(method, path)
            if moved.stays:
                raise ServiceError(f"{at} redirects; was it moved or renamed? Give the ticket's current name")
            raise ServiceError(f"{at} redirects to {moved.where}, which isn't sent the token; use that address instead")
        return self._checked(method, path, answer, text, take)

    async def _request(self, method: str, url: str, path: str, body: Any) -> tuple[Answer, bytes]:
        raw = bytearray()
        at = self._at(method, path)
        try:
            async with (
                asyncio.timeout(self._patience),
                self._client.stream(method, url, json=body) as response,
            ):
                async for chunk in response.aiter_bytes():
                    raw += chunk
                    if len(raw) > _MOST_BYTES:
                        raise ServiceError(f"{at}: its answer is larger than {_MOST_BYTES} bytes; check its address")
        except (TimeoutError, httpx2.TimeoutException):
            raise ServiceError(f"{at} gave no answer in {self._patience:g} s{_retry_hint(method)}") from None
        except httpx2.ConnectError as error:
            failed = ServiceError(f"{at} can't be reached: {_why(error)}; check its address, the network and the proxy")
            raise _Retryable(failed, 0.5) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            failed = ServiceError(f"{at}: the connection broke ({type(error).__name__}){_retry_hint(method)}")
            if method != "GET":
                raise failed from None
            raise _Retryable(failed, 0.5) from None
        return Answer(response.status_code, None, response.headers), bytes(raw)

    def _checked(self, method: str, path: str, answer: Answer, raw: bytes, take: Collection[int]) -> Answer:
        try:
            data = json.loads(raw) if raw.strip() else None
        except (ValueError, RecursionError):
            data = None
        status, at = answer.status, self._at(method, path)
        if 200 <= status < 300:
            if data is None and status != 204:
                raise ServiceError(f"{at} answered {status} without JSON; check its address, {self.base}")
            return answer._replace(data=data)
        if status in take:
            return answer._replace(data=data)
        message = self._service_message(data)
        if status == 429 or (status == 403 and _is_rate_limited(answer.headers)):
            raise self._too_many_requests(at, status, answer.headers)
        if status in (401, 403):
            raise ServiceError(f"{at} answered {status}{message}; check {self._source} and its permissions", status)
        if status in (404, 410):
            raise ServiceError(
                f"{at} answered {status}{message}; it no longer exists, or {self._source} has no access to it", status
            )
        failed = ServiceError(f"{at} answered {status}{message}", status)
        if method == "GET" and status in (502, 503, 504):
            raise _Retryable(failed, min(retry_after(answer.headers) or 0.5, _MOST_WAIT))
        raise failed

    def _too_many_requests(self, at: str, status: int, headers: Mapping[str, str]) -> Exception:
        seconds = retry_after(headers)
        pause = f", for {seconds:.0f} s" if seconds else ""
        error = ServiceError(f"{at} answered {status}: too many requests; run it again later{pause}", status)
        wait = 1.0 if seconds is None else seconds
        return _Retryable(error, wait) if wait <= _MOST_WAIT else error

    def _service_message(self, data: Any) -> str:
        """The service's own words, in a short line without anything that looks like a credential."""
        words = " ".join(dict.fromkeys(_words(data, 0)))[:2000]
        clean = hide_secrets(printable(words.replace(self._token, HIDDEN)))
        return f": {' '.join(clean.split())[:200]}" if clean.strip() else ""

    def _at(self, method: str, path: str) -> str:
        return f"{self.name}: {method} {path}"


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return error.seconds if isinstance(error, _Retryable) else 0.0


def _retry_hint(method: str) -> str:
    if method == "GET":
        return "; run it again"
    return "; it may have been written anyway: if so, the next run finds and updates it"


def _is_rate_limited(headers: Mapping[str, str]) -> bool:
    return headers.get("x-ratelimit-remaining") == "0" or "retry-after" in headers


def _why(error: BaseException) -> str:
    """Why the connection failed, in the words of the operating system or of TLS."""
    cause: BaseException = error
    while cause.__cause__ is not None or cause.__context__ is not None:
        cause = cause.__cause__ or cause.__context__ or cause
    if isinstance(cause, OSError) and cause.errno and cause.errno > 0:
        return os.strerror(cause.errno)
    return printable(str(cause) or type(cause).__name__)[:160]


def _words(data: Any, depth: int) -> list[str]:
    """An error body's messages: GitHub's message and errors, Jira's errorMessages and errors, PagerDuty's error."""
    if depth > 4:
        return []
    if isinstance(data, str):
        return [data]
    if isinstance(data, list):
        return [word for one in data[:10] for word in _words(one, depth + 1)]
    if isinstance(data, dict):
        named = ("message", "error", "errorMessages", "errors", "title", "detail", "field", "code")
        picked = [word for name in named if name in data for word in _words(data[name], depth + 1)]
        return picked if picked or depth == 0 else [word for one in data.values() for word in _words(one, depth + 1)]
    return []
