"""The figures that an error's line carries, under one name in all libraries."""

import re

from tools.patterns import deferred
from tools.records import Scalar

_DURATION = deferred(r"(\d{1,9}(?:\.\d{1,18})?) ?([a-z]{0,14})")
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0, "h": 3_600_000.0, "n": 1e-6}
"""Milliseconds."""
_ENDPOINT = deferred(
    r"(?:(?:rediss?|tcp|tls)://(?:[^\s@/]{0,80}@)?|serverEndpoint: |addr=(?:rediss?://)?|R:[\w.-]{0,80}/|"
    r"connecting to |Redis (?:at|on) )"
    r"(?P<host>[\w.-]{1,80}:\d{2,5})\b|->(?P<peer>\d{1,3}(?:\.\d{1,3}){3}:\d{2,5})\b"
)
_MORE: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("retries", deferred(r"after (\d{1,5}) retry attempts")),
    ("command", deferred(r"\bcommand: \(([A-Z][A-Z]{1,20})\)")),
    ("pool_idle", deferred(r"freeConnectionsAmount=(\d{1,6})")),
    ("pool_waiting", deferred(r"freeConnectionsCounter=value:\d{1,6}:queue:(\d{1,6})")),
    ("timeout_ms", deferred(r"borrowMaxWait(?:Duration=PT|Millis=)(\d{1,9}(?:\.\d{1,9})?S?)\b")),
)  # fmt: skip
_NUMBERS = ("pool_idle", "pool_size", "pool_waiting", "retries")


def milliseconds(text: str) -> float | None:
    """A duration as libraries write it (`5000ms`, `1 minute(s)`, `2.5 sec`) in milliseconds."""
    found = _DURATION.match(text)
    if found is None:
        return None
    number, unit = float(found[1]), found[2]
    short = (
        "ms" if unit.startswith("mil") or unit in ("", "ms") else "us" if unit.startswith(("mic", "us")) else unit[0]
    )
    return round(number * _UNITS[short], 3) if short in _UNITS else None


def figures(match: re.Match[str], line: str) -> dict[str, Scalar]:
    """What the match's own groups say, and what else stands on the line."""
    found: dict[str, Scalar] = {}
    for name, value in match.groupdict().items():
        if value is None:
            continue
        if name in ("timeout", "elapsed"):
            found[f"{name}_ms"] = milliseconds(value)
        elif name in _NUMBERS:
            found[name] = int(value)
        else:
            found["endpoint" if name == "host" and ":" in value else name] = value.strip(" .<>[]/")
    if "endpoint" not in found and (place := _ENDPOINT.search(line)):
        found["endpoint"] = place["host"] or place["peer"]
    for name, pattern in _MORE:
        if name not in found and (more := pattern.search(line)):
            found[name] = _value(name, more[1])
    return {name: value for name, value in found.items() if value is not None}


def _value(name: str, text: str) -> Scalar:
    if name == "timeout_ms":
        return float(text.removesuffix("S")) * 1000 if text.endswith("S") else float(text)
    return int(text) if name in _NUMBERS else text
