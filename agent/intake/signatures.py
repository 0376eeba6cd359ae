"""Signatures of a body's bytes, as the senders make them; compared in constant time."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from agent.intake.refused import Refusal, RefusedError

WINDOW = 300
"""Seconds by which a sender's time may differ from ours."""
_MOST_SIGNATURES = 10


class Signed(NamedTuple):
    """What is remembered of a request that was signed."""

    mac: bytes
    """The signature as computed here, since one and the same can be written in several ways."""
    delivery: str | None = None
    """The sender's own identifier of a delivery, if it's signed: the same when it is sent again."""
    repeats: bool = False
    """Whether the sender repeats itself word for word without meaning to deceive."""


def same(given: str, expected: str) -> bool:
    """Whether two texts are the same, in a time that says nothing about where they differ."""
    return hmac.compare_digest(_digest(given), _digest(expected))


def of_body(headers: Mapping[str, str], body: bytes, secret: bytes, header: str) -> Signed:
    """HMAC-SHA256 of the body in hex, with or without `sha256=` before it: GitHub, Jira, and by our docs."""
    given = _given(headers, header).removeprefix("sha256=")
    return _matched([given.lower()], _mac(secret, body), "")


def of_pagerduty(headers: Mapping[str, str], body: bytes, secret: bytes) -> Signed:
    """PagerDuty's: one signature for each secret that is valid, `v1=` before each."""
    given = _given(headers, "X-PagerDuty-Signature").split(",")[:_MOST_SIGNATURES]
    return _matched((one.strip() for one in given), _mac(secret, body), "v1=")


def of_grafana(
    headers: Mapping[str, str], body: bytes, secret: bytes, now: datetime, header: str, timestamp_header: str | None
) -> Signed:
    """Grafana's: of the body, after the time and a colon if a header for the time was chosen there."""
    given = _given(headers, header).lower()
    if timestamp_header is None:
        return _matched([given], _mac(secret, body), "")._replace(repeats=True)
    time = _time(headers, timestamp_header, now)
    return _matched([given], _mac(secret, time.encode(), b":", body), "")


def of_slack(headers: Mapping[str, str], body: bytes, secret: bytes, now: datetime) -> Signed:
    """Slack's v0, which others took over."""
    given = _given(headers, "X-Slack-Signature")
    time = _time(headers, "X-Slack-Request-Timestamp", now)
    return _matched([given], _mac(secret, b"v0:", time.encode(), b":", body), "v0=")


def of_standard(headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> Signed:
    """That of standardwebhooks.com: incident.io's, by Svix, and GitLab's signing tokens."""
    prefix = "svix" if "svix-id" in headers and "webhook-id" not in headers else "webhook"
    given = _given(headers, f"{prefix}-signature").split()[:_MOST_SIGNATURES]
    id = _given(headers, f"{prefix}-id")
    time = _time(headers, f"{prefix}-timestamp", now)
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        raise RefusedError(
            Refusal.UNAVAILABLE, "the secret here isn't a signing secret; copy it from the sender, whsec_ included"
        ) from None
    mac = _mac(key, id.encode("utf-8", "replace"), b".", time.encode(), b".", body)
    expected = f"v1,{base64.b64encode(mac).decode()}"
    if not any([same(one, expected) for one in given]):
        raise _wrong()
    return Signed(mac, delivery=id)


def check_time(given: float, now: datetime, window: float = WINDOW) -> None:
    """Raise `RefusedError` for a time that is too long ago, or ahead of ours."""
    if abs(now.timestamp() - given) > window:
        why = f"the request was signed more than {window:.0f} s ago, or the clocks differ by as much"
        raise RefusedError(Refusal.FORBIDDEN, why)


def _given(headers: Mapping[str, str], name: str) -> str:
    if not (value := headers.get(name.lower(), "").strip()):
        raise RefusedError(Refusal.UNPROVEN, f"the request isn't signed: it has no {name}")
    return value


def _time(headers: Mapping[str, str], name: str, now: datetime) -> str:
    value = _given(headers, name)
    if not re.fullmatch(r"[0-9]{1,12}", value, re.ASCII):
        raise RefusedError(Refusal.FORBIDDEN, f"the request's {name} isn't a time in seconds")
    check_time(int(value), now)
    return value


def _mac(secret: bytes, *parts: bytes) -> bytes:
    made = hmac.new(secret, digestmod=hashlib.sha256)
    for part in parts:
        made.update(part)
    return made.digest()


def _matched(given: Iterable[str], mac: bytes, prefix: str) -> Signed:
    expected = f"{prefix}{mac.hex()}"
    if not any([same(one, expected) for one in given]):
        raise _wrong()
    return Signed(mac)


def _wrong() -> RefusedError:
    return RefusedError(Refusal.FORBIDDEN, "the signature is wrong; give the sender and this program the same secret")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
