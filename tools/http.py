"""What all HTTP clients share: URLs, and when to try again."""

import math
import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import httpx2

from tools.text import printable


def web_url(text: str) -> httpx2.URL | None:
    """The URL of a text; null for what is none, or not of HTTP."""
    try:
        url = httpx2.URL(text)
    except (httpx2.InvalidURL, ValueError):
        return None
    return url if url.scheme in ("http", "https") and url.host else None


class Redirect(NamedTuple):
    """Where an endpoint sends a client. No client here goes there: it would take a token, a body or a prompt along."""

    where: str
    """Host, and port if it's named, as it may be printed."""
    stays: bool
    """Whether that is the same scheme, host and port."""


def redirect(status: int, headers: Mapping[str, str], asked: httpx2.URL) -> Redirect | None:
    """The redirect that an answer is; null for any other answer."""
    if not 300 <= status < 400:
        return None
    try:
        there = asked.join(headers.get("location", ""))
        named = f"{there.host}:{there.port}" if there.port else there.host
    except (httpx2.InvalidURL, ValueError):
        return Redirect("an address that can't be read", False)
    stays = (there.scheme, there.host, there.port) == (asked.scheme, asked.host, asked.port)
    return Redirect(printable(named)[:80] or "an address that can't be read", stays)


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
