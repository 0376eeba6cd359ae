"""CLUSTER: whether every slot is served, as one node sees it."""

import re
from collections import Counter
from typing import NamedTuple

from tools.connection.node import Node
from tools.connection.protocol import NotPasted, Reply, ServerError
from tools.connection.shapes import whole_number
from tools.connection.target import address
from tools.errors import Unanswered
from tools.patterns import deferred
from tools.records import Values
from tools.server.config import read_config
from tools.server.hot_keys import hot_keys
from tools.server.info import Pair, Window, pair, parse_info
from tools.server.slot_migrations import slot_migrations
from tools.server.slot_stats import busiest
from tools.toolbox import reads

SLOTS = 16384
MOST_NODES = 1000
"""Most nodes that are read; a cluster isn't meant to have more."""
SHOWN = 8
"""Most down nodes, and open slots, that are shown individually."""
PARAMETERS = [
    "cluster-node-timeout", "cluster-require-full-coverage", "cluster-allow-reads-when-down",
    "cluster-replica-validity-factor", "cluster-replica-no-failover", "cluster-migration-barrier",
    "cluster-slot-stats-enabled", "cluster-preferred-endpoint-type", "cluster-announce-hostname",
]  # fmt: skip
REDIRECTS = ("MOVED", "ASK", "TRYAGAIN", "CROSSSLOT", "CLUSTERDOWN")
_MESSAGES = deferred(r"cluster_stats_messages_(fail|auth-req|auth-ack|update|mfstart|)_?(sent|received)")
HEARD_WITHIN_MS, MOST_HEARD = 1800, 24
"""Shorter than a reading's window: a node heard within it was alive when the readings had begun."""
_OF_ALL = frozenset(("replicas", "primaries_ok", "majority", "primaries_without_replica", "share_max", "share_min"))
"""Figures that need the whole list of nodes."""
STATES = ("ok", "pfail", "fail", "handshake", "noaddr")


class ClusterNode(NamedTuple):
    """One line of CLUSTER NODES."""

    id: str
    host: str
    """Address; empty if this node doesn't know it (its own, before it met anybody)."""
    port: int
    hostname: str
    """The announced host name, else empty."""
    flags: tuple[str, ...]
    """myself, master, slave, fail?, fail, handshake, noaddr, nofailover, noflags."""
    master: str | None
    """Id of a replica's primary."""
    link_state: str
    """connected or disconnected: the bus link from the asked node."""
    epoch: int
    pong: int
    """When the asked node last heard from it, in milliseconds of its clock; 0 for itself, and if it never did."""
    slots: int
    """How many slots it serves."""
    ranges: tuple[tuple[int, int], ...]
    """First and last slot of each run."""
    migrating: dict[int, str]
    """Slot to the id of the node it goes to; only a node's own line says so."""
    importing: dict[int, str]
    """Slot to the id of the node it comes from; only a node's own line says so."""
    myself: bool

    @property
    def primary(self) -> bool:
        """Whether it's a primary, with slots or without."""
        return "master" in self.flags

    @property
    def state(self) -> str:
        """fail, pfail, handshake, noaddr or ok, as the asked node sees it."""
        order = (("fail", "fail"), ("fail?", "pfail"), ("handshake", "handshake"), ("noaddr", "noaddr"))
        return next((state for flag, state in order if flag in self.flags), "ok")


def parse_nodes(text: str) -> tuple[ClusterNode, ...]:
    """The lines of CLUSTER NODES, of any version; anything else is left out."""
    lines = text.split("\n", MOST_NODES)[:MOST_NODES]
    return tuple(node for line in lines if (node := _node(line.rstrip("\r").split(" "))) is not None)


def _node(parts: list[str]) -> ClusterNode | None:
    if len(parts) < 8:
        return None
    id, place, flags, master, _, pong, epoch, link, *owned = parts
    endpoint, _, names = place.partition(",")
    host, _, port = endpoint.partition("@")[0].rpartition(":")
    hostname = names.partition(",")[0]
    ranges, migrating, importing = _slots(owned)
    return ClusterNode(
        id=id, host=host.strip("[]"), port=whole_number(port) or 0,
        hostname="" if "=" in hostname else hostname, flags=tuple(flags.split(",")),
        master=None if master == "-" else master, link_state=link, epoch=whole_number(epoch) or 0,
        pong=whole_number(pong) or 0,
        slots=sum(last - first + 1 for first, last in ranges), ranges=ranges, migrating=migrating,
        importing=importing, myself="myself" in flags.split(","),
    )  # fmt: skip


