"""What an investigation works with: the deployment's nodes, a machine for each, and the tools that read them."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from agent.answer.diagnosis import LookedAt, TargetInfo
from agent.evidence.view import View
from agent.investigation.baseline import BaselineComparison, tools_against
from agent.investigation.identity import target_info
from agent.investigation.others import Others
from agent.investigation.sources import Sources
from agent.investigation.toolset import pod_tools, provider_tools, tools_of
from tools.clock import Clock
from tools.connection.budget import Budget
from tools.connection.managed import SYSTEM
from tools.connection.network import Network
from tools.connection.node import Node
from tools.connection.target import Target
from tools.gate.bounds import room_of
from tools.gate.proposals import Proposals
from tools.host.local import Host
from tools.past.history import History
from tools.records import BudgetLimits, Reading
from tools.redact import Pseudonyms
from tools.server.deployment import Deployment, Member, Role
from tools.server.topology import topology
from tools.toolbox import PendingCall, Toolbox, bind

if TYPE_CHECKING:
    from tools.record.recorder import Recorder

OnCall = Callable[[PendingCall | Reading], None]
"""Notified of each tool call when it begins and when it ends."""
OnForbidden = Callable[[str, str], None]
"""Notified of a proposal that policy forbids: the action, and why."""


class Equipment:
    """The nodes of a deployment, equipped with tools as they become known."""

    def __init__(
        self, target: Target, clock: Clock, on_call: OnCall, *, limits: BudgetLimits | None = None,
        sources: Sources | None = None, finds_others: bool = True, on_forbidden: OnForbidden = lambda action, why: None,
    ) -> None:  # fmt: skip
        """`finds_others` says whether to look for the deployment's other nodes."""
        self.target = target
        self.clock = clock
        self.sources = sources or Sources()
        self.past = self.sources.history or History(None, clock)
        self.pseudonyms = Pseudonyms(_secrets(target, self.past))
        self.recorder = self._recorder()
        self.budget = Budget(limits)
        self.deployment = Deployment(target, clock, self.budget, self.pseudonyms, self._network())
        self.hosts: dict[str, Host] = {}
        self.in_depth: tuple[str, ...] = ()
        """The servers among the nodes examined in depth; the others got only a glance."""
        self.proposals = Proposals(on_forbidden, lambda node: room_of(self.toolbox.readings, node))
        self.toolbox = Toolbox([bind(topology, self.deployment)] if finds_others else [], clock, on_call)
        self.others = Others(self.sources, self.toolbox, self.pseudonyms)

    def _recorder(self) -> "Recorder | None":
        if self.sources.record is None:
            return None
        # Imported where it's used: most investigations aren't recorded.
        from tools.record.recorder import Recorder

        return Recorder(self.sources.record, self.clock, self.pseudonyms)

    def _network(self) -> Network | None:
        if self.sources.replay or self.recorder is None:
            return self.sources.replay
        from tools.record.recorded_network import RecordedNetwork

        return RecordedNetwork(self.recorder)

    @property
    def node(self) -> Node:
        """The node that the URL names; for a Sentinel URL the master, once known."""
        return self.deployment.entry

    @property
    def nodes(self) -> dict[str, Node]:
        """All nodes so far, the named one first."""
        others = {name: node for name, node in self.deployment.nodes.items() if node is not self.node}
        return {self.node.name: self.node, **others}

    @property
    def keeps_past(self) -> bool:
        """Whether there is a history of the servers."""
        replay = self.sources.replay
        return replay.tape.head.history if replay else self.past.is_kept

    def recorded(self, tool: str) -> Sequence[Reading]:
        """What a recording has of a tool that reads no node; empty where nothing is replayed."""
        replay = self.sources.replay
        return replay.tape.readings(tool, None) if replay else ()

    def names_log(self, node: Node) -> bool:
        """Whether a person named the node's log; in a recording, whether one was read."""
        replay = self.sources.replay
        return ("log", node.name) in replay.tape.seen if replay else bool(self.sources.log) and node is self.node

    @property
    def info(self) -> TargetInfo:
        """What the servers reported about themselves."""
        info = target_info(self.target.url, self.toolbox.readings, tuple(self.nodes), self.deployment.kind)
        read = {one.node for one in self.toolbox.readings if one.tool in ("info", "sentinel") and not one.unavailable}
        glanced = {node.name for node in self.nodes.values() if not self.is_sentinel(node)} & read - {*self.in_depth}
        seen = LookedAt(
            known=len(self.nodes) + self.deployment.left_out, answered=sum(name in read for name in self.nodes),
            in_depth=self.in_depth, glanced=len(glanced) if self.in_depth else 0,
        )  # fmt: skip
        return info.model_copy(update={"looked_at": seen})

    def view(self, node: Node | None = None) -> View:
        """The recent readings of a node; of the named one by default."""
        return View(self.toolbox.recent, (node or self.node).name)

    def is_sentinel(self, node: Node) -> bool:
        """Whether a node is a sentinel."""
        return self.deployment.is_sentinel(node)

    def add_pasted(self) -> None:
        """Add the servers of a paste that no other one named: whoever pasted them means them all."""
        replay = self.sources.replay
        for name, one in replay.tape.nodes.items() if replay and replay.pasted else ():
            host, _, port = name.rpartition(":")
            if not self.deployment.is_known(name) and port.isdecimal():
                said = replay.course(name).answers.facts(0.0) if replay else {}
                watches = said.get("redis_mode") == "sentinel" or any(key[0] == "SENTINEL" for key in one.outcomes)
                role: Role = "sentinel" if watches else "unknown"
                self.deployment.learn(Member(host=host.strip("[]"), port=int(port), role=role, seen="up"))

    def equip(self) -> None:
        """Give each new node its tools."""
        self.budget.widen(len(self.deployment.nodes))
        for node in self.deployment.nodes.values():
            if node.name not in self.hosts:
                self.equip_node(node)
            host = self.hosts[node.name]
            if host.reported is None:
                # With the pid known, there is no need to look for the server among all processes.
                host.confirm(node.process_id)

    def equip_node(self, node: Node) -> None:
        """Give one node its machine and its tools."""
        named, replay, sentinel = node is self.node, self.sources.replay, self.is_sentinel(node)
        facts = self.sources.facts if named else None
        host = self.hosts[node.name] = Host(
            node.target, self.clock, facts=facts, pseudonyms=self.pseudonyms, answers=lambda: node.held
        )  # fmt: skip
        if named:
            host.log_path = self.sources.log
        self.toolbox.add(tools_of(node, host, self.proposals, self.past, sentinel=sentinel, replay=replay))
        self.toolbox.add(pod_tools(self.sources.kubernetes if named else None, node.name, replay))
        self.toolbox.add(provider_tools(self.sources.provider if named else None, node.name, replay))
        self.toolbox.add(() if sentinel else tools_against(self._comparison(node.name), node.name, replay))

    def _comparison(self, node: str) -> BaselineComparison | None:
        def data_nodes() -> list[str]:
            return [name for name, one in self.nodes.items() if not self.is_sentinel(one)]

        good = self.sources.baseline
        return (
            BaselineComparison(good, node, lambda: self.toolbox.readings, data_nodes, self.clock) if good else None
        )  # fmt: skip

    def confirm(self, node: Node, view: View) -> None:
        """Take over what a server reported about its process and files."""
        host, pid = self.hosts[node.name], view.number("info", "process_id")
        host.confirm(int(pid) if pid else None, view.get("info", SYSTEM))
        host.config_file = _text(view, "info", "config_file")
        host.logfile = _text(view, "config_get", "logfile")

    def close(self) -> None:
        """Close the connections; `close_recording` closes the recording, after they have written their last."""
        self.deployment.close()

    def close_recording(self) -> None:
        """Close the recording, if there is one."""
        if self.recorder:
            self.recorder.close()


def _secrets(target: Target, past: History) -> Iterator[str]:
    if target.password:
        yield target.password.get_secret_value()
    if past.url and (password := urlsplit(past.url).password):
        yield unquote(password)


def _text(view: View, tool: str, field: str) -> str | None:
    value = view.get(tool, field)
    return None if value is None else str(value)
