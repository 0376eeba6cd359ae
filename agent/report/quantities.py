"""Quantities as people read them: 112 MiB, 25 min, 780/s."""

import re

from tools.patterns import deferred
from tools.records import Scalar

UNITS = ("bytes", "seconds", "ms", "usec", "share", "kbps", "count", "plain", "ago")
_OF_NAMES = (
    # The end of a name gives most units; the rest are in the table of words.
    (
        re.compile(r"(?:^|[._-])(?:bytes|rss|used_memory(?:_peak)?|maxmemory(?:\.\w+)?|cow_size|omem_\w+|qbuf_\w+)$"),
        "bytes",
    ),
    (deferred(r"_(?:usec|usec_per_call)$"), "usec"),
    (deferred(r"_ms$"), "ms"),
    (deferred(r"(?:newest|oldest|log|started)_age$|\.age$"), "ago"),
    (deferred(r"(?:_seconds|_sec|_age|_idle_median|_seconds_ago)$"), "seconds"),
    (deferred(r"(?:_share|_ratio_share|_coverage)$"), "share"),
    (deferred(r"(?:_kbps)$"), "kbps"),
    (deferred(r"(?:port|pid|_id|\.id|epoch|slot|errno|version|quorum|mode|line)$"), "plain"),
)
_SIZED = deferred(r"(\d{1,18})([kmg]b?)", re.IGNORECASE)
_SIZES = {"k": 10**3, "kb": 2**10, "m": 10**6, "mb": 2**20, "g": 10**9, "gb": 2**30}
"""Sizes as the configuration file writes them."""
_NUMBER = deferred(r"-?\d+(?:\.\d+)?")


BEYOND = 1e21
"""Larger than any amount a server or machine has."""


def unit_of(field: str) -> str:
    """What a field counts, as far as its name shows."""
    base = re.sub(r"\.(?:delta|rate|before|now|at)$", "", field)
    return next((unit for pattern, unit in _OF_NAMES if pattern.search(base)), "count")


def quantity(value: Scalar, unit: str) -> str:
    """A value as a person reads it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        if unit == "bytes" and (sized := _SIZED.fullmatch(value)):
            value = int(sized[1]) * _SIZES[sized[2].lower()]
        elif unit not in ("bytes", "seconds") or not _NUMBER.fullmatch(value):
            return value if value else "empty"
        else:
            value = float(value) if "." in value else int(value)
    if isinstance(value, int | float) and not abs(value) < BEYOND:
        # Not a plausible amount: a server may say anything.
        return "a figure that can't be"
    if value is None:
        return "none"
    if unit == "bytes":
        return bytes_text(value)
    if unit in ("seconds", "ago"):
        return f"{seconds_text(value)}{' ago' if unit == 'ago' else ''}"
    if unit in ("ms", "usec"):
        return seconds_text(value / (1000 if unit == "ms" else 1e6))
    if unit == "share":
        return share_text(value)
    if unit == "kbps":
        return f"{bytes_text(value * 1024)}/s"
    return str(value) if unit == "plain" else number_text(value)


def bytes_text(count: float) -> str:
    """Bytes in the largest unit that gives at least 1."""
    if abs(count) < 1024:
        return f"{count:g} bytes"
    for name in ("KiB", "MiB", "GiB"):
        count /= 1024
        if abs(count) < 1023.95:
            return f"{_three(count)} {name}"
    return f"{_three(count / 1024)} TiB"


def seconds_text(seconds: float) -> str:
    """A duration in the unit that people would use."""
    size = abs(seconds)
    if size == 0:
        return "0 s"
    if size < 0.9995e-3:
        return f"{_three(seconds * 1e6)} µs" if size < 1e-4 else f"{seconds * 1e3:.2f} ms"
    if size < 0.9995:
        return f"{_three(seconds * 1e3)} ms"
    if size < 119.5:
        return f"{_three(seconds)} s"
    if size < 119.5 * 60:
        return f"{seconds / 60:.0f} min"
    if size < 47.5 * 3600:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86400:.0f} days"


def share_text(share: float) -> str:
    """A share as a percentage."""
    return f"{_three(share * 100)}%"


def number_text(number: float) -> str:
    """A number with thousands separators."""
    if isinstance(number, int) or float(number).is_integer():
        return f"{int(number):,}"
    return f"{number:,.0f}" if abs(number) >= 1000 else _three(number)


def _three(number: float) -> str:
    """At most three significant digits, without trailing zeros."""
    size = abs(number)
    if size >= 99.95:
        return f"{number:.0f}"
    places = 1 if size >= 9.995 else 2 if size >= 0.0995 else 3
    return f"{number:.{places}f}".rstrip("0").rstrip(".") or "0"
