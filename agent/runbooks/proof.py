"""Which fields a runbook names as proof of a cause or as distinguishing it from another."""

import re

from agent.answer.diagnosis import Evidence
from agent.runbooks.library import Library
from tools.patterns import deferred

_GENERIC = ("delta", "rate", "count", "newest_age", "age", "max", "last", "error", "calls")
"""Parts of a field name that don't say what it is about."""

_SPECIFIC = deferred(r"[_\d|A-Z-]")


def names(text: str, cited: Evidence) -> bool:
    """Whether a text names the cited field, or the kind of an unavailable reading."""
    if cited.field == "unavailable":
        return _holds(text, str(cited.value))
    parts = [part for part in cited.field.split(".") if part not in _GENERIC]
    # A plain word, such as `stage` or `answered`, may also be used in a text as an ordinary word.
    if not any(_SPECIFIC.search(part) for part in parts):
        return False
    return _holds(text, cited.field) or all(_holds(text, part) for part in parts)


def proof_text(library: Library, cause: str) -> str:
    """A cause's evidence according to the runbook; empty if it has none."""
    notes = library.notes(cause)
    return notes.evidence if notes else ""


def difference_text(library: Library, one: str, other: str) -> str:
    """What distinguishes two causes according to either one's runbook; empty if neither mentions the other."""
    sides = ((library.notes(one), other), (library.notes(other), one))
    return " ".join(notes.unlike[that] for notes, that in sides if notes and that in notes.unlike)


def _holds(text: str, word: str) -> bool:
    return re.search(rf"(?<![\w.-]){re.escape(word)}(?![\w-]|\.\w)", text) is not None
