"""The server's process: what `ps`, /proc/PID and its control group say."""

import os
import re
from typing import NamedTuple

from tools.errors import Unanswered
from tools.host.cgroup import Group, group
from tools.host.elsewhere import listening_at
from tools.host.listener import Place, program, servers
from tools.host.local import Host, Window, offload
from tools.host.proc import Files
from tools.patterns import deferred
from tools.records import Values
from tools.toolbox import reads

RESERVED_FDS = 32
"""File descriptors that Redis reserves: maxclients is at most the limit minus these."""
LOW_FDS = 64
"""File descriptors to look through for a data file that is being read: loading begins before any client is let in."""
SMAPS_MOST = 4 << 30
"""Bytes of a process whose pages are still counted: that takes 10 ms of ours for each GB, under its memory's lock."""
STATES = {
    "R": "running", "S": "sleeping", "D": "disk-sleep", "T": "stopped", "t": "tracing-stop", "Z": "zombie", "I": "idle",
}  # fmt: skip
TICKS = os.sysconf("SC_CLK_TCK")
_PATH = deferred(r"[A-Za-z0-9_./-]{1,256}")
MOST_SERVERS = 32
"""Most other servers of the machine that are asked where they listen."""
MOST_ADDRESSES = 8
"""Addresses that are named of those where the server listens."""


class Sample(NamedTuple):
    """What the process had used by one moment, since it began: in seconds unless noted."""

    user: float | None
    system: float | None
    main: float | None
    """CPU of the main thread, from /proc/PID/task/PID/stat."""
    run: float | None
    """Time that the main thread ran, from /proc/PID/task/PID/schedstat."""
    wait: float | None
    """Time that the main thread was ready to run and had to wait for a core; schedstat as well."""
    major_faults: int | None
    """Of the whole process, from /proc/PID/stat."""
    read: int | None
    """Bytes that it had read from storage, from /proc/PID/io; its own user and root may see that."""
    written: int | None
    """Bytes that it had caused to be written to storage."""
    group: Group


class Gone(Exception):
    """The process ended while it was being examined."""


@reads
async def process(host: Host, window: Window = 1.0) -> Values:
    """The server's process: state, memory, file limit, CPU, control group.

    `state` is /proc's letter (T stopped, D uninterruptible, Z zombie), `stopped` T or t. Sizes in bytes. Shares are
    of one core over the window: `cpu_share` of all threads, `main_cpu_share` of the main thread, `main_run_share` and
    `main_wait_share` (ready, and no core free) from its scheduler figures. `nofile_maxclients` is the maxclients that
    the file limit allows. `cgroup_*` are the limits of its control group. `smaps_*` are sums over its mappings (of
    them AnonHugePages is what transparent huge pages took); null where they may not be seen or the process is larger
    than 4 GB (`smaps_skipped`). `thp_enabled` is false where the process switched huge pages off for itself.
    `io_*.rate` is storage traffic in bytes per second. Where nobody listens `listening` is false and
    `redis_processes` counts the servers of the machine; `listens_at` are the addresses where somebody does, and
    `servers_listen_at` those of the machine's other servers, with their ports. `child_*`
    is of the child that it forked to save or rewrite. Linux only; elsewhere almost all is null.
    """
    place = await host.local_place()
    if place.pid is None:
        return {**host.provenance(place), **await offload(_values_without_listener, host, place)}
    pid = place.pid
    try:
        before, after, seconds = await host.sample_twice(lambda files: _sample(files, pid), window)
        described = await offload(_process_values, host.files, place, before, after, seconds)
        return {**host.provenance(place), **described}
    except Gone:
        left = await host.local_place()
        if left.pid is not None:
            raise Unanswered("restarted", f"process {place.pid} has ended, and {left.pid} is listening now") from None
        return {
            **host.provenance(left),
            **await offload(_values_without_listener, host, left),
            "ended_within_window": True,
        }


def _values_without_listener(host: Host, place: Place) -> Values:
    pids = servers(host.files)
    values: Values = {"listening": False, "redis_processes": len(pids), "listens_elsewhere": place.elsewhere}
    others = listening_at(pids[:MOST_SERVERS], host.target.port) if host.facts is None and host.target.port else []
    if others:
        values["servers_listen_at"] = " ".join(others[:MOST_ADDRESSES])
    # The process may outlive its listener: a shutdown that saves, or an unreaped zombie.
    known = host.known
    if known is not None and program(known)[1] and (left := host.files.task(f"/proc/{known}/stat")):
        values |= {"pid": known, "state": left.state}
    return values


