"""Which nodes a deployment has, starting from what was given: a node, or the sentinels that watch it."""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from typing import Any

from tools.connection.node import Node
from tools.connection.protocol import ServerError
from tools.connection.shapes import whole_number
from tools.connection.target import address
from tools.errors import RediagnoseError, Unanswered, UsageError
from tools.records import Values
from tools.server.cluster import ClusterNode, parse_nodes
from tools.server.deployment import MOST_NODES, Deployment, Member, Role, Seen
from tools.server.facts import facts_or_failure, own_facts
from tools.server.hello import sentinel_of
from tools.server.replication import peers
from tools.toolbox import reads

MOST_MASTERS = 24
"""Most masters of one sentinel that are queried by name."""
HOPS = 4
"""How far a chain of replicas is followed."""


@reads
async def topology(deployment: Deployment) -> Values:
    """Which nodes belong to this deployment.

    `topology` is standalone, replication, sentinel or cluster. Per node `n1.node`, `.role`, and `.seen`: how the node
    that reported it sees it (up, down), which can differ from what is seen from here; `self` for the reporter. Of more
    nodes than are examined (`left_out`), those that their peers consider down come first. `sentinels` says whether a
    sentinel was heard on a data node: announced, silent (one is connected but said nothing), none, not-asked.
    """
    if deployment.target.watched:
        await _from_sentinels(deployment)
    else:
        if deployment.target.host:
            await _resolve(deployment, deployment.entry)
        await _from_node(deployment, deployment.entry)
    values: Values = {
        "topology": deployment.kind, "nodes": len(deployment.nodes), "left_out": deployment.left_out,
        "sentinels": deployment.sentinels,
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
        for master in (await entry.one("SENTINEL", "MASTERS"))[:MOST_MASTERS]:
            await _watch(deployment, entry, str(_fields(master).get("name")))
        deployment.kind = "sentinel"
    elif mode == "cluster":
        await _from_cluster(deployment, entry)
    else:
        await _from_replication(deployment, entry, facts)
        if deployment.kind == "replication":
            await _from_announcement(deployment)


async def _from_cluster(deployment: Deployment, entry: Node) -> None:
    members = parse_nodes(str(await entry.one("CLUSTER", "NODES")))
    for one in by_trouble(members):
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
                # A cluster runs one version, except during an upgrade.
                node.version = entry.version
    deployment.kind = "cluster"


def by_trouble(members: Sequence[ClusterNode], most: int = MOST_NODES) -> list[ClusterNode]:
    """The asked node first; if there are more than `most`, which can't all be examined, then failing nodes, possible
    successors, and primaries."""
    failing = {one.id for one in members if one.state != "ok" or (one.link_state != "connected" and not one.myself)}

    def rank(one: ClusterNode) -> tuple[bool, bool, bool, bool]:
        if len(members) <= most:
            return not one.myself, False, False, False
        return not one.myself, not (one.id in failing and one.slots), one.master not in failing, not one.primary

    return sorted(members, key=rank)


async def _from_replication(deployment: Deployment, entry: Node, first: Values) -> None:
    """Follow masters and replicas from the entry; each is asked for its own peers, and identified by its run_id."""
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


async def _from_announcement(deployment: Deployment) -> None:
    """Given a data node, we also learn of the sentinels: one announces itself, and it knows the others."""
    held = [node for node in deployment.nodes.values() if node.held]
    # Sentinels also announce themselves on replicas, if the primary is gone.
    held.sort(key=lambda node: deployment.members[node.name].role != "primary")
    if not held:
        return
    deployment.sentinels, place = await sentinel_of(held[0])
    if place is None:
        return
    sentinel = deployment.learn(Member(host=place[0], port=place[1], role="sentinel", seen="up"))
    if sentinel is None or not deployment.is_sentinel(sentinel):
        return
    with contextlib.suppress(Unanswered):
        rows = (await sentinel.one("SENTINEL", "MASTERS"))[:MOST_MASTERS]
        for name in [str(_fields(row).get("name")) for row in rows if _names(deployment, _fields(row))]:
            await _watch(deployment, sentinel, name)
            deployment.kind = "sentinel"


def _names(deployment: Deployment, watched: dict[str, str]) -> bool:
    """Whether what a sentinel watches is a node of this deployment."""
    port = whole_number(watched.get("port", "")) or 0
    return deployment.is_known(address(watched.get("ip", ""), port))


def _learn_peers(deployment: Deployment, node: Node, facts: Values) -> None:
    replica = facts.get("role") == "slave"
    deployment.tells(node, "replica" if replica else "primary")
    up = facts.get("master_link_status") == "up"
    for host, port in peers(facts):
        above = replica and (host, port) == (facts.get("master_host"), facts.get("master_port"))
        seen: Seen = ("up" if up else "down") if above else "up"
        deployment.learn(Member(host=host, port=port, role="unknown" if above else "replica", seen=seen))


async def _from_sentinels(deployment: Deployment) -> None:
    """Ask the sentinels in turn; the first answer counts. Raises the last one's `Unanswered` if none answers."""
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
    """Record a node's addresses too: that is how its peers name it."""
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
        rows = (await sentinel.one("SENTINEL", "MASTERS"))[:MOST_MASTERS]
        known = [deployment.pseudonyms.plain("master", str(_fields(row).get("name"))) for row in rows]
        raise UsageError(f"the sentinel at {sentinel.name} watches no master {name!r}; it watches {', '.join(known)}")
    found = deployment.learn(_watched(_fields(sentinel.value(master)), "primary"))
    told = [_watched(_fields(row), "replica") for row in replicas] if isinstance(replicas, list) else []
    told += [_watched(_fields(row), "sentinel") for row in sentinels] if isinstance(sentinels, list) else []
    if len(told) + len(deployment.nodes) > MOST_NODES:
        told.sort(key=lambda member: (member.seen != "down", member.role != "sentinel"))
    for member in told:
        node = deployment.learn(member)
        if node is not None and member.role == "sentinel":
            node.masters.add(name)
    sentinel.masters.add(name)
    return found


def _watched(fields: dict[str, str], role: Role) -> Member:
    flags = set(fields.get("flags", "").split(","))
    down = flags & {"s_down", "o_down", "disconnected"}
    port = whole_number(fields.get("port", "")) or 0
    return Member(host=fields.get("ip", ""), port=port, role=role, seen="down" if down else "up")


def _fields(row: Iterable[Any]) -> dict[str, str]:
    words = [str(word) for word in row]
    return dict(zip(words[::2], words[1::2], strict=False))
