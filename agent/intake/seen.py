"""Signed requests that were taken in, so that one that somebody recorded isn't taken in twice."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol


class Seen(Protocol):
    """Remembers requests by a digest. Several processes share one, and it outlives them; what it holds is bounded."""

    def known(self, key: str, now: datetime) -> bool:
        """Whether a request is remembered."""

    def add(self, keys: Collection[str], now: datetime) -> None:
        """Remember a request. Only once what it asked for is kept: its sender may have to try again."""