def _sample(files: Files, pid: int) -> Sample:
    main = f"/proc/{pid}/task/{pid}"
    whole, thread, moved = files.task(f"/proc/{pid}/stat"), files.task(f"{main}/stat"), files.pairs(f"/proc/{pid}/io")
    if whole is None and files.text("/proc/stat") is not None:
        raise Gone
    run, wait = files.schedstat(f"{main}/schedstat") or (None, None)
    return Sample(
        user=whole.user / TICKS if whole else None, system=whole.system / TICKS if whole else None,
        main=(thread.user + thread.system) / TICKS if thread else None, run=run, wait=wait,
        major_faults=whole.major_faults if whole else None,
        read=moved.get("read_bytes"), written=moved.get("write_bytes"), group=group(files, pid),
    )  # fmt: skip


def _process_values(files: Files, place: Place, before: Sample, after: Sample, seconds: float) -> Values:
    pid = place.pid
    folder = f"/proc/{pid}"

    def rate(one: float | None, other: float | None, digits: int = 3) -> float | None:
        # Scheduler and clock aren't read at one instant, so a busy thread can come out a little above 1.
        return round((other - one) / seconds, digits) if one is not None and other is not None and seconds > 0 else None

    faults = before.major_faults, after.major_faults
    return {
        "listening": True, "listens_at": " ".join(sorted(place.addresses)[:MOST_ADDRESSES]),
        "pid": pid, "name": place.name, **_state(files, folder), **_sizes(files, folder),
        **_files(files, folder), "loading_file": _loading(files, folder), **_arguments(files, folder),
        "affinity_cores": _affinity(files, folder), "cpu_user_seconds": after.user, "cpu_system_seconds": after.system,
        "cpu_share": rate(_cpu_seconds(before), _cpu_seconds(after)), "main_cpu_share": rate(before.main, after.main),
        "main_run_share": rate(before.run, after.run), "main_wait_share": rate(before.wait, after.wait),
        "major_faults.delta": faults[1] - faults[0] if faults[0] is not None and faults[1] is not None else None,
        "io_read_bytes.rate": rate(before.read, after.read, 1),
        "io_write_bytes.rate": rate(before.written, after.written, 1),
        **_child(files, pid), "oom_score_adj": files.number(f"{folder}/oom_score_adj"),
        **_limits(before.group, after.group), "window_seconds": round(seconds, 3),
    }  # fmt: skip


def _cpu_seconds(sample: Sample) -> float | None:
    return sample.user + sample.system if sample.user is not None and sample.system is not None else None


def _state(files: Files, folder: str) -> Values:
    now, uptime = files.task(f"{folder}/stat"), (files.text("/proc/uptime") or "").split()
    if now is None:
        return {"state": None, "status": None, "stopped": None, "uptime_seconds": None}
    since = round(float(uptime[0]) - now.start / TICKS, 1) if uptime else None
    status = STATES.get(now.state, "other")
    return {"state": now.state, "status": status, "stopped": now.state in "Tt", "uptime_seconds": since}


def _child(files: Files, pid: int | None) -> Values:
    """The forked child that saves or rewrites: the youngest with the server's own name."""
    own = files.task(f"/proc/{pid}/stat")
    children = [one for one in files.children(own.pid) if one.state != "Z"] if own else []
    child = max(children, key=lambda one: one.start, default=None)
    uptime = (files.text("/proc/uptime") or "").split()
    if child is None or not uptime:
        return {"child_pid": None, "child_state": None, "child_seconds": None}
    seconds = round(float(uptime[0]) - child.start / TICKS, 1)
    return {"child_pid": child.pid, "child_state": child.state, "child_seconds": seconds}


