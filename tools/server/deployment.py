"""The nodes of one deployment, found from what was given: a node, or the sentinels that watch it."""

import asyncio
import re
from collections.abc import Iterable
from typing import Any, Literal

from tools.clock import Clock
from tools.connection.budget import Budget
from tools.connection.network import Network, SystemNetwork
from tools.connection.node import Node
from tools.connection.protocol import ServerError
from tools.connection.shapes import whole_number
from tools.connection.target import Target, address
from tools.connection.tokens import tokens_of
from tools.errors import RediagnoseError, Unanswered, UsageError
from tools.records import Record, Values
from tools.redact import Pseudonyms
from tools.server.cluster import parse_nodes
from tools.server.facts import facts_or_failure, own_facts
from tools.server.replication import peers
from tools.toolbox import reads

MOST_NODES = 24
"""Nodes that are looked at; a larger deployment is looked at in part, and the answer says so."""
HOPS = 4
"""How far a chain of replicas is followed."""
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,253}")
"""Host names and addresses: a replica tells its own, and can tell anything."""
Topology = Literal["standalone", "replication", "sentinel", "cluster"]
Role = Literal["primary", "replica", "sentinel", "unknown"]
Seen = Literal["self", "up", "down", "unknown"]


class Member(Record):
    """One node, as another one reports it."""

    host: str
    port: int
    role: Role
    seen: Seen
    """How the reporting node sees it: from here it may look different."""

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
        """Null until a node has said it."""
        self.left_out = 0
        """Nodes beyond `MOST_NODES`."""
        self._tokens = tokens_of(target.credentials, clock)
        self._aliases: dict[str, str] = {}
        self._lives: dict[str, str] = {}
        given = target.sentinels or ((target.host or "", target.port or 0),)
        for host, port in given:
            self._add(target.at(host, port) if target.watched else target, "sentinel" if target.watched else "unknown")
        self.entry = next(iter(self.nodes.values()))
        """The node that the URL names; of a Sentinel URL the master once it's known, and the first sentinel before."""

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
        """What a node says that it is itself."""
        self.members[node.name] = self.members[node.name].model_copy(update={"role": role, "seen": "self"})

    def learn(self, member: Member) -> Node | None:
        """The node of a member, made if it's new; None beyond the bound, and for a place that can't be dialled."""
        if not _NAME.fullmatch(member.host) or not 0 < member.port < 65536:
            return None
        name = self._aliases.get(member.name, member.name)
        if name in self.nodes:
            seen = self.members[name].seen
            role = member.role if member.role != "unknown" else self.members[name].role
            self.members[name] = self.members[name].model_copy(
                update={"role": role, "seen": member.seen if seen in ("self", "unknown") else seen}
            )
            return self.nodes[name]
        if len(self.nodes) >= MOST_NODES:
            self.left_out += 1
            return None
        node = self._add(self.target.neighbour(member.host, member.port), member.role)
        self.members[name] = member
        return node

    def same(self, node: Node, run_id: str) -> bool:
        """Whether a node is one that is known under another address; it's forgotten then."""
        if not run_id:
            return False
        known = self._lives.setdefault(run_id, node.name)
        if known == node.name or node.name not in self.nodes:
            return False
        self._aliases[node.name] = known
        alias = self.members.pop(node.name)
        self.nodes.pop(node.name).close()
        self.members[known] = self.members[known].model_copy(update={"role": alias.role, "seen": alias.seen})
        return True

    def also_known_as(self, name: str, node: Node) -> None:
        """Another address of a node."""
        if name != node.name:
            self._aliases[name] = node.name

    def close(self) -> None:
        """Close every connection that is held."""
        for node in self.nodes.values():
            node.close()


@reads
async def topology(deployment: Deployment) -> Values:
    """Which nodes belong to this deployment, as those that were given tell it.

    `topology` is standalone, replication, sentinel or cluster. Per node `n1.node`, `.role`, and `.seen`: how the node
    that told of it sees it (up, down), which can differ from what is seen from here; `self` for the teller.
    """
    if deployment.target.watched:
        await _from_sentinels(deployment)
    else:
        if deployment.target.host:
            await _resolve(deployment, deployment.entry)
        await _from_node(deployment, deployment.entry)
    values: Values = {
        "topology": deployment.kind, "nodes": len(deployment.nodes), "left_out": deployment.left_out,
    }  # fmt: skip
    for number, (name, member) in enumerate(deployment.members.items(), 1):
        shown = name if name.startswith("unix:") else deployment.pseudonyms.plain("address", name)
        values |= {f"n{number}.node": shown, f"n{number}.role": member.role, f"n{number}.seen": member.seen}
    return values


async def _from_node(deployment: Deployment, entry: Node) -> None:
    facts = await own_facts(entry)
    mode = facts.get("server_mode") or facts.get("redis_mode")
    if mode == "sentinel":
        deployment.tells(entry, "sentinel")
        for master in (await entry.one("SENTINEL", "MASTERS"))[:MOST_NODES]:
            await _watch(deployment, entry, str(_fields(master).get("name")))
        deployment.kind = "sentinel"
    elif mode == "cluster":
        await _from_cluster(deployment, entry)
    else:
        await _from_replication(deployment, entry, facts)


