"""The machine that the server shares with others: CPU, memory, network, pressure, and who else is busy."""

import os
import re
from collections.abc import Mapping

from tools.host.listener import plain_name
from tools.host.local import Host, Window, offload
from tools.host.proc import Files
from tools.host.process import TICKS
from tools.records import Record, Values
from tools.toolbox import reads

CPU = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
"""The columns of /proc/stat; time of guests is part of user and nice already."""
NET = (
    ("bytes_sent", 8), ("bytes_recv", 0), ("packets_sent", 9), ("packets_recv", 1), ("errin", 2), ("errout", 10),
    ("dropin", 3), ("dropout", 11),
)  # fmt: skip
"""Our name of a counter, and its column in /proc/net/dev."""
PAGE = 4096
"""Bytes of the unit in which /proc/vmstat counts swapped pages."""


class Busy(Record):
    """One process and the CPU time that it has used."""

    name: str
    parent: int
    seconds: float


class Sample(Record):
    """Counters of the machine at one moment; empty where the system doesn't have them."""

    cpu: Mapping[str, float]
    """Ticks by kind, from /proc/stat."""
    net: Mapping[str, int]
    """Of all interfaces but loopback, from /proc/net/dev."""
    lo: Mapping[str, int]
    """Of loopback."""
    memory: Mapping[str, int]
    """/proc/vmstat."""
    busy: Mapping[tuple[int, int], Busy]
    """By pid and start: a reused number is another process."""


@reads
async def machine(host: Host, window: Window = 1.0) -> Values:
    """The server's machine: CPU, load, memory, swap, network, pressure, the busiest other process.

    `cpu_*_share` are of all cores together, `top_process.cpu_share` of one core; that process is neither the server
    nor this program. Sizes in bytes; `.rate` is per second and `.delta` over the window. `net_*` sums the interfaces
    without loopback, `lo_*` is loopback. `psi_*` is the share of time, in percent over 10 s, in which some task waited
    for it. `oom_kill` counts the processes that the kernel killed since boot to free memory. `overcommit_memory`,
    `swappiness` and `transparent_hugepage` are the kernel's settings. Inside a container these are mostly figures of
    its host.
    """
    place = await host.local_place()
    before, after, seconds = await host.machine_twice(_sample, window)
    first, last = before.memory, after.memory
    kills, ours = last.get("oom_kill"), None if host.facts else os.getpid()
    return {
        **host.provenance(place), **await offload(_cpu, host.files, before.cpu, after.cpu),
        **await offload(_memory, host.files),
        **_network("net", before.net, after.net, seconds), **_network("lo", before.lo, after.lo, seconds),
        "swap_in_bytes.rate": _rate(first, last, "pswpin", seconds, PAGE),
        "swap_out_bytes.rate": _rate(first, last, "pswpout", seconds, PAGE),
        "oom_kill": kills, "oom_kill.delta": kills - first["oom_kill"] if kills is not None and first else None,
        **_pressure(host.files), **_busiest(before, after, seconds, place.pid, ours),
        "window_seconds": round(seconds, 3),
    }  # fmt: skip


def _sample(files: Files) -> Sample:
    spent = (files.text("/proc/stat") or "").partition("\n")[0].split()[1:]
    sums: dict[bool, dict[str, int]] = {True: {}, False: {}}
    for line in (files.text("/proc/net/dev") or "").splitlines()[2:]:
        name, _, counters = line.partition(":")
        fields, kind = counters.split(), sums[name.strip() == "lo"]
        for field, column in NET:
            kind[field] = kind.get(field, 0) + int(fields[column])
    busy = {
        (one.pid, one.start): Busy(name=one.name, parent=one.parent, seconds=(one.user + one.system) / TICKS)
        for one in files.tasks()
    }
    return Sample(
        cpu=dict(zip(CPU, map(float, spent), strict=False)), net=sums[False], lo=sums[True],
        memory=files.pairs("/proc/vmstat"), busy=busy,
    )  # fmt: skip


