"""One incident, from the first reading to the answer."""

import asyncio
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from agent.answer.diagnosis import OFFLINE, Action, Diagnosis, ModelUse, Step, TargetInfo, Verdict
from agent.answer.events import Answered, ChecksMade, Emit, ProposalForbidden, Started, of_toolbox
from agent.checks.verdict import conclude
from agent.evidence.view import View
from agent.investigation.arbitration import marked, refusals
from agent.investigation.baseline import BaselineComparison, compare, tools_against
from agent.investigation.identity import target_info
from agent.investigation.recording import heard_by
from agent.investigation.sources import Options as Options
from agent.investigation.sources import Sources as Sources
from agent.investigation.survey import COMES_AND_GOES, HOST, NodeSurvey, Pace
from agent.investigation.toolset import tools_of
from agent.plan.build import Planned, build
from agent.runbooks.library import Library
from tools.clock import Clock
from tools.connection.budget import Budget
from tools.connection.node import Node
from tools.connection.target import Target
from tools.errors import ToolError
from tools.gate.bounds import room
from tools.gate.proposals import Proposals
from tools.host.local import Host
from tools.past.history import History
from tools.record.recorder import RecordedNetwork, Recorder
from tools.records import Reading
from tools.redact import Pseudonyms
from tools.server.deployment import Deployment, topology
from tools.toolbox import Toolbox, bind

SURVEY = 30.0
"""Most seconds of the first readings, a hunt for a slot among them; the rest is the model's."""
MOST_PINGS, ALL_PINGS = 60, 180
"""PINGs of one node's latency sample, and of all nodes' together."""


