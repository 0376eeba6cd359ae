"""The TCP sockets of one port, as `ss` sees them: from the kernel's inet_diag, else from /proc/net/tcp."""

import contextlib
import os
import socket
import struct
import time
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from tools.host.proc import Files

STATES = (
    "none", "established", "syn_sent", "syn_recv", "fin_wait1", "fin_wait2", "time_wait", "close", "close_wait",
    "last_ack", "listen", "closing", "syn_recv",
)  # fmt: skip
"""The kernel's numbers of TCP states; the last is a request that isn't a full socket yet, named as in `ss`."""
PATIENCE = 2.0
"""Seconds for the whole dump."""
_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY, _TCPDIAG_GETSOCK, _NLMSG_ERROR, _NLMSG_DONE = 20, 18, 2, 3
_REQUEST_DUMP = 0x301
_LISTENING = 1 << STATES.index("listen")
ALL = 0xFFFFFFFF
_LARGEST = 1 << 16
"""Bytes of a datagram: the kernel fills at most half of it."""
_BYTECODE = 1
_SKMEMINFO, _DROPS = 7, 8
"""The attribute that holds a socket's memory figures, and the place of its drops among them (linux/sock_diag.h)."""
_PORT_AT_LEAST, _PORT_AT_MOST = 2, 3
_HEADER = struct.Struct("=IHHII")
_ALIKE = "=16x4s4x32s16x8s"
_MESSAGE = struct.Struct(f"{_ALIKE}4xI")
"""Behind the header family, state, timer and retransmissions; both addresses, both queues, and the inode
(linux/inet_diag.h)."""


_PORT_AT = 20
"""Where the local port stands, in the network's byte order."""


class Socket(NamedTuple):
    """One TCP socket on this side."""

    state: str
    """One of `STATES`."""
    address: str
    """Local address."""
    peer: str
    """Remote address."""
    recv_q: int
    """Bytes that the process hasn't read; for a listener, connections waiting to be accepted."""
    send_q: int | None
    """Bytes that the peer hasn't acknowledged; for a listener, the most that may wait, null if unknown."""
    retransmits: int
    """Retransmissions of the segment that waits for its acknowledgement."""
    inode: int = 0
    """The inode by which its processes know it; 0 if no process holds it."""
    drops: int | None = None
    """For a listener: connections it had to drop since it began to listen; null if the kernel doesn't report it."""
    port: int = 0
    """The local port; 0 where it's the one that was asked for."""
    alike: int = 1
    """How many are identical except for the inode, which is then 0: thousands of clients come from a few addresses."""


def tcp_sockets(port: int) -> tuple[list[Socket], str]:
    """The sockets with this local port, and where that was read: "inet_diag", "proc", or "" for nowhere."""
    # Each dump goes through all sockets of the machine, so both families are requested together if supported.
    for families in ((socket.AF_UNSPEC,), _families()):
        with contextlib.suppress(AttributeError, OSError):
            return [one for family in families for one in _alike(family, port)], "inet_diag"
    # No Linux, no such module in the kernel, or a sandbox that forbids netlink.
    return read_tables(Files(), port)


def listening(port: int) -> list[Socket]:
    """The sockets that listen on a port. Raises `OSError` if no table of them can be read."""
    try:
        return [_listener(one) for family in _families() for one in _messages(family, port, _LISTENING)]
    except (AttributeError, OSError):
        found, source = read_tables(Files(), port)
        if not source:
            raise OSError("no table of TCP sockets") from None
        return [one for one in found if one.state == "listen"]


def all_listening() -> list[Socket]:
    """All sockets that listen, with their ports. Raises `OSError` if no table of them can be read."""
    try:
        return [_listener(one) for family in _families() for one in _messages(family, None, _LISTENING)]
    except (AttributeError, OSError):
        found, source = read_tables(Files(), None)
        if not source:
            raise OSError("no table of TCP sockets") from None
        return [one for one in found if one.state == "listen"]


def read_tables(files: Files, port: int | None) -> tuple[list[Socket], str]:
    """The same from /proc/net/tcp and tcp6, of one port or of all."""
    tables = [files.text(f"/proc/net/{name}") for name in ("tcp", "tcp6")]
    found = [one for table in tables if table for one in parse_table(table, port)]
    return found, "proc" if any(tables) else ""


def _families() -> list[int]:
    return [socket.AF_INET, *([socket.AF_INET6] if os.path.exists("/proc/net/tcp6") else [])]


def _alike(family: int, port: int) -> Iterator[Socket]:
    """The sockets of one address family or both, identical ones combined. Raises `OSError` like `_dump`."""
    counts = Counter[tuple[bytes, ...]]()
    for data, length in _dump(family, port, ALL):
        # Counted without a Python step for each: there may be ten thousand.
        counts.update(Counter(struct.iter_unpack(f"{_ALIKE}{length - struct.calcsize(_ALIKE)}x", data)))
    for (state, addresses, queues), count in counts.items():
        yield _of(state, addresses, queues)._replace(alike=count)


def _messages(family: int, port: int | None, states: int) -> Iterator[bytes]:
    for data, length in _dump(family, port, states):
        yield from (data[at : at + length] for at in range(0, len(data), length))


