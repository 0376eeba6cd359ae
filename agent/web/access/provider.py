"""Signing in by an identity provider: OpenID Connect's code flow with PKCE, by authlib."""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Self

import httpx2
from authlib.common.errors import AuthlibBaseError  # type: ignore[import-untyped]
from authlib.integrations.httpx_client import AsyncOAuth2Client  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey
from pydantic import SecretStr

from agent.service.records import Person
from agent.web.access.id_token import Expected, NotVerified, UnknownKey, groups_of, keys_of, person_of, verified
from tools.http import bounded
from tools.settings.serve_table import OidcTable, is_private

SECONDS = 600
"""In which a sign-in that was begun has to end."""
_TIMEOUT, _MOST = 10.0, 2**20
_METADATA_SECONDS, _AGAIN_SECONDS = 3600.0, 30.0
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class Provider:
    """The provider, what it says about itself, and the key by which sign-ins that were begun are known again.

    What was begun is kept in a signed cookie and nowhere here: nobody can crowd out another's sign-in.
    """

    def __init__(self, table: OidcTable, secret: SecretStr | None, now: Callable[[], float]) -> None:
        self.table = table
        self._secret = secret
        self._now = now
        self._own = OctKey.import_key(secrets.token_bytes(32))
        self._lock = asyncio.Lock()
        self._metadata: dict[str, Any] | None = None
        self._keys: KeySet | None = None
        self._metadata_until = self._keys_since = self._failed_until = float("-inf")

    @classmethod
    def of(cls, table: OidcTable, environ: Mapping[str, str], now: Callable[[], float]) -> Self:
        """The provider of the settings. Raises `UsageError` if its secret isn't there."""
        return cls(table, table.client_secret.read(environ) if table.client_secret else None, now)

    async def begin(self, redirect_uri: str, after: str) -> tuple[str, str]:
        """Where the browser goes to sign in, and the cookie by which it's known on its way back.

        Raises `NotVerified` if the provider can't be asked.
        """
        metadata = await self._described()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        async with self._client(redirect_uri) as client:
            url, _ = client.create_authorization_url(
                metadata["authorization_endpoint"], state=state, nonce=nonce, code_verifier=verifier
            )
        begun = {
            "state": state,
            "nonce": nonce,
            "verifier": verifier,
            "after": after,
            "exp": int(time.time()) + SECONDS,
        }
        return url, jwt.encode({"alg": "HS256"}, begun, self._own)

    async def finish(
        self, redirect_uri: str, cookie: str | None, state: str | None, code: str | None, issuer: str | None
    ) -> tuple[Person, str]:
        """Who signed in, and where they wanted to go. Raises `NotVerified`."""
        begun = self._begun(cookie, state)
        if issuer not in (None, self.table.issuer):
            raise NotVerified("another provider answered")
        if not code:
            raise NotVerified("the provider sent no code")
        metadata = await self._described()
        try:
            async with self._client(redirect_uri) as client:
                token = await client.fetch_token(
                    metadata["token_endpoint"], grant_type="authorization_code", code=code,
                    code_verifier=begun["verifier"],
                )  # fmt: skip
                access_token = token.get("access_token")
                expected = Expected(self.table.issuer, self.table.client_id, begun["nonce"], access_token)
                claims = await self._claims(token.get("id_token"), expected)
                if groups_of(claims, self.table.groups_claim) is None:
                    claims = await self._more(client, metadata, claims)
        except (httpx2.HTTPError, httpx2.InvalidURL, AuthlibBaseError, ValueError, TypeError) as error:
            raise NotVerified(f"the provider gave no token ({type(error).__name__})") from None
        return person_of(claims, self.table), begun["after"]

    def _begun(self, cookie: str | None, state: str | None) -> dict[str, str]:
        try:
            begun: dict[str, Any] = jwt.decode(cookie or "", self._own, algorithms=["HS256"]).claims
        except (JoseError, ValueError, TypeError):
            raise NotVerified("this browser began no sign-in here, or long ago; begin again") from None
        if (
            begun["exp"] < time.time()
            or not state
            or not secrets.compare_digest(begun["state"].encode(), state.encode())
        ):
            raise NotVerified("this isn't the sign-in that this browser began, or it took too long; begin again")
        return begun

    async def _claims(self, token: object, expected: Expected) -> dict[str, Any]:
        try:
            return verified(token, await self._known_keys(), expected)
        except UnknownKey:
            # Providers change their keys; whoever sends wrong tokens can't make us ask for them all the time.
            if self._now() - self._keys_since < _AGAIN_SECONDS:
                raise
            self._keys = None
            return verified(token, await self._known_keys(), expected)

    async def _known_keys(self) -> KeySet:
        metadata = await self._described()
        async with self._lock:
            if self._keys is None:
                self._keys_since = self._now()
                self._keys = keys_of(await self._get(metadata["jwks_uri"]))
            return self._keys

    async def _more(self, client: Any, metadata: Mapping[str, Any], claims: dict[str, Any]) -> dict[str, Any]:
        """The claims with those that the provider only says when asked."""
        url = metadata.get("userinfo_endpoint")
        if not isinstance(url, str) or not self._is_fit(url):
            return claims
        answer = await client.get(url)
        if answer.status_code != 200:
            return claims
        said = answer.json()
        if not isinstance(said, dict) or said.get("sub") != claims["sub"]:
            raise NotVerified("the provider's user information is about somebody else")
        return said | claims

    async def _described(self) -> dict[str, Any]:
        async with self._lock:
            if self._metadata is None or self._now() >= self._metadata_until:
                if self._now() < self._failed_until:
                    raise NotVerified(
                        "the identity provider couldn't be reached a moment ago; try again in half a minute"
                    )
                # Until it has answered, everybody who asks would make us ask.
                self._failed_until = self._now() + _AGAIN_SECONDS
                self._metadata = await self._discovered()
                self._metadata_until = self._now() + _METADATA_SECONDS
                self._failed_until = float("-inf")
            return self._metadata

    async def _discovered(self) -> dict[str, Any]:
        said = await self._get(f"{self.table.issuer.rstrip('/')}/.well-known/openid-configuration")
        if not isinstance(said, dict) or said.get("issuer") != self.table.issuer:
            raise NotVerified("the identity provider says another issuer of itself than [serve.oidc] does")
        if wrong := next((one for one in _ENDPOINTS if not self._is_fit(said.get(one))), None):
            raise NotVerified(f"the identity provider's {wrong} isn't an https address")
        return said

    def _is_fit(self, url: object) -> bool:
        """Whether a token may go to this address: http only if the provider itself is on this machine."""
        secure = self.table.issuer.startswith("https:")
        return isinstance(url, str) and is_private(url) and (url.startswith("https:") or not secure)

    async def _get(self, url: str) -> object:
        try:
            async with httpx2.AsyncClient(timeout=_TIMEOUT, event_hooks=bounded(_MOST)) as client:
                return (await client.get(url)).raise_for_status().json()
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            raise NotVerified(f"the identity provider can't be asked ({type(error).__name__})") from None

    def _client(self, redirect_uri: str) -> Any:
        methods = (self._metadata or {}).get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        method = "client_secret_basic" if "client_secret_basic" in methods else "client_secret_post"
        return AsyncOAuth2Client(
            client_id=self.table.client_id, client_secret=self._secret.get_secret_value() if self._secret else None,
            token_endpoint_auth_method=method if self._secret else "none", scope=" ".join(self.table.scopes),
            redirect_uri=redirect_uri, code_challenge_method="S256", timeout=_TIMEOUT, event_hooks=bounded(_MOST),
        )  # fmt: skip
