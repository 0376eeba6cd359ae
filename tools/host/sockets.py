"""The server's sockets: what `netstat` and `ss` say about its port, and the kernel's counters."""

from collections import Counter

from tools.host.diag import Socket, listening, read_tables, tcp_sockets
from tools.host.listener import Place
from tools.host.local import Host, Window, offload
from tools.host.proc import Files
from tools.records import Values
from tools.toolbox import reads

PEERS = 5
"""Peer addresses that are shown."""
COUNTED = ("established", "syn_recv", "close_wait", "fin_wait1", "fin_wait2", "last_ack", "closing", "time_wait")
COUNTERS = (
    ("ListenOverflows", "netstat", "TcpExt", "ListenOverflows"), ("ListenDrops", "netstat", "TcpExt", "ListenDrops"),
    ("TCPTimeouts", "netstat", "TcpExt", "TCPTimeouts"),
    ("TCPAbortOnMemory", "netstat", "TcpExt", "TCPAbortOnMemory"),
    ("TCPRetransSegs", "snmp", "Tcp", "RetransSegs"), ("TCPOutSegs", "snmp", "Tcp", "OutSegs"),
)  # fmt: skip
"""Our name, file of /proc/net, its group, its name."""
_WILDCARDS = ("0.0.0.0", "::")
_UNIX_LISTENS, _UNIX_CONNECTED, _UNIX_CONNECTING = 0x10000, 3, 2


@reads
async def sockets(host: Host, window: Window = 1.0) -> Values:
    """The server's sockets: its listen queue, connections by TCP state.

    `recv_q` connections wait to be accepted in a queue for `send_q` (of several listeners the sum and the largest;
    null where it isn't told); above it new ones are dropped. Connections by state are the server's side, those not
    accepted yet among them; `unread_bytes` the server hasn't read, `unacked_bytes` its peers haven't acknowledged,
    `retransmitting` connections wait for an acknowledgement that is overdue. `peer1.address` has the most of them.
    ListenOverflows, ListenDrops, TCPRetransSegs, TCPOutSegs, TCPTimeouts and TCPAbortOnMemory are of the whole
    machine (its network namespace), not of this server alone; `drops` are connections that this server's own listeners
    had no room for (null where the kernel doesn't say); `.delta` is over the window.
    """
    place = await host.local_place()

    def sample(files: Files) -> dict[str, int | None]:
        return {**_counters(files), "drops": _drops(host, place)}

    before, after, seconds = await host.sample_twice(sample, window)
    values: Values = {**host.provenance(place), "listening": place.pid is not None}
    asked: list[int] = []
    if host.target.path is not None:
        values |= await offload(_unix_values, host.files, place)
    else:
        if place.locality == "host-facts":
            found, source = read_tables(host.files, place.port or 0)
            asked = [int(limit) for limit in (host.files.text("ss") or "").split() if limit.isdecimal()]
        else:
            found, source = await offload(tcp_sockets, host.target.port)
        values |= _tcp_values(place, found, asked) if source else {}
        values["source"] = source or None
    values |= {
        "somaxconn": host.files.number("/proc/sys/net/core/somaxconn"),
        "tcp_max_syn_backlog": host.files.number("/proc/sys/net/ipv4/tcp_max_syn_backlog"),
    }
    for name, count in after.items():
        earlier = before[name]
        values[name] = count
        values[f"{name}.delta"] = count - earlier if count is not None and earlier is not None else None
    return {**values, "window_seconds": round(seconds, 3)}


def _drops(host: Host, place: Place) -> int | None:
    if host.facts or host.target.port is None:
        return None
    try:
        own = [one.drops for one in listening(host.target.port) if one.address in place.addresses]
    except OSError:
        return None
    return sum(drops for drops in own if drops is not None) if own and None not in own else None


def _counters(files: Files) -> dict[str, int | None]:
    """Machine-wide counters since boot, from /proc/net/netstat and /proc/net/snmp."""
    groups = {(file, group) for _, file, group, _ in COUNTERS}
    tables = {(file, group): files.table(f"/proc/net/{file}", group) for file, group in groups}
    return {ours: tables[file, group].get(name) for ours, file, group, name in COUNTERS}


def _tcp_values(place: Place, found: list[Socket], asked: list[int]) -> Values:
    # Another server may have the same port at another address; where this one listens everywhere, all are its own.
    everywhere = not place.addresses or any(address in _WILDCARDS for address in place.addresses)
    listeners = [one for one in found if one.state == "listen" and one.address in place.addresses]
    others = [one for one in found if one.state != "listen" and (everywhere or one.address in place.addresses)]
    limits = [one.send_q for one in listeners if one.send_q is not None] or asked
    states, peers = Counter[str](), Counter[str]()
    for one in others:
        states[one.state] += one.alike
        # One that waits for its last segment to be forgotten is no peer any more.
        if one.state != "time_wait":
            peers[one.peer] += one.alike
    values: Values = {
        "recv_q": sum(one.alike * one.recv_q for one in listeners) if listeners else None,
        "send_q": max(limits, default=None), "listeners": sum(one.alike for one in listeners),
        **{state: states[state] for state in COUNTED},
        "unread_bytes": sum(one.alike * one.recv_q for one in others),
        "unacked_bytes": sum(one.alike * (one.send_q or 0) for one in others),
        "retransmitting": sum(one.alike for one in others if one.retransmits > 0), "peers": len(peers),
    }  # fmt: skip
    for rank, (address, count) in enumerate(sorted(peers.items(), key=lambda one: (-one[1], one[0]))[:PEERS], 1):
        values |= {f"peer{rank}.address": address, f"peer{rank}.count": count}
    return values


def _unix_values(files: Files, place: Place) -> Values:
    """Counts from /proc/net/unix by the path as it was bound, which leaves out the queue's limit."""
    lines = (files.text("/proc/net/unix") or "").splitlines()[1:]
    bound = [fields for line in lines if len(fields := line.split(maxsplit=7)) == 8 and fields[7] in place.addresses]
    listeners = sum(bool(int(fields[3], 16) & _UNIX_LISTENS) for fields in bound)
    states = Counter(int(fields[5], 16) for fields in bound if not int(fields[3], 16) & _UNIX_LISTENS)
    known = listeners > 0
    return {
        "recv_q": states[_UNIX_CONNECTING] if known else None, "send_q": None, "listeners": listeners,
        "established": states[_UNIX_CONNECTED] + states[_UNIX_CONNECTING] if known else None,
        "source": "proc" if lines else None,
    }  # fmt: skip
