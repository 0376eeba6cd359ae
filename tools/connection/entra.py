"""Tokens of Microsoft Entra ID, by redis-entraid."""

import time
from collections.abc import Callable
from typing import Any

import requests
import urllib3
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import DefaultAzureCredential
from msal import ManagedIdentityClient, SystemAssignedManagedIdentity, UserAssignedManagedIdentity
from pydantic import SecretStr
from redis.auth.err import RequestTokenErr
from redis_entraid.identity_provider import DefaultAzureCredentialProvider, ManagedIdentityProvider

from tools.connection.bounded_body import SECONDS, BodyTooLarge, bounded_body
from tools.connection.credentials import EntraId, Token
from tools.errors import UsageError
from tools.redact import hide_secrets


class _Bounded(requests.Session):
    """A session whose answers end, in bytes and seconds, and that follows no redirect and takes no netrc."""

    def __init__(self) -> None:
        super().__init__()
        # Without an auth of its own a session adds what a .netrc has for the host.
        self.auth = _as_it_is

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        ends = time.monotonic() + SECONDS
        # msal gives none of its own a time-out, and Azure's pipeline a longer one.
        kwargs |= {"timeout": SECONDS, "allow_redirects": False, "stream": True}
        kwargs["headers"] = {**(kwargs.get("headers") or {}), "Accept-Encoding": "identity"}
        response = super().request(*args, **kwargs)
        try:
            body = bounded_body(response.raw, response.headers, ends=ends)
        except urllib3.exceptions.HTTPError as error:
            raise requests.exceptions.ConnectionError(type(error).__name__) from None
        except BodyTooLarge as error:
            raise requests.exceptions.ConnectionError(str(error)) from None
        finally:
            response.close()
        # As the library itself notes that all was read.
        response._content, response._content_consumed = body, True
        return response


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def entra_request(credentials: EntraId) -> Callable[[], Token]:
    """What asks for a token; it blocks, and raises `UsageError` where none is given."""
    if credentials.identity == "managed":
        identity = (
            UserAssignedManagedIdentity(client_id=credentials.client_id)
            if credentials.client_id
            else SystemAssignedManagedIdentity()
        )
        client = ManagedIdentityClient(identity, http_client=_Bounded())
        provider = ManagedIdentityProvider(client, credentials.scope.removesuffix("/.default"))
    else:
        transport = RequestsTransport(session=_Bounded(), session_owner=False)
        chain = DefaultAzureCredential(managed_identity_client_id=credentials.client_id, transport=transport)
        provider = DefaultAzureCredentialProvider(chain, (credentials.scope,))

    def request() -> Token:
        try:
            token = provider.request_token()
        except RequestTokenErr as error:
            why = hide_secrets(str(error).strip().partition("\n")[0])[:200]
            raise UsageError(
                f'credentials = "entra": no token: {why}; see which identity this machine has, or run az login'
            ) from None
        username = credentials.user or token.try_get("oid")
        if not username:
            raise UsageError('credentials = "entra": the token has no object id; set user to that of the identity')
        ends = token.get_expires_at_ms() / 1000
        return Token(username=username, secret=SecretStr(token.get_value()), ends=ends)

    return request
