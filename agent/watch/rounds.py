"""A round: one short look at every node of every target, and what it brought is kept."""

import asyncio
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from typing import NamedTuple

from agent.fleet.look import Member
from agent.watch.glance import Glance, Known, glance
from tools.clock import Clock
from tools.connection.budget import Budget
from tools.connection.node import Node
from tools.errors import RediagnoseError, Unanswered, bug
from tools.past.store import Look, Store
from tools.past.stored import Round
from tools.records import BudgetLimits
from tools.redact import Pseudonyms
from tools.server.cluster import parse_nodes
from tools.server.deployment import MOST_NODES, Deployment, Role
from tools.server.deployment import Member as Peer
from tools.server.replication import peers

JOBS = 16
"""Targets that are looked at at the same time."""
AT_ONCE = 8
"""Nodes of one target that are looked at at the same time."""
DEADLINE = 20.0
"""Seconds for a target."""
HOPS = 3
"""How far a chain of replicas is followed."""
COMMANDS, BYTES = 10 * MOST_NODES, 64 * 2**20
"""For a whole deployment; each node has its own limit."""
Memory = MutableMapping[str, Known]
"""What was known of each node after the last round."""


class Done(NamedTuple):
    """How a round went."""

    targets: int
    reached: int
    nodes: int
    skipped: tuple[str, ...]
    """Targets that are being investigated: they are left alone."""
    problems: tuple[str, ...]


async def watch_once(
    members: Sequence[Member], store: Store, clock: Clock, *, memory: Memory | None = None,
    busy: Callable[[str], bool] = lambda target: False, jobs: int = JOBS,
) -> Done:  # fmt: skip
    """Look at all members once, keep what it brought, and delete what is too old.

    `busy` says whether a target is being investigated. Raises `Unkept`.
    """
    known = {} if memory is None else memory
    rounds: list[Round] = []
    looks: list[Look] = []
    skipped: list[str] = []
    problems: list[str] = []
    ahead = iter(members)

    async def work() -> None:
        for member in ahead:
            if member.target is None:
                continue
            if busy(member.name) or busy(member.target.url):
                skipped.append(member.name)
                continue
            at = clock.now().timestamp()
            try:
                found = await _deployment(member, clock, known)
            except RediagnoseError as error:
                found = []
                problems.append(f"{member.name}: {error}")
            except Exception as error:
                # One target mustn't end the round of the others.
                found = []
                problems.append(f"{member.name}: {bug('the watch of a target', error)}")
            rounds.extend(found)
            looks.append(Look(member.name, at, any(one.figures.get("redis_up") for one in found)))

    async with asyncio.TaskGroup() as group:
        for _ in range(min(jobs, len(members))):
            group.create_task(work())
    await asyncio.to_thread(_keep, store, rounds, looks, [one.name for one in members], clock.now().timestamp())
    return Done(len(looks), sum(one.reached for one in looks), len(rounds), tuple(skipped), tuple(problems))


def _keep(store: Store, rounds: Sequence[Round], looks: Sequence[Look], names: Sequence[str], now: float) -> None:
    store.keep(rounds, looks)
    store.retain(now, names)


async def _deployment(member: Member, clock: Clock, known: Memory) -> list[Round]:
    """A look at each node of a target, as far as time allows."""
    assert member.target is not None
    limits = BudgetLimits(commands=COMMANDS, pings=0, bytes=BYTES)
    deployment = Deployment(member.target, clock, Budget(limits), Pseudonyms())
    found: dict[str, Round] = {}
    try:
        async with asyncio.timeout(DEADLINE):
            ahead = [await _entry(deployment)]
            for _ in range(1 if member.one_node else HOPS):
                await _look(deployment, ahead, found, known)
                ahead = [
                    node for name, node in deployment.nodes.items()
                    if name not in found and not deployment.is_sentinel(node)
                ]  # fmt: skip
                if not ahead:
                    break
    except TimeoutError:
        pass
    finally:
        deployment.close()
    return list(found.values())


async def _entry(deployment: Deployment) -> Node:
    """The first node to look at: the one that was named, or the primary of the first sentinel that answers."""
    if not deployment.target.watched:
        return deployment.entry
    problem: RediagnoseError | None = None
    for sentinel in list(deployment.nodes.values()):
        try:
            reply = await sentinel.one("SENTINEL", "MASTER", deployment.target.master or "")
        except Unanswered as error:
            problem = error
            continue
        words = [str(word) for word in reply]
        fields = dict(zip(words[::2], words[1::2], strict=False))
        port = fields.get("port", "")
        if port.isdecimal() and (node := deployment.learn(_peer(fields.get("ip", ""), int(port[:5]), "primary"))):
            return node
    raise problem or Unanswered("malformed", "the sentinels name no primary that can be dialled")


async def _look(deployment: Deployment, ahead: Sequence[Node], found: dict[str, Round], known: Memory) -> None:
    nodes = iter(ahead)

    async def work() -> None:
        for node in nodes:
            at = deployment.clock.now().timestamp()
            try:
                seen = await glance(node, known.get(node.name, Known()))
            except Unanswered:
                # That it didn't answer is what will be known of this moment.
                found[node.name] = Round(node=node.name, at=at, figures={"redis_up": 0.0})
                continue
            finally:
                node.close()
            if seen.watches is not None:
                deployment.tells(node, "sentinel")
            if not deployment.same(node, seen.kept.run_id):
                found[node.name] = seen.kept
                known[node.name] = seen.known
                for peer in _peers(seen):
                    deployment.learn(peer)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(AT_ONCE, len(ahead))):
            group.create_task(work())


def _peers(seen: Glance) -> Iterator[Peer]:
    """The other nodes that a node names."""
    for one in parse_nodes(seen.nodes) if seen.nodes else ():
        if one.host and not one.myself and not {"noaddr", "handshake"} & set(one.flags):
            yield _peer(one.host, one.port, "unknown")
    for host, port in seen.watches or peers(seen.info):
        yield _peer(host, port, "unknown")


def _peer(host: str, port: int, role: Role) -> Peer:
    return Peer(host=host, port=port, role=role, seen="unknown")
