"""Who listens at an address of this machine."""

import contextlib
import ipaddress
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Literal, NamedTuple

from tools.connection.target import Target
from tools.errors import Unanswered
from tools.host.diag import listening
from tools.host.proc import Files
from tools.host.processes import all_pids, exists, is_alive, name_and_executable, parent_of
from tools.host.server_program import is_server
from tools.patterns import deferred
from tools.records import Record
from tools.redact import PLAIN

Locality = Literal[
    "local", "no-listener", "other-machine", "foreign-listener", "unseen-listener", "other-server", "host-facts",
]  # fmt: skip
SERVERS = deferred(r"(redis|valkey|keydb)[0-9.-]*(server|sentinel)[0-9.-]*|dragonfly([-_.].*)?", re.IGNORECASE)
"""Names of the programs that speak this protocol as a server; proxies, exporters and clients aren't among them."""

STAND_IN = "127.82.69.80"
"""Where a replay listens on the port of a node that refuses connections: that port isn't this machine's own affair."""

_SOCKET = deferred(r"socket:\[(\d{1,20})\]")


class Place(Record):
    """Where the listener is, seen from here."""

    locality: Locality
    """`local` and `no-listener` are of this machine, `host-facts` of one where somebody ran the script; of the others
    nothing can be read here."""
    detail: str
    """What was seen, for a person."""
    pid: int | None = None
    """The listener's process, as far as it's visible."""
    name: str | None = None
    """Its name; "other" for one that isn't a plain identifier."""
    addresses: tuple[str, ...] = ()
    """The addresses that this process listens at on the target's port; for a Unix socket the path, as it was bound."""
    port: int | None = None
    """With `host-facts`: the port that was looked at there, which a port-forward may have changed."""
    tunnel_listens: bool | None = None
    """Of a server that is reached through an address of this machine and runs elsewhere: whether anything listens
    here that could lead there; null for any other."""
    elsewhere: str | None = None
    """With `no-listener`: an address at which a server listens on the same port."""


class Listener(NamedTuple):
    """A listening socket and its process; pid is None where this user may not see it."""

    address: str
    pid: int | None
    name: str
    server: bool


def find_listener(
    target: Target, addresses: list[str], reported: int | None, known: int | None, answers: bool = False
) -> Place:  # fmt: skip
    """Who listens at the target's addresses; `answers` says whether somebody does answer there.

    Raises `Unanswered` ("restarted") where it's another than it was.
    """
    if target.host is not None:
        for address in addresses:
            if not _is_ours(address):
                return Place(locality="other-machine", detail=f"{address} isn't an address of this machine")
    listeners = _listeners(target, reported)
    # The kernel prefers the exact address to the wildcard.
    hits = [one for one in listeners if one.address in addresses or target.path]
    hits += [one for one in listeners if one not in hits and _covers(one, addresses)]
    if not hits:
        return _without_listener(target, listeners, reported, known, answers)
    # A socket can be held by several processes; the one that INFO names is the one that answers.
    # A Unix socket's connections that aren't accepted yet belong to nobody.
    seen_hits = [one for one in hits if one.pid is not None] or hits
    hit = next((one for one in seen_hits if one.pid == reported), None) or _parent_server(seen_hits[0])
    if hit.pid is None:
        detail = f"this user can't see the process that listens at {target.node}: run as root or as its user"
        return Place(locality="unseen-listener", detail=detail)
    name = plain_name(hit.name)
    held = tuple(dict.fromkeys(one.address for one in listeners if one.pid == hit.pid))
    seen = {"pid": hit.pid, "name": name, "addresses": held}
    if reported is not None and hit.pid != reported:
        if reported == known and hit.server and not exists(reported):
            raise Unanswered(
                "restarted", f"process {reported} is gone, and {name} {hit.pid} is listening: read INFO again"
            )
        detail = (
            f"{name} {hit.pid} is listening here, but INFO is from process "
            f"{reported}: a proxy, port-forward or container"
        )
        locality: Locality = "other-server" if hit.server else "foreign-listener"
    elif not hit.server:
        why = "it isn't a Redis server: a proxy?" if reported is None else "its program isn't a Redis server"
        locality, detail = "foreign-listener", f"{name} {hit.pid} is listening here, and {why}"
    else:
        locality, detail = "local", f"{name} {hit.pid} listens at {target.node}"
    return Place.model_validate({"locality": locality, "detail": detail, **seen})


def _listeners(target: Target, reported: int | None) -> list[Listener]:
    """The listeners; once more where one ended while it was looked at, such as a child that had saved."""
    for _ in range(3):
        found = list(_listeners_at_path(target.path) if target.path else _listeners_at_port(target.port or 0, reported))
        if all(one.pid is None or is_alive(one.pid) for one in found):
            break
    return found


def _parent_server(hit: Listener) -> Listener:
    """The server that forked this one, if one did: a child that saves holds its parent's socket for a moment too."""
    parent = parent_of(hit.pid) if hit.pid is not None and program(hit.pid)[1] else None
    return _listener(hit.address, parent) if parent is not None and program(parent)[1] else hit


def _without_listener(
    target: Target, listeners: list[Listener], reported: int | None, known: int | None, answers: bool
) -> Place:  # fmt: skip
    if (reported is not None and reported != known) or (reported is None and answers):
        # It answers, and not through a socket of this network namespace: address translation into a container.
        who = "a server" if reported is None else f"process {reported}"
        detail = f"{who} answers at {target.node}, but nothing listens there in this network namespace"
        return Place(locality="foreign-listener", detail=detail)
    if any(one.address == STAND_IN for one in listeners):
        detail = f"a replay keeps {target.node} closed: readings of this machine aren't about the server's machine"
        return Place(locality="foreign-listener", detail=detail)
    elsewhere = next((one.address for one in listeners if one.server), None)
    return Place(locality="no-listener", detail=f"nothing listens at {target.node}", elsewhere=elsewhere)


