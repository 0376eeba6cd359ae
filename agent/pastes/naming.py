"""Addresses of servers that were pasted without: as their neighbours, who were pasted too, name them."""

import ipaddress
import re
from collections.abc import Iterator, Sequence

from agent.pastes.servers import Server
from tools.connection.target import address
from tools.paste.headings import place_of
from tools.paste.pieces import Piece
from tools.server.cluster import parse_nodes

_REPLICA = re.compile(r"ip=(?P<host>[^,]{1,253}),port=(?P<port>\d{1,5})")
_MASTER = re.compile(r"address=(?P<host>[^,]{1,253}?):(?P<port>\d{1,5})(?:,|$)")


def is_strong(node: str | None) -> bool:
    """Whether an address is of one server only: each machine has a loopback of its own."""
    host = (node or "").rpartition(":")[0].strip("[]")
    if not host or host in ("localhost", "redis", "valkey"):
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


def own_place(piece: Piece) -> str | None:
    """The address of the node that printed CLUSTER NODES."""
    try:
        mine = next((one for one in parse_nodes(piece.text) if one.myself), None)
    except ValueError:
        return None
    return address(mine.host, mine.port) if mine and mine.host and 0 < mine.port < 65536 else None


def give_names(servers: Sequence[Server]) -> None:
    """Name those without an address, by a label or by what the others say; the rest are numbered."""
    _apart(servers)
    for one in servers:
        if one.node is None and one.label:
            one.node = place_of(one.label, one.port)
    for role, places in (("replica", _replicas), ("master", _masters)):
        told = {place for one in servers for place in places(one)} - {one.node for one in servers}
        if len(servers) == 1:
            break
        nameless = [one for one in servers if not is_strong(one.node) and one.role == role]
        fitting = {place for place in told if nameless and place.endswith(f":{nameless[0].port}")}
        if len(nameless) == 1 and len(fitting) == 1 and is_strong(place := fitting.pop()):
            nameless[0].node = place
    for number, one in enumerate([one for one in servers if one.node is None], 1):
        one.number = number


def _apart(servers: Sequence[Server]) -> None:
    """Take away what two of them would have in common: both can't listen there, so it says nothing."""
    for number, one in enumerate(servers):
        if one.node and any(one.node == other.node for other in servers[:number]):
            one.node = None


def _replicas(server: Server) -> Iterator[str]:
    for number in range(64):
        if found := _REPLICA.match(server.said(f"slave{number}")):
            yield address(found["host"], int(found["port"]))


def _masters(server: Server) -> Iterator[str]:
    if (host := server.said("master_host")) and (port := server.said("master_port")).isdecimal():
        yield address(host, int(port))
    for number in range(16):
        if found := _MASTER.search(server.said(f"master{number}")):
            yield address(found["host"], int(found["port"]))
