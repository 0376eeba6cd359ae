"""The chat client: one answer of the model, complete or not at all."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from agent.answer.events import Emit, ModelRetried, ModelText, ModelThought
from agent.model.errors import AbilityRefused, EndpointError, Retryable, error_of_event, error_of_status
from agent.model.errors import ModelError as ModelError
from agent.model.extras import NOTHING, Extras
from agent.model.provider import abilities_of, api_key_of, openai_client
from agent.model.request import Wire, request_body
from agent.model.response import AnswerPieces, Turn
from agent.model.response_items import ResponseItems
from tools.text import printable

if TYPE_CHECKING:
    from httpx2 import AsyncBaseTransport
    from openai._response import AsyncAPIResponse

ATTEMPTS = 4
"""Failures in a row after which the endpoint is no longer asked."""
_SSE = (b":", b"event:", b"id:", b"retry:")
MOST_BYTES = 8 * 2**20
"""Limit of one answer: anything longer isn't an answer."""
Gathering = AnswerPieces | ResponseItems


class Model:
    """A model behind a chat-completions endpoint. What the endpoint refuses is remembered.

    Endpoint and key come from the environment unless given (`provider`). Raises `ModelError` for an
    unusable endpoint.
    """

    def __init__(
        self, name: str, emit: Emit, *, timeout: float = 60.0, max_tokens: int | None = None,
        base_url: str | None = None, api_key: str | None = None, backoff: float = 0.5,
        transport: "AsyncBaseTransport | None" = None, extras: Extras = NOTHING,
    ) -> None:  # fmt: skip
        """`backoff` is the first wait in seconds after a failure; `transport` replaces the network."""
        self.name = name
        self.timeout = timeout
        """Seconds for one answer, to its last byte."""
        self.max_tokens = max_tokens
        """Most tokens of one answer."""
        self.extras = extras
        """What each request contains besides the conversation."""
        self.abilities = abilities_of(extras, base_url)
        """What the endpoint is assumed to understand."""
        self._emit = emit
        self._jitter = wait_random_exponential(multiplier=backoff, max=8)
        self._key = api_key_of(api_key, base_url)
        self._client = openai_client(self._key, base_url, timeout, transport)
        self._failures = 0
        """In a row."""
        self._given_up: str | None = None

    async def __aenter__(self) -> "Model":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections to the endpoint."""
        await self._client.close()

    @property
    def endpoint(self) -> str:
        """Where the model is asked: scheme, host and port alone, since a path or a user may be secret."""
        url = self._client.base_url
        return f"{url.scheme}://{url.netloc.decode()}"

    def reset_failures(self) -> None:
        """Give an abandoned endpoint another try: a person asks again."""
        self._failures, self._given_up = 0, None

    async def ask(
        self, messages: Sequence[Wire], tools: Sequence[Wire], *, ends: float, choice: str | None = None
    ) -> Turn:
        """One answer, before `ends` (seconds of `time.monotonic`). `choice` names a tool that must be called.

        Raises `ModelError`; an abandoned endpoint isn't asked again.
        """
        if self._given_up:
            raise EndpointError(self._given_up)
        asked = 0

        async def attempt() -> Turn:
            nonlocal asked
            asked += 1
            try:
                return await self._attempt(body, ends)
            except Retryable:
                self._failures += 1
                raise

        def over(state: RetryCallState) -> bool:
            return self._failures >= ATTEMPTS or time.monotonic() + state.upcoming_sleep >= ends

        while True:
            body = request_body(
                self.name, messages, tools, choice=choice, max_tokens=self.max_tokens, abilities=self.abilities,
                extras=self.extras,
            )  # fmt: skip
            retrying = AsyncRetrying(
                retry=retry_if_exception_type(Retryable), stop=over, wait=self._wait,
                before_sleep=self._retried, reraise=True,
            )  # fmt: skip
            try:
                turn: Turn = await retrying(attempt)
            except AbilityRefused as error:
                self.abilities.discard(error.ability)
            except Retryable as error:
                tried = f"asked {asked} times" if asked > 1 else "asked once"
                near = "" if self._failures >= ATTEMPTS else ", and the deadline leaves no time for another"
                why = f"{error} ({tried}{near})"
                self._given_up = (
                    f"{why}; after {ATTEMPTS} failures in a row it won't be asked again" if not near else None
                )
                raise EndpointError(why) from None
            else:
                self._failures = 0
                return turn

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        seconds = error.after if isinstance(error, Retryable) else None
        return self._jitter(state) if seconds is None else seconds

    def _retried(self, state: RetryCallState) -> None:
        why = str(state.outcome.exception()) if state.outcome else ""
        self._emit(ModelRetried(attempt=state.attempt_number, seconds=round(state.upcoming_sleep, 3), why=why))

    async def _attempt(self, body: Wire, ends: float) -> Turn:
        from httpx2 import RequestError
        from openai import APIConnectionError, APIStatusError, OpenAIError

        seconds = min(self.timeout, ends - time.monotonic())
        if seconds <= 0:
            raise ModelError("the deadline passed before the model could be asked")
        # The time of the whole answer is bounded: the client's own timeout restarts with every byte.
        client, more = self._client, dict(self.extras.fields)
        chat, own = "messages" in body, {name: given for name, given in body.items() if name not in more}
        create: Any = (client.chat.completions if chat else client.responses).with_streaming_response.create
        try:
            async with asyncio.timeout(seconds), create(**own, extra_body=more, timeout=seconds) as response:
                return await self._read(response, streamed="stream" in body, chat=chat)
        except (TimeoutError, APIConnectionError, RequestError, OSError) as error:
            # The client's exceptions cover only the request: a body that breaks off raises those of the underlying
            # library.
            if "timeout" in type(error).__name__.lower():
                raise Retryable(f"the model's endpoint gave no complete answer within {seconds:.3g} s") from None
            raise Retryable(f"the connection to the model's endpoint failed ({_root(error)})") from None
        except APIStatusError as error:
            raise error_of_status(error, body, self._key) from None
        except (OpenAIError, ValueError) as error:
            # ValueError is a key or a header that can't be sent; its text may contain the key.
            raise EndpointError(f"the model's endpoint can't be used ({type(error).__name__})") from None

    async def _read(self, response: "AsyncAPIResponse[Any]", *, streamed: bool, chat: bool) -> Turn:
        from httpx2 import RequestError

        gathering: Gathering = AnswerPieces() if chat else ResponseItems()
        plain, done, events = bytearray(), False, False
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
                raise Retryable("the model's endpoint sent a completion without a choice")
        elif not (done or gathering.finish_reason):
            raise Retryable("the model's answer was cut off in the middle")
        return gathering.turn()

    def _feed(self, gathering: Gathering, data: bytes) -> None:
        try:
            chunk = json.loads(data)
        except (ValueError, RecursionError):
            raise Retryable("the model's endpoint sent something that isn't JSON") from None
        if why := _failure(chunk):
            raise error_of_event(why, self._key)
        text = gathering.feed(chunk)
        if gathering.thought:
            self._emit(ModelThought(text=printable(gathering.thought)))
        if text:
            self._emit(ModelText(text=printable(text)))


def _failure(chunk: object) -> object:
    """The failure that an event reports; null if none."""
    if not isinstance(chunk, dict):
        return None
    whole = chunk.get("response")
    inner = whole.get("error") if isinstance(whole, dict) else None
    return chunk.get("error") or inner or (chunk if chunk.get("type") == "error" else None)


async def _lines(response: "AsyncAPIResponse[Any]") -> AsyncGenerator[bytes, None]:
    # Split at newlines only: a text may contain other characters that str.splitlines treats as line breaks.
    rest, size = bytearray(), 0
    async for chunk in response.iter_bytes():
        size += len(chunk)
        if size > MOST_BYTES:
            raise Retryable(f"the model's endpoint sent more than {MOST_BYTES // 2**20} MiB in one answer")
        *lines, last = chunk.split(b"\n")
        for line in lines:
            yield bytes(rest + line).rstrip(b"\r")
            rest.clear()
        rest += last
    if rest:
        yield bytes(rest)


def _root(error: BaseException) -> str:
    return type(error.__cause__ or error).__name__
