"""The machine that the server shares with others: CPU, memory, network, pressure, and who else is busy."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import psutil

from tools.host.local import Host, Window, offload, plain
from tools.host.proc import number, text
from tools.records import Record, Values
from tools.toolbox import reads

NET = (
    "bytes_sent", "bytes_recv", "packets_sent", "packets_recv", "errin", "errout", "dropin", "dropout",
)  # fmt: skip
"""psutil's fields of a network interface."""
LOOPBACKS = ("lo", "lo0")


class Busy(Record):
    """One process and the CPU time that it has used."""

    name: str
    parent: int | None
    seconds: float


class Sample(Record):
    """Counters of the machine at one moment."""

    at: float
    cpu: Mapping[str, float]
    """Seconds by kind, from /proc/stat."""
    net: Mapping[str, int]
    """Of all interfaces but loopback, from /proc/net/dev."""
    lo: Mapping[str, int]
    """Of loopback."""
    swap_in: int
    swap_out: int
    """Bytes, from /proc/vmstat."""
    busy: Mapping[tuple[int, float], Busy]
    """By pid and start: a number that was given anew is another process."""


@reads
async def machine(host: Host, window: Window = 1.0) -> Values:
    """The machine that the server runs on: CPU, load, memory, swap, network, pressure, and the busiest other process.

    `cpu_*_share` are of all cores together, `top_process.cpu_share` of one core; that process is neither the server
    nor this program. Sizes in bytes; `.rate` is per second and `.delta` over the window. `net_*` sums the interfaces
    without loopback, `lo_*` is loopback. `psi_*` is the share of time, in percent over 10 s, in which some task waited
    for it. `overcommit_memory` and `transparent_hugepage` are the kernel's settings. Inside a container these are
    mostly figures of its host.
    """
    place = await host.here()
    before = await offload(_sample, host.clock.monotonic())
    await host.clock.sleep(window)
    after = await offload(_sample, host.clock.monotonic())
    seconds = after.at - before.at
    return {
        "locality": place.locality, **_cpu(before.cpu, after.cpu), **await offload(_memory),
        **_network("net", before.net, after.net, seconds), **_network("lo", before.lo, after.lo, seconds),
        "swap_in_bytes.rate": _rate(before.swap_in, after.swap_in, seconds),
        "swap_out_bytes.rate": _rate(before.swap_out, after.swap_out, seconds),
        **_pressure(), **_busiest(before, after, place.pid), "window_seconds": round(seconds, 3),
    }  # fmt: skip


def _sample(at: float) -> Sample:
    interfaces = psutil.net_io_counters(pernic=True, nowrap=False)
    sums: dict[bool, dict[str, int]] = {True: dict.fromkeys(NET, 0), False: dict.fromkeys(NET, 0)}
    for name, counters in interfaces.items():
        for field in NET:
            sums[name in LOOPBACKS][field] += getattr(counters, field)
    swap = psutil.swap_memory()
    return Sample(
        at=at, cpu=psutil.cpu_times()._asdict(), net=sums[False], lo=sums[True], swap_in=swap.sin, swap_out=swap.sout,
        busy=_processes(),
    )  # fmt: skip


def _processes() -> dict[tuple[int, float], Busy]:
    found = {}
    for one in psutil.process_iter(["name", "ppid", "cpu_times", "create_time"]):
        # A process of another user may not tell.
        if used := one.info["cpu_times"]:
            busy = Busy(name=one.info["name"] or "", parent=one.info["ppid"], seconds=used.user + used.system)
            found[one.pid, one.info["create_time"] or 0.0] = busy
    return found


def _cpu(before: Mapping[str, float], after: Mapping[str, float]) -> Values:
    # Time of guests is part of user and nice already.
    spent = {kind: max(0.0, after[kind] - before[kind]) for kind in after if not kind.startswith("guest")}
    total = sum(spent.values())

    def share(*kinds: str) -> float | None:
        known = [spent[kind] for kind in kinds if kind in spent]
        return round(sum(known) / total, 3) if known and total > 0 else None

    idle = share("idle", "iowait")
    load = psutil.getloadavg()
    return {
        "cores": psutil.cpu_count() or os.cpu_count(),
        "cpu_busy_share": round(1 - idle, 3) if idle is not None else None,
        "cpu_iowait_share": share("iowait"), "cpu_steal_share": share("steal"),
        "load1": round(load[0], 2), "load5": round(load[1], 2), "load15": round(load[2], 2),
    }  # fmt: skip


def _memory() -> Values:
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    pages = re.search(r"\[(\w+)\]", text("/sys/kernel/mm/transparent_hugepage/enabled") or "")
    return {
        "memory_total_bytes": memory.total, "memory_available_bytes": memory.available,
        "swap_total_bytes": swap.total, "swap_used_bytes": swap.used,
        "overcommit_memory": number("/proc/sys/vm/overcommit_memory"),
        "transparent_hugepage": pages[1] if pages else None,
    }  # fmt: skip


def _network(prefix: str, before: Mapping[str, int], after: Mapping[str, int], seconds: float) -> Values:
    values: Values = {}
    for field in NET[:4]:
        values[f"{prefix}_{field}.rate"] = _rate(before[field], after[field], seconds)
    for name, fields in (("errors", NET[4:6]), ("drops", NET[6:8])):
        values[f"{prefix}_{name}.delta"] = sum(max(0, after[field] - before[field]) for field in fields)
    return values


def _rate(before: int, after: int, seconds: float) -> float | None:
    return round(max(0, after - before) / seconds, 1) if seconds > 0 else None


def _pressure() -> Values:
    values: Values = {}
    for kind in ("cpu", "io", "memory"):
        found = re.search(r"^some avg10=([0-9.]+)", text(Path("/proc/pressure") / kind) or "", re.MULTILINE)
        values[f"psi_{kind}_some_avg10"] = float(found[1]) if found else None
    return values


def _busiest(before: Sample, after: Sample, server: int | None) -> Values:
    used: list[tuple[float, int, Busy]] = []
    for (pid, start), busy in after.busy.items():
        if pid not in (server, os.getpid()):
            earlier = before.busy.get((pid, start))
            used.append((busy.seconds - (earlier.seconds if earlier else 0.0), pid, busy))
    seconds = after.at - before.at
    top = max(used, key=lambda one: one[0], default=None)
    if top is None or top[0] <= 0 or seconds <= 0:
        return {"top_process.name": None, "top_process.cpu_share": 0.0}
    return {
        "top_process.name": plain(top[2].name), "top_process.pid": top[1],
        "top_process.cpu_share": round(top[0] / seconds, 3),
        "top_process.child_of_server": server is not None and top[2].parent == server,
    }  # fmt: skip
