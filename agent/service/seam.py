"""What the web, the commands and the assistants need from the service; the engine behind it can be another one."""

from collections.abc import AsyncIterator, Collection
from typing import Protocol

from agent.answer.diagnosis import Step
from agent.service.records import Decision, Feedback, Incident, NumberedEvent, Query, Submission, Submitted
from tools.errors import RediagnoseError


class Full(RediagnoseError):
    """The queue is full; nothing of the submission was kept."""

    def __init__(self, why: str, retry_after: int) -> None:
        super().__init__(why)
        self.retry_after = retry_after
        """Seconds after which it's worth trying again."""


class NotSo(RediagnoseError):
    """A decision or feedback doesn't fit the incident as it stands; the message says what stands."""


class Service(Protocol):
    """Incidents, durable: what was accepted is neither lost nor done twice, whatever dies."""

    async def submit(self, submission: Submission) -> Submitted:
        """Open an incident, join the open one with the same source and key, or close it. Raises `Full` and
        `TicketError` if no target can be determined."""

    async def decide(self, incident: str, decision: Decision) -> None:
        """Hand over a person's decision; it's carried out later, once. Raises `NotSo`."""

    async def propose(self, incident: str, action: str, node: str | None, why: str, by: str) -> Step:
        """Add one change to the plan, classified like any proposal; it still has to be decided about. Raises `NotSo`,
        and `Unanswered` if the value before it can't be read."""

    async def close(self, incident: str, by: str) -> None:
        """Close it; what waits for a decision is no longer offered. Raises `NotSo`."""

    async def look_again(self, incident: str, by: str) -> None:
        """Investigate anew; the new answer replaces the old one. Raises `NotSo` and `Full`."""

    async def judge(self, incident: str, feedback: Feedback) -> None:
        """Keep feedback. Raises `NotSo`."""

    async def ask(self, incident: str, text: str, by: str) -> int:
        """Take a question about an answer and return its number; the reply comes as an event, once. It changes
        nothing, whatever it says. Raises `NotSo` and `Full`."""

    async def answerer(self) -> str:
        """The model that answers any question; `offline` if only the fixed ones are answered."""

    async def incident(self, incident: str) -> Incident | None:
        """One incident; null if there is none with this id."""

    async def incidents(self, query: Query) -> tuple[Incident, ...]:
        """The incidents asked for, newest first, without their diagnoses' readings."""

    async def similar(self, incident: Incident) -> tuple[Incident, ...]:
        """Earlier incidents of the same target, those with the same cause first."""

    async def history(self, incident: str, kinds: Collection[str]) -> tuple[NumberedEvent, ...]:
        """Those of its events so far that are of these kinds, in order."""

    def answers(self) -> bool:
        """Whether the database answers at the moment, as far as is known."""

    def events(self, incident: str, after: int = 0) -> AsyncIterator[NumberedEvent]:
        """Its events from the one after `after`, as they come, until it is closed."""