async def _from_cluster(deployment: Deployment, entry: Node) -> None:
    members = parse_nodes(str(await entry.one("CLUSTER", "NODES")))
    for one in sorted(members, key=lambda member: not member.myself):
        role: Role = "replica" if {"slave", "replica"} & set(one.flags) else "primary"
        if one.myself:
            deployment.also_known_as(address(one.host, one.port), entry)
            deployment.tells(entry, role)
        elif not one.host or {"noaddr", "handshake"} & set(one.flags):
            continue
        else:
            down = {"fail", "fail?"} & set(one.flags) or one.link_state != "connected"
            node = deployment.learn(Member(host=one.host, port=one.port, role=role, seen="down" if down else "up"))
            if node and node.version is None:
                # A cluster runs one version, but for the hours of an upgrade.
                node.version = entry.version
    deployment.kind = "cluster"


async def _from_replication(deployment: Deployment, entry: Node, first: Values) -> None:
    """Follow masters and replicas from the entry; each is asked for its own peers, and known by its run_id."""
    asked: set[str] = set()
    facts: dict[str, Values] = {entry.name: first}
    deployment.same(entry, str(first.get("run_id") or ""))
    for _ in range(HOPS):
        for name, values in facts.items():
            if name in deployment.nodes and name not in asked:
                asked.add(name)
                _learn_peers(deployment, deployment.nodes[name], values)
        new = [node for name, node in list(deployment.nodes.items()) if name not in facts and name not in asked]
        if not new:
            break
        async with asyncio.TaskGroup() as group:
            asking = [group.create_task(facts_or_failure(node)) for node in new]
        for node, task in zip(new, asking, strict=True):
            answer = task.result()
            if isinstance(answer, RediagnoseError):
                asked.add(node.name)
                if not isinstance(answer, Unanswered):
                    raise answer
            elif not deployment.same(node, str(answer.get("run_id") or "")):
                facts[node.name] = answer
    deployment.kind = "replication" if len(deployment.nodes) > 1 or first.get("role") == "slave" else "standalone"


def _learn_peers(deployment: Deployment, node: Node, facts: Values) -> None:
    replica = facts.get("role") == "slave"
    deployment.tells(node, "replica" if replica else "primary")
    up = facts.get("master_link_status") == "up"
    for host, port in peers(facts):
        above = replica and (host, port) == (facts.get("master_host"), facts.get("master_port"))
        seen: Seen = ("up" if up else "down") if above else "up"
        deployment.learn(Member(host=host, port=port, role="unknown" if above else "replica", seen=seen))


async def _from_sentinels(deployment: Deployment) -> None:
    """Ask the sentinels in turn; the first that answers tells. Raises the last one's `Unanswered` if none does."""
    failure: Unanswered | None = None
    given = list(deployment.nodes.values())
    async with asyncio.TaskGroup() as group:
        for sentinel in given:
            group.create_task(_resolve(deployment, sentinel))
    for sentinel in given:
        try:
            master = await _watch(deployment, sentinel, deployment.target.master or "")
        except Unanswered as error:
            failure = error
            continue
        deployment.kind = "sentinel"
        if master is not None:
            deployment.entry = master
        return
    assert failure is not None
    raise failure


async def _resolve(deployment: Deployment, node: Node) -> None:
    """Know a node by its addresses too: that is how its peers name it."""
    try:
        found = await deployment.network.addresses(node.target.host or "", node.target.port or 0)
    except OSError:
        return
    for place in found:
        deployment.also_known_as(address(place, node.target.port or 0), node)


async def _watch(deployment: Deployment, sentinel: Node, name: str) -> Node | None:
    """Learn the master of a name, its replicas and its sentinels; the master's node."""
    master, replicas, sentinels = await sentinel.ask(
        ("SENTINEL", "MASTER", name), ("SENTINEL", "REPLICAS", name), ("SENTINEL", "SENTINELS", name)
    )
    if isinstance(master, ServerError) and "no such master" in master.text.lower():
        rows = (await sentinel.one("SENTINEL", "MASTERS"))[:MOST_NODES]
        known = [deployment.pseudonyms.plain("master", str(_fields(row).get("name"))) for row in rows]
        raise UsageError(f"the sentinel at {sentinel.name} watches no master {name!r}; it watches {', '.join(known)}")
    found = deployment.learn(_watched(_fields(sentinel.value(master)), "primary"))
    for role, rows in (("replica", replicas), ("sentinel", sentinels)):
        for row in rows if isinstance(rows, list) else ():
            deployment.learn(_watched(_fields(row), "replica" if role == "replica" else "sentinel"))
    return found


def _watched(fields: dict[str, str], role: Role) -> Member:
    flags = set(fields.get("flags", "").split(","))
    down = flags & {"s_down", "o_down", "disconnected"}
    port = whole_number(fields.get("port", "")) or 0
    return Member(host=fields.get("ip", ""), port=port, role=role, seen="down" if down else "up")


def _fields(row: Iterable[Any]) -> dict[str, str]:
    words = [str(word) for word in row]
    return dict(zip(words[::2], words[1::2], strict=False))
