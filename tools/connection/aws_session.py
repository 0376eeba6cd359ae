"""A session of botocore whose every answer is bounded in bytes and seconds; it follows no redirects."""

import time
from typing import Any
from urllib.parse import urlsplit

import urllib3
from botocore.exceptions import HTTPClientError
from botocore.httpsession import URLLib3Session
from botocore.session import Session
from botocore.utils import get_environ_proxies

from tools.connection.bounded_body import SECONDS, BodyTooLarge, bounded_body


class _Bounded(URLLib3Session):  # type: ignore[misc]
    """A session whose answers are bounded in bytes and seconds; it follows no redirects."""

    def __init__(self, seconds: float, **more: Any) -> None:
        super().__init__(timeout=seconds, **more)
        self._seconds = seconds

    def send(self, request: Any) -> Any:
        ends = time.monotonic() + self._seconds
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


def bounded_session(profile: str | None, seconds: float = SECONDS) -> Session:
    """A session that asks for everything within bounds: keys of a container's and a machine's services, and what AWS'
    own clients ask for."""
    session = Session(profile=profile)
    ways: dict[str, _Bounded] = {}

    def send(request: Any, **_: Any) -> Any:
        # The library's own way of finding proxies and certificates, which its clients would have gone.
        split = urlsplit(request.url)
        origin = f"{split.scheme}://{split.netloc}"
        if origin not in ways:
            verify = session.get_config_variable("ca_bundle") or True
            ways[origin] = _Bounded(seconds, verify=verify, proxies=get_environ_proxies(request.url))
        return ways[origin].send(request)

    session.register("before-send", send)
    bounded = _Bounded(seconds)
    for provider in session.get_component("credential_provider").providers:
        for asks in (getattr(provider, "_role_fetcher", None), getattr(provider, "_fetcher", None)):
            if asks is not None and hasattr(asks, "_session"):
                asks._session = _Bounded(1.0) if provider.METHOD == "iam-role" else bounded
    return session
