"""The chat client: one answer of the model, whole or not at all."""

import asyncio
import json
import math
import os
import re
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from agent.diagnosis import ModelUse
from agent.events import Emit, ModelRetried, ModelText
from agent.request import ABILITIES, Wire, refused, request
from agent.turn import Gathering, Turn
from tools.errors import RediagnoseError
from tools.redact import hide_secrets

if TYPE_CHECKING:
    from openai import APIStatusError
    from openai._response import AsyncAPIResponse

ATTEMPTS = 4
"""Most times that one answer is asked for."""
_KEYS = re.compile(r"\b[sp]k-[\w*.-]{6,}|\bBearer \S+|[\w-]{32,}")
_SSE = (b":", b"event:", b"id:", b"retry:")


class ModelError(RediagnoseError):
    """The model gave no answer that can be used; one line says why, and never a key. The checks' answer stands."""

    def __init__(self, why: str, use: ModelUse | None = None) -> None:
        super().__init__(why)
        self.use = use
        """What was spent until then, where it's known."""


class EndpointError(ModelError):
    """The endpoint failed, which says nothing of the model behind it."""


class _Again(Exception):
    """The endpoint failed in a way that may pass."""

    def __init__(self, why: str, after: float | None = None) -> None:
        super().__init__(why)
        self.after = after
        """Seconds after which the endpoint wants to be asked again."""


class _Refused(Exception):
    """The endpoint doesn't understand a part of the request."""

    def __init__(self, ability: str) -> None:
        super().__init__(ability)
        self.ability = ability


