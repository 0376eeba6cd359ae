"""Incidents of one process: each an investigation that goes on, as in a conversation."""

import asyncio
import contextlib
import os
import secrets
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from agent.answer.diagnosis import OFFLINE, Diagnosis, Step
from agent.chat.changes import moved
from agent.chat.kept import new_file
from agent.fleet.records import Report
from agent.investigation.investigation import Investigation
from agent.investigation.own_trouble import own_trouble
from agent.investigation.pipeline import Setup, run
from agent.mcp.detached import to_its_end
from agent.mcp.incidents import Answered, Decided, Hear, LookedAgain, Wanted, Yes
from agent.mcp.means import Means
from agent.mcp.records import Listed
from agent.mcp.standing import Asked, proposed_again, still_open
from agent.plan.build import step_of_proposal
from agent.plan.drafts import Draft
from agent.remediation.approval import ApprovalRequest, Decisions, restoring
from agent.remediation.audit import ForbiddenLog, audit_log, change_log, note_proposals, vouches
from agent.remediation.carry_out import Outcome
from agent.remediation.site import site_of
from agent.service.records import Person
from agent.tickets.ticket import Ticket
from tools.clock import iso_time
from tools.connection.node import Node
from tools.errors import Forbidden, Moved, ToolError, Unlogged
from tools.gate.current_value import current_value
from tools.gate.policy import command_line, parse_command
from tools.gate.proposals import Proposal
from tools.text import one_line, printable

MOST = 8
"""Incidents that are kept open; the oldest makes room."""
FOLDER = "assistants"
"""Where incidents are recorded, in the state folder; the newest few are kept."""
GRACE = 5.0
"""Seconds beyond an investigation's own deadline."""


