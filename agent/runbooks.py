"""Runbooks: Markdown with front matter; one source for people, the model and the checks."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Template
from typing import Annotated, Literal

import yaml
from pydantic import Field, ValidationError

from agent.causes import CAUSES
from tools.errors import UsageError
from tools.records import Record

BUNDLED = Path(__file__).resolve().parent.parent / "runbooks"


class Threshold(Record):
    """A bound that a check compares with."""

    value: float
    unit: str
    why: str
    """Where the number comes from."""


class Remedy(Record):
    """One way to mend a cause."""

    kind: Literal["config_set", "command", "outside"]
    action: str
    """The exact command with `$placeholders`, or what a person does."""
    why: str
    risk: Literal["safe", "risky"]
    rollback: str | None = None
    verify: str | None = None

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
    """Look-alikes, and what tells them apart."""
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


class Library(Record):
    """The runbooks of an investigation; a team's own come first."""

    runbooks: tuple[Runbook, ...]
    thresholds: dict[str, float]
    """By name; from the bundled runbooks only."""

    def notes(self, cause: str) -> CauseNotes | None:
        """What the first runbook that knows a cause says of it."""
        return next((book.causes[cause] for book in self.runbooks if cause in book.causes), None)

    def read(self, name: str) -> Runbook | None:
        """The runbook of a name."""
        return next((book for book in self.runbooks if book.name == name), None)


def load(own: Path | None = None) -> Library:
    """The bundled runbooks, and a team's own from a folder before them. Raises `UsageError` naming what's wrong."""
    bundled = [parse(path) for path in sorted(BUNDLED.glob("*.md"))]
    teams = [parse(path) for path in _files(own)] if own else []
    thresholds = {name: limit.value for book in bundled for name, limit in book.thresholds.items()}
    return Library(runbooks=(*teams, *bundled), thresholds=thresholds)


def _files(folder: Path) -> Iterable[Path]:
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix == ".md" and path.name != "README.md")
    except OSError as error:
        raise UsageError(
            f"--runbooks {folder}: {error.strerror or error}; give a readable folder of Markdown runbooks"
        ) from None
    if not found:
        raise UsageError(f"--runbooks {folder}: it holds no runbook; put Markdown files with front matter there")
    return found


def parse(path: Path) -> Runbook:
    """The runbook of a file. Raises `UsageError` naming the file, the place and the remedy."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"runbook {path}: {error}; make it a readable UTF-8 file") from None
    match = re.match(r"---\n(?P<front>.*?)\n---\n(?P<body>.*)", text, re.DOTALL)
    if match is None:
        raise UsageError(f"runbook {path}: no front matter; begin the file with a YAML block between two --- lines")
    try:
        front = yaml.safe_load(match["front"])
    except yaml.YAMLError as error:
        raise UsageError(f"runbook {path}: the front matter isn't YAML: {' '.join(str(error).split())}") from None
    if not isinstance(front, dict):
        raise UsageError(f"runbook {path}: the front matter isn't a mapping; begin with name:, title: and causes:")
    try:
        book = Runbook(**{**front, "body": match["body"], "path": path})
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