class Model:
    """A model behind a chat-completions endpoint. What the endpoint refuses is found out once and remembered.

    Endpoint and key come from OPENAI_BASE_URL and OPENAI_API_KEY unless they're given. Raises `ModelError` for an
    endpoint that can't be one.
    """

    def __init__(
        self, name: str, emit: Emit, *, timeout: float = 60.0, max_tokens: int | None = None,
        base_url: str | None = None, api_key: str | None = None, backoff: float = 0.5,
    ) -> None:  # fmt: skip
        # It takes most of a second to load, which the checks alone shouldn't cost.
        from openai import AsyncOpenAI

        self.name = name
        self.timeout = timeout
        """Seconds for one answer, to its last byte."""
        self.max_tokens = max_tokens
        """Most tokens of one answer."""
        self.abilities = set(ABILITIES)
        """What the endpoint is taken to understand."""
        self._emit = emit
        self._jitter = wait_random_exponential(multiplier=backoff, max=8)
        # Local endpoints take no key, and the client insists on one.
        self._key = (api_key or os.environ.get("OPENAI_API_KEY") or "none").strip()
        try:
            self._client = AsyncOpenAI(api_key=self._key, base_url=base_url or None, max_retries=0, timeout=timeout)
        except Exception as error:
            why = f"OPENAI_BASE_URL can't be used ({type(error).__name__}); give http://HOST/v1"
            raise EndpointError(why) from None

    async def __aenter__(self) -> "Model":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def ask(
        self, messages: Sequence[Wire], tools: Sequence[Wire], *, ends: float, choice: str | None = None
    ) -> Turn:
        """One answer, before `ends` (seconds of `time.monotonic`). `choice` names a tool that must be called.

        Raises `ModelError`.
        """
        attempts = 0

        async def attempt() -> Turn:
            nonlocal attempts
            attempts += 1
            return await self._attempt(body, ends)

        def over(state: RetryCallState) -> bool:
            return attempts >= ATTEMPTS or time.monotonic() + state.upcoming_sleep >= ends

        while True:
            body = request(
                self.name, messages, tools, choice=choice, max_tokens=self.max_tokens, abilities=self.abilities
            )
            retrying = AsyncRetrying(
                retry=retry_if_exception_type(_Again), stop=over, wait=self._wait,
                before_sleep=self._retried, reraise=True,
            )  # fmt: skip
            try:
                return await retrying(attempt)
            except _Refused as error:
                self.abilities.discard(error.ability)
            except _Again as error:
                tried = f"asked {attempts} times" if attempts > 1 else "asked once"
                near = "" if attempts >= ATTEMPTS else ", and the deadline doesn't allow another"
                raise EndpointError(f"{error} ({tried}{near})") from None

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        wanted = error.after if isinstance(error, _Again) else None
        return self._jitter(state) if wanted is None else wanted

    def _retried(self, state: RetryCallState) -> None:
        why = str(state.outcome.exception()) if state.outcome else ""
        self._emit(ModelRetried(attempt=state.attempt_number, seconds=round(state.upcoming_sleep, 3), why=why))

    async def _attempt(self, body: Wire, ends: float) -> Turn:
        from httpx2 import RequestError
        from openai import APIConnectionError, APIStatusError, OpenAIError

        seconds = min(self.timeout, ends - time.monotonic())
        if seconds <= 0:
            raise ModelError("the deadline passed before the model could be asked")
        # The whole of an answer is bounded: the client's own time-out starts anew with every byte.
        create = self._client.chat.completions.with_streaming_response.create
        try:
            async with asyncio.timeout(seconds), create(**body, timeout=seconds) as response:
                return await self._read(response, streamed="stream" in body)
        except (TimeoutError, APIConnectionError, RequestError, OSError) as error:
            # The client's exceptions end at the request: a body that breaks off raises those of the library below it.
            if "timeout" in type(error).__name__.lower():
                raise _Again(f"the model's endpoint gave no whole answer within {seconds:.3g} s") from None
            raise _Again(f"the connection to the model's endpoint failed ({_root(error)})") from None
        except APIStatusError as error:
            raise self._failure(error, body) from None
        except (OpenAIError, ValueError) as error:
            # ValueError is a key or a header that can't be sent; its text may hold the key.
            raise EndpointError(f"the model's endpoint can't be asked ({type(error).__name__})") from None

    async def _read(self, response: "AsyncAPIResponse[Any]", *, streamed: bool) -> Turn:
        from httpx2 import RequestError

        gathering, plain, done, events = Gathering(), bytearray(), False, False
        try:
            async with aclosing(_lines(response)) as lines:
                async for line in lines:
                    if line.startswith(b"data:"):
                        events = True
                        if done := line[5:].strip() == b"[DONE]":
                            break
                        self._feed(gathering, line[5:])
                    elif line and not line.startswith(_SSE):
                        plain += line
        except RequestError:
            if not gathering.finish_reason:
                raise
        if not events and plain:
            if streamed:
                self.abilities.discard("stream")
            self._feed(gathering, bytes(plain))
            if not gathering.answered:
                raise _Again("the model's endpoint sent a completion without a choice")
        elif not (done or gathering.finish_reason):
            raise _Again("the model's answer was cut off in the middle")
        return gathering.turn()

    def _feed(self, gathering: Gathering, data: bytes) -> None:
        try:
            chunk = json.loads(data)
        except (ValueError, RecursionError):
            raise _Again("the model's endpoint sent something that isn't JSON") from None
        if isinstance(chunk, dict) and chunk.get("error"):
            raise _Again(f"the model's endpoint sent an error: {self._said(chunk['error'])}")
        if text := gathering.feed(chunk):
            self._emit(ModelText(text=_printable(text)))

    def _failure(self, error: "APIStatusError", body: Wire) -> Exception:
        status, said = error.status_code, self._said(error.body)
        if ability := refused(status, json.dumps(error.body, default=str), body):
            return _Refused(ability)
        why = f"the model's endpoint answered {status}{f' ({said})' if said else ''}"
        if status in (401, 403):
            # What it says of a key may repeat a part of it.
            return EndpointError(f"the model's endpoint answered {status}; check OPENAI_API_KEY")
        if status == 404:
            return EndpointError(f"{why}; check the model's name, {self.name!r}, and OPENAI_BASE_URL")
        if error.code == "insufficient_quota" or (status not in (408, 409, 429) and status < 500):
            return EndpointError(why)
        return _Again(why, _seconds(error.response.headers.get("retry-after")))

    def _said(self, body: object) -> str:
        """An endpoint's words as one short line, without anything like a key."""
        if isinstance(body, dict):
            body = body.get("message") or body.get("detail") or body.get("error") or ""
        text = _printable(str(body or ""))
        text = _KEYS.sub("***", hide_secrets(text.replace(self._key, "***") if self._key != "none" else text))
        return " ".join(text.split())[:160]


async def _lines(response: "AsyncAPIResponse[Any]") -> AsyncGenerator[bytes, None]:
    # Split at newlines only: a text may hold other characters that str.splitlines takes for the end of a line.
    rest = b""
    async for chunk in response.iter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.rstrip(b"\r")
    if rest:
        yield rest


def _printable(text: str) -> str:
    """Text that can't steer a terminal."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else " " for letter in text)


def _root(error: BaseException) -> str:
    return type(error.__cause__ or error).__name__


def _seconds(header: str | None) -> float | None:
    try:
        seconds = float(header or "")
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