@dataclass
class Kept:
    """An incident, and what was done about it."""

    id: str
    target: str
    opened_at: datetime
    file: Path | None
    setup: Setup
    investigation: Investigation
    forbidden: ForbiddenLog
    hear: Hear
    answer: Diagnosis | None = None
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    noted: set[str] = field(default_factory=set)
    asked: dict[str, Asked] = field(default_factory=dict)
    """What was proposed here, by the step's id."""
    alone: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One look or one change at a time."""


class InMemory:
    """The incidents of this process, for its one user."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._kept: dict[str, Kept] = {}

    async def open(self, target: str | None, report: str, by: Person, hear: Hear) -> Answered:
        name = self._means.named(target)
        kept = self._begun(name, Ticket(source="text", text=printable(report)).symptom, hear)
        investigation, seconds = kept.investigation, kept.investigation.options.deadline + GRACE
        try:
            try:
                async with asyncio.timeout(seconds):
                    await run(investigation, kept.setup.model)
                kept.answer = investigation.answer()
            except TimeoutError:
                kept.answer = investigation.cut_off()
            if trouble := own_trouble(kept.answer):
                raise ToolError(f"{name}: {trouble}, or password_env or password_file of the target")
            self._note(kept)
        except BaseException:
            to_its_end(investigation.close())
            raise
        while len(self._kept) >= MOST:
            to_its_end(self._kept.pop(next(iter(self._kept))).investigation.close())
        self._kept[kept.id] = kept
        return self._as_it_stands(kept)

    def _begun(self, name: str, symptom: str, hear: Hear) -> Kept:
        now = self._means.clock.now()
        file = _new_file(now)
        setup = self._means.setup(self._means.target(name), symptom, file)
        kept: list[Kept] = []
        forbidden = ForbiddenLog(lambda event: kept[0].hear(event) if kept else None)
        investigation = setup.investigation(self._means.clock, forbidden)
        if file is not None:
            # What a server answers may be anybody's data.
            file.chmod(0o600)
        id = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        kept.append(Kept(id, name, now, file, setup, investigation, forbidden, hear))
        return kept[0]

    def _note(self, kept: Kept) -> None:
        # The gate, which has to log first, says so before it changes anything.
        with contextlib.suppress(Unlogged):
            note_proposals(kept.investigation, kept.forbidden, audit_log(self._means.audit), kept.noted)

    async def again(self, incident: str, by: Person, hear: Hear) -> LookedAgain:
        kept = self._find(incident)
        async with kept.alone:
            investigation, was = kept.investigation, self._answer(kept)
            before, kept.hear = investigation.toolbox.recent, hear
            asked = still_open(investigation, kept.asked)
            verdict = await investigation.look_again()
            if investigation.use.name != OFFLINE:
                why = "the second look was judged by the checks alone"
                investigation.use = investigation.use.model_copy(update={"degraded": why, "disagrees": None})
            await investigation.plan(verdict)
            for proposal, place in await proposed_again(investigation, asked):
                with contextlib.suppress(ToolError):
                    self._added(investigation, proposal, place)
            kept.answer = investigation.answer()
            self._note(kept)
            found = moved(before, investigation.toolbox.recent, was.causes)
        return LookedAgain(was, self._as_it_stands(kept), found)

    async def answered(self, incident: str) -> Answered:
        return self._as_it_stands(self._find(incident))

    async def listed(self) -> Sequence[Listed]:
        return [
            Listed(
                id=one.id, target=one.target, opened_at=iso_time(one.opened_at.timestamp()), state="answered",
                summary=self._answer(one).summary,
            )
            for one in reversed(self._kept.values())
        ]  # fmt: skip

    async def propose(self, incident: str, action: str, node: str | None, why: str, by: Person) -> Step:
        kept = self._find(incident)
        investigation = kept.investigation
        place = investigation.nodes.get(node) if node else investigation.node
        if place is None:
            there = ", ".join(investigation.nodes)
            raise ToolError(f"{one_line(node or '', 100)!r} isn't a node of this incident; it has {there}")
        async with kept.alone:
            args = _command(action)
            try:
                proposal = await investigation.proposals.propose(place, args, why)
            except Forbidden as error:
                self._note(kept)
                raise ToolError(f"policy forbids it: {error}") from None
            step = self._added(investigation, proposal, place)
            kept.asked[step.id] = place, args, why
            kept.answer = investigation.answer()
            self._note(kept)
        return step

    def _added(self, investigation: Investigation, proposal: Proposal, node: Node) -> Step:
        planned = investigation.planned
        for one in planned.steps:
            if planned.changes.get(one.id) == proposal.change and one.is_open:
                return one
        causes = [one.id for one in investigation.verdict.causes] if investigation.verdict else []
        draft = Draft(step=step_of_proposal(proposal, node, investigation.library, causes), change=proposal.change)
        before = len(planned.steps)
        planned.add(draft)
        if len(planned.steps) == before:
            raise ToolError(f"the plan has {before} steps, which is the most; decide about those first")
        return planned.steps[-1]

    async def request(self, wanted: Wanted) -> ApprovalRequest:
        kept = self._find(wanted.incident)
        investigation, planned = kept.investigation, kept.investigation.planned
        steps = [*planned.steps, *planned.done]
        if (step := next((one for one in steps if one.id == wanted.step), None)) is None:
            there = ", ".join(one.id for one in steps) or "none"
            raise ToolError(f"there is no step {one_line(wanted.step, 20)!r} in the plan; there are {there}")
        if wanted.undo:
            outcome = kept.outcomes.get(step.id)
            if outcome is None or step.state not in ("applied", "verified"):
                raise ToolError(f"{step.id} is {step.state}; there is nothing of it to undo from here")
            return ApprovalRequest(step=step.id, change=restoring(outcome.applied), takes_back=True)
        if not step.needs_approval:
            raise ToolError(f"{step.id} is for a person to do: {step.action}")
        change = planned.changes.get(step.id)
        if not step.is_open:
            raise ToolError(f"{step.id} is already {step.state}")
        if change is None:
            raise ToolError(f"{step.id} can't be applied as it stands; call recheck")
        now = await current_value(investigation.nodes[change.node], change)
        if now != change.before:
            said = "gone" if now is None else repr(now)
            raise Moved(f"it is {said} now but was {change.before!r} when the plan was made; call recheck")
        return ApprovalRequest(step=step.id, change=change, unchecked=step.unchecked)

    async def approve(self, yes: Yes, by: Person) -> Decided:
        return await to_its_end(self._decide(yes, says=True))

    async def refuse(self, no: Yes, by: Person) -> None:
        if not no.wanted.undo:
            await to_its_end(self._decide(no, says=False))

    async def _decide(self, said: Yes, *, says: bool) -> Decided:
        kept, wanted = self._find(said.wanted.incident), said.wanted
        investigation, lines = kept.investigation, list[str]()
        async with kept.alone:
            current = await self.request(wanted)
            if current.change != said.request.change:
                raise Moved("the change isn't what was shown any more; call apply again")
            site = site_of(investigation, change_log(self._means.audit, kept.file))
            decisions = Decisions(
                investigation, replace(site, stood=vouches(self._means.audit)), _Said(said.request, says=says),
                lines.append, said.channel,
            )  # fmt: skip
            step = _step(investigation, wanted.step)
            try:
                if wanted.undo:
                    await decisions.take_back(step, kept.outcomes[wanted.step])
                elif (outcome := await decisions.one(step, current.change)) is not None:
                    kept.outcomes[wanted.step] = outcome
            finally:
                kept.answer = investigation.answer()
        step = _step(investigation, wanted.step)
        undo = current.change.undo if step.state in ("applied", "verified") and not wanted.undo else None
        return Decided(step.state, "\n".join(lines), command_line(undo) if undo else None)

    def elsewhere(self, wanted: Wanted, target: str) -> str:
        kept = self._find(wanted.incident)
        if kept.file is None:
            return "it isn't recorded, as there is no state folder; start `rediagnose chat` for it"
        verb = "rollback" if wanted.undo else "apply"
        where = ("--url", target) if "://" in target else ("--target", target)
        typed = shlex.join(("rediagnose", verb, str(kept.file), wanted.step, *where))
        if "://" not in target and (named := os.environ.get("REDIAGNOSE_CONFIG")):
            # The assistant may have been given it, and a terminal wasn't.
            typed = f"REDIAGNOSE_CONFIG={shlex.quote(named)} {typed}"
        return f"a person runs this in a terminal, where it asks: {typed}"

    async def check(self, names: Sequence[str], heard: Callable[[str], None]) -> Report:
        return await self._means.check(names, lambda name: False, heard)

    async def close(self) -> None:
        """Release all servers."""
        for one in self._kept.values():
            await one.investigation.close()

    def _find(self, incident: str) -> Kept:
        if (found := self._kept.get(incident)) is None:
            there = ", ".join(self._kept) or "none"
            raise ToolError(f"there is no incident {one_line(incident, 40)!r} here (there are {there}); call triage")
        return found

    def _answer(self, kept: Kept) -> Diagnosis:
        assert kept.answer is not None
        return kept.answer

    def _as_it_stands(self, kept: Kept) -> Answered:
        return Answered(kept.id, kept.target, self._answer(kept))


class _Said:
    """What a person said to exactly one request."""

    def __init__(self, request: ApprovalRequest, *, says: bool) -> None:
        self._request, self._says = request, says

    async def approve(self, request: ApprovalRequest) -> bool:
        return self._says and request.change == self._request.change and request.step == self._request.step


def _step(investigation: Investigation, id: str) -> Step:
    return next(one for one in (*investigation.planned.steps, *investigation.planned.done) if one.id == id)


def _command(action: str) -> tuple[str, ...]:
    try:
        return parse_command(action)
    except ValueError:
        raise ToolError("that isn't one command; its quotes don't match") from None


def _new_file(now: datetime) -> Path | None:
    """Where it's recorded; null if there is no place for it."""
    try:
        while (file := new_file(now, FOLDER)).exists():
            now += timedelta(seconds=1)
    except OSError:
        return None
    return file
