"""One incident in a conversation: what was read and said, and what can be done with it."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from agent.answer.diagnosis import OFFLINE, Diagnosis, Verdict
from agent.answer.events import Event, Question, Reply, Resumed, Started
from agent.chat import shown
from agent.chat.changes import became, moved
from agent.chat.kept import new_file
from agent.chat.question import GIVEN_UP
from agent.chat.resumed import Past
from agent.investigation.investigation import Investigation
from agent.investigation.model_stage import ModelConversation, model_of
from agent.investigation.own_trouble import own_trouble
from agent.investigation.pipeline import Setup, run
from agent.investigation.sources import Sources
from agent.model.errors import ModelError
from agent.remediation.approval import Approver
from agent.remediation.audit import ForbiddenLog, audit_log, change_log, note_proposals
from agent.report.console import Console
from agent.report.progress import Progress
from tools.clock import Clock, SystemClock
from tools.errors import ToolError, Unlogged, UsageError
from tools.gate.ledger import Log, changes_path
from tools.paste.pieces import Recognised
from tools.record.recorder import must_be_new
from tools.records import Reading


class Session:
    """The conversation so far."""

    def __init__(
        self, setup: Setup, console: Console, *, audit: Path | None = None, approver: Approver | None = None,
        clock: Clock | None = None, keeps: bool = True,
    ) -> None:  # fmt: skip
        """`approver` is null if nobody can approve anything; `audit` is null for the default log.

        `keeps` says whether the conversation is recorded if no file is named.
        """
        self.target, self.library, self.settings = setup.target, setup.library, setup.model
        self.options, self.use = setup.options, setup.model.use
        self.console, self.audit, self.approver = console, audit, approver
        self.sources = setup.sources
        self.clock: Clock = clock or SystemClock()
        self.pasted: tuple[Recognised, ...] = ()
        """What was pasted, if that is what the conversation is about."""
        self.keep_paste: Callable[[Path], None] | None = None
        """Writes the recording of that into a new file."""
        self.progress = _Quiet(console, speaks=True)
        self.incident: Investigation | None = None
        self.turns: list[Question | Reply] = []
        self.fresh = False
        """Whether the servers were examined in this conversation: resumed readings may be old."""
        self._forbidden = ForbiddenLog(self.progress)
        self.conversation: ModelConversation | None = None
        self.unseen = 0
        """The number of the first reading that the model hasn't seen."""
        self._noted: set[str] = set()
        self.file, self._no_folder = setup.sources.record, ""
        """Where the conversation is recorded; null if there is no place for it."""
        self.is_named = self.file is not None
        """Whether a person named that file; otherwise it's one that is kept automatically."""
        if self.file is None and not keeps:
            self._no_folder = "it's about a paste, and /record FILE keeps only that"
        elif self.file is None:
            try:
                self.file = new_file(SystemClock().now())
            except OSError as error:
                self._no_folder = f"{error.strerror or error}"

    @property
    def lost(self) -> str | None:
        """Why not everything could be kept."""
        recorder = self.incident.recorder if self.incident else None
        return recorder.lost if recorder else None

    @property
    def several(self) -> bool:
        """Whether there is more than one node."""
        return self.incident is not None and len(self.incident.nodes) > 1

    @property
    def log(self) -> Log:
        """Where changes are logged."""
        return change_log(self.audit, self.file)

    def begin(self, symptom: str) -> Investigation:
        """Begin the conversation's incident. Raises `UsageError` if it can't be recorded."""
        self._forbidden = ForbiddenLog(self.progress)
        sources = replace(self.sources, record=self.file)
        self.incident = Investigation(
            self.target, symptom, self.library, self.clock, self._forbidden, self.options, sources
        )  # fmt: skip
        if self.file and not self.is_named:
            # What a server answers may be anybody's data.
            self.file.chmod(0o600)
        return self.incident

    def use_sources(self, sources: Sources) -> None:
        """Look at these from now on."""
        self.sources = sources
        if self.incident:
            self.incident.equipment.sources = replace(sources, record=self.file)

    async def look(self, symptom: str) -> None:
        """The first look at what was reported."""
        incident = self.begin(symptom)
        try:
            with self.progress:
                await run(incident, self.settings, lambda: self.model(incident))
        except asyncio.CancelledError:
            await self.interrupted(incident)
            answer = incident.answer(interrupted=True)
        else:
            answer = incident.answer()
        self.fresh = True
        self.settled(incident)
        if trouble := own_trouble(answer):
            # Nothing was learned about the incident, so nothing is said about it.
            raise ToolError(f"{trouble}; then start the conversation again")
        shown.answer(self.console, answer)
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
                self._checks_stand(
                    incident,
                    "the latest look was judged by the checks alone; ask a question to have the model judge it",
                )
                await incident.plan(verdict)
        except asyncio.CancelledError:
            await self.interrupted(incident)
            shown.say(self.console, "interrupted: the earlier findings still apply", "yellow")
            return
        self.fresh = True
        answer = incident.answer()
        self.settled(incident, seen=False)
        shown.say(self.console, f"Since {since}:", "bold")
        found = moved(before, incident.toolbox.recent, causes)
        shown.moves(self.console, found, became(causes, answer.causes), self.several)
        shown.title(self.console, answer)
        shown.plan(self.console, answer.plan, self.several)

    def _checks_stand(self, incident: Investigation, why: str) -> None:
        if incident.use.name != OFFLINE:
            incident.use = incident.use.model_copy(update={"degraded": why, "disagrees": None})

    async def reported(self, text: str) -> None:
        """Add to the report and let the checks weigh the readings again."""
        assert self.incident is not None
        incident, causes = self.incident, self.incident.verdict.causes if self.incident.verdict else ()
        incident.report(text)
        if self.use.name != OFFLINE:
            return
        await incident.plan(incident.check())
        answer = incident.answer()
        self.settled(incident)
        shown.say(self.console, "added to the report (r0), and the checks ran again")
        if became(causes, answer.causes) == became(causes, causes):
            shown.say(self.console, "  the findings didn't change", "dim")
        else:
            shown.answer(self.console, answer)

    def model(self, incident: Investigation) -> ModelConversation | None:
        """The model of this conversation; null for an unusable endpoint."""
        if self.conversation is None:
            with contextlib.suppress(ModelError):
                self.conversation = ModelConversation(model_of(incident, self.settings))
        return self.conversation

    async def interrupted(self, incident: Investigation) -> None:
        """Finish what Ctrl-C interrupted."""
        await incident.round_off()
        if self.conversation and self.conversation.transcript:
            self.conversation.transcript.close_open_calls(GIVEN_UP)

    def settled(self, incident: Investigation, *, seen: bool = True) -> None:
        """Log what was proposed; `seen` says whether the model knows all readings."""
        if seen:
            self.unseen = _after(incident.toolbox.readings)
        try:
            note_proposals(incident, self._forbidden, audit_log(self.audit), self._noted)
        except Unlogged as error:
            shown.say(self.console, f"no step can be applied: {error}", "red")

    def resume(self, past: Past) -> None:
        """Resume a recorded incident: its readings, its plan and what was said are available again."""
        answer: Diagnosis = past.answer
        incident = self.begin(answer.symptom)
        incident.start(self.use)
        incident.pseudonyms.skip(answer.model_dump_json())
        incident.toolbox.recall(answer.readings)
        incident.planned.recall(answer.plan)
        incident.verdict = Verdict(
            outcome=answer.outcome, causes=answer.causes, findings=answer.findings, ruled_out=answer.ruled_out,
            unknown=answer.unknown, summary=answer.summary if answer.summary_by == "model" else "",
            evidence=answer.evidence,
        )  # fmt: skip
        incident.floor = incident.verdict
        self.turns = list(past.turns)
        self.unseen = _after(answer.readings)
        incident.emit(Resumed(diagnosis=answer, said=past.turns))
        incident.answer()

    def keep(self, path: Path) -> None:
        """Keep the recording in this file, from the beginning. Raises `UsageError`."""
        if self.incident and self.incident.recorder:
            self.incident.recorder.move(path)
            if self.file and (changes := changes_path(self.file)).exists():
                try:
                    # Created afresh: a link placed there would redirect the changes to another file.
                    with open(changes_path(path), "xb") as file:
                        file.write(changes.read_bytes())
                except OSError as error:
                    raise UsageError(f"{changes_path(path)}: {error.strerror}; the changes are in {changes}") from None
        elif self.incident:
            raise UsageError(f"this conversation isn't being saved: {self._no_folder}")
        else:
            must_be_new(path)
        self.file, self.is_named = path, True

    async def close(self) -> None:
        """Release the servers and the model."""
        if self.conversation:
            await self.conversation.model.close()
        if self.incident:
            await self.incident.close()


def _after(readings: Iterable[Reading]) -> int:
    """The number of the next reading."""
    return 1 + max((int(one.id[1:]) for one in readings), default=0)


class _Quiet(Progress):
    """Progress of a conversation, which said at its start what answers."""

    def __call__(self, event: Event) -> None:
        if not isinstance(event, Started):
            super().__call__(event)
