"""Who is signed in: kept in memory under a digest of the cookie, until it ends."""

import hashlib
import secrets
from collections.abc import Callable
from typing import NamedTuple

from agent.service.records import Person

SECONDS = 8 * 3600.0
"""A working day; then a person signs in anew."""
_EACH_MOST = 20
"""Sessions of one person: the oldest ends where there are more, and nobody else's does."""


class Session(NamedTuple):
    """One browser that is signed in."""

    key: bytes
    """The digest of its cookie."""
    person: Person
    csrf: str
    """What a form or a script of ours has to send along, and no other page knows."""
    until: float


class Sessions:
    """The sessions that are open."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._open: dict[bytes, Session] = {}

    def open(self, person: Person) -> tuple[str, Session]:
        """A new session, and its cookie's value."""
        value = secrets.token_urlsafe(32)
        session = Session(_digest(value), person, secrets.token_urlsafe(32), self._now() + SECONDS)
        self._open = {key: one for key, one in self._open.items() if one.until > self._now()}
        own = [key for key, one in self._open.items() if one.person.name == person.name]
        for key in own[: max(0, len(own) + 1 - _EACH_MOST)]:
            del self._open[key]
        self._open[session.key] = session
        return value, session

    def find(self, value: str | None) -> Session | None:
        """The session of a cookie, if it's open."""
        session = self._open.get(_digest(value)) if value else None
        return session if session and self.is_open(session) else None

    def is_open(self, session: Session) -> bool:
        """Whether it neither ended nor was ended."""
        return session.key in self._open and session.until > self._now()

    def close(self, session: Session) -> None:
        """End it."""
        self._open.pop(session.key, None)


def _digest(value: str) -> bytes:
    return hashlib.sha256(value.encode("utf-8", "replace")).digest()
