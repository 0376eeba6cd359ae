"""Values of objects as they may be kept: names that are names, reasons that are one word, moments that are dates."""

import re
from datetime import UTC, datetime
from typing import Any

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_REASON = re.compile(r"[A-Z][A-Za-z]{1,59}")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,199}")
_KEY = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9.-]{0,252}/)?[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
MOST = 2**53


def name(value: Any) -> str:
    """A name, or nothing."""
    return value if isinstance(value, str) and _NAME.fullmatch(value) else ""


def reason(value: Any) -> str:
    """A reason or a state as Kubernetes writes them, or nothing."""
    return value if isinstance(value, str) and _REASON.fullmatch(value) else ""


def image(value: Any) -> str:
    """An image's name, or nothing."""
    return value if isinstance(value, str) and _IMAGE.fullmatch(value) else ""


def whole(value: Any) -> int | None:
    """A whole number that isn't negative, or None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST else None


def labels(value: Any) -> dict[str, str]:
    """Labels or a selector, what isn't one left out."""
    if not isinstance(value, dict):
        return {}
    pairs = list(value.items())[:100]
    return {
        key: text
        for key, text in pairs
        if isinstance(text, str) and _KEY.fullmatch(key) and (text == "" or _NAME.fullmatch(text))
    }


def moment(value: Any) -> float | None:
    """A moment in seconds since the epoch, or None."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        when = datetime.fromisoformat(value)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
