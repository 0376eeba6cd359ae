"""Runbooks: Markdown with front matter, one source for people, the model and the checks."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from agent.answer.taxonomy import CAUSES
from agent.runbooks.remedy import Remedy
from tools.errors import UsageError
from tools.files import read_regular_text
from tools.patterns import deferred
from tools.records import Record

STEP_MOST = 200
"""Characters of a remedy's action by which a model knows it."""
BUNDLED = Path(__file__).resolve().parent.parent.parent / "runbooks"


class Threshold(Record):
    """A threshold that a check compares with."""

    value: float
    unit: str
    why: str
    """Where the number comes from."""


class CauseNotes(Record):
    """What a runbook says about one cause."""

    evidence: str
    unlike: Mapping[str, str] = Field(default_factory=dict)
    """Look-alikes, and what distinguishes them."""
    avoid: str
    """The tempting wrong remedy, and why it's wrong."""
    remedies: Annotated[tuple[Remedy, ...], Field(min_length=1)]


class Runbook(Record):
    """One runbook."""

    name: str
    title: str
    symptoms: tuple[str, ...]
    thresholds: Mapping[str, Threshold] = Field(default_factory=dict)
    causes: dict[str, CauseNotes]
    body: str
    """The Markdown below the front matter."""
    path: Path

    def paragraph(self, cause: str) -> str:
        """The body's text under the heading of a cause; empty if there is none."""
        found = re.search(rf"^### {re.escape(cause)}\n.*?(?=^#|\Z)", self.body, re.DOTALL | re.MULTILINE)
        return found[0] if found else ""


class Library(Record):
    """The runbooks of an investigation; a team's own come first."""

    teams: tuple[Runbook, ...] = ()
    """Those of a team."""
    thresholds: dict[str, float]
    """By name, from the bundled runbooks only."""

    @property
    def runbooks(self) -> tuple[Runbook, ...]:
        """All of them. The bundled ones are parsed here; look-ups by a cause's name need only one or two."""
        return (*self.teams, *map(_bundled, _fronts()))

    def notes(self, cause: str) -> CauseNotes | None:
        """What the first runbook that knows a cause says about it."""
        knowing = (*self.teams, *(_bundled(path) for path in _knowing(cause)))
        return next((book.causes[cause] for book in knowing if cause in book.causes), None)

    def remedy(self, command: Sequence[str], causes: Collection[str]) -> Remedy | None:
        """The first remedy with a check that sends the same command or sets the same parameter, to any value.

        Those of `causes` come before the others.
        """
        notes = [(cause in causes, of) for book in self.runbooks for cause, of in book.causes.items()]
        remedies = (one for _, of in sorted(notes, key=lambda note: not note[0]) for one in of.remedies)
        return next((one for one in remedies if one.check and one.same_as(command)), None)

    def read(self, name: str) -> Runbook | None:
        """The runbook with this name."""
        return next((book for book in self.runbooks if book.name == name), None)

    def text(self, name: str) -> str | None:
        """The text of a runbook; for a cause's id, of the runbook it belongs to, its own paragraph first."""
        book, home = self.read(name), next((book for book in self.runbooks if name in book.causes), None)
        # One that is named after a cause has a paragraph of that cause.
        if book and (home is None or book is not home):
            return book.body.lstrip("\n")
        return f"{home.paragraph(name)}{home.body.lstrip()}" if home else None

    def steps(self, cause: str) -> list[str]:
        """The remedies of a cause as they're written, with their names in a plan's order."""
        notes = self.notes(cause)
        numbered = enumerate(notes.remedies if notes else (), 1)
        return [f"{cause}/{number}: {one.action[:STEP_MOST]}" for number, one in numbered]


def load(own: Path | None = None) -> Library:
    """The bundled runbooks, preceded by a team's own from a folder. Raises `UsageError` saying what is wrong."""
    return Library(teams=tuple(parse(path) for path in files(own)) if own else (), thresholds=_thresholds())


@cache
def _fronts() -> Mapping[Path, str]:
    """The front matter of the program's own runbooks by path, read once: they don't change while it runs."""
    return {path: read_regular_text(path).partition("\n---\n")[0] for path in sorted(BUNDLED.glob("*.md"))}


@cache
def _bundled(path: Path) -> Runbook:
    return parse(path)


_LIMIT = deferred(r"^  (\w+):\n    value: (\S+)$", re.MULTILINE)
"""A threshold as the program's own runbooks write it: every command needs these, few need the rest."""


@cache
def _thresholds() -> dict[str, float]:
    listed = (front.partition("\nthresholds:\n")[2].partition("\ncauses:")[0] for front in _fronts().values())
    return {name: float(value) for limits in listed for name, value in _LIMIT.findall(limits)}


def _knowing(cause: str) -> list[Path]:
    """The program's own runbooks with notes on a cause."""
    return [path for path, front in _fronts().items() if f"\n  {cause}:\n" in front.partition("\ncauses:")[2]]


def files(folder: Path) -> Iterable[Path]:
    """The runbook files of a folder. Raises `UsageError` if there are none."""
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix == ".md" and path.name != "README.md")
    except OSError as error:
        raise UsageError(
            f"runbooks {folder}: {error.strerror or error}; give a readable folder of Markdown runbooks"
        ) from None
    if not found:
        raise UsageError(f"runbooks {folder}: it contains no runbook; put Markdown files with front matter there")
    return found


def parse(path: Path) -> Runbook:
    """The runbook in a file. Raises `UsageError` with the file, the place and the remedy."""
    # YAML is loaded only where a runbook is read in full.
    from agent.runbooks.front_matter import split

    front, body = split(path)
    try:
        book = Runbook(**{**front, "body": body, "path": path})
    except (ValidationError, TypeError) as error:
        raise UsageError(f"runbook {path}: {_first(error)}") from None
    if unknown := [cause for cause in book.causes if cause not in CAUSES]:
        raise UsageError(f"runbook {path}: unknown cause {unknown[0]!r}; `rediagnose runbooks list` shows all")
    return book


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        problem = error.errors(include_url=False)[0]
        return f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
    return str(error)