def _listeners_at_port(port: int, reported: int | None) -> Iterable[Listener]:
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            inodes = {one.inode: plain_address(one.address) for one in listening(port)}
            return _holders(inodes, reported)
    import psutil

    return (
        _listener(plain_address(connection.laddr.ip), pid)
        for connection, pid in _connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
    )


def _holders(inodes: dict[int, str], reported: int | None) -> list[Listener]:
    """Who holds some sockets: the process that INFO names if it does, else the servers that do, else whoever does.

    All processes' files are many: they're looked at only where none of the likelier ones has the socket.
    """
    found: list[Listener] = []
    left, seen = dict(inodes), set[int]()
    groups: tuple[Callable[[], list[int]], ...] = (
        lambda: [reported] if reported else [], _server_pids, all_pids
    )  # fmt: skip
    for group in groups:
        if not left:
            break
        pids = [pid for pid in group() if pid not in seen]
        seen |= {*pids}
        held = [(pid, inode) for pid in pids for inode in sockets_of(pid, left)]
        found += [_listener(left[inode], pid) for pid, inode in held]
        left = {inode: address for inode, address in left.items() if inode not in {one for _, one in held}}
    return [*found, *(_listener(address, None) for address in left.values())]


def _server_pids() -> list[int]:
    return [one.pid for one in Files().tasks() if SERVERS.fullmatch(one.name)]


def sockets_of(pid: int, inodes: Iterable[int], most: int | None = None) -> Iterator[int]:
    """Those of some sockets that a process holds, by its first `most` files; none where its files can't be seen."""
    left = set(inodes)
    with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/fd") as files:
        for one in islice(files, most):
            if not left:
                # What a server listens with is among its first files, and its clients may be thousands.
                return
            with contextlib.suppress(OSError):
                match = _SOCKET.fullmatch(os.readlink(one.path))
                if match and (inode := int(match[1])) in left:
                    left.remove(inode)
                    yield inode


def _listeners_at_path(path: str) -> Iterable[Listener]:
    """Each socket bound to the path: those of accepted connections too, and they are the same process's."""
    import psutil

    resolved = os.path.realpath(path)
    names = os.path.basename(path), os.path.basename(resolved)
    for connection, pid in _connections("unix"):
        bound = connection.laddr
        if not isinstance(bound, str) or os.path.basename(bound) not in names:
            continue
        where = bound
        if not os.path.isabs(bound) and pid is not None:
            # The server bound it relative to where it was started.
            with contextlib.suppress(psutil.Error):
                where = os.path.join(psutil.Process(pid).cwd(), bound)
        if os.path.realpath(where) == resolved:
            yield _listener(bound, pid)


def _connections(kind: str) -> Iterable[tuple[Any, int | None]]:
    import psutil

    try:
        yield from ((one, one.pid) for one in psutil.net_connections(kind))
    except psutil.AccessDenied:
        # macOS shows a user only the sockets of his own processes.
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                yield from ((one, process.pid) for one in process.net_connections(kind))


def _listener(address: str, pid: int | None) -> Listener:
    if pid is None:
        return Listener(address, pid, "", False)
    name, server = program(pid)
    # Anybody can name a process; what it runs tells.
    return Listener(address, pid, name, server and (sys.platform != "linux" or is_server(pid)))


def program(pid: int) -> tuple[str, bool]:
    """A process' name, empty for one that is gone, and whether it's a server by that or by its executable's."""
    name, executable = name_and_executable(pid)
    # Whose executable may not be seen is judged by its name alone.
    names = (name,) if executable is None else (name, os.path.basename(executable))
    return name, any(SERVERS.fullmatch(one) for one in names)


def servers(files: Files) -> list[int]:
    """The pids of the machine's server processes: zombies and forked children (a BGSAVE) aren't counted."""
    found = {one.pid: one.parent for one in files.tasks() if SERVERS.fullmatch(one.name) and one.state != "Z"}
    return [pid for pid, parent in found.items() if parent not in found]


def plain_name(name: str) -> str:
    """A process' name if it's a plain identifier, else "other": anybody can choose one."""
    return name if PLAIN.fullmatch(name) else "other"


def _is_ours(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    return parsed.is_loopback or parsed.is_unspecified or address in _own_addresses()


def _own_addresses() -> set[str]:
    import psutil

    return {plain_address(one.address) for of_one in psutil.net_if_addrs().values() for one in of_one}


def _covers(listener: Listener, addresses: list[str]) -> bool:
    """Whether a wildcard listener takes connections to one of the addresses."""
    versions = {ipaddress.ip_address(address).version for address in addresses}
    if listener.address == "::":
        # Redis and its kin make an IPv6 listener take IPv6 only; what others do can't be seen, and most take both.
        return 6 in versions or not listener.server
    return listener.address == "0.0.0.0" and 4 in versions


def plain_address(address: str) -> str:
    """Without a scope; an IPv4 address that is mapped into IPv6 as IPv4."""
    bare = address.partition("%")[0]
    return bare.removeprefix("::ffff:") if "." in bare else bare


def is_running(place: Place) -> bool:
    """Whether the listener that was found here still runs."""
    return place.locality == "local" and place.pid is not None and is_alive(place.pid)
