"""Where else on this machine a server listens, for whoever has a wrong port."""

import contextlib
import sys
from collections.abc import Iterable, Iterator

from tools.host.diag import all_listening
from tools.host.listener import plain_address, sockets_of

BUS = 10_000
"""What a cluster node's bus adds to its port, if nobody set it otherwise."""
USUAL = 6379
"""The port that nearly every server has."""
FILES_MOST = 256
"""Of a process' files those among which its listeners are: it opens them before it has clients."""


def listening_at(pids: Iterable[int], near: int) -> list[str]:
    """Where these servers listen, as ADDRESS:PORT, first those whose port is most like the one that was asked for.

    A cluster's bus, 10,000 above its port, is left out.
    """
    found: list[tuple[str, int]] = []
    for places in _places(pids):
        found += [(host, port) for host, port in places if (host, port - BUS) not in places]
    found.sort(key=lambda one: (one[1] != USUAL, abs(one[1] - near), one[0]))
    return [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in found]


def _places(pids: Iterable[int]) -> Iterator[set[tuple[str, int]]]:
    """Where each of these processes listens."""
    if sys.platform == "linux":
        # One dump for all of them: the table of each process is the whole machine's.
        with contextlib.suppress(OSError):
            at = {one.inode: (plain_address(one.address), one.port) for one in all_listening()}
            for pid in pids:
                yield {at[inode] for inode in sockets_of(pid, at, FILES_MOST)}
            return
    import psutil

    for pid in pids:
        with contextlib.suppress(psutil.Error):
            held = psutil.Process(pid).net_connections("tcp")
            yield {(plain_address(one.laddr.ip), one.laddr.port) for one in held if one.status == psutil.CONN_LISTEN}
