"""The kernel's log: which servers it killed when memory ran out, and which failures of the machine affect a server.

Nothing else in it is passed on.
"""

import os
import re
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from tools.errors import Unanswered
from tools.host.listener import SERVERS, plain_name
from tools.host.local import Host, offload
from tools.patterns import deferred
from tools.records import Scalar, Values
from tools.toolbox import reads

DEVICE = Path("/dev/kmsg")
RECORD = 8192
"""Bytes of one record, at most."""
MOST = 50_000
"""Records that are read; a kernel keeps a few thousand."""
MOST_TEXT = 1024
"""Characters of a record that are looked at."""
RECENT = 60.0
"""Seconds within which a kill is current."""
SHOWN = 20
"""How many of the newest kills' pids are given."""
_KILLED = deferred(r"(?P<group>Memory cgroup )?[Oo]ut of memory(?: \(\w+\))?: Kill(?:ed)? process (?P<pid>\d+) "
                     r"\((?P<name>[^)]*)\)(?:.*?anon-rss:(?P<rss>\d+)kB)?")  # fmt: skip


TROUBLES: dict[str, re.Pattern[str]] = {
    # Drives without a medium, and mounted files, fail harmlessly.
    "io_error": deferred(r"I/O error, dev (?!sr|fd|loop|nbd|zram)(?P<what>[a-z][\w-]{0,31})"),
    "filesystem_error": deferred(
        r"(?:EXT4-fs|XFS|BTRFS)(?P<bad>:? (?:error|critical))? \((?:device )?(?P<what>[\w-]{1,32})\)"
        r"(?(bad)|: (?:.{0,80}[Cc]orruption|Remounting filesystem read-only))"
    ),
    "hung_task": deferred(r"task (?P<what>[\w.:/-]{1,32}):\d+ blocked for more than \d+ seconds"),
    "conntrack_full": deferred(r"nf_conntrack: table full, dropping packet"),
    "syn_flood": deferred(r"ossible SYN flooding on port (?:[\d.a-f:\[\]]{1,48}:)?(?P<what>\d{1,5})\."),
    "link_down": deferred(r"(?<!\w)(?P<what>[a-z][\w-]{1,15}): (?:NIC )?[Ll]ink is [Dd]own"),
    "cpu_stuck": deferred(r"soft lockup - CPU#(?P<what>\d+) stuck|detected (?:expedited )?stalls on CPUs"),
    "hardware_error": deferred(r"\[Hardware Error\]: (?:Machine check|CPU|event severity: (?:fatal|recoverable))"),
    "neighbour_table_full": deferred(r"neighbou?r(?: table)?.{0,20}table overflow"),
}  # fmt: skip
"""What its words are for trouble of the machine; `what` is the device, task, port or interface that has it."""


_RELEVANT = deferred(
    r"Kill|/O error|-fs |XFS|BTRFS|blocked for|table full|SYN flood|ink is|soft lockup|stalls on|Hardware Err|overflow"
)
"""Words in every record that these patterns could match: most of a log needs no closer look."""


class Kill(NamedTuple):
    """One process that the kernel killed."""

    at: float
    """Seconds since boot."""
    pid: int
    name: str
    rss: int | None
    """Bytes not backed by files."""
    in_cgroup: bool
    """Whether a control group's limit was reached, not the machine's."""


