"""Signed requests that were received, so that one that somebody recorded isn't taken twice."""

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Protocol

MOST = 20_000
KEPT = timedelta(days=2)
"""How long a request is remembered, unless too many come; by then its alert has usually been closed."""


class Seen(Protocol):
    """Remembers requests by a digest. Several workers may share one; what it holds must be bounded."""

    def add(self, key: str, now: datetime) -> bool:
        """Remember a request; false if it is known already."""

    def forget(self, key: str) -> None:
        """Forget a request."""


class Recent:
    """Remembers the newest requests of this process."""

    def __init__(self, most: int = MOST, kept: timedelta = KEPT) -> None:
        self._most = most
        self._kept = kept
        self._times: OrderedDict[str, datetime] = OrderedDict()

    def add(self, key: str, now: datetime) -> bool:
        """Remember a request; false if it is known already."""
        while self._times and now - next(iter(self._times.values())) > self._kept:
            self._times.popitem(last=False)
        if key in self._times:
            return False
        self._times[key] = now
        if len(self._times) > self._most:
            self._times.popitem(last=False)
        return True

    def forget(self, key: str) -> None:
        """Forget a request."""
        self._times.pop(key, None)
