"""Tokens that are always good: asked for when one is needed, and again before it ends."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping
from typing import TypeVar

from tools.clock import Clock
from tools.connection.credentials import AwsIam, EntraId, Token
from tools.errors import UsageError

RENEWED_AT = 0.75
"""The part of a token's remaining life after which a new one is asked for."""
ASKED_AGAIN = 1.0
"""Seconds at least between two requests for a token."""
WITHIN = 15.0
"""Seconds that the identity service may take."""
T = TypeVar("T")


class Tokens:
    """A token that is always good, shared by the nodes of a deployment."""

    def __init__(self, request: Callable[[], Token], clock: Clock) -> None:
        self._request = request
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token: Token | None = None
        self._renewed_at = 0.0

    @property
    def renewed_in(self) -> float:
        """Seconds until the token is renewed."""
        return max(0.0, self._renewed_at - self._clock.monotonic())

    async def current(self) -> Token:
        """The token, a new one where it's time. Raises `UsageError` where there is none that is good."""
        async with self._lock:
            if self._token is None or not self.renewed_in:
                await self._renew()
            assert self._token is not None
            return self._token

    async def _renew(self) -> None:
        try:
            async with asyncio.timeout(WITHIN):
                self._token = await _in_thread(self._request)
        except UsageError as error:
            self._must_be_good(error)
        except TimeoutError:
            why = f"the identity service gave no token within {WITHIN:g} s; check that it can be reached from here"
            self._must_be_good(UsageError(f"credentials: {why}"))
        # The service may give the same one again until shortly before its end.
        self._renewed_at = self._clock.monotonic() + max(ASKED_AGAIN, RENEWED_AT * self._left)

    def _must_be_good(self, error: UsageError) -> None:
        """Raise the error, unless the token that was there before is still good."""
        if self._left <= 0:
            raise error from None

    @property
    def _left(self) -> float:
        return self._token.ends - self._clock.now().timestamp() if self._token else 0.0


def tokens_of(credentials: EntraId | AwsIam | None, clock: Clock) -> Tokens | None:
    """The tokens for these credentials, none where there are none. Raises `UsageError` naming the missing extra."""
    if credentials is None:
        return None
    try:
        # Loaded on first use, and only where the extra is installed.
        if isinstance(credentials, EntraId):
            from tools.connection.entra import entra_request

            return Tokens(entra_request(credentials), clock)
        from tools.connection.aws_iam import aws_request

        return Tokens(aws_request(credentials), clock)
    except ModuleNotFoundError as error:
        extra = _EXTRAS[credentials.type]
        raise UsageError(
            f'credentials = "{credentials.type}" needs {error.name}; install it: pip install "rediagnose[{extra}]"'
        ) from None


_EXTRAS: Mapping[str, str] = {"entra": "azure", "aws-iam": "aws"}


async def _in_thread(work: Callable[[], T]) -> T:
    """What blocking work returns. Its thread doesn't keep the program from ending, as an executor's does."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: Exception | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, failure = None, None
        try:
            result = work()
        except Exception as error:
            failure = error
        # By then the loop may be closed.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, daemon=True).start()
    return await future
