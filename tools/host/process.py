"""The server's process: what `ps`, /proc/PID and its control group say."""

import os
import re
from pathlib import Path

import psutil

from tools.errors import Unanswered
from tools.host.cgroup import Group, group
from tools.host.local import Host, Place, Window, offload, program, servers
from tools.host.proc import pairs, schedstat, task, text
from tools.records import Record, Values
from tools.toolbox import reads

RESERVED_FDS = 32
"""File descriptors that Redis keeps for itself: maxclients can be the limit less these."""
LOW_FDS = 64
"""File descriptors to look through for a data file that is being read: loading begins before any client is let in."""
_PATH = re.compile(r"[A-Za-z0-9_./-]{1,256}")


class Sample(Record):
    """What the process had used at one moment; seconds, all since it began."""

    at: float
    user: float
    system: float
    main: float | None
    """CPU of the main thread, from /proc/PID/task/PID/stat."""
    run: float | None
    """Time that the main thread ran, from /proc/PID/task/PID/schedstat."""
    wait: float | None
    """Time that the main thread was ready to run and had to wait for a core; schedstat as well."""
    major_faults: int | None
    """Of the whole process, from /proc/PID/stat."""
    group: Group


@reads
async def process(host: Host, window: Window = 1.0) -> Values:
    """The server's process on this machine (the runbook's ps): state, memory, file limit, CPU and scheduling.

    `state` is /proc's letter (T stopped, D uninterruptible, Z zombie), `stopped` T or t. Sizes in bytes. Shares are
    of one core over the window: `cpu_share` of all threads, `main_cpu_share` of the main thread, `main_run_share` and
    `main_wait_share` (ready, and no core free) from its scheduler figures. `nofile_maxclients` is the maxclients that
    the file limit allows. `cgroup_*` are the limits of its control group. Where nobody listens `listening` is false
    and `redis_processes` counts the servers of this machine. Linux tells all; elsewhere much is null.
    """
    place = await host.here()
    if place.pid is None:
        return await offload(_nobody, place, host.known)
    try:
        server = psutil.Process(place.pid)
        before = await offload(_sample, server, host.clock.monotonic())
        await host.clock.sleep(window)
        after = await offload(_sample, server, host.clock.monotonic())
        return await offload(_described, server, place, host.clock.now().timestamp(), before, after)
    except psutil.NoSuchProcess:
        left = await host.here()
        if left.pid is not None:
            raise Unanswered("restarted", f"process {place.pid} ended, and {left.pid} listens now") from None
        return {**await offload(_nobody, left, host.known), "ended_within_window": True}


def _nobody(place: Place, known: int | None) -> Values:
    values: Values = {
        "locality": place.locality, "listening": False, "redis_processes": len(servers()),
        "listens_elsewhere": place.elsewhere,
    }  # fmt: skip
    # The process may outlive its listener: a shutdown that saves, or a zombie that nobody has reaped.
    if known is not None and program(known)[1] and (left := task(f"/proc/{known}/stat")):
        values |= {"pid": known, "state": left.state}
    return values


def _sample(server: psutil.Process, at: float) -> Sample:
    main = f"/proc/{server.pid}/task/{server.pid}"
    used, whole, thread = server.cpu_times(), task(f"/proc/{server.pid}/stat"), task(f"{main}/stat")
    run, wait = schedstat(f"{main}/schedstat") or (None, None)
    return Sample(
        at=at, user=used.user, system=used.system, main=thread.ticks / os.sysconf("SC_CLK_TCK") if thread else None,
        run=run, wait=wait, major_faults=whole.major_faults if whole else None, group=group(server.pid),
    )  # fmt: skip


def _described(server: psutil.Process, place: Place, now: float, before: Sample, after: Sample) -> Values:
    seconds = after.at - before.at

    def share(one: float | None, other: float | None) -> float | None:
        # Scheduler and clock aren't read at one instant, so a busy thread can come out a little above 1.
        return round((other - one) / seconds, 3) if one is not None and other is not None and seconds > 0 else None

    faults = before.major_faults, after.major_faults
    return {
        "locality": place.locality, "listening": True, "pid": server.pid, "name": place.name,
        **_state(server), "uptime_seconds": round(now - server.create_time(), 1), **_sizes(server),
        **_files(server), **_loading(server), **_arguments(server), "affinity_cores": _affinity(server),
        "cpu_user_seconds": after.user, "cpu_system_seconds": after.system,
        "cpu_share": share(before.user + before.system, after.user + after.system),
        "main_cpu_share": share(before.main, after.main), "main_run_share": share(before.run, after.run),
        "main_wait_share": share(before.wait, after.wait),
        "major_faults.delta": faults[1] - faults[0] if faults[0] is not None and faults[1] is not None else None,
        **_limits(before.group, after.group), "window_seconds": round(seconds, 3),
    }  # fmt: skip


