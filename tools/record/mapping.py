"""Recorded addresses mapped to loopback: no address in a recording is ever dialled, or handed out to be dialled."""

import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tools.connection.protocol import Reply, ServerError
from tools.record.tape import Key, NodeTape, Tape
from tools.server.cluster import parse_nodes

LOOPBACK = "127.0.0.1"
Place = tuple[str, str]
"""Host and port as a recording has them."""
_REDIRECT = re.compile(r"(MOVED|ASK) (\d{1,5}) (.*):(\d{1,5})")
_TOLD = re.compile(r"(?<!\S)(\S+)([: ])(\d{1,5})(?!\S)")
"""An address in a sentinel's message."""
_REPLICA = re.compile(r"(slave\d+:ip=)(.{0,1024}),port=(\d+)(,.*)?")
_WATCHED = re.compile(r"(master\d+:.{0,512},address=)(.{0,512}):(\d+)(,.{0,512})?")
LONGEST = 2048
"""Characters of a line that names an address."""
_HOSTS, _PORTS = ("ip", "endpoint", "master-host", "hostname"), ("port", "master-port", "tls-port")


def place_of(node: str) -> Place | None:
    """Host and port of a node's name; None for a Unix socket's."""
    host, colon, port = node.rpartition(":")
    if not colon or node.startswith("unix:") or not port.isdecimal():
        return None
    return host.strip("[]"), port


class Places:
    """Which port serves which address."""

    def __init__(self, tape: Tape, ports: dict[str, int], spare: Callable[[], int]) -> None:
        self._ports = ports
        """By node."""
        self._spare = spare
        """A port on which nobody listens, for an address that was named but never dialled."""
        self._nodes: dict[Place, str] = {}
        known = [(node, place) for node in ports if (place := place_of(node))]
        for node, place in known:
            self._nodes.setdefault(place, node)
        for node, (host, port) in known:
            for other in (*(tape.names.get(host) or ()), *_aliases(tape.nodes[node])):
                self._nodes.setdefault((other, port) if isinstance(other, str) else other, node)
        self._unknown: dict[Place, int] = {}

    def knows(self, host: str, port: Any) -> bool:
        """Whether it's the address of a recorded node."""
        return (host.strip("[]"), str(port)) in self._nodes

    def port(self, host: str, port: Any, own: str) -> int:
        """The port that serves an address, as node `own` names it: an empty host is its own."""
        if host in ("", "?"):
            host = (place_of(own) or ("", ""))[0]
        place = host.strip("[]"), str(port)
        if place in self._nodes:
            return self._ports[self._nodes[place]]
        if place not in self._unknown:
            self._unknown[place] = self._spare()
        return self._unknown[place]

    def mapped(self, asked: Key, reply: Reply, own: str) -> Reply:
        """A reply of node `own` with loopback ports in place of the addresses that a client would dial."""
        if isinstance(reply, ServerError):
            match = _REDIRECT.fullmatch(reply.text)
            if match is None:
                return reply
            return ServerError(f"{match[1]} {match[2]} {LOOPBACK}:{self.port(match[3], match[4], own)}")
        how = next((how for words, how in _HOW if asked[: len(words)] == words), None)
        right = str if asked[:1] == ("INFO",) or asked[:2] == ("CLUSTER", "NODES") else list
        return how(self, reply, own) if how is not None and reply and isinstance(reply, right) else reply

    def message(self, reply: Reply, own: str) -> Reply:
        """What a sentinel published."""
        if not isinstance(reply, list) or not reply or not isinstance(reply[-1], str):
            return reply

        def one(match: re.Match[str]) -> str:
            host, between, port = match.groups()
            meant = self.knows(host, port) or _is_address(host)
            return f"{LOOPBACK}{between}{self.port(host, port, own)}" if meant else match[0]

        return [*reply[:-1], _TOLD.sub(one, reply[-1])]

    def _info(self, reply: Reply, own: str) -> Reply:
        lines = str(reply).split("\r\n")
        fields = dict(line.split(":", 1) for line in lines if ":" in line)
        above = fields.get("master_host", ""), fields.get("master_port", "")
        for number, line in enumerate(lines):
            name, _, value = line.partition(":")
            if len(line) <= LONGEST and (match := _REPLICA.fullmatch(line)):
                lines[number] = f"{match[1]}{LOOPBACK},port={self.port(match[2], match[3], own)}{match[4] or ''}"
            elif len(line) <= LONGEST and (match := _WATCHED.fullmatch(line)):
                lines[number] = f"{match[1]}{LOOPBACK}:{self.port(match[2], match[3], own)}{match[4] or ''}"
            elif name in ("master_host", "master_port") and value:
                lines[number] = f"{name}:{LOOPBACK if name == 'master_host' else self.port(*above, own)}"
        return "\r\n".join(lines)

    def _config(self, reply: Reply, own: str) -> Reply:
        def one(name: Any, value: Any) -> Any:
            words = str(value).split()
            if str(name) not in ("replicaof", "slaveof") or len(words) != 2:
                return value
            return f"{LOOPBACK} {self.port(words[0], words[1], own)}"

        return [word for name, value in _pairs(reply) for word in (name, one(name, value))]

    def _nodes_lines(self, reply: Reply, own: str) -> Reply:
        return "".join(f"{self._node_line(line, own)}\n" for line in str(reply).splitlines())

    def _node_line(self, line: str, own: str) -> str:
        id_, _, rest = line.partition(" ")
        place, _, rest = rest.partition(" ")
        address, *names = place.split(",")
        match = re.fullmatch(r"(.*):(\d+)(@\d+)?", address)
        if match is None or match[2] == "0":
            return line
        # A host name follows the address, and other addresses may; anything else is kept.
        others = "".join(f",{name}" for name in names[1:] if name.startswith(("shard-id=", "availability-zone=")))
        mapped = f"{LOOPBACK}:{self.port(match[1], match[2], own)}{match[3] or ''}{',' * bool(others)}{others}"
        return f"{id_} {mapped} {rest}"

    def _slots(self, reply: Reply, own: str) -> Reply:
        return [[*row[:2], *(self._endpoint(node, own) for node in row[2:])] if isinstance(row, list) else row
                for row in reply]  # fmt: skip

    def _endpoint(self, node: Any, own: str) -> Any:
        if not isinstance(node, list) or len(node) < 2:
            return node
        metadata = dict(_pairs(node[3])) if len(node) > 3 and isinstance(node[3], list) else {}
        hosts = [str(host) for host in (metadata.get("ip"), node[0], metadata.get("hostname")) if host]
        host = next((host for host in hosts if self.knows(host, node[1])), hosts[0] if hosts else "")
        return [LOOPBACK, self.port(host, node[1], own), *node[2:3], *([[]] if len(node) > 3 else [])]

    def _shards(self, reply: Reply, own: str) -> Reply:
        return [self._shard(row, own) if isinstance(row, list) else row for row in reply]

    def _shard(self, row: list[Any], own: str) -> list[Any]:
        done: list[Any] = []
        for name, value in _pairs(row):
            known = name == "nodes" and isinstance(value, list)
            done += [name, [self._fields(node, own) for node in value] if known else value]
        return done

    def _fields(self, row: Any, own: str) -> Any:
        """Names and values, addresses among them, of a sentinel's row or a shard's node."""
        if not isinstance(row, list):
            return row
        fields = {str(name): value for name, value in _pairs(row)}
        done: list[Any] = []
        for name, value in _pairs(row):
            if name in _PORTS and str(value) not in ("0", ""):
                host = str(fields.get("master-host" if name == "master-port" else "ip") or fields.get("endpoint") or "")
                port = self.port(host, value, own)
                value = port if isinstance(value, int) else str(port)
            elif name in _HOSTS and value:
                value = LOOPBACK
            elif name == "name" and (place := place_of(str(value))):
                value = f"{LOOPBACK}:{self.port(*place, own)}"
            done += [name, value]
        return done

    def _rows(self, reply: Reply, own: str) -> Reply:
        return [self._fields(row, own) for row in reply]

    def _address(self, reply: Reply, own: str) -> Reply:
        return [LOOPBACK, str(self.port(str(reply[0]), reply[1], own))] if len(reply) == 2 else reply

    def _role(self, reply: Reply, own: str) -> Reply:
        if reply[0] == "slave" and len(reply) > 2:
            return ["slave", LOOPBACK, self.port(str(reply[1]), reply[2], own), *reply[3:]]
        if reply[0] == "master" and len(reply) > 2 and isinstance(reply[2], list):
            rows = [[LOOPBACK, str(self.port(str(row[0]), row[1], own)), *row[2:]] for row in reply[2]
                    if isinstance(row, list) and len(row) > 1]  # fmt: skip
            return [*reply[:2], rows]
        return reply