def _dump(family: int, port: int | None, states: int) -> Iterator[tuple[bytes, int]]:
    """The kernel's messages on the sockets whose state's bit is in `states`, by length.

    Raises `OSError` if the kernel refuses or is silent.
    """
    ends = time.monotonic() + PATIENCE
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as link:
        link.settimeout(PATIENCE)
        link.send(_request(family, port, states))
        while time.monotonic() < ends:
            data = link.recv(_LARGEST)
            for some in [data] if _is_uniform(data) else _split(data):
                length, kind, *_ = _HEADER.unpack_from(some)
                if kind == _NLMSG_DONE:
                    return
                if kind == _NLMSG_ERROR:
                    (number,) = struct.unpack_from("=i", some, _HEADER.size)
                    raise OSError(-number, "inet_diag refused")
                if length < _MESSAGE.size:
                    raise OSError("inet_diag tells too little")
                yield some, length
    raise TimeoutError("inet_diag didn't finish")


def _is_uniform(data: bytes) -> bool:
    """Whether all of a datagram's messages have the length and the kind of the first, as they mostly have."""
    length, *_ = _HEADER.unpack_from(data)
    count, rest = divmod(len(data), max(length, _HEADER.size))
    return not rest and all(data[at::length] == data[at : at + 1] * count for at in range(6))


def _split(data: bytes) -> Iterator[bytes]:
    at = 0
    while at + _HEADER.size <= len(data):
        length, *_ = _HEADER.unpack_from(data, at)
        yield data[at : at + length]
        at += max(_HEADER.size, (length + 3) & ~3)


def _request(family: int, port: int | None, states: int) -> bytes:
    low, high = (0, 65_535) if port is None else (port, port)
    # The kernel itself picks the port, so that a machine with many other sockets isn't dumped in full. A condition is
    # an opcode, where to go on if it holds, where if it doesn't (past the end rejects), and a second word: the port.
    condition = struct.Struct("=BBHBBH")
    code = condition.pack(_PORT_AT_LEAST, 8, 20, 0, 0, low) + condition.pack(_PORT_AT_MOST, 8, 12, 0, 0, high)
    filtered = struct.pack("=HH", 4 + len(code), _BYTECODE) + code
    if family == socket.AF_UNSPEC:
        # The older request, which has no family, so it covers both.
        kind, body = _TCPDIAG_GETSOCK, struct.pack("=4x48xI4x", states)
    else:
        wanted = 1 << (_SKMEMINFO - 1) if states == _LISTENING else 0
        kind, body = _SOCK_DIAG_BY_FAMILY, struct.pack("=BBBxI48x", family, socket.IPPROTO_TCP, wanted, states)
    return _HEADER.pack(_HEADER.size + len(body + filtered), kind, _REQUEST_DUMP, 1, 0) + body + filtered


def _listener(message: bytes) -> Socket:
    state, addresses, queues, inode = _MESSAGE.unpack_from(message)
    (port,) = struct.unpack_from(">H", message, _PORT_AT)
    return _of(state, addresses, queues)._replace(inode=inode, drops=_drops(message[_MESSAGE.size :]), port=port)


def _of(state: bytes, addresses: bytes, queues: bytes) -> Socket:
    family, number, timer, retransmits = state
    recv_q, send_q = struct.unpack("=II", queues)
    size = 4 if family == socket.AF_INET else 16
    return Socket(
        state=STATES[number] if number < len(STATES) else "none",
        address=_address(family, addresses[:size]), peer=_address(family, addresses[16 : 16 + size]),
        recv_q=recv_q, send_q=send_q, retransmits=retransmits if timer == 1 else 0,
    )  # fmt: skip


def _drops(attributes: bytes) -> int | None:
    at = 0
    while at + 4 <= len(attributes):
        length, kind = struct.unpack_from("=HH", attributes, at)
        if kind == _SKMEMINFO and length >= 4 * (2 + _DROPS):
            (drops,) = struct.unpack_from("=I", attributes, at + 4 * (1 + _DROPS))
            return int(drops)
        at += max(4, (length + 3) & ~3)
    return None


def parse_table(table: str, port: int | None) -> Iterator[Socket]:
    """The sockets of a port, or of all, in a text of the form of /proc/net/tcp or tcp6, which leaves out a listener's
    limit."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        source, _, number = fields[1].partition(":")
        if port is not None and int(number, 16) != port:
            continue
        state = STATES[int(fields[3], 16)]
        sending, _, receiving = fields[4].partition(":")
        yield Socket(
            state=state, address=_from_hex(source), peer=_from_hex(fields[2].partition(":")[0]),
            recv_q=int(receiving, 16), send_q=None if state == "listen" else int(sending, 16),
            retransmits=int(fields[6], 16) if fields[5].startswith("01") else 0,
            inode=int(fields[9]) if len(fields) > 9 else 0, port=int(number, 16),
        )  # fmt: skip


def _from_hex(digits: str) -> str:
    # Each group of eight digits is one word in the machine's own byte order.
    words = b"".join(struct.pack("=I", int(digits[at : at + 8], 16)) for at in range(0, len(digits), 8))
    return _address(socket.AF_INET if len(words) == 4 else socket.AF_INET6, words)


@lru_cache(maxsize=4096)
def _address(family: int, packed: bytes) -> str:
    written = socket.inet_ntop(family, packed)
    return written.removeprefix("::ffff:") if "." in written else written
