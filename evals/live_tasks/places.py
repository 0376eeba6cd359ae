"""What a server's place among others is: its role, its neighbours, its slots, and whom a sentinel watches."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from evals.lab.topologies import SLOTS
from evals.lab.wire import Wire
from tools.records import Record
from tools.server.cluster import ClusterNode, parse_nodes

Role = Literal["master", "slave", "sentinel"]
SENTINEL_SETTINGS = ("quorum", "down-after-milliseconds", "failover-timeout", "parallel-syncs")
"""Of each master that a sentinel watches, as SENTINEL MASTER names them."""


class Place(Record):
    """One server among the others, as it sees itself."""

    role: Role
    neighbours: tuple[str, ...]
    linked: bool = True
    """Whether a replica's link is up."""
    owners: dict[int, str] | None = None
    """The node that has each slot and isn't giving it away, of a server in a cluster."""
    open: frozenset[int] = frozenset()
    """Slots that this server is giving away or taking."""
    mine: frozenset[int] | None = None
    """Slots whose keys this server may have; null where it's in no cluster."""


async def place(wire: Wire, info: Mapping[str, str]) -> Place:
    """Where a server is that says this of itself. Raises one of `LOST`."""
    if "role" not in info:
        # Only a sentinel has none; the field that says so has two names.
        return await _watching(wire)
    role: Role = "slave" if info["role"] == "slave" else "master"
    linked = info.get("master_link_status", "up") == "up"
    if info.get("cluster_enabled") == "1":
        nodes = parse_nodes(str(await wire.ask("CLUSTER", "NODES")))
        return _in_cluster(nodes).model_copy(update={"role": role, "linked": linked})
    reply = await wire.ask("ROLE")
    if role == "master":
        replicas = sorted(f"replica {host}:{port}" for host, port, _ in reply[2])
        return Place(role="master", neighbours=("master", *replicas))
    return Place(role="slave", neighbours=(f"replica of {reply[1]}:{reply[2]}",), linked=linked)


def _in_cluster(nodes: Sequence[ClusterNode]) -> Place:
    own = next(node for node in nodes if node.myself)
    opened = frozenset((*own.migrating, *own.importing))
    owners = {slot: node.id for node in nodes for slot in _slots(node) if slot not in opened}
    return Place(
        role="master", neighbours=tuple(sorted(_neighbour(node) for node in nodes)), owners=owners, open=opened,
        mine=frozenset((*_slots(own), *own.importing)),
    )  # fmt: skip


def _neighbour(node: ClusterNode) -> str:
    # Where it is, it has to learn from another one that it meets.
    at = "here" if node.myself else f"{node.host}:{node.port}"
    role = "primary" if node.primary else f"replica of {(node.master or '?')[:8]}"
    return f"{node.id[:8]} {at} {role}"


def _slots(node: ClusterNode) -> Iterator[int]:
    for first, last in node.ranges:
        yield from range(first, last + 1)


async def _watching(wire: Wire) -> Place:
    found = []
    for reply in await wire.ask("SENTINEL", "MASTERS"):
        master = _pairs(reply)
        found.append(f"watches {master['name']} at {master['ip']}:{master['port']}")
        peers = [_pairs(peer) for peer in await wire.ask("SENTINEL", "SENTINELS", master["name"])]
        found += [f"knows the sentinel {peer['ip']}:{peer['port']}" for peer in peers]
    return Place(role="sentinel", neighbours=tuple(sorted(found)))


async def sentinel_settings(wire: Wire) -> dict[str, str]:
    """What SENTINEL SET can change, by `sentinel NAME`. Raises one of `LOST`."""
    masters = [_pairs(reply) for reply in await wire.ask("SENTINEL", "MASTERS")]
    return {f"sentinel {name}": one[name] for one in masters for name in SENTINEL_SETTINGS if name in one}


def _pairs(reply: Sequence[str]) -> dict[str, str]:
    return dict(zip(reply[::2], reply[1::2], strict=True))


def undecided(places: Sequence[Place]) -> frozenset[int]:
    """Slots that nobody has, or that are open: who gets them is for whoever repairs the cluster."""
    views = [one.owners for one in places if one.owners is not None]
    nobody = frozenset(range(SLOTS)) - frozenset(slot for view in views for slot in view)
    return frozenset(slot for one in places for slot in one.open) | (nobody if views else frozenset())


def handed_over(before: Place, after: Place, free: frozenset[int]) -> Iterator[str]:
    """The slots that have another owner, or none, and weren't free to have one."""
    old, new = before.owners or {}, after.owners or {}
    lost = sorted(slot for slot in old if slot not in free and new.get(slot) != old[slot])
    if lost:
        yield f"{len(lost)} slots have another owner or none, such as {lost[0]}"
    if opened := sorted(after.open - before.open - free):
        yield f"{len(opened)} slots were opened, such as {opened[0]}"