_HOW: tuple[tuple[Key, Callable[[Places, Reply, str], Reply]], ...] = (
    (("INFO",), Places._info), (("CONFIG", "GET"), Places._config), (("ROLE",), Places._role),
    (("CLUSTER", "NODES"), Places._nodes_lines), (("CLUSTER", "REPLICAS"), Places._rows),
    (("CLUSTER", "SLOTS"), Places._slots), (("CLUSTER", "SHARDS"), Places._shards),
    (("SENTINEL", "MASTERS"), Places._rows), (("SENTINEL", "MASTER"), Places._fields),
    (("SENTINEL", "REPLICAS"), Places._rows), (("SENTINEL", "SLAVES"), Places._rows),
    (("SENTINEL", "SENTINELS"), Places._rows), (("SENTINEL", "GET-MASTER-ADDR-BY-NAME"), Places._address),
)  # fmt: skip


def _pairs(flat: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    return zip(flat[::2], flat[1::2], strict=False)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _aliases(tape: NodeTape) -> Iterator[str | Place]:
    """Other addresses of a node: those that were dialled in its name, and its own in a cluster."""
    for dial in tape.dials:
        if isinstance(address := dial.stages.get("address"), str):
            yield address
    for outcome in tape.outcomes.get(("CLUSTER", "NODES"), ()):
        for one in parse_nodes(str(outcome.reply)):
            if one.myself and one.host:
                yield one.host, str(one.port)
            if one.myself and one.hostname:
                yield one.hostname, str(one.port)
