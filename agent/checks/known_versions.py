"""Faults that a server's version is known for, as a note beside causes they may explain.

A note isn't evidence: it raises no probability, and isn't shown if no such cause was found.
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
"""Among the causes, stands for a run that ended in a crash."""
Version = tuple[int, int, int]
_VERSION = deferred(r"(\d{1,4})\.(\d{1,4})\.(\d{1,4})")


class KnownFault(Record):
    """A fault of released versions, with its source."""

    product: str
    """redis or valkey."""
    since: str
    """The first version that has it."""
    fixed: str | None = None
    """The first that doesn't; null if none is known."""
    last: str | None = None
    """The newest that was seen to have it, if no fix is known."""
    causes: tuple[str, ...]
    """The causes it may explain."""
    what: str
    """For a person, after "A known issue of ...:"."""
    source: str
    """Its source."""
    commands: str | None = None
    """Prefix of the commands it needs, such as "ft." for a search index."""

    def has(self, version: Version) -> bool:
        """Whether a version has it."""
        first, end, last = _parsed(self.since), _parsed(self.fixed or ""), _parsed(self.last or "")
        return bool(first and first <= version and ((end and version < end) or (last and version <= last)))


@cache
def known_faults() -> tuple[KnownFault, ...]:
    """The table."""
    return tuple(KnownFault.model_validate(one) for one in tomllib.loads(FILE.read_text("utf-8"))["faults"])


def read_on() -> date:
    """The day on which the sources were last read."""
    read: date = tomllib.loads(FILE.read_text("utf-8"))["read"]
    return read


def _parsed(text: str) -> Version | None:
    match = _VERSION.match(text)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def faults_of(view: View) -> Iterator[tuple[str, KnownFault]]:
    """Known faults of the server's version that its workload can trigger, each with product and version."""
    product = "valkey" if view.text("info", "valkey_version") else "redis"
    text = view.text("info", f"{product}_version")
    version = _parsed(text)
    called = view.fields("commandstats")
    for one in known_faults() if version else ():
        if one.product == product and version and one.has(version):
            if one.commands is not None and not any(field.startswith(one.commands) for field in called):
                continue
            yield f"{product} {text}", one


def notes(view: View, cause: str) -> Iterator[str]:
    """Known faults of the server's version that may explain a cause."""
    for version, one in faults_of(view):
        if cause in one.causes:
            until = f"fixed in {one.fixed}" if one.fixed else f"seen up to {one.last}"
            yield f"A known issue of {version}: {one.what} ({until}; {one.source})."


def noted(view: View, cause: Cause) -> Cause:
    """A finding with what its server's version is known for."""
    why = " ".join((cause.why, *notes(view, cause.id)))
    return cause if why == cause.why else cause.model_copy(update={"why": why})
