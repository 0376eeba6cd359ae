"""One incident, from the first reading to the answer."""

import asyncio

from agent.conclude import Action
from agent.diagnosis import OFFLINE, Diagnosis, ModelUse, Step, TargetInfo, Topology, Verdict
from agent.events import Answered, ChecksMade, Emit, ProposalForbidden, Started, of_toolbox
from agent.plan import Planned, build
from agent.runbooks import Library
from agent.survey import Pace, Survey
from agent.verdict import conclude
from agent.view import View
from tools.clock import Clock
from tools.gate.desk import Desk, propose_config_set
from tools.host.local import Host
from tools.host.machine import machine
from tools.host.process import process
from tools.host.sockets import sockets
from tools.records import Reading, Record
from tools.redact import Handles
from tools.server.account import Account
from tools.server.clients import clients
from tools.server.commandstats import commandstats
from tools.server.config import config_get
from tools.server.connect import connect, ping, silence
from tools.server.idle import idle_probe
from tools.server.info import info
from tools.server.latency import latency_sample
from tools.server.node import Node
from tools.server.slowlog import acl_log, slowlog
from tools.server.target import Target
from tools.toolbox import Toolbox, bind

SERVER_TOOLS = (
    connect, ping, silence, latency_sample, info, commandstats, slowlog, acl_log, clients, config_get, idle_probe,
)  # fmt: skip
HOST_TOOLS = (process, sockets, machine)


SURVEY = 30.0
"""Most seconds of the first readings, a hunt for a slot among them; the rest is the model's."""


class Options(Record):
    """How an investigation goes about it."""

    window: float = 2.0
    """Seconds between two samples."""
    deadline: float = 30.0
    """Seconds for the whole."""


class Investigation:
    """The state of one incident: its node, its readings, its proposals."""

    def __init__(
        self, target: Target, symptom: str, library: Library, clock: Clock, emit: Emit, options: Options
    ) -> None:
        self.target = target
        self.symptom = symptom
        self.library = library
        self.clock = clock
        self.emit = emit
        self.options = options
        self.began = clock.monotonic()
        self.handles = Handles()
        self.account = Account()
        self.node = Node(target, clock, self.account, self.handles)
        self.host = Host(target, clock)
        self.desk = Desk(lambda action, why: emit(ProposalForbidden(action=action, why=why)))
        self.toolbox = Toolbox(
            [
                *(bind(tool, self.node, node=self.node.name) for tool in SERVER_TOOLS),
                *(bind(tool, self.host, node=self.node.name) for tool in HOST_TOOLS),
                bind(propose_config_set, self.node, self.desk, node=self.node.name),
            ],
            clock, of_toolbox(emit),
        )  # fmt: skip
        self.planned = Planned()
        self.verdict: Verdict | None = None
        self.use = ModelUse(name=OFFLINE)
        self.actions: tuple[Action, ...] = ()
        """What the model would add to the plan."""

    @property
    def ends(self) -> float:
        """The deadline, in the clock's monotonic seconds."""
        return self.began + self.options.deadline

    @property
    def view(self) -> View:
        """The readings so far."""
        return View(self.toolbox.readings, self.node.name)

    def start(self, use: ModelUse) -> None:
        """Announce what begins."""
        self.use = use
        self.emit(Started(target=self.target.url, symptom=self.symptom, model=use.name, why_model=use.why))

    async def survey(self) -> Verdict:
        """Take the first readings and let the checks conclude."""
        pace = Pace(window=self.options.window, ends=self.began + min(self.options.deadline, SURVEY))
        await Survey(self.toolbox, self.node, self.clock, pace, self.host.confirm, self._found).run(self.symptom)
        return self.check()

    def _found(self) -> bool:
        return bool(conclude(self.toolbox.readings, self.node.name, self.library.thresholds).causes)

    def check(self) -> Verdict:
        """What the checks make of the readings so far."""
        self.verdict = conclude(self.toolbox.readings, self.node.name, self.library.thresholds)
        self.emit(ChecksMade(findings=self.verdict.findings))
        return self.verdict

    async def plan(self, verdict: Verdict) -> None:
        """Build the plan of a verdict; nothing is carried out."""
        self.verdict = verdict
        self.planned = await build(verdict.causes, self.library, self.view, self.node, self.desk, self.actions)

    def answer(self, *, interrupted: bool = False) -> Diagnosis:
        """The answer as it stands."""
        verdict = self.verdict or conclude(self.toolbox.readings, self.node.name, self.library.thresholds)
        diagnosis = Diagnosis(
            symptom=self.symptom, target=self.target_info(), outcome=verdict.outcome, causes=verdict.causes,
            findings=verdict.findings, ruled_out=verdict.ruled_out, unknown=verdict.unknown,
            plan=tuple(self.planned.steps), readings=self.readings(), footprint=self.account.footprint,
            model=self.use, seconds=round(self.clock.monotonic() - self.began, 3), interrupted=interrupted,
        )  # fmt: skip
        self.emit(Answered(diagnosis=diagnosis))
        return diagnosis

    def readings(self) -> tuple[Reading, ...]:
        """The readings so far, by number."""
        return tuple(sorted(self.toolbox.readings, key=lambda reading: int(reading.id[1:])))

    def target_info(self) -> TargetInfo:
        """What the server said of itself."""
        view, nodes = self.view, (self.node.name,)
        version = view.get("info", "valkey_version") or view.get("info", "redis_version")
        if version is None:
            return TargetInfo(url=self.target.url, nodes=nodes)
        server = "valkey" if view.get("info", "valkey_version") else view.text("info", "server_name") or "redis"
        return TargetInfo(
            url=self.target.url, server=server, version=str(version), topology=_topology(view), nodes=nodes
        )  # fmt: skip

    def changed(self, step: Step) -> None:
        """Put a step's new state in its place."""
        self.planned.steps = [step if known.id == step.id else known for known in self.planned.steps]

    async def close(self) -> None:
        """Close what is held."""
        self.node.close()
        await asyncio.sleep(0)


def _topology(view: View) -> Topology:
    mode = view.text("info", "server_mode") or view.text("info", "redis_mode")
    if mode in ("cluster", "sentinel"):
        return "cluster" if mode == "cluster" else "sentinel"
    replicated = view.text("info", "role") == "slave" or (view.number("info", "connected_slaves") or 0) > 0
    return "replication" if replicated else "standalone"
