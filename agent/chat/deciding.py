"""Steps of the plan decided on in a conversation: each is asked about again, applied through the gate and measured."""

import shlex

from agent.answer.diagnosis import Step
from agent.chat import shown
from agent.chat.session import Session
from agent.investigation.investigation import Investigation
from agent.remediation.approval import Approver, Decisions
from agent.remediation.carry_out import Outcome
from agent.remediation.site import site_of
from tools.errors import Unlogged

CHANNEL = "chat"


class Deciding:
    """What was decided in this conversation."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._outcomes: dict[str, Outcome] = {}
        self._under_way: Decisions | None = None

    async def approve(self, id: str) -> None:
        """Ask about one step, make its change if approved, and report the outcome."""
        session = self._session
        incident, console = session.incident, session.console
        if (step := self._step(id)) is None or incident is None:
            return
        if not step.needs_approval or session.pasted:
            why = "; from a paste nothing can be applied" if session.pasted else ""
            shown.say(console, f"{id} is for a person to do: {step.action}{why}")
            return
        if not step.is_open:
            shown.say(console, f"{id} is already {step.state}")
            return
        if session.approver is None:
            shown.say(
                console,
                f"nobody can be asked (no terminal, or --approve never); {self._elsewhere('apply', step, step.action)}",
                "yellow",
            )
            return
        if not session.fresh:
            shown.say(console, "The plan comes from a recording, so the server is looked at again first.")
            await session.recheck()
            if (step := self._step(id)) is None:
                return
        if (change := incident.planned.changes.get(id)) is None:
            shown.say(
                console,
                f"{id} can't be applied from here: the problem it was for is no longer found, or the value has changed",
            )
            return
        try:
            outcome = await self._decisions(incident, session.approver).one(step, change)
        except Unlogged as error:
            shown.say(console, f"stopped: {error}", "red")
            return
        finally:
            incident.answer()
        if outcome is not None:
            self._outcomes[id] = outcome
            back = f"; /rollback {id} undoes it" if change.undo and not outcome.taken_back else ""
            shown.say(console, f"/recheck looks at everything again{back}", "dim")

    def break_off(self, why: str) -> None:
        """Report and log what became of a change in progress."""
        if self._under_way is not None:
            self._under_way.break_off(why)

    async def rollback(self, id: str) -> None:
        """Roll back a step that was applied in this conversation, if approved."""
        session = self._session
        incident, console = session.incident, session.console
        if (step := self._step(id)) is None or incident is None:
            return
        if session.approver is None or (outcome := self._outcomes.get(id)) is None:
            undo = step.rollback or "its undo"
            shown.say(console, f"{id} wasn't applied in this conversation; {self._elsewhere('rollback', step, undo)}")
            return
        if step.state not in ("applied", "verified") or not step.rollback:
            shown.say(console, f"{id} is {step.state}; there is nothing to undo")
            return
        try:
            await self._decisions(incident, session.approver).take_back(step, outcome)
        except Unlogged as error:
            shown.say(console, f"stopped: {error}", "red")
        finally:
            incident.answer()

    def _step(self, id: str) -> Step | None:
        session = self._session
        planned = session.incident.planned if session.incident else None
        known = [*planned.steps, *planned.done] if planned else []
        if (step := next((one for one in known if one.id == id), None)) is None:
            there = ", ".join(one.id for one in known) or "none; first say what was reported"
            shown.say(session.console, f"there is no step {id!r} in the plan; there are {there}", "yellow")
        return step

    def _elsewhere(self, verb: str, step: Step, action: str) -> str:
        session = self._session
        file = str(session.file) if session.file else "FILE"
        return shlex.join(("rediagnose", verb, file, step.id, "--url", session.target.url, "--confirm", action))

    def _decisions(self, incident: Investigation, approver: Approver) -> Decisions:
        def show(line: str) -> None:
            shown.say(self._session.console, line)

        self._under_way = Decisions(incident, site_of(incident, self._session.log), approver, show, CHANNEL)
        return self._under_way
