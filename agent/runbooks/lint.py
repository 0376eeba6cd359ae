"""Problems in runbooks: ours, which the checks rely on, and a team's own."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from agent import checks
from agent.answer.diagnosis import Outcome
from agent.answer.taxonomy import CAUSES
from agent.runbooks.front_matter import split
from agent.runbooks.library import BUNDLED, CauseNotes, Runbook, files
from agent.runbooks.lint_remedy import unreadable, wrong
from tools.errors import UsageError
from tools.patterns import deferred
from tools.records import Record

SECTIONS = (
    "Symptoms", "First minute", "Diagnostics", "Causes", "Application side", "Metrics and alerts",
    "Emergency response",
)  # fmt: skip
"""The sections of a body, in the order in which a person needs them."""
LONGEST = 200
"""The most lines of a body that a person will read in an incident."""
MOST_WORDS = 750
"""The most words of a body, for three minutes of reading; code is copied and tables looked up: they don't count."""
_MISSING = {
    "avoid": "name the tempting wrong remedy and say why it is wrong",
    "evidence": "name the reading fields that decide",
    "remedies": "give at least one",
    "risk": "say safe or risky",
}
_ASIDE = deferred(r"^```.*?^```$|^\|.*?$", re.DOTALL | re.MULTILINE)
_LIMIT = deferred(r'\blimits(?:\[|\.get\()"(\w+)"')


class Finding(Record):
    """One problem."""

    file: Path
    place: str
    """Where in it, such as `causes.lua-busy.remedies.1`."""
    value: str
    """What was found."""
    problem: str
    remedy: str
    error: bool = True
    """False for something that is only worth a look."""

    def __str__(self) -> str:
        value = f" {self.value!r}" if self.value else ""
        level = "error" if self.error else "warning"
        return f"{level}: {self.file}: {self.place}:{value} {self.problem}; {self.remedy}"


def lint(folder: Path, *, ours: bool | None = None) -> tuple[list[Runbook], list[Finding]]:
    """The readable runbooks of a folder, and the problems in all of them. Raises `UsageError` if there are none.

    `ours` means the bundled ones, which have stricter rules: null to decide by the folder.
    """
    ours = folder.resolve() == BUNDLED if ours is None else ours
    books: list[Runbook] = []
    found: list[Finding] = []
    for path in files(folder):
        try:
            front, body = split(path)
        except UsageError as error:
            problem, _, remedy = str(error).removeprefix(f"runbook {path}: ").partition("; ")
            found.append(Finding(file=path, place="file", value="", problem=problem, remedy=remedy or "fix it there"))
            continue
        found += _unknown(path, front)
        try:
            book = Runbook(**{**front, "body": body, "path": path})
        except (ValidationError, TypeError) as error:
            found += _malformed(path, error)
            continue
        books.append(book)
        found += [*_book(book, ours=ours), *_body(book, ours=ours)]
    return books, [*found, *_together(books, ours=ours), *(_ours(folder, books) if ours else ())]


def _unknown(path: Path, front: dict[str, Any]) -> Iterator[Finding]:
    named = front.get("causes")
    for cause, notes in named.items() if isinstance(named, dict) else ():
        unlike = notes.get("unlike") if isinstance(notes, dict) else None
        places = {f"causes.{cause}": cause}
        if isinstance(unlike, dict):
            # A look-alike may be no fault at all.
            places |= {f"causes.{cause}.unlike.{id}": id for id in unlike if id not in get_args(Outcome)}
        for place, id in places.items():
            if id not in CAUSES:
                yield Finding(
                    file=path, place=place, value=str(id), problem="isn't a cause",
                    remedy="use an id from `rediagnose runbooks list`",
                )  # fmt: skip


def _malformed(path: Path, error: ValidationError | TypeError) -> Iterator[Finding]:
    if isinstance(error, TypeError):
        yield Finding(file=path, place="front matter", value="", problem=str(error), remedy="write its keys as text")
        return
    for one in error.errors(include_url=False):
        *_, last = one["loc"] or ("",)
        missing, extra = one["type"] == "missing", one["type"] == "extra_forbidden"
        yield Finding(
            file=path, place=".".join(str(part) for part in one["loc"]),
            value="" if missing else _short(str(one["input"])),
            problem="is missing" if missing else "isn't a known key" if extra else one["msg"],
            remedy=_MISSING.get(str(last), "write it") if missing else "remove it" if extra
            else "write it the way runbooks/connection-timeouts.md does",
        )  # fmt: skip


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"


def _book(book: Runbook, *, ours: bool) -> Iterator[Finding]:
    if ours and book.name != book.path.stem:
        yield Finding(
            file=book.path, place="name", value=book.name, problem="isn't the file's name",
            remedy=f"write {book.path.stem}",
        )  # fmt: skip
    for name in () if ours else book.thresholds:
        yield Finding(
            file=book.path, place="thresholds", value=name, problem="can only be set by the bundled runbooks",
            remedy="remove it; the checks don't read it from your runbooks",
        )  # fmt: skip
    for cause, notes in book.causes.items():
        yield from _notes(book.path, f"causes.{cause}", notes, ours=ours)


