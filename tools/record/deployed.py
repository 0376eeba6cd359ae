"""What a recording implies about a cluster or a Sentinel's masters, in the forms in which clients ask for it."""

import binascii
import re
from collections.abc import Callable, Iterable
from typing import Any

from tools.connection.protocol import Reply
from tools.record.tape import Key
from tools.server.cluster import ClusterNode, parse_nodes
from tools.server.command_keys import first_key

At = Callable[[Key], Reply | None]
"""The reply to a recorded command by the moment, or None."""
SLOTS = 16384


def slot_of(name: str) -> int:
    """The slot of a key."""
    tagged = re.match(r"[^{]*\{([^}]+)\}", name)
    return binascii.crc_hqx((tagged[1] if tagged else name).encode("utf-8", "surrogateescape"), 0) % SLOTS


def _nodes(at: At) -> tuple[ClusterNode, ...]:
    return parse_nodes(str(at(("CLUSTER", "NODES")) or ""))


def _shares(nodes: tuple[ClusterNode, ...]) -> Iterable[tuple[ClusterNode, list[ClusterNode]]]:
    """Each primary that can be dialled, with its replicas."""
    there = [one for one in nodes if one.port and not {"handshake", "noaddr"} & set(one.flags)]
    return ((one, [other for other in there if other.master == one.id]) for one in there if one.master is None)


def slots(args: Key, at: At) -> Reply | None:
    """CLUSTER SLOTS."""
    nodes = _nodes(at)
    rows = [[first, last, *([one.host, one.port, one.id] for one in (primary, *replicas))]
            for primary, replicas in _shares(nodes) for first, last in primary.ranges]  # fmt: skip
    return sorted(rows) if nodes else None


def shards(args: Key, at: At) -> Reply | None:
    """CLUSTER SHARDS, without replication offsets, which nobody asked for."""

    def node_of(one: ClusterNode, role: str) -> list[Any]:
        health = "fail" if "fail" in one.flags else "online"
        return ["id", one.id, "port", one.port, "ip", one.host, "endpoint", one.host, "role", role, "health", health]

    nodes = _nodes(at)
    rows = [["slots", [bound for span in primary.ranges for bound in span],
             "nodes", [node_of(primary, "master"), *(node_of(one, "replica") for one in replicas)]]
            for primary, replicas in _shares(nodes)]  # fmt: skip
    return rows if nodes else None


def my_id(args: Key, at: At) -> Reply | None:
    """CLUSTER MYID."""
    return next((one.id for one in _nodes(at) if one.myself), None)


def key_slot(args: Key, at: At) -> Reply | None:
    """CLUSTER KEYSLOT: arithmetic."""
    return slot_of(args[0]) if len(args) == 1 else None


def elsewhere(words: Key, at: At) -> tuple[int, ClusterNode] | None:
    """The slot of a command's first key and its primary, if that is another node."""
    name = first_key(words)
    if name is None or not (nodes := _nodes(at)):
        return None
    slot = slot_of(name)
    owner = next((one for one in nodes if any(first <= slot <= last for first, last in one.ranges)), None)
    return None if owner is None or owner.myself else (slot, owner)


def _row(name: str, at: At) -> list[Any] | None:
    one = at(("SENTINEL", "MASTER", name))
    if isinstance(one, list):
        return one
    every = at(("SENTINEL", "MASTERS"))
    return next((row for row in every or () if isinstance(row, list) and _fields(row).get("name") == name), None)


def _fields(row: list[Any]) -> dict[str, Any]:
    return {str(name): value for name, value in zip(row[::2], row[1::2], strict=False)}


def master(args: Key, at: At) -> Reply | None:
    """SENTINEL MASTER."""
    return _row(args[0], at) if args else None


def master_address(args: Key, at: At) -> Reply | None:
    """SENTINEL GET-MASTER-ADDR-BY-NAME."""
    master = _fields(_row(args[0], at) or []) if args else {}
    return [str(master["ip"]), str(master["port"])] if {"ip", "port"} <= set(master) else None


def replicas(args: Key, at: At) -> Reply | None:
    """SENTINEL SLAVES, and REPLICAS where the older name was asked for."""
    return at(("SENTINEL", "REPLICAS", *args)) or at(("SENTINEL", "SLAVES", *args))


FORMS: tuple[tuple[Key, Callable[[Key, At], Reply | None]], ...] = (
    (("CLUSTER", "SLOTS"), slots), (("CLUSTER", "SHARDS"), shards), (("CLUSTER", "MYID"), my_id),
    (("CLUSTER", "KEYSLOT"), key_slot), (("SENTINEL", "MASTER"), master),
    (("SENTINEL", "GET-MASTER-ADDR-BY-NAME"), master_address), (("SENTINEL", "SLAVES"), replicas),
    (("SENTINEL", "REPLICAS"), replicas),
)  # fmt: skip
SINCE: dict[Key, tuple[int, int]] = {("CLUSTER", "SHARDS"): (7, 0)}
"""The version from which there is one of them, where not all have it."""
