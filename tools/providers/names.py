"""What others wrote, as far as it's kept: names, versions and numbers of their usual forms, and nothing else."""

import math
import re
from datetime import datetime

NAME_MOST = 128
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.:-]{{0,{NAME_MOST - 1}}}")
_VALUE = re.compile(r"[A-Za-z0-9_.,:*$%+-][A-Za-z0-9_.,:*$%+ -]{0,79}")
_LEAST, _MOST = 0.0, 4e9
"""Seconds since the epoch, as moments may be: up to the year 2096."""


def name(value: object) -> str:
    """A name, an id, a version or a state; empty if it isn't one."""
    return value if isinstance(value, str) and _NAME.fullmatch(value) else ""


def setting(value: object) -> str | None:
    """The value of a parameter; None if it isn't of a form that one has."""
    return value if isinstance(value, str) and (value == "" or _VALUE.fullmatch(value)) else None


def number(value: object) -> float | None:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def moment(value: object) -> float | None:
    """A moment in seconds since the epoch, from a datetime or a number of seconds."""
    if isinstance(value, datetime):
        try:
            value = value.timestamp()
        except (OverflowError, OSError, ValueError):
            return None
    found = number(value)
    return found if found is not None and _LEAST < found < _MOST else None
