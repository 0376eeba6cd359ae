"""A session of requests, for the libraries that ask for tokens by it: bounded, without redirects and netrc."""

import time
from typing import Any

import requests
import urllib3

from tools.connection.bounded_body import SECONDS, BodyTooLarge, bounded_body


class BoundedSession(requests.Session):
    """A session whose answers are bounded in bytes and seconds, and that follows no redirects and uses no netrc."""

    def __init__(self, seconds: float = SECONDS) -> None:
        super().__init__()
        self._seconds = seconds
        # Without an auth of its own a session adds what a .netrc has for the host.
        self.auth = _as_it_is

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        ends = time.monotonic() + self._seconds
        # msal gives none of its own a time-out, and Azure's pipeline a longer one.
        kwargs |= {"timeout": self._seconds, "allow_redirects": False, "stream": True}
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
