"""The service's own incidents: everybody sees them, and they outlive this process."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import Callable, Collection, Sequence

from pydantic import ValidationError

from agent.answer.diagnosis import Step
from agent.answer.events import StepChanged, event_of
from agent.chat.changes import moved
from agent.fleet.records import Report
from agent.mcp.detached import to_its_end
from agent.mcp.incidents import Answered, Decided, Hear, LookedAgain, Wanted, Yes
from agent.mcp.means import Means
from agent.mcp.records import Listed
from agent.remediation.applied import recorded_change
from agent.remediation.approval import ApprovalRequest
from agent.service.records import Decision, Incident, NumberedEvent, Person, Query, Submission
from agent.service.seam import Service
from agent.tickets.ticket import Ticket
from tools.clock import iso_time
from tools.errors import ToolError
from tools.text import one_line, printable

LISTED_MOST = 20
PATIENCE, DECIDES = 600.0, 120.0
"""Seconds for an answer, which may have to wait for others, and for a change."""
OVER = ("answered", "unanswered", "closed")
_ENDS = ("answered", "failed", "closed")
_MARKS = (*_ENDS, "submitted", "decided", "step-changed")
"""What happens seldom: what comes after the last of these is new."""


class Durable:
    """Incidents by the service's seam."""

    def __init__(self, service: Service, means: Means, busy: Callable[[], Collection[str]], link: str) -> None:
        """`busy` are the targets that wait or are being investigated, `link` the page's address before an id."""
        self._service, self._means, self._busy, self._link = service, means, busy, link
        self._checking = asyncio.Lock()

    async def open(self, target: str | None, report: str, by: Person, hear: Hear) -> Answered:
        ticket = Ticket(source="text", text=printable(report))
        submission = Submission(
            ticket=ticket, key=f"mcp {secrets.token_hex(16)}", target=self._means.named(target), by=by.name
        )
        id = (await self._service.submit(submission)).incident
        assert id is not None
        try:
            return self._answer(await self._over(id, 0, hear))
        except asyncio.CancelledError:
            # Whoever asked for it doesn't want it any longer, and nobody else has asked.
            to_its_end(self._service.close(id, by.name))
            raise

    async def again(self, incident: str, by: Person, hear: Hear) -> LookedAgain:
        was = self._answer(await self._find(incident))
        last = await self._last(was.id)
        await self._service.look_again(was.id, by.name)
        now = self._answer(await self._over(was.id, last, hear))
        return LookedAgain(was.answer, now, moved(was.answer.readings, now.answer.readings, was.answer.causes))

    async def answered(self, incident: str) -> Answered:
        return self._answer(await self._find(incident))

    async def listed(self) -> Sequence[Listed]:
        found = await self._service.incidents(Query(limit=LISTED_MOST))
        return [
            Listed(
                id=one.id, target=one.target, opened_at=iso_time(one.opened_at.timestamp()), state=one.state,
                summary=one.diagnosis.summary if one.diagnosis else one.problem or one_line(one.title),
            )
            for one in found
        ]  # fmt: skip

    async def propose(self, incident: str, action: str, node: str | None, why: str, by: Person) -> Step:
        found = await self._find(incident)
        return await self._service.propose(found.id, action, node, why, by.name)

    async def request(self, wanted: Wanted) -> ApprovalRequest:
        step = self._step(await self.answered(wanted.incident), wanted.step)
        change = recorded_change(step)
        if wanted.undo:
            if (restored := change.reversal) is None or step.state not in ("applied", "verified"):
                raise ToolError(f"{step.id} is {step.state}; there is nothing of it to undo")
            return ApprovalRequest(
                step=step.id, change=restored.model_copy(update={"before": step.after}), takes_back=True
            )
        if not (step.is_open or step.state in ("failed", "rolled-back")):
            raise ToolError(f"{step.id} is already {step.state}")
        return ApprovalRequest(step=step.id, change=change, unchecked=step.unchecked)

    async def approve(self, yes: Yes, by: Person) -> Decided:
        return await to_its_end(self._approve(yes, by))

    async def _approve(self, yes: Yes, by: Person) -> Decided:
        id, wanted, request = yes.wanted.incident, yes.wanted, yes.request
        last = await self._last(id)
        verb = "roll-back" if wanted.undo else "approve"
        await self._service.decide(id, self._decision(yes, by, verb))
        try:
            async with asyncio.timeout(DECIDES):
                async for event in self._service.events(id, last):
                    if event.kind == "step-changed" and (came := _step_changed(event)).step.id == request.step:
                        undo = came.step.rollback if came.step.state in ("applied", "verified") else None
                        return Decided(came.step.state, came.detail, undo)
        except TimeoutError:
            pass
        raise ToolError(f"it's still being carried out; {self._link}{id} shows what comes of it")

    async def refuse(self, no: Yes, by: Person) -> None:
        if not no.wanted.undo:
            await self._service.decide(no.wanted.incident, self._decision(no, by, "refuse"))

    def _decision(self, said: Yes, by: Person, verb: str) -> Decision:
        request = said.request
        before = None if request.takes_back else request.change.before
        return Decision.model_validate(
            {"step": request.step, "verb": verb, "action": request.change.action, "before": before, "by": by.name,
             "channel": said.channel}
        )  # fmt: skip

    def elsewhere(self, wanted: Wanted, target: str) -> str:
        return f"an approver decides on the page: {self._link}{wanted.incident}"

    async def check(self, names: Sequence[str], heard: Callable[[str], None]) -> Report:
        async with self._checking:
            # One at a time: this process also serves the pages.
            busy = await asyncio.to_thread(self._busy)
            return await self._means.check(names, lambda name: name in busy, heard)

    async def _find(self, incident: str) -> Incident:
        id = incident if len(incident) <= 40 and incident.isascii() and incident.isprintable() else ""
        if (found := await self._service.incident(id) if id else None) is None:
            raise ToolError(f"there is no incident {one_line(incident, 40)!r}; call triage")
        return found

    def _answer(self, found: Incident) -> Answered:
        if found.diagnosis is None:
            raise ToolError(f"{found.id} is {found.state}: {found.problem or 'there is no answer yet'}")
        return Answered(found.id, found.target, found.diagnosis)

    def _step(self, found: Answered, id: str) -> Step:
        plan = found.answer.plan
        if (step := next((one for one in plan if one.id == id), None)) is None:
            there = ", ".join(one.id for one in plan) or "none"
            raise ToolError(f"there is no step {one_line(id, 20)!r} in the plan; there are {there}")
        return step

    async def _last(self, id: str) -> int:
        return max((one.number for one in await self._service.history(id, _MARKS)), default=0)

    async def _over(self, id: str, after: int, hear: Hear) -> Incident:
        """The incident once it's answered."""
        try:
            async with asyncio.timeout(PATIENCE):
                async for event in self._service.events(id, after):
                    _tell(event, hear)
                    if event.kind in _ENDS and (found := await self._find(id)).state in OVER:
                        if found.state == "unanswered":
                            raise ToolError(f"{id} couldn't be answered: {found.problem}")
                        return found
        except TimeoutError:
            raise ToolError(f"{id} still waits for its turn; {self._link}{id} shows the answer when it comes") from None
        return await self._find(id)


def _step_changed(event: NumberedEvent) -> StepChanged:
    return StepChanged.model_validate_json(event.data)


def _tell(event: NumberedEvent, hear: Hear) -> None:
    # It may be one of the service's own, or one that was too long to be kept.
    with contextlib.suppress(ValidationError, ValueError):
        hear(event_of(json.loads(event.data)))
