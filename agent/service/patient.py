"""Connections to PostgreSQL that don't wait for ever: one that accepts and never answers is away, too."""

import time
from collections.abc import Callable, Generator
from functools import partial
from typing import Any

import psycopg
from psycopg.abc import RV, PQGen
from sqlalchemy import URL

CONNECTS_WITHIN = 10
"""Seconds for a new connection."""


class Patient(psycopg.Connection[Any]):
    """A connection on which each answer is waited for only so long."""

    answers_within = 20.0
    """Seconds; the longest statements that are ever sent take one."""
    _listens = False

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        if timeout is not None or self._listens:
            return super().wait(gen, interval, timeout)
        began = time.monotonic()
        try:
            return super().wait(gen, interval, self.answers_within)
        except psycopg.OperationalError:
            if time.monotonic() - began < self.answers_within:
                raise
            # What is left of the answer would be taken for that to the next statement.
            self.close()
            raise psycopg.OperationalError(f"no answer within {self.answers_within:g} s") from None

    def notifies(
        self, *, timeout: float | None = None, stop_after: int | None = None
    ) -> Generator[psycopg.Notify, None, None]:
        # Nothing may come for hours.
        self._listens = True
        try:
            yield from super().notifies(timeout=timeout, stop_after=stop_after)
        finally:
            self._listens = False


def connecting(url: URL, answers_within: float) -> Callable[[], Patient]:
    """What opens such connections to a database."""
    args, parameters = url.get_dialect()().create_connect_args(url)

    class Own(Patient):
        """With the time that this database is given."""

    Own.answers_within = answers_within
    return partial(Own.connect, *args, **{"connect_timeout": CONNECTS_WITHIN, **parameters})
