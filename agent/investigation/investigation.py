"""One incident, from the first reading to the answer."""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence

from agent.answer.diagnosis import OFFLINE, Action, Diagnosis, ModelUse, PastFailover, Step, TargetInfo, Verdict
from agent.answer.events import Answered, ChecksMade, Emit, ProposalForbidden, Started, of_toolbox
from agent.checks.past_failover import past_failover
from agent.checks.verdict import at_least, conclude
from agent.evidence.view import Readings, View
from agent.investigation.closing import closed, with_paste
from agent.investigation.equipment import Equipment
from agent.investigation.extent import only_glanced, without_the_well
from agent.investigation.look import Look
from agent.investigation.marks import marked, refusals
from agent.investigation.own_changes import note_own_changes
from agent.investigation.recording import heard_by
from agent.investigation.reported import note_client_errors, note_lines, note_service
from agent.investigation.sources import Options, Sources
from agent.plan.build import Planned, build
from agent.runbooks.library import Library
from tools.clock import Clock
from tools.connection.node import Node
from tools.connection.target import Target
from tools.errors import RediagnoseError, bug
from tools.records import Reading

ROUND_OFF = 1.5
"""Seconds for the plan of an interrupted investigation, and for any plan begun at the deadline."""
LEAST = 0.2
"""Seconds for a look whose deadline had passed before it began."""