def _cpu(files: Files, before: Mapping[str, float], after: Mapping[str, float]) -> Values:
    spent = {kind: max(0.0, after[kind] - before[kind]) for kind in after if kind in before}
    total = sum(spent.values())

    def share(*kinds: str) -> float | None:
        known = [spent[kind] for kind in kinds if kind in spent]
        return round(sum(known) / total, 3) if known and total > 0 else None

    idle = share("idle", "iowait")
    cores = len(re.findall(r"^cpu\d", files.text("/proc/stat") or "", re.MULTILINE))
    load = (files.text("/proc/loadavg") or "").split()
    return {
        "cores": cores or None, "cpu_busy_share": round(1 - idle, 3) if idle is not None else None,
        "cpu_iowait_share": share("iowait"), "cpu_steal_share": share("steal"),
        **{f"load{span}": float(load[at]) if load else None for at, span in enumerate((1, 5, 15))},
    }  # fmt: skip


def _memory(files: Files) -> Values:
    memory = {name: kilobytes * 1024 for name, kilobytes in files.pairs("/proc/meminfo").items()}
    pages = re.search(r"\[(\w+)\]", files.text("/sys/kernel/mm/transparent_hugepage/enabled") or "")
    swap = memory.get("SwapTotal")
    return {
        "memory_total_bytes": memory.get("MemTotal"), "memory_available_bytes": memory.get("MemAvailable"),
        "swap_total_bytes": swap, "swap_used_bytes": swap - memory.get("SwapFree", 0) if swap is not None else None,
        "overcommit_memory": files.number("/proc/sys/vm/overcommit_memory"),
        "swappiness": files.number("/proc/sys/vm/swappiness"),
        "transparent_hugepage": pages[1] if pages else None,
    }  # fmt: skip


def _network(prefix: str, before: Mapping[str, int], after: Mapping[str, int], seconds: float) -> Values:
    values: Values = {}
    for field, _ in NET[:4]:
        values[f"{prefix}_{field}.rate"] = _rate(before, after, field, seconds)
    for name, fields in (("errors", ("errin", "errout")), ("drops", ("dropin", "dropout"))):
        known = [max(0, after[field] - before[field]) for field in fields if field in before and field in after]
        values[f"{prefix}_{name}.delta"] = sum(known) if known else None
    return values


def _rate(
    before: Mapping[str, int], after: Mapping[str, int], field: str, seconds: float, unit: int = 1
) -> float | None:
    if field not in before or field not in after or seconds <= 0:
        return None
    return round(max(0, after[field] - before[field]) * unit / seconds, 1)


def _pressure(files: Files) -> Values:
    values: Values = {}
    for kind in ("cpu", "io", "memory"):
        found = re.search(r"^some avg10=([0-9.]+)", files.text(f"/proc/pressure/{kind}") or "", re.MULTILINE)
        values[f"psi_{kind}_some_avg10"] = float(found[1]) if found else None
    return values


def _busiest(before: Sample, after: Sample, seconds: float, server: int | None, ours: int | None) -> Values:
    used: list[tuple[float, int, Busy]] = []
    for (pid, start), busy in after.busy.items():
        if pid not in (server, ours):
            earlier = before.busy.get((pid, start))
            used.append((busy.seconds - (earlier.seconds if earlier else 0.0), pid, busy))
    top = max(used, key=lambda one: one[0], default=None)
    if top is None or top[0] <= 0 or seconds <= 0:
        nobody: Values = dict.fromkeys(("top_process.name", "top_process.pid", "top_process.child_of_server"))
        return {**nobody, "top_process.cpu_share": 0.0}
    return {
        "top_process.name": plain_name(top[2].name), "top_process.pid": top[1],
        "top_process.cpu_share": round(top[0] / seconds, 3),
        "top_process.child_of_server": server is not None and top[2].parent == server,
    }  # fmt: skip
