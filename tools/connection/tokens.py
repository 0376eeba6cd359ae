"""Tokens that are always valid: requested when one is needed, and again before it expires."""

import asyncio
from collections.abc import Callable, Mapping

from tools.clock import Clock
from tools.connection.credentials import AwsIam, EntraId, Token
from tools.errors import UsageError
from tools.tasks import in_thread

RENEWED_AT = 0.75
"""The share of a token's remaining lifetime after which a new one is requested."""
ASKED_AGAIN = 1.0
"""Least seconds between two requests for a token."""
WITHIN = 15.0
"""Seconds that the identity service may take."""


class Tokens:
    """A token that is always valid, shared by the nodes of a deployment."""

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
        """The token, renewed if due. Raises `UsageError` if there is no valid one."""
        async with self._lock:
            if self._token is None or not self.renewed_in:
                await self._renew()
            assert self._token is not None
            return self._token

    async def _renew(self) -> None:
        try:
            async with asyncio.timeout(WITHIN):
                self._token = await in_thread(self._request)
        except UsageError as error:
            self._must_be_good(error)
        except TimeoutError:
            why = f"the identity service gave no token within {WITHIN:g} s; check that it can be reached from here"
            self._must_be_good(UsageError(f"credentials: {why}"))
        # The service may return the same one until shortly before it expires.
        self._renewed_at = self._clock.monotonic() + max(ASKED_AGAIN, RENEWED_AT * self._left)

    def _must_be_good(self, error: UsageError) -> None:
        """Raise the error, unless the previous token is still valid."""
        if self._left <= 0:
            raise error from None

    @property
    def _left(self) -> float:
        return self._token.ends - self._clock.now().timestamp() if self._token else 0.0


def tokens_of(credentials: EntraId | AwsIam | None, clock: Clock) -> Tokens | None:
    """The tokens for these credentials; None without any. Raises `UsageError` naming the missing extra."""
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
