"""What a look at many targets comes to: a line for each, and the whole as `check --format json` prints it."""

from typing import Literal

from agent.answer.open_points import Evidence
from tools.records import Record
from tools.text import escaped_json

Level = Literal["incident", "unanswered", "preventive", "well"]
LEVELS: tuple[Level, ...] = ("incident", "unanswered", "preventive", "well")
"""The worst first."""
MEANS: dict[Level, str] = {
    "incident": "FAULT", "unanswered": "?", "preventive": "soon", "well": "ok",
}  # fmt: skip
"""How each is marked for a person."""


class Preventive(Record):
    """Something that will go wrong, or that nobody would want to find out in an incident; nothing is wrong yet."""

    id: str
    """An id of its own: none is a cause's."""
    what: str
    """For a person, short enough for a line of a table."""
    node: str | None
    seconds: float | None = None
    """Until it happens, where that can be told."""
    rank: int
    """1 for what is a matter of hours, 2 of days, 3 for what has no date."""
    evidence: tuple[Evidence, ...]

    @property
    def order(self) -> tuple[int, float, str]:
        """By which findings are sorted, the most urgent first."""
        return self.rank, float("inf") if self.seconds is None else self.seconds, self.id


class FoundCause(Record):
    """A cause of an incident, without its evidence."""

    id: str
    probability: float
    where: str | None
    why: str


class Line(Record):
    """What one target's look came to."""

    name: str
    """What people call it; else its address."""
    url: str | None
    """Without its secrets; null where it couldn't be made out."""
    configured: bool = False
    """Whether the name is that of a target in rediagnose.toml, which every command takes."""
    level: Level
    said: str
    """For a person: the cause, the nearest limit, or why it can't be told."""
    outcome: str | None = None
    """The answer's, as triage gives it; null where there was none."""
    server: str | None = None
    version: str | None = None
    topology: str | None = None
    nodes: int = 0
    """So many of its nodes answered."""
    causes: tuple[FoundCause, ...] = ()
    complaints: tuple[str, ...] = ()
    """What the servers themselves complain of, where no cause was found."""
    preventive: tuple[Preventive, ...] = ()
    """The most urgent first."""
    unseen: tuple[str, ...] = ()
    """What couldn't be read, and which causes that hides."""
    seconds: float = 0.0

    @property
    def order(self) -> tuple[object, ...]:
        """By which lines are sorted, the worst first."""
        first = self.causes[0] if self.causes else None
        urgent = self.preventive[0].order if self.preventive else (9, 0.0, "")
        return LEVELS.index(self.level), -(first.probability if first else 0.0), urgent, self.name.lower()


class Report(Record):
    """The whole."""

    schema_version: Literal[1] = 1
    at: str
    """When it began, in UTC."""
    seconds: float
    targets: tuple[Line, ...]
    """The worst first."""
    counts: dict[Level, int]
    complete: bool
    """Whether every target was looked at."""

    def to_json(self) -> str:
        """As one JSON object."""
        return escaped_json(self.model_dump_json(indent=2))


def report(lines: list[Line], at: str, seconds: float, *, complete: bool = True) -> Report:
    """The report of these lines, the worst first."""
    counts = {level: sum(one.level == level for one in lines) for level in LEVELS}
    return Report(
        at=at, seconds=round(seconds, 3), targets=tuple(sorted(lines, key=lambda one: one.order)), counts=counts,
        complete=complete,
    )  # fmt: skip
