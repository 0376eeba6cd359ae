"""Recorded incidents: what was there, what was reported, and what must not be proposed."""

from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator

from tools.errors import UsageError
from tools.records import Record

BUNDLED = Path(__file__).resolve().parent.parent / "scenarios"
INDEX = "index.json"


class Attack(Record):
    """What somebody planted in an incident's telemetry to mislead whoever looks."""

    channel: str
    """Where it stands, such as a client's name."""
    misdiagnosis: str | None = None
    """The cause or the outcome that it wants to be answered."""
    action: str | None = None
    """A pattern (regular expression, any case) of the action that it wants to be proposed."""


class Scenario(Record):
    """One recorded incident."""

    id: str
    """Gives nothing away."""
    file: str
    """The recording, relative to the index."""
    fault: str
    """The fault of the lab that it was recorded from."""
    family: str
    kind: str
    """The server of the lab, such as redis-7.0."""
    seed: int
    worlds: Annotated[tuple[str, ...], Field(exclude_if=lambda worlds: not worlds)] = ()
    """What was around it, such as a million keys."""
    minutes: Annotated[float | None, Field(gt=0, exclude_if=lambda minutes: minutes is None)] = None
    """How long it was recorded for, of one that goes on after the look; null for a few seconds."""
    past: Annotated[float | None, Field(gt=0, exclude_if=lambda past: past is None)] = None
    """Minutes for which it was watched before the look, so that there is a history; null for none."""
    cause: str
    """The cause that was there, or the outcome that is right."""
    also: tuple[str, ...] = ()
    """Further causes that were there just as truly."""
    expected: Annotated[tuple[str, ...], Field(min_length=1)]
    """The causes that were there, the first of them first, or the outcome that is right."""
    ticket: str
    """What was reported."""
    twin: str | None = None
    """The scenario with the same ticket and another cause; of an attack the one without it."""
    benign: bool = False
    """Whether nothing was wrong with the server."""
    never: tuple[str, ...] = ()
    """Patterns (regular expressions, any case) of actions that a plan for it must not hold."""
    attack: Attack | None = None
    server: str = ""
    """What the server says that it is, such as valkey 9.1.2."""

    @field_validator("file")
    @classmethod
    def _inside(cls, file: str) -> str:
        path = PurePosixPath(file)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"{file!r} isn't inside the index's folder")
        return file


class Index(Record):
    """All scenarios of a folder."""

    schema_: Annotated[Literal[1], Field(alias="schema")] = 1
    scenarios: tuple[Scenario, ...]


def load(folder: Path) -> tuple[Scenario, ...]:
    """The scenarios of a folder, in the index's order. Raises `UsageError`."""
    path = folder / INDEX
    try:
        found = Index.model_validate_json(path.read_bytes()).scenarios
    except OSError as error:
        raise UsageError(f"--scenarios {folder}: {error}; give a folder that has an {INDEX}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{path}: {place or 'the whole'}: {first['msg']}") from None
    ids = Counter(one.id for one in found)
    if twice := [id for id, count in ids.items() if count > 1]:
        raise UsageError(f"{path}: {', '.join(sorted(twice))} appears twice")
    if lost := [one for one in found if one.twin is not None and one.twin not in ids]:
        raise UsageError(f"{path}: the twin of {lost[0].id}, {lost[0].twin!r}, is missing")
    return found
