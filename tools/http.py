"""What all HTTP clients share: URLs, and when to try again."""

import math
import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

import httpx2


def web_url(text: str) -> httpx2.URL | None:
    """The URL of a text; null for what is none, or not of HTTP."""
    try:
        url = httpx2.URL(text)
    except (httpx2.InvalidURL, ValueError):
        return None
    return url if url.scheme in ("http", "https") and url.host else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that an endpoint asks to be left alone for, in any of its headers."""
    if (ms := _seconds(headers.get("retry-after-ms"))) is not None:
        return ms / 1000
    given = headers.get("retry-after")
    if (seconds := _seconds(given)) is not None or not given:
        return seconds
    try:
        at = parsedate_to_datetime(given)
    except ValueError:
        return None
    return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - time.time())


def _seconds(header: str | None) -> float | None:
    try:
        seconds = float(header or "")
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
