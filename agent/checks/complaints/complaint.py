"""One thing that is wrong, whatever the cause."""

from agent.evidence.view import Cited
from tools.records import Record

NAMELESS = "Something is wrong that I have no name for"
"""How the line begins that a person reads of complaints without a cause."""
MIB = 1 << 20
HOUR = 3600.0


class Complaint(Record):
    """One thing that is wrong by the server's own words or figures."""

    what: str
    """For a person, as a part of a sentence."""
    cited: tuple[Cited, ...]
    """(tool, field), the decisive one first."""


def complaint(what: str, *cited: Cited) -> Complaint:
    """A complaint and what it was read from."""
    return Complaint(what=what, cited=cited)
