"""Calls of AWS: only reads, and only these; bounded, and with what is missing named. They block."""

from collections.abc import Callable, Mapping
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from tools.connection.aws_session import bounded_session
from tools.errors import Unanswered
from tools.providers.aws_reads import READS, Service, permission
from tools.records import Kind
from tools.text import one_line

SECONDS = 4.0
"""For one answer; the look itself ends sooner, and this ends the thread that is then left behind."""
LOG_IN = "see `aws sts get-caller-identity`"
_DENIED = ("AccessDenied", "Unauthorized", "NotAuthorized", "OptInRequired")
_EXPIRED = ("Expired", "InvalidClientTokenId", "UnrecognizedClient", "SignatureDoesNotMatch", "InvalidToken",
            "AuthFailure", "MissingAuthentication", "IncompleteSignature")  # fmt: skip
_BY_CLASS: Mapping[str, Kind] = {
    "SSLError": "tls", "ConnectTimeoutError": "timeout", "ReadTimeoutError": "timeout", "EndpointConnectionError":
    "refused", "ProxyConnectionError": "refused", "ConnectionClosedError": "reset", "NoCredentialsError": "noauth",
    "PartialCredentialsError": "noauth", "CredentialRetrievalError": "noauth", "TokenRetrievalError": "noauth",
    "SSOError": "noauth", "HTTPClientError": "reset",
}  # fmt: skip
"""By the name of the exception or of one that it's a kind of, the more exact first."""


class Calls:
    """Clients of the services that are asked, made once."""

    def __init__(self, region: str, profile: str | None = None) -> None:
        """Raises `Unanswered` if there are no credentials."""
        self.region = region
        try:
            session: Session = bounded_session(profile, SECONDS)
            if session.get_credentials() is None:
                raise Unanswered("noauth", f"no AWS credentials were found; {LOG_IN}")
            settings = Config(retries={"total_max_attempts": 1}, user_agent_extra="rediagnose")
            self._clients: Mapping[str, Any] = {
                service: session.create_client(service, region_name=region, config=settings) for service in READS
            }
        except BotoCoreError as error:
            raise unanswered(error, "AWS") from None

    def read(self, service: Service, operation: str, **given: object) -> Mapping[str, Any]:
        """One answer. Raises `Unanswered`, and `ValueError` for what isn't among the reads."""
        if operation not in READS[service]:
            raise ValueError(f"{service} {operation} isn't one of the reads")
        method: Callable[..., Any] = getattr(self._clients[service], _snake(operation))
        try:
            answer = method(**given)
        except ClientError as error:
            raise _refused(error, service, operation) from None
        except BotoCoreError as error:
            raise unanswered(error, f"{service} {operation}") from None
        except Exception as error:
            # Its parsers raise whatever a body that isn't one makes them raise.
            raise Unanswered("malformed", f"{service} {operation}: {type(error).__name__}") from None
        return answer if isinstance(answer, dict) else {}


def _snake(operation: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in operation).lstrip("_")


def _refused(error: ClientError, service: Service, operation: str) -> Unanswered:
    told = error.response.get("Error") if isinstance(error.response, dict) else None
    code = str(told.get("Code") if isinstance(told, dict) else "")[:80]
    what = f"{service} {operation}"
    if any(word in code for word in _DENIED):
        return Unanswered(
            "denied", f"{permission(service, operation)} isn't allowed; `rediagnose acl --aws` prints a policy"
        )
    if any(word in code for word in _EXPIRED):
        return Unanswered(
            "noauth", f"AWS doesn't accept these credentials any more ({one_line(code, 60)}); log in again"
        )
    if "Throttl" in code or "TooMany" in code or code == "RequestLimitExceeded":
        return Unanswered("timeout", f"AWS throttles {what} ({one_line(code, 60)}); ask again in a minute")
    if "NotFound" in code:
        return Unanswered("not-recorded", f"{what}: {one_line(code, 60)}")
    return Unanswered("refused", f"{what}: {one_line(code, 60) or 'an error without a code'}")


def unanswered(error: BotoCoreError, what: str) -> Unanswered:
    """What a call that got no answer is called. The text of an error may hold parts of an answer, or of a file."""
    classes = [one.__name__ for one in type(error).__mro__]
    kind: Kind = next((_BY_CLASS[name] for name in classes if name in _BY_CLASS), "malformed")
    remedy = f"; {LOG_IN}" if kind == "noauth" else ""
    return Unanswered(kind, f"{what}: {classes[0]}{remedy}")
