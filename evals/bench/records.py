"""What the bench measures: figures against their limits, and the rows of the growth table."""

from typing import Literal

from tools.records import Record

INSIDE = 0.1
"""How far inside its limit a measured figure has to be to hold, as a share of what the limit allows."""
Outcome = Literal["held", "broken", "can't tell here"]


class Gate(Record):
    """One figure against its limit."""

    name: str
    limit: float
    unit: str = ""
    floor: float = 0.0
    """What costs nothing: 1 for a ratio of with to without."""
    exact: bool = False
    """Whether it's counted, so that it's the same on every run: it may then reach its limit."""
    value: float | None = None
    """Null where it couldn't be measured."""
    low: float | None = None
    high: float | None = None
    """The interval that the measurement leaves it in; both null where it couldn't be measured."""
    why: str = ""
    """Where it couldn't be measured: why."""

    @property
    def line(self) -> float:
        """What the upper end of the interval has to stay within."""
        return self.limit if self.exact else self.limit - INSIDE * (self.limit - self.floor)

    @property
    def outcome(self) -> Outcome:
        """Held or broken only where the whole interval says so."""
        if self.low is None or self.high is None:
            return "can't tell here"
        if self.high <= self.line:
            return "held"
        return "broken" if self.low > self.limit else "can't tell here"


class Row(Record):
    """What one way of looking cost, at one size."""

    size: str
    """Such as "24 nodes"."""
    way: str
    """Such as "triage", or what a person would type."""
    cpu: float
    """CPU seconds of the whole program, start-up included; of the loop over its targets where one process has many."""
    wall: float
    """Seconds."""
    waited: float = 0.0
    """Seconds of it that the program could have run and had no core, where the system tells."""
    memory: float | None = None
    """The most MB that it held."""
    commands: int | None = None
    """That the servers counted, all of them together."""
    served: float | None = None
    """Milliseconds of all servers' time in these commands."""
    longest: float | None = None
    """Milliseconds of the longest of them, null where none took as long as the servers note."""
    cycle: float | None = None
    """Milliseconds of the servers' longest event loop cycle meanwhile, where they tell it."""
    answer: str = ""
    """What was answered, with how many of how many where there were several."""


class Part(Record):
    """One part of the bench."""

    name: str
    gates: tuple[Gate, ...] = ()
    rows: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


class Report(Record):
    """One run of the bench."""

    at: str
    """When, ISO 8601 in UTC."""
    machine: str
    """Its cores, its processor and its kernel."""
    server: str
    """The server program that the bench ran, such as "valkey-9.1"."""
    load: float
    """The machine's load average when it began: what else ran on it."""
    yardstick: float
    """Milliseconds of CPU of `python -c pass` when it began: a busy machine's CPU seconds do less."""
    parts: tuple[Part, ...]
    interrupted: bool = False

    @property
    def outcomes(self) -> set[Outcome]:
        """Of all gates."""
        return {gate.outcome for part in self.parts for gate in part.gates}

    @property
    def status(self) -> int:
        """The exit status: 0 all held, 1 one is broken, 3 none is and one couldn't be told, 130 interrupted."""
        if self.interrupted:
            return 130
        if "broken" in self.outcomes:
            return 1
        return 3 if "can't tell here" in self.outcomes or not self.outcomes else 0