def _state(server: psutil.Process) -> Values:
    status = server.status()
    now = task(f"/proc/{server.pid}/stat")
    stopped = now.state in "Tt" if now else status in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
    return {"state": now.state if now else None, "status": str(status), "stopped": stopped}


def _sizes(server: psutil.Process) -> Values:
    memory, status = server.memory_info(), pairs(f"/proc/{server.pid}/status")
    swap = status["VmSwap"] * 1024 if "VmSwap" in status else None
    return {
        "rss_bytes": memory.rss, "vms_bytes": memory.vms, "swap_bytes": swap, "threads": server.num_threads(),
    }  # fmt: skip


def _files(server: psutil.Process) -> Values:
    """Open files, for which the user must be the process's own or root, and their limits from /proc/PID/limits."""
    try:
        opened = server.num_fds()
    except psutil.AccessDenied:
        opened = None
    found = re.search(r"^Max open files +(\w+) +(\w+)", text(f"/proc/{server.pid}/limits") or "", re.MULTILINE)
    soft, hard = (int(limit) if limit.isdecimal() else None for limit in found.groups()) if found else (None, None)
    allowed = max(0, soft - RESERVED_FDS) if soft is not None else None
    return {"num_fds": opened, "nofile_soft": soft, "nofile_hard": hard, "nofile_maxclients": allowed}


def _loading(server: psutil.Process) -> Values:
    """Whether it's reading a data file, from /proc/PID/fd: a server that loads may stay mute for long stretches."""
    folder = f"/proc/{server.pid}/fd"
    try:
        numbers = sorted(int(name) for name in os.listdir(folder))[:LOW_FDS]
    except (OSError, ValueError):
        return {"loading_file": None}
    for number in numbers:
        try:
            name = os.readlink(f"{folder}/{number}")
        except OSError:
            continue
        flags = re.search(r"^flags:\s+(\d+)", text(f"/proc/{server.pid}/fdinfo/{number}") or "", re.MULTILINE)
        if name.endswith((".rdb", ".aof")) and flags and int(flags[1], 8) & os.O_ACCMODE == os.O_RDONLY:
            return {"loading_file": True}
    return {"loading_file": False}


def _arguments(server: psutil.Process) -> Values:
    """Two of the arguments; the others may hold secrets. Most servers overwrite them with their title."""
    values: Values = {"argument_maxclients": None, "argument_config": None}
    if server.status() == psutil.STATUS_DISK_SLEEP:
        # Reading them takes the process's memory lock, behind which a process in this state can keep anyone waiting.
        return values
    try:
        given = server.cmdline()
    except psutil.AccessDenied:
        return values
    lowered = [one.lower() for one in given]
    if "--maxclients" in lowered[:-1] and (limit := given[lowered.index("--maxclients") + 1]).isdecimal():
        values["argument_maxclients"] = int(limit)
    if len(given) > 1 and "/" in given[1] and not given[1].startswith("-"):
        values["argument_config"] = str(Path(given[1])) if _PATH.fullmatch(given[1]) else "other"
    return values


def _affinity(server: psutil.Process) -> int | None:
    if not hasattr(server, "cpu_affinity"):
        return None
    try:
        return len(server.cpu_affinity() or [])
    except psutil.AccessDenied:
        return None


def _limits(before: Group, after: Group) -> Values:
    values: Values = {}
    for field in ("cpu_quota", "memory_limit", "memory_used", "oom_kills", "pids_max", "pids_current", "frozen"):
        values[f"cgroup_{field}"] = getattr(after, field)
    for field in ("nr_periods", "nr_throttled", "throttled_seconds"):
        one, other = getattr(before, field), getattr(after, field)
        known = one is not None and other is not None
        values[f"cgroup_{field}.delta"] = round(other - one, 3) if known else None
    return values
