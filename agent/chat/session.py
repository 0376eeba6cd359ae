"""One incident in a conversation: what was read and said, and what can be done with it."""

import argparse
import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from agent.audit import Heard, audit_of, log_of, note_proposals
from agent.calling import Caller
from agent.causes import CAUSES
from agent.chat import shown
from agent.chat.changes import became, moved
from agent.chat.cited import citations
from agent.chat.question import NOW, Answer, answer, message
from agent.chat.resumed import Past, remembered
from agent.diagnosis import OFFLINE, Diagnosis, ModelUse, Verdict
from agent.dialogue import Dialogue
from agent.digest import digest, findings_text
from agent.events import Question, Reply, Resumed, Started
from agent.failures import ModelError
from agent.investigation import Investigation, Options
from agent.loop import Limits
from agent.modelled import Asking, Talk, counted, model_of, read, think, weighed
from agent.progress import Progress
from agent.report import headline
from agent.runbooks import Library
from agent.spending import Spending
from agent.triage import outside_of, round_off
from tools.clock import SystemClock
from tools.errors import Unlogged
from tools.gate.ledger import Log, changes_path
from tools.records import Budget
from tools.server.target import Target

QUESTION = Budget(commands=100, pings=60, bytes=8 << 20)
"""What a question may cost the deployment, beside what was read for the diagnosis."""
NEWS_MOST, FINDINGS_MOST = 2500, 800
Yes = Callable[[str], Awaitable[bool]]
"""Asks a person, who is there; True only for a yes."""


