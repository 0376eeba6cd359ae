"""The known nodes of one deployment, and how one reports another."""

import ipaddress
from typing import Literal, NamedTuple

from tools.clock import Clock
from tools.connection.budget import Budget
from tools.connection.network import Network, SystemNetwork
from tools.connection.node import Node
from tools.connection.target import Target, address
from tools.connection.tokens import tokens_of
from tools.patterns import deferred
from tools.redact import Pseudonyms
from tools.server.hello import Heard

MOST_NODES = 1000
"""Most nodes that are examined, which is what a cluster is meant to have at most (Redis' cluster specification); a
larger deployment is examined in part, and the answer says so."""
MOST_ABROAD = 24
"""Most of them without credentials: names, and addresses that anybody on the Internet may have.

A server can name any, but must not make us knock on a thousand doors.
"""
_NAME = deferred(r"[A-Za-z0-9_.:-]{1,253}")
"""Host names and addresses: a replica reports its own, and can claim anything."""
Topology = Literal["standalone", "replication", "sentinel", "cluster"]
Role = Literal["primary", "replica", "sentinel", "unknown"]
Seen = Literal["self", "up", "down", "unknown"]


class Member(NamedTuple):
    """One node, as another one reports it."""

    host: str
    port: int
    role: Role
    seen: Seen
    """How the reporting node sees it; it may look different from here."""

    @property
    def name(self) -> str:
        """host:port."""
        return address(self.host, self.port)


class Deployment:
    """The nodes that are known so far."""

    def __init__(
        self, target: Target, clock: Clock, budget: Budget, pseudonyms: Pseudonyms, network: Network | None = None
    ) -> None:
        self.target = target
        self.network = network or SystemNetwork()
        self.clock = clock
        self.budget = budget
        self.pseudonyms = pseudonyms
        self.nodes: dict[str, Node] = {}
        self.members: dict[str, Member] = {}
        """By name; the reporting node's view of each."""
        self.kind: Topology | None = None
        """Null until a node has reported it."""
        self.sentinels: Heard | None = None
        """Whether a sentinel was heard on a data node; null if nobody listened."""
        self.left_out = 0
        """Nodes beyond `MOST_NODES` and `MOST_ABROAD`."""
        self._tokens = tokens_of(target.credentials, clock)
        self._abroad = 0
        self._aliases: dict[str, str] = {}
        self._lives: dict[str, str] = {}
        given = target.sentinels or ((target.host or "", target.port or 0),)
        for host, port in given:
            self._add(target.at(host, port) if target.watched else target, "sentinel" if target.watched else "unknown")
        self.entry = next(iter(self.nodes.values()))
        """The node that the URL names; for a Sentinel URL the master once known, and the first sentinel before that."""

    def _add(self, target: Target, role: Role) -> Node:
        node = Node(target, self.clock, self.budget, self.pseudonyms, self.network, self._tokens)
        # A sentinel often has no password although its data nodes have one.
        node.lenient = role == "sentinel"
        self.nodes[node.name] = node
        self.members[node.name] = Member(host=target.host or "", port=target.port or 0, role=role, seen="self")
        return node

    def is_sentinel(self, node: Node) -> bool:
        """Whether this node is a sentinel, as far as is known."""
        return self.members[node.name].role == "sentinel"

    def tells(self, node: Node, role: Role) -> None:
        """What a node says about itself."""
        self.members[node.name] = self.members[node.name]._replace(role=role, seen="self")

    def learn(self, member: Member) -> Node | None:
        """The node of a member, created if it's new; None beyond the limit, and for an address that can't be
        dialled."""
        if not _NAME.fullmatch(member.host) or not 0 < member.port < 65536:
            return None
        name = self._aliases.get(member.name, member.name)
        if name in self.nodes:
            seen = self.members[name].seen
            role = member.role if member.role != "unknown" else self.members[name].role
            self.members[name] = self.members[name]._replace(
                role=role, seen=member.seen if seen in ("self", "unknown") else seen
            )
            return self.nodes[name]
        abroad = not self.target.has_credentials and _is_abroad(member.host, self.target)
        self._abroad += abroad
        if len(self.nodes) >= MOST_NODES or (abroad and self._abroad > MOST_ABROAD):
            self.left_out += 1
            return None
        node = self._add(self.target.neighbour(member.host, member.port), member.role)
        self.members[name] = member
        return node

    def same(self, node: Node, run_id: str) -> bool:
        """Whether a node is already known under another address; it is then forgotten."""
        if not run_id:
            return False
        known = self._lives.setdefault(run_id, node.name)
        if known == node.name or node.name not in self.nodes:
            return False
        self._aliases[node.name] = known
        alias = self.members.pop(node.name)
        self.nodes.pop(node.name).close()
        self.members[known] = self.members[known]._replace(role=alias.role, seen=alias.seen)
        return True

    def is_known(self, name: str) -> bool:
        """Whether a node has this address."""
        return self._aliases.get(name, name) in self.nodes

    def also_known_as(self, name: str, node: Node) -> None:
        """Another address of a node."""
        if name != node.name:
            self._aliases[name] = node.name

    def close(self) -> None:
        """Close every open connection."""
        for node in self.nodes.values():
            node.close()


def _is_abroad(host: str, target: Target) -> bool:
    """Whether a neighbour's host is a name, or an address that is neither private nor in a network a person named."""
    try:
        there = ipaddress.ip_address(host)
    except ValueError:
        return host != target.host
    return there.is_global and host != target.host and not any(there in network for network in target.trust)
