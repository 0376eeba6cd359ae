"""The machine that the server shares with others: CPU, memory, network, pressure, and who else is busy."""

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from tools.host.listener import plain_name
from tools.host.local import Host, Window, offload
from tools.host.proc import Files, Task
from tools.host.process import TICKS
from tools.records import Values
from tools.toolbox import reads

CPU = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
"""The columns of /proc/stat; guest time is already part of user and nice."""
NET = (
    ("bytes_sent", 8), ("bytes_recv", 0), ("packets_sent", 9), ("packets_recv", 1), ("errin", 2), ("errout", 10),
    ("dropin", 3), ("dropout", 11),
)  # fmt: skip
"""Our name of a counter, and its column in /proc/net/dev."""
PAGE = 4096
"""Bytes of the unit in which /proc/vmstat counts swapped pages."""


class Sample(NamedTuple):
    """Counters of the machine at one moment; empty if the system doesn't have them."""

    cpu: Mapping[str, float]
    """Ticks by kind, from /proc/stat."""
    net: Mapping[str, int]
    """Of all interfaces but loopback, from /proc/net/dev."""
    lo: Mapping[str, int]
    """Of loopback."""
    memory: Mapping[str, int]
    """/proc/vmstat."""
    tasks: Mapping[tuple[int, int], Task]
    """By pid and start: a reused number is another process."""


@reads
async def machine(host: Host, window: Window = 1.0) -> Values:
    """The machine: CPU, memory, swap, network, pressure, busiest process.

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
    return Sample(
        cpu=dict(zip(CPU, map(float, spent), strict=False)), net=sums[False], lo=sums[True],
        memory=files.pairs("/proc/vmstat"), tasks={(one.pid, one.start): one for one in files.tasks()},
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
    def ticks(task: Task) -> int:
        earlier = before.tasks.get((task.pid, task.start))
        return task.user + task.system - (earlier.user + earlier.system if earlier else 0)

    others = [one for one in after.tasks.values() if one.pid not in (server, ours)]
    top = max(others, key=ticks, default=None)
    if top is None or ticks(top) <= 0 or seconds <= 0:
        nobody: Values = dict.fromkeys(("top_process.name", "top_process.pid", "top_process.child_of_server"))
        return {**nobody, "top_process.cpu_share": 0.0}
    return {
        "top_process.name": plain_name(top.name), "top_process.pid": top.pid,
        "top_process.cpu_share": round(ticks(top) / TICKS / seconds, 3),
        "top_process.child_of_server": server is not None and top.parent == server,
    }  # fmt: skip