class Session:
    """The conversation so far."""

    def __init__(
        self, args: argparse.Namespace, target: Target, use: ModelUse, asking: Asking, options: Options,
        library: Library, console: Console, yes: Yes | None,
    ) -> None:  # fmt: skip
        """`yes` is null where nobody is there to approve anything."""
        self.args, self.target, self.use, self.asking = args, target, use, asking
        self.options, self.library, self.console, self.yes = options, library, console, yes
        self.progress = _Quiet(console)
        self.incident: Investigation | None = None
        self.said: list[Question | Reply] = []
        self.fresh = False
        """Whether the servers were looked at in this conversation: what was resumed may be long ago."""
        self._heard = Heard(self.progress)
        self._talk: Talk | None = None
        self._told = 0
        """The number of the first reading that the model hasn't seen."""
        self._noted: set[str] = set()
        self._folder = TemporaryDirectory(prefix="rediagnose-chat-")
        self.file = Path(args.record) if args.record else Path(self._folder.name) / "incident.rec"
        """Where the conversation is written down."""
        self.kept = bool(args.record)
        """Whether that file stays."""

    @property
    def several(self) -> bool:
        """Whether there is more than one node."""
        return self.incident is not None and len(self.incident.nodes) > 1

    @property
    def log(self) -> Log:
        """Where changes are written down."""
        return log_of(self.args, self.file)

    def begin(self, symptom: str) -> Investigation:
        """Begin the conversation's incident. Raises `UsageError` where it can't be recorded."""
        clock = SystemClock()
        self._heard = Heard(self.progress)
        outside = replace(outside_of(self.args, self.target, clock), record=self.file)
        self.incident = Investigation(
            self.target, symptom, self.library, clock, self._heard, self.options, outside
        )  # fmt: skip
        self.incident.start(self.use)
        return self.incident

    async def look(self, symptom: str) -> None:
        """The first look at what was reported."""
        incident = self.begin(symptom)
        try:
            with self.progress:
                verdict = await incident.survey()
                if self.use.name != OFFLINE:
                    verdict = await think(incident, verdict, self.asking, self._model(incident))
                await incident.plan(verdict)
        except asyncio.CancelledError:
            await self._interrupted(incident)
            told = incident.answer(interrupted=True)
        else:
            told = incident.answer()
        self.fresh = True
        self._settled(incident)
        shown.answer(self.console, told)
        self.console.print()

    async def recheck(self) -> None:
        """Take the same readings again, and say what changed."""
        if (incident := self.incident) is None:
            await self.look("")
            return
        before, causes = incident.toolbox.recent, incident.verdict.causes if incident.verdict else ()
        since = min((one.at for one in before if one.tool != "symptom"), default="")
        try:
            with self.progress:
                verdict = await incident.look_again()
                self._checks_stand(incident, "the newest look is the checks'; ask, and the model judges it")
                await incident.plan(verdict)
        except asyncio.CancelledError:
            await self._interrupted(incident)
            shown.say(self.console, "interrupted: what was found before stands", "yellow")
            return
        self.fresh = True
        told = incident.answer()
        self._settled(incident, seen=False)
        shown.say(self.console, f"Since {since}:", "bold")
        found = moved(before, incident.toolbox.recent, causes)
        shown.moves(self.console, found, became(causes, told.causes), self.several)
        shown.say(self.console, headline(told)[0], "bold")
        shown.plan(self.console, told.plan, self.several)

    def _checks_stand(self, incident: Investigation, why: str) -> None:
        if incident.use.name != OFFLINE:
            incident.use = incident.use.model_copy(update={"degraded": why, "disagrees": None})

    async def reported(self, text: str) -> None:
        """Add to what was reported, and let the checks weigh the readings again."""
        assert self.incident is not None
        incident, causes = self.incident, self.incident.verdict.causes if self.incident.verdict else ()
        incident.report(text)
        if self.use.name != OFFLINE:
            return
        await incident.plan(incident.check())
        told = incident.answer()
        self._settled(incident)
        shown.say(self.console, "added to the report (r0), and weighed by the checks again")
        if became(causes, told.causes) == became(causes, causes):
            shown.say(self.console, "  nothing else follows from it", "dim")
        else:
            shown.answer(self.console, told)

    async def ask(self, text: str) -> None:
        """A question to the model about the same incident."""
        assert self.incident is not None
        incident = self.incident
        asked = Question(text=incident.handles.hide(text))
        incident.emit(asked)
        proposals, steps = len(incident.desk.proposals), {step.id for step in incident.planned.steps}
        try:
            with self.progress:
                came = await self._answer(incident, asked.text)
                if came.concluded:
                    await incident.plan(weighed(incident, came.concluded))
                elif len(incident.desk.proposals) != proposals:
                    await incident.plan(incident.verdict or incident.check())
        except asyncio.CancelledError:
            await self._interrupted(incident)
            shown.say(self.console, "interrupted: what stands above isn't checked", "yellow")
            return
        except ModelError as error:
            shown.say(self.console, f"the model gives no answer: {error}. The commands work without it (/help).", "red")
            return
        finally:
            incident.toolbox.ends = None
            self.said.append(asked)
            self._settled(incident)
        self._replied(incident, came)
        told = incident.answer()
        if came.concluded:
            shown.answer(self.console, told)
        elif new := [step for step in told.plan if step.id not in steps]:
            shown.say(self.console, "new in the plan:")
            shown.plan(self.console, new, self.several)

    async def _answer(self, incident: Investigation, text: str) -> Answer:
        talk = self._model(incident)
        if talk is None:
            raise ModelError("its endpoint can't be one")
        talk.model.again()
        seconds = self.options.deadline
        incident.account.allow(QUESTION)
        incident.toolbox.ends = incident.clock.monotonic() + seconds
        limits = Limits(
            turns=self.asking.turns, tokens=self.asking.total_tokens, cost=self.asking.cost,
            prices=self.asking.prices, ends=time.monotonic() + seconds,
        )  # fmt: skip
        spending = Spending(self.use.name, limits, incident.use)
        if talk.transcript is None:
            talk.transcript = remembered(incident, self.said)
        talk.transcript.tell(message(text, self._news(incident)))
        caller = Caller(
            incident.toolbox, lambda name: read(incident, name), spending, incident.desk.forbidden, conclude=NOW
        )  # fmt: skip
        causes = incident.verdict.causes if incident.verdict else ()
        cited = {(one.reading, one.field) for cause in causes for one in cause.evidence}
        dialogue = Dialogue(
            talk.model, incident.toolbox, talk.transcript, spending, counted(incident), runbooks=True, cited=cited
        )
        return await answer(dialogue, caller, spending, incident.toolbox, CAUSES)

    def _replied(self, incident: Investigation, came: Answer) -> None:
        if not came.text:
            return
        reply = Reply(text=came.text, cited=citations(came.text, incident.toolbox.readings))
        incident.emit(reply)
        self.said.append(reply)
        if not self.console.is_terminal:
            shown.say(self.console, came.text)
        shown.citations(self.console, reply.cited, incident.toolbox.readings)

    def _model(self, incident: Investigation) -> Talk | None:
        if self._talk is None:
            with contextlib.suppress(ModelError):
                self._talk = Talk(model_of(incident, self.asking))
        return self._talk

    def _news(self, incident: Investigation) -> str:
        """What the model hasn't seen yet: readings, what the checks make of them, steps that were decided."""
        new = [one for one in incident.toolbox.readings if int(one.id[1:]) >= self._told]
        lines = [digest(new, NEWS_MOST)] if new else []
        if incident.verdict:
            found = findings_text(incident.verdict.causes, FINDINGS_MOST)
            lines.append(f"What stands now: {incident.verdict.outcome}\n{found}")
        steps = (*incident.planned.steps, *incident.planned.done)
        lines += [f"{step.id} {step.action}: {step.state}" for step in steps if not step.is_open]
        return "\n".join(lines)

    async def _interrupted(self, incident: Investigation) -> None:
        await round_off(incident)
        if self._talk and self._talk.transcript:
            self._talk.transcript.interrupted("Not carried out: the person interrupted.")

    def _settled(self, incident: Investigation, *, seen: bool = True) -> None:
        """Write down what was proposed; `seen` says whether the model knows all readings."""
        if seen:
            self._told = 1 + max((int(one.id[1:]) for one in incident.toolbox.readings), default=0)
        try:
            note_proposals(incident, self._heard, audit_of(self.args), self._noted)
        except Unlogged as error:
            shown.say(self.console, f"no step can be applied: {error}", "red")

    def resume(self, past: Past) -> None:
        """Go on with a recorded incident: its readings, its plan and what was said are at hand again."""
        told: Diagnosis = past.answer
        incident = self.begin(told.symptom)
        incident.handles.skip(told.model_dump_json())
        incident.toolbox.recall(told.readings)
        incident.planned.recall(told.plan)
        incident.verdict = Verdict(
            outcome=told.outcome, causes=told.causes, findings=told.findings, ruled_out=told.ruled_out,
            unknown=told.unknown,
        )  # fmt: skip
        self.said = list(past.said)
        self._told = len(told.readings)
        incident.emit(Resumed(diagnosis=told, said=past.said))
        incident.answer()

    def keep(self, path: Path) -> None:
        """Keep what is written down in this file, from the beginning on. Raises `UsageError`."""
        if self.incident and self.incident.recorder:
            self.incident.recorder.move(path)
            if (changes := changes_path(self.file)).exists():
                changes_path(path).write_bytes(changes.read_bytes())
        self.file, self.kept = path, True

    async def close(self) -> None:
        """Let go of servers and model, and of what wasn't kept."""
        if self._talk:
            await self._talk.model.close()
        if self.incident:
            await self.incident.close()
        self._folder.cleanup()


class _Quiet(Progress):
    """Progress of a conversation, which said at its begin what answers."""

    def __call__(self, event: object) -> None:
        if not isinstance(event, Started):
            super().__call__(event)  # type: ignore[arg-type]