def _slots(owned: list[str]) -> tuple[tuple[tuple[int, int], ...], dict[int, str], dict[int, str]]:
    ranges: list[tuple[int, int]] = []
    migrating: dict[int, str] = {}
    importing: dict[int, str] = {}
    for part in owned:
        if part.startswith("["):
            # [slot->-target] or [slot-<-source]
            slot, arrow, other = part.strip("[]").partition("->-")
            if not arrow:
                slot, arrow, other = part.strip("[]").partition("-<-")
            if arrow and (number := _slot(slot)) is not None:
                (migrating if arrow == "->-" else importing)[number] = other
            continue
        first, _, last = part.partition("-")
        begin, end = _slot(first), _slot(last or first)
        if begin is not None and end is not None and begin <= end and len(ranges) < SLOTS:
            ranges.append((begin, end))
    return tuple(ranges), migrating, importing


def _slot(text: str) -> int | None:
    number = whole_number(text)
    return number if number is not None and number < SLOTS else None


@reads
async def cluster(node: Node, window: Window = 2.0) -> Values:
    """The cluster as this node sees it: state, slots, failed nodes, redirects.

    `slots_unserved` are slots without a working primary, `down1` the first node that isn't ok (`.state` is fail where
    the majority agrees, pfail where only this node says so). Only a slot's own two nodes report that it's open:
    `open1.slot`, `.direction` (migrating or importing), `.peer` and `.keys`, the keys still here. `my_share` is this
    node's part of all slots, `share_max` the largest. `errorstat_MOVED.count.delta` and the like are what clients were
    told over the window. `heard1` etc. are nodes heard on the bus in the last two seconds, whatever their own port
    does. `slot1` has the most keys, if the server reports it, and `hot1` took the most CPU
    (cluster-slot-stats-enabled); `hotkey1` is the key that took most, if HOTKEYS counts (Redis 8.6). `migration1` is
    the newest move of whole slots, with `.state` (running, done, failed, cancelled), `.reason` and `.age` in seconds.
    Not a cluster: unknown-command.
    """
    (first_text,) = await node.ask(("CLUSTER", "INFO"))
    if isinstance(first_text, NotPasted):
        (listed,) = await node.ask(("CLUSTER", "NODES"))
        return _listed(node, parse_nodes(str(node.value(listed))))
    first = _info(node, first_text)
    both = await pair(node, window)
    last_text, text = await node.ask(("CLUSTER", "INFO"), ("CLUSTER", "NODES"))
    values: Values = {"window_seconds": round(both.seconds, 3)}
    last = _info(node, last_text)
    values |= _view(first, last, both)
    if isinstance(text, ServerError):
        values["nodes.unavailable"] = text.kind or "unknown-command"
    else:
        nodes = parse_nodes(str(text))
        values |= _nodes(node, nodes) | _heard(node, nodes, both) | _mine(nodes) | await _open(node, nodes)
        values |= await slot_migrations(node, both.last, last, {one.id: _address(node, one) for one in nodes})
    values |= await _config(node)
    return values | await busiest(node, by_cpu=values.get("cluster-slot-stats-enabled") == "yes") | await hot_keys(node)


def _listed(node: Node, nodes: tuple[ClusterNode, ...]) -> Values:
    """What CLUSTER NODES shows where a person pasted it without CLUSTER INFO, and maybe not the whole of it."""
    failed = sum(one.slots for one in nodes if one.primary and one.state == "fail")
    values: Values = {"cluster_slots_fail": failed, "slots_unserved": failed or None, **_nodes(node, nodes)}
    if sum(one.slots for one in nodes if one.primary) < SLOTS:
        # Who isn't in it may stand in a line that was left out.
        values |= {field: None for field in values if field in _OF_ALL or field.endswith(".replicas_ok")}
    return values | _mine(nodes)


def _info(node: Node, reply: Reply) -> Values:
    if isinstance(reply, ServerError) and "cluster support disabled" in reply.text:
        raise Unanswered("unknown-command", f"{node.name} isn't a node of a cluster: cluster support is disabled")
    return parse_info(f"# cluster\r\n{node.value(reply)}", node.pseudonyms)["cluster"]


def _view(first: Values, last: Values, both: Pair) -> Values:
    values: Values = {}
    for name, value in last.items():
        counter = _MESSAGES.fullmatch(name)
        if counter or not name.startswith("cluster_stats_"):
            values[name] = value
        old = first.get(name)
        if counter and isinstance(value, int) and isinstance(old, int):
            values[f"{name}.delta"] = value - old
    assigned, served = last.get("cluster_slots_assigned"), last.get("cluster_slots_ok")
    values["slots_unassigned"] = SLOTS - assigned if isinstance(assigned, int) else None
    values["slots_unserved"] = SLOTS - served if isinstance(served, int) else None
    changed = both.changes(frozenset({"stats", "errorstats", "keyspace"}))
    for word in REDIRECTS:
        count = f"errorstat_{word}.count"
        values |= {key: changed[key] for key in (count, f"{count}.delta") if key in changed}
    values["total_commands_processed.rate"] = changed.get("total_commands_processed.rate")
    keys = [value for field, value in changed.items() if re.fullmatch(r"db\d+\.keys", field)]
    values["keys"] = sum(value for value in keys if isinstance(value, int))
    return values


