"""Faults that a server's version is known for, as a note beside what they may stand behind.

A note is no evidence: it raises no probability, and says nothing where no such cause was found.
"""

import tomllib
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path

from agent.answer.diagnosis import Cause
from agent.evidence.view import View
from tools.patterns import deferred
from tools.records import Record

FILE = Path(__file__).with_name("known_versions.toml")
CRASH = "crash"
"""Stands among the causes for a life that ended in a crash."""
Version = tuple[int, int, int]
_VERSION = deferred(r"(\d{1,4})\.(\d{1,4})\.(\d{1,4})")


class KnownFault(Record):
    """A fault of released versions, with where it's said."""

    product: str
    """redis or valkey."""
    since: str
    """The first version that has it."""
    fixed: str | None = None
    """The first that doesn't; null where none is known."""
    last: str | None = None
    """The newest that was seen to have it, where no fix is known."""
    causes: tuple[str, ...]
    """What it may stand behind."""
    what: str
    """For a person, after "A known issue of ...:"."""
    source: str
    """Where it's said."""
    commands: str | None = None
    """How the commands begin that it takes, such as "ft." of a search index."""

    def has(self, version: Version) -> bool:
        """Whether a version has it."""
        first, end, last = _parsed(self.since), _parsed(self.fixed or ""), _parsed(self.last or "")
        return bool(first and first <= version and ((end and version < end) or (last and version <= last)))


@cache
def known_faults() -> tuple[KnownFault, ...]:
    """The table."""
    return tuple(KnownFault.model_validate(one) for one in tomllib.loads(FILE.read_text("utf-8"))["faults"])


def read_on() -> date:
    """The day on which the sources were read last."""
    read: date = tomllib.loads(FILE.read_text("utf-8"))["read"]
    return read


def _parsed(text: str) -> Version | None:
    match = _VERSION.match(text)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def notes(view: View, cause: str) -> Iterator[str]:
    """What the server's own version is known for that may stand behind a cause."""
    product = "valkey" if view.text("info", "valkey_version") else "redis"
    text = view.text("info", f"{product}_version")
    version = _parsed(text)
    called = view.fields("commandstats")
    for one in known_faults() if version else ():
        if one.product == product and cause in one.causes and version and one.has(version):
            if one.commands is not None and not any(field.startswith(one.commands) for field in called):
                continue
            until = f"fixed in {one.fixed}" if one.fixed else f"seen up to {one.last}"
            yield f"A known issue of {product} {text}: {one.what} ({until}; {one.source})."


def noted(view: View, cause: Cause) -> Cause:
    """A finding with what its server's version is known for."""
    why = " ".join((cause.why, *notes(view, cause.id)))
    return cause if why == cause.why else cause.model_copy(update={"why": why})
