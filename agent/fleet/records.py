"""The result of a check of many targets: a line per target, and the report as `check --format json` prints it."""

from typing import Literal

from agent.answer.open_points import Evidence
from tools.records import Record
from tools.text import escaped_json

Level = Literal["incident", "unanswered", "preventive", "healthy"]
LEVELS: tuple[Level, ...] = ("incident", "unanswered", "preventive", "healthy")
"""Worst first."""
MEANS: dict[Level, str] = {
    "incident": "FAULT", "unanswered": "?", "preventive": "soon", "healthy": "ok",
}  # fmt: skip
"""The mark of each level in the table."""


class Preventive(Record):
    """Something that will go wrong unless somebody acts; nothing is wrong yet."""

    id: str
    """Never the id of a cause."""
    what: str
    """For a person, short enough for a line of a table."""
    node: str | None
    seconds: float | None = None
    """Time until it happens; null if unknown."""
    rank: int
    """1 for a matter of hours, 2 for days, 3 for no particular date."""
    evidence: tuple[Evidence, ...]

    @property
    def order(self) -> tuple[int, float, str]:
        """Sort key, most urgent first."""
        return self.rank, float("inf") if self.seconds is None else self.seconds, self.id


class FoundCause(Record):
    """A cause of an incident, without its evidence."""

    id: str
    probability: float
    where: str | None
    why: str


class Line(Record):
    """The result for one target."""

    name: str
    """Its name, or its address if it has none."""
    url: str | None
    """Without secrets; null if it couldn't be determined."""
    configured: bool = False
    """Whether the name is a target of rediagnose.toml, which every command accepts."""
    level: Level
    said: str
    """For a person: the cause, the nearest limit, or why it couldn't be determined."""
    outcome: str | None = None
    """The outcome as triage would report it; null if the target wasn't examined."""
    server: str | None = None
    version: str | None = None
    topology: str | None = None
    nodes: int = 0
    """How many of its nodes answered."""
    causes: tuple[FoundCause, ...] = ()
    complaints: tuple[str, ...] = ()
    """What the servers themselves complain about, if no cause was found."""
    preventive: tuple[Preventive, ...] = ()
    """The most urgent first."""
    unseen: tuple[str, ...] = ()
    """What couldn't be read, and which causes that hides."""
    seconds: float = 0.0

    @property
    def order(self) -> tuple[object, ...]:
        """Sort key, worst first."""
        first = self.causes[0] if self.causes else None
        urgent = self.preventive[0].order if self.preventive else (9, 0.0, "")
        return LEVELS.index(self.level), -(first.probability if first else 0.0), urgent, self.name.lower()


class Report(Record):
    """The whole report."""

    schema_version: Literal[1] = 1
    at: str
    """Start time, UTC."""
    seconds: float
    targets: tuple[Line, ...]
    """Worst first."""
    counts: dict[Level, int]
    complete: bool
    """Whether every target was examined."""

    def to_json(self) -> str:
        """The report as one JSON object."""
        return escaped_json(self.model_dump_json(indent=2))


def report(lines: list[Line], at: str, seconds: float, *, complete: bool = True) -> Report:
    """A report of these lines, sorted worst first."""
    counts = {level: sum(one.level == level for one in lines) for level in LEVELS}
    return Report(
        at=at, seconds=round(seconds, 3), targets=tuple(sorted(lines, key=lambda one: one.order)), counts=counts,
        complete=complete,
    )  # fmt: skip
