"""Access tokens of Google Cloud by Application Default Credentials, within bounds. These functions block."""

from collections.abc import Callable

import google.auth
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request

from tools.connection.bounded_requests import BoundedSession
from tools.errors import Unanswered
from tools.redact import hide_secrets

SCOPE = "https://www.googleapis.com/auth/cloud-platform.read-only"
SECONDS = 2.0
"""Seconds for one answer: three tries of a machine's metadata have to fit into the time for finding credentials."""


def default_credentials() -> tuple[Callable[[], str], str]:
    """What gives a valid token, asking for one where it has to, and the credentials' project, which may be unknown.

    Both raise `Unanswered`.
    """
    request = Request(session=BoundedSession(SECONDS))
    try:
        credentials, project = google.auth.default(scopes=[SCOPE], request=request)
    except (GoogleAuthError, OSError, ValueError) as error:
        raise _none(error) from None

    def token() -> str:
        try:
            if not credentials.valid:
                credentials.refresh(request)  # type: ignore[no-untyped-call]
        except (GoogleAuthError, OSError, ValueError) as error:
            raise _none(error) from None
        return str(credentials.token)

    return token, project or ""


def _none(error: Exception) -> Unanswered:
    why = hide_secrets(str(error).strip().partition("\n")[0])[:160].rstrip(".")
    remedy = "run gcloud auth application-default login, or name a key by GOOGLE_APPLICATION_CREDENTIALS"
    return Unanswered("noauth", f"no token of Google Cloud: {why}; {remedy}")
