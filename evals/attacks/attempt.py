"""What came of one try of an attack, and what each kind of attack offers."""

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Attempt:
    """One try."""

    name: str
    """What was tried, short."""
    held: bool
    """Whether what must hold did."""
    what: str = ""
    """What happened, where it didn't hold."""


class Attack(Protocol):
    """A module of this package that attacks."""

    HOLDS: str
    """What must hold, in a sentence."""

    def attempts(self, tries: int, rng: random.Random) -> AsyncIterator[Attempt]:
        """At most so many tries; the same seed makes the same ones."""
        ...
