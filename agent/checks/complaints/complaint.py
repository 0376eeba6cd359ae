"""One thing that is wrong, whatever the cause."""

from typing import NamedTuple

from agent.evidence.view import Cited

MIB = 1 << 20
HOUR = 3600.0


class Complaint(NamedTuple):
    """One thing that is wrong according to the server's own words or figures."""

    what: str
    """For a person, as a part of a sentence."""
    cited: tuple[Cited, ...]
    """(tool, field), the decisive one first."""
    figures: tuple[str, ...] = ()
    """Figures of a good day: if they are all as they were then, it isn't a complaint."""
    step: str = ""
    """What to do first about it, as a sentence; empty if that depends on a cause."""


def complaint(what: str, *cited: Cited, figures: tuple[str, ...] = (), step: str = "") -> Complaint:
    """A complaint and what it was read from."""
    return Complaint(what=what, cited=cited, figures=figures, step=step)
