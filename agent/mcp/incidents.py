"""What the tools need of incidents: kept by this process for one assistant, or by the service for everybody."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from agent.answer.diagnosis import Diagnosis, State, Step
from agent.answer.events import Event
from agent.chat.changes import Moved
from agent.fleet.records import Report
from agent.mcp.records import Listed
from agent.remediation.approval import ApprovalRequest
from agent.service.records import Person

Hear = Callable[[Event], None]
"""Hears what happens while it's looked."""


class Answered(NamedTuple):
    """An incident with its answer."""

    id: str
    target: str
    answer: Diagnosis


class LookedAgain(NamedTuple):
    """A second look."""

    was: Diagnosis
    now: Answered
    moved: Sequence[Moved]


class Wanted(NamedTuple):
    """What an assistant would have approved: one step, or its undo."""

    incident: str
    step: str
    undo: bool = False


class Yes(NamedTuple):
    """A person's approval of one exact change."""

    wanted: Wanted
    request: ApprovalRequest
    """As it was shown."""
    channel: str
    """For the audit log."""


class Decided(NamedTuple):
    """What came of a decision."""

    state: State
    said: str
    undo: str | None


class Incidents(Protocol):
    """Incidents. Whatever can't be done raises a `RediagnoseError` that says what to do instead."""

    async def open(self, target: str | None, report: str, by: Person, hear: Hear) -> Answered:
        """Investigate what was reported about a target; cancelled, it ends."""

    async def again(self, incident: str, by: Person, hear: Hear) -> LookedAgain:
        """Look at the same incident again."""

    async def answered(self, incident: str) -> Answered:
        """An incident as it stands."""

    async def listed(self) -> Sequence[Listed]:
        """The newest incidents."""

    async def propose(self, incident: str, action: str, node: str | None, why: str, by: Person) -> Step:
        """Add a change to the plan. Nothing is changed."""

    async def request(self, wanted: Wanted) -> ApprovalRequest:
        """What a person would be asked now."""

    async def approve(self, yes: Yes, by: Person) -> Decided:
        """Carry it out, once, if it's still what was shown."""

    async def refuse(self, no: Yes, by: Person) -> None:
        """Keep that a person said no."""

    def elsewhere(self, wanted: Wanted, target: str) -> str:
        """Where a person approves it instead."""

    async def check(self, names: Sequence[str], heard: Callable[[str], None]) -> Report:
        """Check targets, all of them for no names."""