def _sizes(files: Files, folder: str) -> Values:
    status = files.pairs(f"{folder}/status")

    def size(name: str) -> int | None:
        return status[name] * 1024 if name in status else None

    values: Values = {
        "rss_bytes": size("VmRSS"), "vms_bytes": size("VmSize"), "swap_bytes": size("VmSwap"),
        "threads": status.get("Threads"),
        "thp_enabled": status["THP_enabled"] == 1 if "THP_enabled" in status else None,
    }  # fmt: skip
    large = (size("VmRSS") or 0) > SMAPS_MOST
    # Reading it takes the process's memory lock, which a process in this state can hold for long.
    asleep = (task := files.task(f"{folder}/stat")) is not None and task.state == "D"
    sums = files.pairs(f"{folder}/smaps_rollup") if not large and not asleep else {}
    for name in ("Pss", "Private_Dirty", "AnonHugePages", "Swap"):
        values[f"smaps_{name}_bytes"] = sums[name] * 1024 if name in sums else None
    return values | ({"smaps_skipped": True} if large else {})


def _files(files: Files, folder: str) -> Values:
    """Open files, for which the user must be the process's own or root, and their limits from /proc/PID/limits."""
    found = re.search(r"^Max open files +(\w+) +(\w+)", files.text(f"{folder}/limits") or "", re.MULTILINE)
    soft, hard = (int(limit) if limit.isdecimal() else None for limit in found.groups()) if found else (None, None)
    allowed = max(0, soft - RESERVED_FDS) if soft is not None else None
    return {
        "num_fds": files.count(f"{folder}/fd"), "nofile_soft": soft, "nofile_hard": hard,
        "nofile_maxclients": allowed,
    }  # fmt: skip


def _loading(files: Files, folder: str) -> bool | None:
    """Whether it's reading a data file, from /proc/PID/fd: a loading server may stay silent for long stretches."""
    numbers = files.names(f"{folder}/fd", LOW_FDS)
    for number in numbers or []:
        name = files.link(f"{folder}/fd/{number}") or ""
        if name.endswith((".rdb", ".aof")):
            flags = re.search(r"^flags:\s+(\d+)", files.text(f"{folder}/fdinfo/{number}") or "", re.MULTILINE)
            if flags and int(flags[1], 8) & os.O_ACCMODE == os.O_RDONLY:
                return True
    return False if numbers is not None else None


def _arguments(files: Files, folder: str) -> Values:
    """Two of the arguments; the others may contain secrets. Most servers overwrite them with their title."""
    given = arguments(files, folder)
    lowered = [one.lower() for one in given]
    limit = given[lowered.index("--maxclients") + 1] if "--maxclients" in lowered[:-1] else ""
    path = config_argument(given)
    return {
        "argument_maxclients": int(limit) if limit.isdecimal() else None,
        "argument_config": plain_path(path) if path else None,
    }  # fmt: skip


def arguments(files: Files, folder: str) -> list[str]:
    """The process's arguments as they are: for `tools/` only."""
    if (task := files.task(f"{folder}/stat")) is None or task.state == "D":
        # Reading them takes the process's memory lock too.
        return []
    return re.split(r"[\0\n]", (files.text(f"{folder}/cmdline") or "").rstrip("\0\n"))


def config_argument(given: list[str]) -> str | None:
    """The configuration file among the arguments."""
    return given[1] if len(given) > 1 and "/" in given[1] and not given[1].startswith("-") else None


def plain_path(path: str) -> str:
    """A path if it's made of plain characters, else "other"."""
    return path if _PATH.fullmatch(path) else "other"


def _affinity(files: Files, folder: str) -> int | None:
    found = re.search(r"^Cpus_allowed_list:\s+([0-9,-]+)$", files.text(f"{folder}/status") or "", re.MULTILINE)
    if found is None:
        return None
    spans = [part.split("-") for part in found[1].split(",")]
    return sum(int(span[-1]) - int(span[0]) + 1 for span in spans)


def _limits(before: Group, after: Group) -> Values:
    values: Values = {}
    for field in ("cpu_quota", "memory_limit", "memory_used", "oom_kills", "pids_max", "pids_current", "frozen"):
        values[f"cgroup_{field}"] = getattr(after, field)
    for field in ("nr_periods", "nr_throttled", "throttled_seconds"):
        one, other = getattr(before, field), getattr(after, field)
        known = one is not None and other is not None
        values[f"cgroup_{field}.delta"] = round(other - one, 3) if known else None
    return values
