"""What the options of the lab's and the evaluation's commands mean, typed."""

from pathlib import Path
from typing import Literal

from tools.records import Record


class DemoInputs(Record):
    """`rediagnose demo`."""

    approve: Literal["ask", "never"] = "ask"
    format: Literal["text", "json", "markdown"] = "text"


class LabInputs(Record):
    """`rediagnose lab`, whatever the verb: each has a record of its own below, and takes its part of this one."""

    verb: Literal["list", "start", "run", "record", "task"]
    format: Literal["text", "json"] | None = None
    fault: str | None = None
    faults: tuple[str, ...] | None = None
    kind: str | None = None
    seed: int | None = None
    model: str | None = None
    seeds: int | None = None
    first_seed: int | None = None
    jobs: int | None = None
    output: Path | None = None
    folder: Path | None = None
    kinds: int | None = None
    minutes: float | None = None
    past: float | None = None
    world: tuple[str, ...] | None = None
    on: tuple[str, ...] | None = None
    list: bool | None = None
    agent: str | None = None
    direct: bool | None = None
    seconds: int | None = None
    commands: int | None = None


class ListInputs(Record):
    """`rediagnose lab list`."""

    fault: str | None = None
    """A fault or a family; null for all."""
    format: Literal["text", "json"] = "text"


class StartInputs(Record):
    """`rediagnose lab start`."""

    fault: str
    kind: str | None = None
    """A server, such as redis-7.0; null for the first that can have the fault."""
    seed: int = 0
    world: tuple[str, ...] = ()
    """What is around it."""


class RunInputs(Record):
    """`rediagnose lab run`."""

    faults: tuple[str, ...]
    """Ids, families, or all."""
    model: str = "offline"
    seeds: int = 1
    first_seed: int = 0
    kind: str = "rotate"
    """A server, `all`, or one in turn."""
    world: tuple[str, ...] = ()
    """What is around each fault."""
    jobs: int = 2
    output: Path | None = None
    format: Literal["text", "json"] = "text"


class RecordInputs(Record):
    """`rediagnose lab record`."""

    folder: Path
    faults: tuple[str, ...]
    kinds: int = 2
    """Servers that each fault is recorded on."""
    on: tuple[str, ...] = ()
    """Which servers may be taken; all that are installed if empty."""
    world: tuple[str, ...] = ()
    """What is around each fault."""
    first_seed: int = 0
    jobs: int = 2
    minutes: float | None = None
    """How long each is recorded for, its counters each second; null for a few seconds."""
    past: float | None = None
    """Minutes for which each is watched before it's looked at; null for none."""


class ExportInputs(Record):
    """`rediagnose eval export`."""

    folder: Path
    ids: tuple[str, ...] = ()
    """Ids, faults, families, causes or servers of the incidents; for the private split faults or families."""
    form: Literal["harbor", "inspect", "json"] = "json"
    split: Literal["public", "private"] = "public"
    seed: int | None = None
    """What draws the incidents of a limit, and what the private ones are made with."""
    limit: int | None = None
    kinds: int = 1
    """Servers that each private fault is recorded on."""
    jobs: int = 2
    scenarios: Path | None = None


class TaskInputs(Record):
    """`rediagnose lab task`."""

    fault: str | None = None
    list: bool = False
    """Whether only to list the tasks."""
    agent: str = ""
    """The command, with {url}, {ticket}, {task}, {seconds} and {commands} to be filled in."""
    direct: bool = False
    """Whether it gets the server's own address rather than that of a proxy that counts."""
    kind: str | None = None
    seed: int = 0
    world: tuple[str, ...] = ()
    """What is around it."""
    seconds: int | None = None
    """For the agent; null for the task's own."""
    commands: int | None = None
    format: Literal["text", "json"] | None = None
    """Null for JSON of a verdict and text of the list."""


class EvalInputs(Record):
    """`rediagnose eval`, whatever the verb: `export` has a record of its own above, and takes its part of this one."""

    verb: Literal["compare", "export"] | None = None
    folder: Path | None = None
    ids: tuple[str, ...] | None = None
    form: Literal["harbor", "inspect", "json"] | None = None
    split: Literal["public", "private"] | None = None
    seed: int | None = None
    limit: int | None = None
    kinds: int | None = None
    before: Path | None = None
    """Of `compare`: a report in JSON."""
    after: Path | None = None
    arm: tuple[str, ...] = ()
    k: str | None = None
    """Which scenarios, as an expression of words."""
    scenarios: Path | None = None
    epochs: int = 1
    jobs: int | None = None
    """Processes; null for one per core."""
    on: str | None = None
    """A Dask scheduler whose workers do it instead."""
    output: Path | None = None
    format: Literal["text", "json", "html"] = "text"
    gate: Path | None = None
    """The scenarios known to be missed."""
    price_in: float | None = None
    """Of a million tokens."""
    price_out: float | None = None
