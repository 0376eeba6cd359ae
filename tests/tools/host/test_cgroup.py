"""The limits of a control group: version 2 and 1, near and further up, set and not set."""

from pathlib import Path

import pytest

from tools.host.cgroup import NO_LIMIT, Group, group
from tools.host.proc import Files

V2 = {"/proc/7/cgroup": "0::/app/redis\n", "/sys/fs/cgroup/cgroup.controllers": "cpu memory pids\n"}
NEAR, ABOVE, TOP = "/sys/fs/cgroup/app/redis", "/sys/fs/cgroup/app", "/sys/fs/cgroup"
V1 = {"/proc/7/cgroup": "4:memory:/app\n3:cpu,cpuacct:/app\n2:pids:/app\n1:freezer:/app\n"}
CPU, MEMORY, PIDS, FREEZER = (f"/sys/fs/cgroup/{name}/app" for name in ("cpu", "memory", "pids", "freezer"))


class Held(Files):
    """Files that are held in a table."""

    def __init__(self, texts: dict[str, str]) -> None:
        self._texts = texts

    def text(self, path: str | Path) -> str | None:
        return self._texts.get(str(path))


@pytest.mark.parametrize(
    ("files", "limits"),
    [
        ({}, Group()), (V2, Group()), (V1, Group()),
        ({**V2, f"{NEAR}/cpu.max": "50000 100000\n",
          f"{NEAR}/cpu.stat": "nr_periods 10\nnr_throttled 4\nthrottled_usec 2500000\n"},
         Group(cpu_quota=0.5, nr_periods=10, nr_throttled=4, throttled_seconds=2.5)),
        # What isn't limited near may be further up, and the nearest limit is taken.
        ({**V2, f"{NEAR}/cpu.max": "max 100000\n", f"{ABOVE}/cpu.max": "200000 100000"},
         Group(cpu_quota=2.0, throttled_seconds=0.0)),
        ({**V2, f"{NEAR}/cpu.max": "100000 100000", f"{ABOVE}/cpu.max": "200000 100000"},
         Group(cpu_quota=1.0, throttled_seconds=0.0)),
        ({**V2, f"{NEAR}/cpu.max": "max 100000"}, Group()),
        ({**V1, f"{CPU}/cpu.cfs_quota_us": "150000", f"{CPU}/cpu.cfs_period_us": "100000",
          f"{CPU}/cpu.stat": "nr_periods 3\nnr_throttled 1\nthrottled_time 1500000000\n"},
         Group(cpu_quota=1.5, nr_periods=3, nr_throttled=1, throttled_seconds=1.5)),
        ({**V1, f"{CPU}/cpu.cfs_quota_us": "-1", f"{CPU}/cpu.cfs_period_us": "100000"}, Group()),
        ({**V2, f"{NEAR}/memory.max": "1000", f"{NEAR}/memory.current": "900",
          f"{NEAR}/memory.events": "low 0\noom 2\noom_kill 1\n"},
         Group(memory_limit=1000, memory_used=900, oom_kills=1)),
        ({**V2, f"{NEAR}/memory.max": "max", f"{TOP}/memory.max": "5000"}, Group(memory_limit=5000)),
        ({**V1, f"{MEMORY}/memory.limit_in_bytes": "2000", f"{MEMORY}/memory.usage_in_bytes": "5",
          f"{MEMORY}/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"},
         Group(memory_limit=2000, memory_used=5, oom_kills=3)),
        ({**V1, f"{MEMORY}/memory.limit_in_bytes": str(NO_LIMIT)}, Group()),
        ({**V1, f"{MEMORY}/memory.limit_in_bytes": str(NO_LIMIT - 1)}, Group(memory_limit=NO_LIMIT - 1)),
        ({**V2, f"{NEAR}/pids.max": "64", f"{NEAR}/pids.current": "3"}, Group(pids_max=64, pids_current=3)),
        ({**V2, f"{NEAR}/pids.max": "max", f"{ABOVE}/pids.max": "8", f"{NEAR}/pids.current": "3"}, Group(pids_max=8)),
        ({**V1, f"{PIDS}/pids.max": "64", f"{PIDS}/pids.current": "3"}, Group(pids_max=64, pids_current=3)),
        ({**V2, f"{NEAR}/cgroup.events": "populated 1\nfrozen 1\n"}, Group(frozen=True)),
        ({**V2, f"{NEAR}/cgroup.events": "populated 1\nfrozen 0\n", f"{ABOVE}/cgroup.events": "frozen 1\n"},
         Group(frozen=False)),
        ({**V1, f"{FREEZER}/freezer.state": "FROZEN\n"}, Group(frozen=True)),
        ({**V1, f"{FREEZER}/freezer.state": "THAWED\n"}, Group(frozen=False)),
        # Both versions at once: what version 1 doesn't have is below unified.
        ({"/proc/7/cgroup": "3:cpu,cpuacct:/app\n0::/app\n", f"{CPU}/cpu.cfs_quota_us": "50000",
          f"{CPU}/cpu.cfs_period_us": "100000", "/sys/fs/cgroup/unified/app/pids.max": "9"},
         Group(cpu_quota=0.5, throttled_seconds=0.0, pids_max=9)),
    ],
)  # fmt: skip
def test_what_limits_a_process(files: dict[str, str], limits: Group) -> None:
    assert group(Held(files), 7) == limits
