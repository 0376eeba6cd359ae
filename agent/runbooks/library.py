"""Runbooks: Markdown with front matter; one source for people, the model and the checks."""

import re
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from string import Template
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from agent.answer.compare import compare
from agent.answer.diagnosis import Evidence, Goal
from agent.answer.taxonomy import CAUSES
from tools.errors import UsageError
from tools.files import read_regular_text
from tools.patterns import deferred
from tools.records import Record, Scalar

BUNDLED = Path(__file__).resolve().parent.parent.parent / "runbooks"


class Threshold(Record):
    """A bound that a check compares with."""

    value: float
    unit: str
    why: str
    """Where the number comes from."""


class Clue(Record):
    """A value among a cause's evidence."""

    field: Annotated[str, Field(min_length=1, max_length=128)]
    """Its field's name, in which `*` stands for anything."""
    op: Literal["==", "!=", "<", "<=", ">", ">="]
    value: Scalar = None

    def holds(self, evidence: Iterable[Evidence]) -> bool:
        """Whether the evidence has such a field with such a value."""
        found = (one.value for one in evidence if fnmatchcase(one.field, self.field))
        return any(compare(value, self.op, self.value) for value in found if value is not None)


class Remedy(Record):
    """One way to cure a cause."""

    kind: Literal["config_set", "command", "outside"]
    action: str
    """The exact command with `$placeholders`, or what a person does."""
    why: str
    risk: Literal["safe", "risky"]
    rollback: str | None = None
    verify: str | None = None
    check: tuple[Goal, ...] = ()
    """Of what is sent: what shows in a few seconds that it worked, as code compares it."""
    when: tuple[Clue, ...] = ()
    """Evidence of the form of the cause that this cures, where it has several: without any of these it's left out."""
    unless: tuple[Clue, ...] = ()
    """Evidence of another form of the cause, which this doesn't cure: any of these leaves it out."""
    after: tuple[str, ...] = ()
    """Causes that stand in its way, so that their own remedies come first: any of these leaves it out."""

    @model_validator(mode="after")
    def _one_command(self) -> "Remedy":
        """What is sent has to be one whole command, and a `$` a placeholder."""
        if self.kind != "outside":
            try:
                shlex.split(self.action)
            except ValueError as error:
                raise ValueError(f"{self.action!r} isn't one command: {error}") from None
        if not Template(self.action).is_valid():
            raise ValueError(f"{self.action!r} has a $ that begins no placeholder; write $$ for a plain one")
        return self

    @property
    def placeholders(self) -> tuple[str, ...]:
        """The names that the action's values are looked up by."""
        return tuple(Template(self.action).get_identifiers())

    def fits(self, evidence: Sequence[Evidence], causes: Collection[str]) -> bool:
        """Whether it's for the form that the cause has by its evidence, and none of its blockers is among `causes`."""
        meant = not self.when or any(clue.holds(evidence) for clue in self.when)
        return meant and not any(clue.holds(evidence) for clue in self.unless) and not set(self.after) & set(causes)

    def same_as(self, command: Sequence[str]) -> bool:
        """Whether it sends this command, or sets this parameter, whatever the value."""
        if self.kind == "outside":
            return False
        own, other = [[word.lower() for word in words] for words in (shlex.split(self.action), command)]
        if own[:2] == ["config", "set"]:
            return own[:3] == other[:3]
        return len(own) == len(other) and all(a == b or a.startswith("$") for a, b in zip(own, other, strict=True))

    def filled(self, values: Mapping[str, str]) -> str | None:
        """The action with its placeholders filled, or None where a value isn't known."""
        try:
            return Template(self.action).substitute(values)
        except KeyError:
            return None


class CauseNotes(Record):
    """What a runbook says of one cause."""

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
        """What the body tells under the heading of a cause; empty where it has none."""
        found = re.search(rf"^### {re.escape(cause)}\n.*?(?=^#|\Z)", self.body, re.DOTALL | re.MULTILINE)
        return found[0] if found else ""


class Library(Record):
    """The runbooks of an investigation; a team's own come first."""

    teams: tuple[Runbook, ...] = ()
    """A team's own."""
    thresholds: dict[str, float]
    """By name; from the bundled runbooks only."""

    @property
    def runbooks(self) -> tuple[Runbook, ...]:
        """All of them. The bundled ones are parsed here: what is asked by a cause's name needs one or two."""
        return (*self.teams, *map(_bundled, _fronts()))

    def notes(self, cause: str) -> CauseNotes | None:
        """What the first runbook that knows a cause says of it."""
        knowing = (*self.teams, *(_bundled(path) for path in _knowing(cause)))
        return next((book.causes[cause] for book in knowing if cause in book.causes), None)

    def remedy(self, command: Sequence[str], causes: Collection[str]) -> Remedy | None:
        """The first remedy with a check that sends the same command, or sets the same parameter, to any value.

        Those of `causes` come before the others.
        """
        notes = [(cause in causes, of) for book in self.runbooks for cause, of in book.causes.items()]
        remedies = (one for _, of in sorted(notes, key=lambda note: not note[0]) for one in of.remedies)
        return next((one for one in remedies if one.check and one.same_as(command)), None)

    def read(self, name: str) -> Runbook | None:
        """The runbook of a name."""
        return next((book for book in self.runbooks if book.name == name), None)

    def text(self, name: str) -> str | None:
        """What is read of a runbook; by a cause's id of the one in which that is at home, its own paragraph first."""
        if book := self.read(name):
            return book.body.lstrip("\n")
        home = next((book for book in self.runbooks if name in book.causes), None)
        return f"{home.paragraph(name)}{home.body.lstrip()}" if home else None


def load(own: Path | None = None) -> Library:
    """The bundled runbooks, and a team's own from a folder before them. Raises `UsageError` naming what's wrong."""
    return Library(teams=tuple(parse(path) for path in files(own)) if own else (), thresholds=_thresholds())


@cache
def _fronts() -> Mapping[Path, str]:
    """The front matter of the program's own runbooks by path, read once: they don't change while it runs."""
    return {path: read_regular_text(path).partition("\n---\n")[0] for path in sorted(BUNDLED.glob("*.md"))}


@cache
def _bundled(path: Path) -> Runbook:
    return parse(path)


_LIMIT = deferred(r"^  (\w+):\n    value: (\S+)$", re.MULTILINE)
"""A bound as the program's own runbooks write it: every command needs them all, and the rest of a runbook seldom."""


@cache
def _thresholds() -> dict[str, float]:
    listed = (front.partition("\nthresholds:\n")[2].partition("\ncauses:")[0] for front in _fronts().values())
    return {name: float(value) for limits in listed for name, value in _LIMIT.findall(limits)}


def _knowing(cause: str) -> list[Path]:
    """The program's own runbooks that have notes on a cause."""
    return [path for path, front in _fronts().items() if f"\n  {cause}:\n" in front.partition("\ncauses:")[2]]


def files(folder: Path) -> Iterable[Path]:
    """The runbooks' files of a folder. Raises `UsageError` where there is none."""
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix == ".md" and path.name != "README.md")
    except OSError as error:
        raise UsageError(
            f"runbooks {folder}: {error.strerror or error}; give a readable folder of Markdown runbooks"
        ) from None
    if not found:
        raise UsageError(f"runbooks {folder}: it holds no runbook; put Markdown files with front matter there")
    return found


def parse(path: Path) -> Runbook:
    """The runbook of a file. Raises `UsageError` naming the file, the place and the remedy."""
    # YAML is parsed where a runbook is read in full.
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