def _nodes(node: Node, nodes: tuple[ClusterNode, ...]) -> Values:
    states = Counter(one.state for one in nodes)
    primaries = [one for one in nodes if one.primary]
    serving = [one for one in primaries if one.slots]
    values: Values = {f"nodes.{state}": states[state] for state in STATES}
    values |= {
        "nodes": len(nodes), "primaries": len(primaries), "replicas": sum(one.master is not None for one in nodes),
        # Primaries with slots vote; a merely suspected one doesn't answer either.
        "primaries_ok": sum(one.state == "ok" for one in serving),
        "majority": 2 * sum(one.state == "ok" for one in serving) > len(serving) if serving else None,
        "primaries_without_slots": len(primaries) - len(serving),
        "primaries_without_replica": sum(not _replicas_of(one, nodes) for one in serving),
        "disconnected": sum(one.link_state != "connected" for one in nodes if not one.myself),
        "share_max": round(max((one.slots for one in serving), default=0) / SLOTS, 4),
        "share_min": round(min((one.slots for one in serving), default=0) / SLOTS, 4),
    }  # fmt: skip
    bad = [one for one in nodes if one.state != "ok" or (one.link_state != "connected" and not one.myself)]
    # Nodes with slots come first.
    for number, one in enumerate(sorted(bad, key=lambda one: -one.slots)[:SHOWN], 1):
        values |= {
            f"down{number}.address": _address(node, one), f"down{number}.state": one.state,
            f"down{number}.role": "primary" if one.primary else "replica", f"down{number}.slots": one.slots,
            f"down{number}.link_state": node.pseudonyms.plain("state", one.link_state),
            f"down{number}.replicas_ok": sum(other.state == "ok" for other in _replicas_of(one, nodes)),
        }  # fmt: skip
    return values


def _heard(node: Node, nodes: tuple[ClusterNode, ...], both: Pair) -> Values:
    """Nodes heard on the bus a moment ago, by the asked node's clock."""
    now = both.last.flat(frozenset({"server"})).get("server_time_usec")
    if not isinstance(now, int):
        return {}
    lately = [one for one in nodes if one.pong and 0 <= now / 1e3 - one.pong <= HEARD_WITHIN_MS]
    return {f"heard{number}": _address(node, one) for number, one in enumerate(lately[:MOST_HEARD], 1)}


def _mine(nodes: tuple[ClusterNode, ...]) -> Values:
    me = next((one for one in nodes if one.myself), None)
    if me is None:
        return {"my_role": None}
    replicas = _replicas_of(me, nodes)
    return {
        "my_role": "primary" if me.primary else "replica", "my_slots": me.slots,
        "my_share": round(me.slots / SLOTS, 4), "my_replicas": len(replicas),
        "my_replicas_ok": sum(one.state == "ok" for one in replicas),
    }  # fmt: skip


async def _open(node: Node, nodes: tuple[ClusterNode, ...]) -> Values:
    me = next((one for one in nodes if one.myself), None)
    migrating, importing = (me.migrating, me.importing) if me else ({}, {})
    values: Values = {"slots_migrating": len(migrating), "slots_importing": len(importing)}
    slots = [("migrating", *one) for one in migrating.items()] + [("importing", *one) for one in importing.items()]
    shown = slots[:SHOWN]
    if not shown:
        return values
    counts = await node.ask(*(("CLUSTER", "COUNTKEYSINSLOT", slot) for _, slot, _ in shown))
    for number, ((direction, slot, id), count) in enumerate(zip(shown, counts, strict=True), 1):
        peer = next((one for one in nodes if one.id == id), None)
        values |= {
            f"open{number}.slot": slot, f"open{number}.direction": direction,
            f"open{number}.peer": _address(node, peer) if peer else "unknown",
            f"open{number}.peer_state": peer.state if peer else "unknown",
            f"open{number}.keys": count if isinstance(count, int) else None,
        }  # fmt: skip
    return values


async def _config(node: Node) -> Values:
    try:
        config = await read_config(node, PARAMETERS)
    except Unanswered as error:
        if error.kind not in ("denied", "unknown-command", "not-pasted"):
            raise
        return {"config.unavailable": error.kind}
    raw = {name: config.get(name) for name in PARAMETERS}
    numbers = {name: whole_number(str(value)) for name, value in raw.items()}
    return {name: value if numbers[name] is None else numbers[name] for name, value in raw.items()}


def _replicas_of(one: ClusterNode, nodes: tuple[ClusterNode, ...]) -> list[ClusterNode]:
    return [other for other in nodes if other.master == one.id]


def _address(node: Node, one: ClusterNode) -> str:
    return node.pseudonyms.plain("address", address(one.host, one.port))
