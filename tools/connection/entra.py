"""Tokens of Microsoft Entra ID, by redis-entraid."""

from collections.abc import Callable

from azure.core.pipeline.transport import RequestsTransport
from azure.identity import DefaultAzureCredential
from msal import ManagedIdentityClient, SystemAssignedManagedIdentity, UserAssignedManagedIdentity
from pydantic import SecretStr
from redis.auth.err import RequestTokenErr
from redis_entraid.identity_provider import DefaultAzureCredentialProvider, ManagedIdentityProvider

from tools.connection.bounded_requests import BoundedSession
from tools.connection.credentials import EntraId, Token
from tools.errors import UsageError
from tools.redact import hide_secrets


def azure_chain(client_id: str | None = None) -> DefaultAzureCredential:
    """What finds an identity where Azure's own tools do: the environment, a workload's or a machine's, az login."""
    transport = RequestsTransport(session=BoundedSession(), session_owner=False)
    return DefaultAzureCredential(managed_identity_client_id=client_id, transport=transport)


def entra_request(credentials: EntraId) -> Callable[[], Token]:
    """What asks for a token; it blocks, and raises `UsageError` if none is given."""
    if credentials.identity == "managed":
        identity = (
            UserAssignedManagedIdentity(client_id=credentials.client_id)
            if credentials.client_id
            else SystemAssignedManagedIdentity()
        )
        client = ManagedIdentityClient(identity, http_client=BoundedSession())
        provider = ManagedIdentityProvider(client, credentials.scope.removesuffix("/.default"))
    else:
        provider = DefaultAzureCredentialProvider(azure_chain(credentials.client_id), (credentials.scope,))

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
