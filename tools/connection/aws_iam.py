"""Tokens for IAM authentication of Amazon ElastiCache and MemoryDB, signed by botocore."""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import urllib3
from botocore.exceptions import BotoCoreError, HTTPClientError
from botocore.httpsession import URLLib3Session
from botocore.model import ServiceId
from botocore.session import Session
from botocore.signers import RequestSigner
from pydantic import SecretStr

from tools.connection.bounded_body import SECONDS, BodyTooLarge, bounded_body
from tools.connection.credentials import AwsIam, Token
from tools.errors import UsageError

LIVES = 900
"""Seconds for which AWS accepts a token at most."""


class _Bounded(URLLib3Session):  # type: ignore[misc]
    """A session whose answers are bounded in bytes and seconds; it follows no redirects."""

    def send(self, request: Any) -> Any:
        ends = time.monotonic() + SECONDS
        request.stream_output = True
        response = super().send(request)
        try:
            # As the library itself stores what it has read.
            response._content = bounded_body(response.raw, response.headers, ends=ends)
        except (urllib3.exceptions.HTTPError, BodyTooLarge) as error:
            raise HTTPClientError(error=error) from None
        finally:
            response.raw.release_conn()
            response.raw.close()
        return response


def _bound(session: Session) -> None:
    """Make everything that asks for keys do so within bounds: a container's and a machine's services, and AWS' own
    clients."""
    bounded = _Bounded(timeout=SECONDS)
    session.register("before-send", lambda request, **_: bounded.send(request))
    for provider in session.get_component("credential_provider").providers:
        for asks in (getattr(provider, "_role_fetcher", None), getattr(provider, "_fetcher", None)):
            if asks is not None and hasattr(asks, "_session"):
                asks._session = _Bounded(timeout=1.0) if provider.METHOD == "iam-role" else bounded


def aws_request(credentials: AwsIam) -> Callable[[], Token]:
    """What signs a token; it may ask for keys and block, and raises `UsageError` if there are none."""
    session = Session(profile=credentials.profile)
    _bound(session)
    parameters = {"Action": "connect", "User": credentials.user}
    if credentials.serverless:
        parameters["ResourceType"] = "ServerlessCache"
    # The host is the cache's name, not its address.
    url = f"https://{credentials.cache}/?{urlencode(parameters)}"
    form = {"method": "GET", "url": url, "body": {}, "headers": {}, "context": {}}

    def request() -> Token:
        now = time.time()
        try:
            keys = session.get_credentials()
            if keys is None:
                raise UsageError('credentials = "aws-iam": no AWS keys were found; see: aws sts get-caller-identity')
            signer = RequestSigner(
                ServiceId(credentials.service), credentials.region, credentials.service, "v4", keys,
                session.get_component("event_emitter"),
            )  # fmt: skip
            signed = signer.generate_presigned_url(
                form, operation_name="connect", expires_in=LIVES, region_name=credentials.region
            )
        except BotoCoreError as error:
            why = str(error).partition("\n")[0][:200]
            raise UsageError(f'credentials = "aws-iam": no token: {why}; see: aws sts get-caller-identity') from None
        token = signed.removeprefix("https://")
        return Token(username=credentials.user, secret=SecretStr(token), ends=now + LIVES)

    return request