def _notes(path: Path, at: str, notes: CauseNotes, *, ours: bool) -> Iterator[Finding]:
    if not notes.avoid.strip():
        yield Finding(file=path, place=f"{at}.avoid", value="", problem="is empty", remedy=_MISSING["avoid"])
    for number, remedy in enumerate(notes.remedies, 1):
        for field, value, problem, cure in wrong(remedy):
            yield Finding(
                file=path, place=f"{at}.remedies.{number}.{field}", value=_short(value), problem=problem, remedy=cure
            )  # fmt: skip
        for field, found in unreadable(remedy):
            yield Finding(
                file=path, place=f"{at}.remedies.{number}.{field}", value=found,
                problem="is a field name or a blank, which an engineer on call can't act on",
                remedy="use a placeholder, or say in words how to find the value", error=ours,
            )  # fmt: skip


def _body(book: Runbook, *, ours: bool) -> Iterator[Finding]:
    lines = book.body.splitlines()
    if not book.body.strip():
        yield Finding(
            file=book.path, place="body", value="", problem="is empty", remedy="write it for a person to read"
        )
        return
    heads = [line.removeprefix("## ").strip().lower() for line in lines if line.startswith("## ")]
    for section in SECTIONS:
        if not any(head.startswith(section.lower()) for head in heads):
            yield Finding(
                file=book.path, place="body", value=f"## {section}", problem="is missing", remedy="add that section",
                error=ours,
            )  # fmt: skip
    for cause in book.causes:
        if cause not in book.body:
            yield Finding(
                file=book.path, place="body", value=cause, problem="isn't explained in the body",
                remedy="add its evidence, look-alikes and remedy under ## Causes", error=ours,
            )  # fmt: skip
    if len(lines) > LONGEST:
        yield Finding(
            file=book.path, place="body", value=f"{len(lines)} lines", problem=f"is longer than {LONGEST} lines",
            remedy="shorten it, or split the runbook", error=ours,
        )  # fmt: skip
    if (count := words(book.body)) > MOST_WORDS:
        yield Finding(
            file=book.path, place="body", value=f"{count} words", problem="is more than anyone reads in three minutes",
            remedy=f"shorten it to {MOST_WORDS}, or split the runbook", error=ours,
        )  # fmt: skip


def words(body: str) -> int:
    """The words of a body, excluding code blocks and tables."""
    return sum(any(map(str.isalnum, word)) for word in _ASIDE.sub("", body).split())


def _together(books: Sequence[Runbook], *, ours: bool) -> Iterator[Finding]:
    """What appears in two of them, where the first would win."""
    names: dict[str, Path] = {}
    homes: dict[str, Path] = {}
    for book in books:
        if book.name in names:
            yield Finding(
                file=book.path, place="name", value=book.name, problem=f"is also the name of {names[book.name]}",
                remedy="give it another",
            )  # fmt: skip
        names.setdefault(book.name, book.path)
        for cause in book.causes:
            if cause in homes:
                yield Finding(
                    file=book.path, place=f"causes.{cause}", value=cause, problem=f"is also in {homes[cause]}",
                    remedy="keep it in only one", error=ours,
                )  # fmt: skip
            homes.setdefault(cause, book.path)


def _ours(folder: Path, books: Sequence[Runbook]) -> Iterator[Finding]:
    """Each cause has a runbook, each threshold is read by a check, and each threshold a check reads exists."""
    homeless = [id for id in CAUSES if not any(id in book.causes for book in books)]
    for id in homeless:
        yield Finding(
            file=folder, place="causes", value=id, problem="isn't in any runbook", remedy="add it to one"
        )  # fmt: skip
    read = limits()
    set_by: dict[str, tuple[Path, float]] = {}
    for book in books:
        for name, limit in book.thresholds.items():
            place, value = f"thresholds.{name}", f"{limit.value:g} {limit.unit}"
            if name in set_by:
                path, other = set_by[name]
                problem = f"{'is also set' if other == limit.value else f'is {other:g}'} in {path}"
                yield Finding(file=book.path, place=place, value=value, problem=problem, remedy="keep it in only one")
            elif name not in read:
                yield Finding(
                    file=book.path, place=place, value=value, problem="isn't read by any check",
                    remedy="use it in a check, or write it into the body as an alert",
                )  # fmt: skip
            set_by.setdefault(name, (book.path, limit.value))
    for name, where in read.items():
        if name not in set_by:
            yield Finding(
                file=where, place="limits", value=name, problem="isn't set by any runbook",
                remedy="add it to the thresholds in the check's runbook",
            )  # fmt: skip


def limits(folders: Iterable[str] = checks.__path__) -> dict[str, Path]:
    """The thresholds that checks read, each with the first module that reads it."""
    modules = (path for folder in folders for path in sorted(Path(folder).glob("*.py")))
    return {name: path for path in reversed(list(modules)) for name in _LIMIT.findall(path.read_text("utf-8"))}
