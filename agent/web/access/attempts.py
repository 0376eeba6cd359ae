"""Failed attempts to sign in, counted for each address: a bound on what guessing costs, never a lock.

A right token passes whatever was tried before it, so that nobody can keep others out by failing on purpose. Guessing is
hopeless for another reason: a token is long and random.
"""

import ipaddress
from collections.abc import Callable

MOST, SECONDS = 10, 60.0
"""So many failures in so many seconds are answered with what was wrong; more with 429."""
_PEERS_MOST = 10_000


class Attempts:
    """What failed lately, by address."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._failed: dict[str, tuple[float, int]] = {}

    def failed(self, peer: str) -> int | None:
        """Count a failure; if there were too many, the seconds until they are forgotten."""
        key, now = _key(peer), self._now()
        since, count = self._failed.pop(key, (now, 0))
        if now - since >= SECONDS:
            since, count = now, 0
        self._failed[key] = (since, count + 1)
        if len(self._failed) > _PEERS_MOST:
            del self._failed[next(iter(self._failed))]
        return self.wait(peer)

    def wait(self, peer: str) -> int | None:
        """The seconds until this address' failures are forgotten; null if there were few."""
        since, count = self._failed.get(_key(peer), (0.0, 0))
        left = since + SECONDS - self._now()
        return max(1, round(left)) if count > MOST and left > 0 else None


def _key(peer: str) -> str:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return peer
    # One machine has all addresses of its /64.
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else peer
