"""Tokens for IAM authentication of Amazon ElastiCache and MemoryDB, signed by botocore."""

import time
from collections.abc import Callable
from urllib.parse import urlencode

from botocore.exceptions import BotoCoreError
from botocore.model import ServiceId
from botocore.signers import RequestSigner
from pydantic import SecretStr

from tools.connection.aws_session import bounded_session
from tools.connection.credentials import AwsIam, Token
from tools.errors import UsageError

LIVES = 900
"""Seconds for which AWS accepts a token at most."""


def aws_request(credentials: AwsIam) -> Callable[[], Token]:
    """What signs a token; it may ask for keys and block, and raises `UsageError` if there are none."""
    session = bounded_session(credentials.profile)
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