class Investigation:
    """The state of one incident: its readings, its verdict, its plan."""

    def __init__(
        self, target: Target, symptom: str, library: Library, clock: Clock, emit: Emit, options: Options,
        sources: Sources | None = None,
    ) -> None:  # fmt: skip
        self.target = target
        self.library = library
        self.clock = clock
        self.options = options
        self.began = self._looked = clock.monotonic()
        sources = sources or Sources()
        self.equipment = Equipment(
            target, clock, lambda call: of_toolbox(self.emit)(call), sources=sources,
            limits=options.budget.model_copy(update={"seconds": options.deadline}),
            finds_others=target.watched or not options.one_node,
            on_forbidden=lambda action, why: self.emit(ProposalForbidden(action=action, why=why)),
        )  # fmt: skip
        self.toolbox = self.equipment.toolbox
        self.proposals = self.equipment.proposals
        self.pseudonyms = self.equipment.pseudonyms
        self.budget = self.equipment.budget
        self.recorder = self.equipment.recorder
        self.symptom = self.pseudonyms.hide(symptom)
        self.emit = heard_by(self.recorder, emit, events=sources.events)
        self.toolbox.ends = self.ends
        self.equipment.equip()
        self.planned = Planned()
        self._unplanned = ""
        self.verdict: Verdict | None = None
        self.floor: Verdict | None = None
        """What the checks had found in readings taken over from a recording: it doesn't say who asked for which, so
        nothing concluded from them now is weaker."""
        self._weighed: Readings | None = None
        self._found: tuple[Readings, list[str], Verdict] | None = None
        self.use = ModelUse(name=OFFLINE)
        self.actions: tuple[Action, ...] = ()
        """What the model would add to the plan."""

    @property
    def node(self) -> Node:
        """The node that the URL names; for a Sentinel URL the master, once known."""
        return self.equipment.node

    @property
    def nodes(self) -> dict[str, Node]:
        """All nodes so far, the named one first."""
        return self.equipment.nodes

    @property
    def view(self) -> View:
        """The recent readings of the named node."""
        return self.equipment.view()

    @property
    def ends(self) -> float:
        """The deadline, in the clock's monotonic seconds."""
        return self._looked + self.options.deadline

    def start(self, use: ModelUse) -> None:
        """Announce the investigation."""
        self.use = use
        if self.recorder:
            self.recorder.begin(
                url=self.target.url, symptom=self.symptom, window=self.options.window, one_node=self.options.one_node,
                deadline=self.options.deadline, history=self.equipment.keeps_past,
            )  # fmt: skip
        self.emit(Started(target=self.target.url, symptom=self.symptom, model=use.name, why_model=use.why))

    async def survey(self) -> Verdict:
        """Take the first readings of every node and let the checks conclude."""
        self.toolbox.note_symptom(self.symptom)
        return await self._look()

    async def look_again(self) -> Verdict:
        """Take them again, with the same time and budget as at first; earlier readings then become history.

        If that is interrupted, the previous state remains.
        """
        before = self.toolbox.look_again()
        self._looked = self.clock.monotonic()
        self.toolbox.ends = self.ends
        self.budget.allow(self.options.budget)
        floor, self.floor = self.floor, None
        try:
            verdict = await self._look()
        except asyncio.CancelledError:
            self.floor = floor
            self.toolbox.look_back(before)
            self.toolbox.ends = None
            raise
        self.proposals.pending.clear()
        self.actions = ()
        return verdict

    async def _look(self) -> Verdict:
        note_lines(self.toolbox, self.symptom, self.clock)
        note_service(self.toolbox, self.target, self.equipment.recorded("service"))
        look = Look(self.equipment, self.options, self.symptom, self._looked, self._conclude, lambda: self.weighed)
        try:
            async with asyncio.timeout(max(LEAST, self.ends - self.clock.monotonic())):
                await look.take()
        except TimeoutError:
            # What was read by the deadline has to do.
            self.equipment.equip()
        except Exception as error:
            # What runs concurrently fails as a group.
            while isinstance(error, ExceptionGroup):
                error = error.exceptions[0]
            if isinstance(error, RediagnoseError):
                raise error from None
            self.toolbox.bugs.append(bug("the look at the servers", error))
            self.equipment.equip()
        note_client_errors(self.toolbox, self.symptom, pasted=self.equipment.sources.pasted is not None)
        changes = self.equipment.sources.changes
        done = await asyncio.to_thread(changes) if changes else ()
        note_own_changes(self.toolbox, self.nodes, done, self.equipment.recorded("own_changes"))
        return self.check()

    def report(self, text: str) -> None:
        """Add to the report; it stays reading r0."""
        self.symptom = f"{self.symptom}\n{self.pseudonyms.hide(text)}".strip()
        self.toolbox.note_symptom(self.symptom)

    def concluded(self, readings: Sequence[Reading] | Readings) -> Verdict:
        """What the checks conclude from readings."""
        return conclude(readings, list(self.nodes), self.library.thresholds)

    def _weighable(self) -> list[Reading]:
        """The recent readings that conclusions may use."""
        return [reading for reading in self.toolbox.recent if not reading.hasty]

    @property
    def weighed(self) -> Readings:
        """The recent readings that conclusions may use, with the views created of them so far."""
        recent = self._weighable()
        if self._weighed is None or self._weighed.all != tuple(recent):
            self._weighed = Readings(recent)
        return self._weighed

    def _conclude(self) -> Verdict:
        weighed, nodes = self.weighed, list(self.nodes)
        if self._found is None or self._found[:2] != (weighed, nodes):
            own = [reading for reading in weighed.all if not reading.asked]
            floor = self.concluded(weighed if len(own) == len(weighed.all) else own)
            found = floor if len(own) == len(weighed.all) else at_least(floor, self.concluded(weighed))
            self._found = weighed, nodes, found
        found = self._found[2]
        return at_least(self.floor, found) if self.floor else found

    def check(self) -> Verdict:
        """What the checks conclude from the readings so far: what a model requested adds to it and removes nothing."""
        self.verdict = self._conclude()
        self.emit(ChecksMade(findings=self.verdict.findings))
        return self.verdict

    def weighed_again(self) -> Verdict:
        """The same without announcing it."""
        return self._conclude()

    async def plan(self, verdict: Verdict) -> None:
        """Build the plan for a verdict; nothing is carried out. A cause that is only suspected gets no step."""
        self.verdict = verdict
        found = {cause.id: cause.evidence for cause in verdict.findings}
        # The checks' evidence also shows which form of a cause it is.
        causes = [
            cause.model_copy(update={"evidence": tuple(dict.fromkeys((*cause.evidence, *found.get(cause.id, ()))))})
            for cause in verdict.causes
            if cause.id not in verdict.suspected
        ]
        try:
            async with asyncio.timeout(max(ROUND_OFF, self.ends - self.clock.monotonic())):
                self.planned = await build(
                    causes, self.library, self._weighable(), self.nodes, self.proposals, self.actions, self.planned
                )
        except TimeoutError:
            self._unplanned = "the values that a plan would change couldn't be read in time, so there are no steps"
        except RediagnoseError:
            raise
        except Exception as error:
            self.toolbox.bugs.append(bug("the plan", error))
        # From here on a person decides, and takes as long as needed.
        self.toolbox.ends = None

    async def round_off(self) -> None:
        """After an interruption: a plan for what is known, if it's ready at once. The person wants the prompt back."""
        if task := asyncio.current_task():
            task.uncancel()
        if not self.planned.steps:
            with contextlib.suppress(TimeoutError, RediagnoseError):
                async with asyncio.timeout(ROUND_OFF):
                    await self.plan(self.verdict or self.check())

    def cut_off(self) -> Diagnosis:
        """The answer of an investigation that is stuck, built without waiting for anything."""
        self._unplanned = "the deadline passed during a computation, so the answer uses only what had been read by then"
        self.verdict = self._conclude()
        if self.use.name != OFFLINE:
            self.use = self.use.model_copy(update={"degraded": f"model {self.use.name}: the deadline passed"})
        return self.answer()

    def answer(self, *, interrupted: bool = False) -> Diagnosis:
        """The answer as it stands."""
        verdict, read = self.verdict or self._conclude(), self.readings()
        diagnosis = Diagnosis(
            symptom=self.symptom, target=self.target_info(), outcome=verdict.outcome,
            causes=marked(verdict.causes, read), findings=marked(verdict.findings, read), ruled_out=verdict.ruled_out,
            unknown=(*verdict.unknown, *self._unproven(), *self._unsettled(), *self.equipment.others.problems),
            plan=(*self.planned.steps, *self.planned.done), failover=self._past(),
            refused=refusals(self.proposals.refused), readings=read, footprint=self.budget.footprint,
            model=self.use, seconds=round(self.clock.monotonic() - self.began, 3), interrupted=interrupted,
            evidence=verdict.evidence, dropped=tuple(self.planned.dropped),
        )  # fmt: skip
        diagnosis = with_paste(self._closed(diagnosis, verdict.summary), self.equipment.sources)
        diagnosis = diagnosis if self.options.all_readings else without_the_well(diagnosis, self.node.name)
        self.emit(Answered(diagnosis=diagnosis))
        return diagnosis

    def _closed(self, diagnosis: Diagnosis, said: str) -> Diagnosis:
        try:
            return closed(diagnosis, self._conclude(), [self.weighed.view(node) for node in self.nodes], said)
        except Exception as error:
            self.toolbox.bugs.append(bug("what the answer leaves open", error))
            return diagnosis

    def _past(self) -> PastFailover | None:
        try:
            return past_failover([self.weighed.view(node) for node in self.nodes])
        except Exception as error:
            self.toolbox.bugs.append(bug("what is known about a failover", error))
            return None

    def _unsettled(self) -> Iterator[str]:
        if self._unplanned:
            yield self._unplanned
        for one in dict.fromkeys(map(str, self.toolbox.bugs)):
            yield f"{one}; what it would have shown is unknown"

    def _unproven(self) -> Iterator[str]:
        yield from only_glanced(self.target_info())
        if self.target.tls and self.target.tls.insecure:
            yield "the server's certificate wasn't verified (--insecure): it may not be the right server"
        if any(reading.get("facts_old") is True for reading in self.toolbox.readings):
            yield "the host's facts (--host-facts) are more than an hour old: the machine may look different now"

    def readings(self) -> tuple[Reading, ...]:
        """The readings so far, by number."""
        return tuple(sorted(self.toolbox.readings, key=lambda reading: int(reading.id[1:])))

    def target_info(self) -> TargetInfo:
        """What the servers reported about themselves."""
        return self.equipment.info

    def changed(self, step: Step) -> None:
        """Put a step's new state in its place."""
        self.planned.steps = [step if known.id == step.id else known for known in self.planned.steps]
        self.planned.done = [step if known.id == step.id else known for known in self.planned.done]

    async def close(self) -> None:
        """Close what is open."""
        self.equipment.close()
        await self.equipment.others.close()
        self.equipment.close_recording()