class Investigation:
    """The state of one incident: its nodes, its readings, its proposals."""

    def __init__(
        self, target: Target, symptom: str, library: Library, clock: Clock, emit: Emit, options: Options,
        outside: Sources | None = None,
    ) -> None:  # fmt: skip
        self.target = target
        self.library = library
        self.clock = clock
        self.options = options
        self.began = self._looked = clock.monotonic()
        self.outside = outside or Sources()
        self.past = self.outside.history or History(None, clock)
        self.pseudonyms = Pseudonyms(_secrets(target, self.past))
        self.symptom = self.pseudonyms.hide(symptom)
        self.recorder = Recorder(self.outside.record, clock, self.pseudonyms) if self.outside.record else None
        self.emit = heard_by(self.recorder, emit, events=self.outside.events)
        self.budget = Budget(options.budget.model_copy(update={"seconds": options.deadline}))
        network = self.outside.replay or (RecordedNetwork(self.recorder) if self.recorder else None)
        self.deployment = Deployment(target, clock, self.budget, self.pseudonyms, network)
        self.hosts: dict[str, Host] = {}
        self.proposals = Proposals(
            lambda action, why: self.emit(ProposalForbidden(action=action, why=why)),
            lambda node: room(self.toolbox.readings, node),
        )
        finding = [] if options.one_node and not target.watched else [bind(topology, self.deployment)]
        self.toolbox = Toolbox(finding, clock, of_toolbox(self.emit))
        self.toolbox.ends = self.ends
        self._equip()
        self.planned = Planned()
        self.verdict: Verdict | None = None
        self.use = ModelUse(name=OFFLINE)
        self.actions: tuple[Action, ...] = ()
        """What the model would add to the plan."""

    @property
    def node(self) -> Node:
        """The node that the URL names: of a Sentinel URL the master, once it's known."""
        return self.deployment.entry

    @property
    def nodes(self) -> dict[str, Node]:
        """All nodes so far, the named one first."""
        others = {name: node for name, node in self.deployment.nodes.items() if node is not self.node}
        return {self.node.name: self.node, **others}

    @property
    def _past_kept(self) -> bool:
        replay = self.outside.replay
        return replay.tape.head.history if replay else self.past.url is not None

    def _equip(self) -> None:
        """Give each node that is new its tools."""
        self.budget.widen(len(self.deployment.nodes))
        for name, node in self.deployment.nodes.items():
            if name not in self.hosts:
                facts = self.outside.facts if node is self.deployment.entry else None
                host = self.hosts[name] = Host(node.target, self.clock, facts=facts, pseudonyms=self.pseudonyms)
                if node is self.deployment.entry:
                    host.log_path = self.outside.log
                sentinel = self.deployment.is_sentinel(node)
                replay = self.outside.replay
                self.toolbox.add(tools_of(node, host, self.proposals, self.past, sentinel=sentinel, replay=replay))
                self.toolbox.add(() if sentinel else tools_against(self._beside(name), name, replay))

    def _beside(self, node: str) -> BaselineComparison | None:
        def data_nodes() -> list[str]:
            return [name for name, one in self.nodes.items() if not self.deployment.is_sentinel(one)]

        good = self.outside.baseline
        return BaselineComparison(good, node, lambda: self.toolbox.readings, data_nodes, self.clock) if good else None

    @property
    def ends(self) -> float:
        """The deadline, in the clock's monotonic seconds."""
        return self._looked + self.options.deadline

    @property
    def view(self) -> View:
        """The readings of the named node so far."""
        return View(self.toolbox.recent, self.node.name)

    def start(self, use: ModelUse) -> None:
        """Announce what begins."""
        self.use = use
        if self.recorder:
            self.recorder.begin(
                url=self.target.url, symptom=self.symptom, window=self.options.window, one_node=self.options.one_node,
                deadline=self.options.deadline, history=self._past_kept,
            )  # fmt: skip
        self.emit(Started(target=self.target.url, symptom=self.symptom, model=use.name, why_model=use.why))

    async def survey(self) -> Verdict:
        """Take the first readings of every node, and let the checks conclude."""
        self.toolbox.note_symptom(self.symptom)
        return await self._look()

    async def look_again(self) -> Verdict:
        """Take them anew, with as much time and as large a budget again; what was read before is history then.

        Where that is interrupted, what stood before stands.
        """
        before = self.toolbox.look_anew()
        self._looked = self.clock.monotonic()
        self.toolbox.ends = self.ends
        self.budget.allow(self.options.budget)
        try:
            verdict = await self._look()
        except asyncio.CancelledError:
            self.toolbox.look_back(before)
            self.toolbox.ends = None
            raise
        self.proposals.pending.clear()
        self.actions = ()
        return verdict

    def report(self, text: str) -> None:
        """Add to what was reported; it stays reading r0."""
        self.symptom = f"{self.symptom}\n{self.pseudonyms.hide(text)}".strip()
        self.toolbox.note_symptom(self.symptom)

    async def _look(self) -> Verdict:
        ends = self._looked + min(self.options.deadline, SURVEY)
        reached: dict[str, bool] = {}
        if not self.target.watched:
            # The named node first: it tells of the others.
            reached[self.node.name] = await self._of(self.node, ends, pings=MOST_PINGS).reach()
        if self.target.watched or (reached[self.node.name] and not self.options.one_node):
            await self._look_around(ends)
        surveys = [self._of(node, ends, pings=self._pings()) for node in self.nodes.values()]
        await asyncio.gather(*(self._readings(one, reached.get(one.node.name)) for one in surveys))
        if self.node.held:
            await self._of(self.node, ends, pings=0).idle(self.symptom)
        if COMES_AND_GOES.search(self.symptom) and not self._found():
            watched = [one for one in surveys if not self.deployment.is_sentinel(one.node)]
            left = (self.budget.limits.pings - self.budget.pings) // max(1, len(watched))
            await asyncio.gather(*(one.watch(left) for one in watched))
        await compare(self.toolbox)
        return self.check()

    async def _look_around(self, ends: float) -> None:
        """Find the deployment's other nodes."""
        try:
            async with asyncio.timeout(max(0.5, ends - self.clock.monotonic())):
                await self.toolbox.call("topology")
        except (ToolError, TimeoutError):
            # A spent budget or deadline: the nodes that are known are looked at.
            return
        self._equip()
        self.toolbox.prefer(self.node.name)

    async def _readings(self, survey: NodeSurvey, reached: bool | None) -> None:
        if not (await survey.reach() if reached is None else reached):
            return
        if self.deployment.is_sentinel(survey.node):
            await survey.sentinel()
        else:
            await survey.server()

    def _of(self, node: Node, ends: float, *, pings: int) -> NodeSurvey:
        pace = Pace(window=self.options.window, ends=ends, pings=pings)

        def confirm(view: View) -> None:
            host, pid = self.hosts[node.name], view.number("info", "process_id")
            host.confirm(int(pid) if pid else None)
            host.config_file = _said(view, "info", "config_file")
            host.logfile = _said(view, "config_get", "logfile")

        # One machine is read once, however many of the nodes run on it.
        shared = node is not self.node and self.view.get("machine", "locality") in ("local", "no-listener")
        of_host = [tool for tool in HOST if not (shared and tool == "machine")]
        return NodeSurvey(self.toolbox, node, self.clock, pace, confirm, self._found, of_host, self._past_kept)

    def _pings(self) -> int:
        """PINGs for each node: all of them together stay within the bound."""
        asked = sum(not self.deployment.is_sentinel(node) for node in self.nodes.values())
        return max(5, min(MOST_PINGS, ALL_PINGS // max(1, asked)))

    def _found(self) -> bool:
        return bool(self._conclude().causes)

    def _conclude(self) -> Verdict:
        return conclude(self.toolbox.recent, list(self.nodes), self.library.thresholds)

    def check(self) -> Verdict:
        """What the checks make of the readings so far."""
        self.verdict = self._conclude()
        self.emit(ChecksMade(findings=self.verdict.findings))
        return self.verdict

    async def plan(self, verdict: Verdict) -> None:
        """Build the plan of a verdict; nothing is carried out."""
        self.verdict = verdict
        self.planned = await build(
            verdict.causes, self.library, self.toolbox.recent, self.nodes, self.proposals, self.actions, self.planned
        )
        # From here on a person decides, and takes the time that it takes.
        self.toolbox.ends = None

    def answer(self, *, interrupted: bool = False) -> Diagnosis:
        """The answer as it stands."""
        verdict = self.verdict or self._conclude()
        diagnosis = Diagnosis(
            symptom=self.symptom, target=self.target_info(), outcome=verdict.outcome, causes=marked(verdict.causes),
            findings=marked(verdict.findings), ruled_out=verdict.ruled_out,
            unknown=(*verdict.unknown, *self._unproven()), plan=(*self.planned.steps, *self.planned.done),
            refused=refusals(self.proposals.refused), readings=self.readings(), footprint=self.budget.footprint,
            model=self.use, seconds=round(self.clock.monotonic() - self.began, 3), interrupted=interrupted,
        )  # fmt: skip
        self.emit(Answered(diagnosis=diagnosis))
        return diagnosis

    def _unproven(self) -> Iterator[str]:
        if self.target.tls and self.target.tls.insecure:
            yield "the server's certificate wasn't verified (--insecure): that it's the server isn't proven"
        if any(reading.get("facts_old") is True for reading in self.toolbox.readings):
            yield "the host's facts (--host-facts) are older than an hour: the machine may look different now"

    def readings(self) -> tuple[Reading, ...]:
        """The readings so far, by number."""
        return tuple(sorted(self.toolbox.readings, key=lambda reading: int(reading.id[1:])))

    def target_info(self) -> TargetInfo:
        """What the servers said of themselves."""
        return target_info(self.target.url, self.toolbox.readings, tuple(self.nodes), self.deployment.kind)

    def changed(self, step: Step) -> None:
        """Put a step's new state in its place."""
        self.planned.steps = [step if known.id == step.id else known for known in self.planned.steps]
        self.planned.done = [step if known.id == step.id else known for known in self.planned.done]

    async def close(self) -> None:
        """Close what is held."""
        self.deployment.close()
        await asyncio.sleep(0)
        if self.recorder:
            self.recorder.close()


def _secrets(target: Target, past: History) -> Iterator[str]:
    if target.password:
        yield target.password.get_secret_value()
    if past.url and (password := urlsplit(past.url).password):
        yield unquote(password)


def _said(view: View, tool: str, field: str) -> str | None:
    value = view.get(tool, field)
    return None if value is None else str(value)
