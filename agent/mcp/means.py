"""What incidents are opened with; made by whoever starts the server."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.fleet.look import Fleet, Member
from agent.fleet.records import Report
from agent.investigation.pipeline import Setup
from agent.investigation.sources import Options
from agent.runbooks.library import Library
from tools.clock import Clock
from tools.connection.target import Target

JOBS = 16
"""Targets that are checked at the same time."""
SECONDS = 120.0
"""For a check of all targets."""


@dataclass(frozen=True)
class Means:
    """How targets are found and examined. Each raises `UsageError`."""

    named: Callable[[str | None], str]
    """The name of the target that an assistant means, or the URL if URLs are allowed; of null the only one there is."""
    target: Callable[[str], Target]
    """The target of such a name, with its credentials."""
    approves: Callable[[str], bool]
    """Whether a person's answer to an assistant's question approves a change of this target."""
    targets: Callable[[], Sequence[str]]
    """The names of all targets."""
    setup: Callable[[Target, str, Path | None], Setup]
    """An investigation of what was reported, recorded in a new file."""
    members: Callable[[Sequence[str]], Awaitable[Sequence[Member]]]
    """The targets to check; of no names all."""
    library: Callable[[], Library]
    options: Options
    """How each target is checked."""
    clock: Clock
    audit: Path | None = None
    """The audit log; null for the default one."""

    async def check(self, names: Sequence[str], busy: Callable[[str], bool], heard: Callable[[str], None]) -> Report:
        """Check targets; those that are investigated meanwhile are left alone."""
        members = await self.members([self.named(one) for one in names])
        return await Fleet(
            members=members, library=self.library(), options=self.options, jobs=JOBS, seconds=SECONDS,
            clock=self.clock, busy=busy, heard=lambda line, left: heard(f"{line.name}: {line.level}; {left} left"),
        ).look()  # fmt: skip
