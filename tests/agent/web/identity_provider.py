"""A small OpenID Connect provider on loopback: one person, who is always signed in there, and faults to order."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from functools import cache
from typing import Any
from urllib.parse import urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.agent.web.guarded_app import LoopbackServer

CLIENT, SECRET = "rediagnose", "the secret of the client"
Claims = dict[str, Any]


@cache
def new_key(kid: str) -> RSAKey:
    """A key; making one takes a while."""
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})


class IdentityProvider:
    """What it says of itself, of its keys and of the person; a test changes any of it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.key: RSAKey | ECKey = new_key("1")
        self.published: list[dict[str, Any]] = [self.key.as_dict(private=False)]
        self.person: Claims = {
            "sub": "248289761001", "email": "anna@example.org", "email_verified": True,
            "groups": ["sre-oncall", "staff"],
        }  # fmt: skip
        self.claims: Callable[[Claims], Claims] = lambda claims: claims
        """Changes what the ID token says."""
        self.sign: Callable[[Claims], str] = self.signed
        self.described: Mapping[str, Any] = {}
        """Changes what it says of itself."""
        self.token_status = 200
        self.userinfo: Claims = {}
        self.asked: list[str] = []
        self._codes: dict[str, Mapping[str, str]] = {}
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._described),
                Route("/keys", self._keys),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/userinfo", self._userinfo),
            ]
        )

    def signed(self, claims: Claims, algorithm: str = "RS256") -> str:
        """A token as it should be."""
        return jwt.encode({"alg": algorithm, "kid": self.key.kid}, claims, self.key, algorithms=[algorithm])

    async def _described(self, request: Request) -> Response:
        self.asked.append("configuration")
        return JSONResponse({
            "issuer": self.url, "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys", "userinfo_endpoint": f"{self.url}/userinfo",
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"], **self.described,
        })  # fmt: skip

    async def _keys(self, request: Request) -> Response:
        self.asked.append("keys")
        return JSONResponse({"keys": self.published})

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        assert asked["response_type"] == "code" and asked["client_id"] == CLIENT and "openid" in asked["scope"].split()
        assert asked["code_challenge_method"] == "S256" and len(asked["nonce"]) > 30 and len(asked["state"]) > 30
        code = secrets.token_urlsafe()
        self._codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}", 302)

    async def _token(self, request: Request) -> Response:
        self.asked.append("token")
        async with request.form() as form:
            given = {name: str(value) for name, value in form.items()}
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        asked = self._codes.pop(given.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(given.get("code_verifier", "").encode()).digest())
        if (
            asked is None
            or asked["code_challenge"] != challenge.decode().rstrip("=")
            or asked["redirect_uri"] != given.get("redirect_uri")
            or request.headers.get("authorization") != f"Basic {basic}"
            or self.token_status != 200
        ):
            return JSONResponse(
                {"error": "invalid_grant", "error_description": "<b>no</b>"}, max(400, self.token_status)
            )
        now = int(time.time())
        claims = {
            "iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"], **self.person,
        }  # fmt: skip
        return JSONResponse({
            "access_token": "an access token", "token_type": "Bearer", "expires_in": 300,
            "id_token": self.sign(self.claims(claims)),
        })  # fmt: skip

    async def _userinfo(self, request: Request) -> Response:
        self.asked.append("userinfo")
        if request.headers.get("authorization") != "Bearer an access token":
            return JSONResponse({}, 401)
        return JSONResponse(self.userinfo)


def unsigned(claims: Claims) -> str:
    """A token with `alg: none`."""
    return f"{_encoded({'alg': 'none', 'typ': 'JWT'})}.{_encoded(claims)}."


def by_public_key(provider: IdentityProvider) -> Callable[[Claims], str]:
    """Signs with what everybody knows, the public key, as if it were a shared secret."""

    def sign(claims: Claims) -> str:
        content = f"{_encoded({'alg': 'HS256', 'kid': '1'})}.{_encoded(claims)}"
        return f"{content}.{_base64(hmac.digest(provider.key.as_pem(private=False), content.encode(), 'sha256'))}"

    return sign


def _encoded(part: Claims) -> str:
    return _base64(json.dumps(part).encode())


def _base64(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


@contextlib.asynccontextmanager
async def provided() -> AsyncIterator[IdentityProvider]:
    """A provider, for as long as the block runs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        provider = IdentityProvider(f"http://127.0.0.1:{listener.getsockname()[1]}")
        server = LoopbackServer(uvicorn.Config(provider.app, log_level=60, lifespan="off", timeout_graceful_shutdown=1))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield provider
        finally:
            server.should_exit = True
            await task