@reads
async def kernel_log(host: Host) -> Values:
    """The kernel's log: out-of-memory kills, trouble of the machine.

    `oom_kill.count` such kills of servers stand in the log (of any server of the machine, a forked child too), and
    `oom_kill.pids` are the last of them, oldest first. `oom_kill.newest_age` (seconds), `.pid`, `.name`,
    `.rss_bytes` and `.in_cgroup` (a control group's limit, not the machine's end) are of this server's own if its
    pid was seen before, else of the newest: `.known_pid` says which, null where no pid is known. `others.count` are
    kills of other programs; `machine_kills_60s` those of the last minute, of whatever program, that the machine's
    own end called for. Of io_error, filesystem_error, hung_task (a task that waited minutes for its disk),
    conntrack_full (the table of connections: packets are dropped), syn_flood (a port's queue of connects ran over),
    link_down, cpu_stuck, hardware_error and neighbour_table_full `.count` is how often, `.newest_age` (seconds) the
    last, and `.what` its device, task, port or interface. `reaches_back` is how many seconds the log reaches back.
    Needs root on most machines.
    """
    place = await host.local_place()
    if host.facts:
        raise Unanswered("not-local", "the facts from another machine don't include its kernel log")
    found = await offload(_LOG.relevant)
    if isinstance(found, OSError):
        detail = f"the kernel's log can't be read ({found.strerror}): journalctl -k, or dmesg as root"
        raise Unanswered("denied", detail, host.provenance(place))
    now = time.clock_gettime(time.CLOCK_MONOTONIC)
    oldest, records = found
    kills = [kill for record in records if (kill := parse_kill(record)) is not None]
    servers = [kill for kill in kills if SERVERS.fullmatch(kill.name)]
    values: Values = {
        **host.provenance(place), "oom_kill.count": len(servers), "others.count": len(kills) - len(servers),
        "reaches_back": round(now - oldest) if oldest is not None else None,
        "machine_kills_60s": sum(now - kill.at <= RECENT and not kill.in_cgroup for kill in kills),
    }  # fmt: skip
    if servers:
        ours = {host.known, host.reported} - {None}
        newest = ([kill for kill in servers if kill.pid in ours] or servers)[-1]
        values |= {
            "oom_kill.newest_age": round(max(0.0, now - newest.at), 1), "oom_kill.pid": newest.pid,
            "oom_kill.name": plain_name(newest.name), "oom_kill.rss_bytes": newest.rss,
            "oom_kill.in_cgroup": newest.in_cgroup,
            "oom_kill.known_pid": newest.pid in ours if ours else None,
            "oom_kill.pids": " ".join(str(kill.pid) for kill in servers[-SHOWN:]),
        }  # fmt: skip
    return {**values, **troubles(records, now)}


def troubles(records: Iterable[str], now: float) -> Values:
    """How often each problem appears in the kernel's records, when last (`now`: seconds since boot), and about what."""
    values: dict[str, Scalar] = {}
    for record in records:
        at, (name, what) = _at(record), parse_trouble(record) or ("", "")
        if at is not None and name:
            values[f"{name}.count"] = int(values.get(f"{name}.count") or 0) + 1
            values[f"{name}.newest_age"] = round(max(0.0, now - at), 1)
            values[f"{name}.what"] = what or None
    return values


class _Log:
    """The kernel's log as far as it was read: a process that examines many servers continues where it stopped."""

    def __init__(self) -> None:
        self._reading = threading.Lock()
        self._file: int | None = None
        self._oldest: float | None = None
        self._relevant: deque[str] = deque(maxlen=MOST)

    def relevant(self) -> tuple[float | None, list[str]] | OSError:
        """When its oldest record was written, in seconds since boot, and the relevant records, oldest first."""
        with self._reading:
            try:
                if self._file is None:
                    # A blocking reader would never reach the end.
                    self._file = os.open(DEVICE, os.O_RDONLY | os.O_NONBLOCK)
                for record in _read(self._file):
                    if self._oldest is None:
                        self._oldest = _at(record)
                    if is_relevant(record):
                        self._relevant.append(record)
            except OSError as error:
                return error
            return self._oldest, list(self._relevant)


_LOG = _Log()


def _read(file: int) -> Iterator[str]:
    for _ in range(MOST):
        try:
            yield os.read(file, RECORD).decode(errors="replace")
        except BlockingIOError:
            return
        except BrokenPipeError:
            # Records were overwritten meanwhile; the next read continues after them.
            continue


def _at(record: str) -> float | None:
    """When a record was written, in seconds since boot: priority, number, microseconds, flags; text."""
    head = record.partition(";")[0].split(",")
    return int(head[2]) / 1e6 if len(head) >= 3 and head[2].isdecimal() else None


def is_relevant(record: str) -> bool:
    """Whether a record may tell of a kill or of trouble; most needn't be looked at more closely."""
    return _RELEVANT.search(record) is not None


def parse_trouble(record: str) -> tuple[str, str] | None:
    """The trouble that a record of /dev/kmsg reports, and what has it, as far as it says so.

    Only the kernel's own records count: any program of root's may write others.
    """
    head, _, text = record.partition(";")
    priority = head.split(",")[0]
    if not priority.isdecimal() or int(priority) >> 3:
        return None
    for name, pattern in TROUBLES.items():
        if found := pattern.search(text.partition("\n")[0][:MOST_TEXT]):
            return name, str(found.groupdict().get("what") or "")
    return None


def parse_kill(record: str) -> Kill | None:
    """The kill that a record of /dev/kmsg reports."""
    at, found = _at(record), _KILLED.search(record.partition(";")[2])
    if at is None or found is None:
        return None
    return Kill(
        at=at, pid=int(found["pid"]), name=found["name"], rss=int(found["rss"]) * 1024 if found["rss"] else None,
        in_cgroup=found["group"] is not None,
    )  # fmt: skip
