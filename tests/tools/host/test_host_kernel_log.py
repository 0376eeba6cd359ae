"""The kernel's log: whom it killed because memory ran out."""

import os
import random

import pytest

from agent.answer.diagnosis import Cause
from agent.checks.footprint import oom_killed
from agent.evidence.view import View
from agent.runbooks.library import load
from evals.lab.catalogue import FAULTS
from evals.lab.servers import ServerKind
from tools.clock import SystemClock
from tools.connection.target import parse_target
from tools.errors import Unanswered
from tools.host.kernel_log import DEVICE, is_relevant, kernel_log, parse_kill, parse_trouble, troubles
from tools.host.local import Host
from tools.records import Reading, Unavailable, Values

IN_GROUP = (
    "3,346,6502556169,-;Memory cgroup out of memory: Killed process 312 (redis-server) total-vm:75176kB, "
    "anon-rss:30464kB, file-rss:6628kB, shmem-rss:0kB, UID:0 pgtables:116kB oom_score_adj:0\n"
)
OF_MACHINE = "3,9,1000000,-;Out of memory: Killed process 7 (valkey-server) total-vm:10kB, anon-rss:4kB, file-rss:0kB\n"
OLD = "3,9,1000000,-;Out of memory: Kill process 7 (redis-server) score 812 or sacrifice child\n"


def test_a_record_of_a_kill() -> None:
    assert all(map(is_relevant, (IN_GROUP, OF_MACHINE, OLD)))
    kill = parse_kill(IN_GROUP)
    assert kill and (kill.pid, kill.name, kill.in_cgroup, kill.rss) == (312, "redis-server", True, 30464 * 1024)
    assert kill.at == pytest.approx(6502.556169)
    machine = parse_kill(OF_MACHINE)
    assert machine and not machine.in_cgroup and machine.rss == 4096
    old = parse_kill(OLD)
    assert old and (old.pid, old.rss) == (7, None)


@pytest.mark.parametrize("record", ["", "6,1,2,-;usb 1-1: new device", "Out of memory: Killed process 7 (x)", "3;\n"])
def test_other_records_say_nothing(record: str) -> None:
    assert parse_kill(record) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I/O error, dev sda, sector 2048 op 0x1:(WRITE) flags 0x800 phys_seg 1", ("io_error", "sda")),
        ("blk_update_request: I/O error, dev nvme0n1, sector 9", ("io_error", "nvme0n1")),
        ("I/O error, dev sr0, sector 0 op 0x0:(READ)", None),
        ("EXT4-fs error (device sdb1): ext4_find_entry:1455: inode #2: comm ls: reading", ("filesystem_error", "sdb1")),
        ("EXT4-fs (sdb1): Remounting filesystem read-only", ("filesystem_error", "sdb1")),
        ("EXT4-fs (sdb1): mounted filesystem with ordered data mode", None),
        ("XFS (dm-0): Metadata corruption detected at xfs_buf_ioend", ("filesystem_error", "dm-0")),
        ("INFO: task jbd2/sda1-8:210 blocked for more than 122 seconds.", ("hung_task", "jbd2/sda1-8")),
        ("nf_conntrack: nf_conntrack: table full, dropping packet", ("conntrack_full", "")),
        ("TCP: request_sock_TCP: Possible SYN flooding on port 6379. Sending cookies.", ("syn_flood", "6379")),
        ("TCP: request_sock_TCP: Possible SYN flooding on port 10.0.0.5:6379. Sending cookies.", ("syn_flood", "6379")),
        ("TCP: request_sock_TCP: Possible SYN flooding on port [::]:7000. Dropping request.", ("syn_flood", "7000")),
        ("eth0: Link is Down", ("link_down", "eth0")),
        ("ixgbe 0000:01:00.0 eth1: NIC Link is Down", ("link_down", "eth1")),
        ("eth0: Link is Up - 10Gbps/Full", None),
        ("watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [redis-server:312]", ("cpu_stuck", "3")),
        ("rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:", ("cpu_stuck", "")),
        ("mce: [Hardware Error]: Machine check events logged", ("hardware_error", "")),
        ("neighbour: arp_cache: neighbor table overflow!", ("neighbour_table_full", "")),
        ("redis-server[312]: segfault at 8 ip 000055 sp 00007f error 4", None),
    ],
)  # fmt: skip
def test_trouble_of_the_machine(text: str, expected: tuple[str, str] | None) -> None:
    record = f"3,9,1000000,-;{text}\n SUBSYSTEM=block\n"
    assert parse_trouble(record) == expected
    assert expected is None or is_relevant(record)
    # The same words of a program's, as logger writes them.
    assert parse_trouble(f"11,9,1000000,-;{text}\n") is None


def test_how_often_and_when_it_was() -> None:
    full = ";nf_conntrack: nf_conntrack: table full, dropping packet"
    values = troubles([f"4,1,90000000,-{full}", f"4,2,95000000,-{full}", "4,3,96000000,-;eth0: Link is Down"], 100.0)
    assert values == {
        "conntrack_full.count": 2, "conntrack_full.newest_age": 5.0, "conntrack_full.what": None,
        "link_down.count": 1, "link_down.newest_age": 4.0, "link_down.what": "eth0",
    }  # fmt: skip


async def test_a_server_that_the_kernel_killed(kind: ServerKind) -> None:
    fault = FAULTS["oom-killed"]
    if reason := fault.unavailable(kind):
        pytest.skip(reason)
    async with fault.begin(kind, random.Random(5)) as incident:
        host = Host(parse_target(incident.url, environ={}), SystemClock())
        # As it was seen while it lived; other servers may be killed at the same time.
        host.reported = host.known = incident.pid
        values = await kernel_log(host)
    assert values["oom_kill.known_pid"] is True
    assert values["oom_kill.pid"] == incident.pid
    assert values["oom_kill.in_cgroup"] is True
    age = values["oom_kill.newest_age"]
    assert isinstance(age, float) and 0 <= age < 60


async def test_a_log_that_may_not_be_read_is_said() -> None:
    if os.access(DEVICE, os.R_OK):
        pytest.skip("this user may read it")
    with pytest.raises(Unanswered) as caught:
        await kernel_log(Host(parse_target("redis://127.0.0.1:1", environ={}), SystemClock()))
    assert caught.value.kind == "denied"


@pytest.mark.parametrize("killed,probable", [("4711 20", True), ("4711", False), ("", True)])
def test_a_kill_in_the_same_group_is_not_ours_where_the_kernel_names_another(killed: str, probable: bool) -> None:
    seen: dict[str, Values] = {
        "info": {"uptime_in_seconds": 20}, "log": {"previous_end": "stops", "started_age": 20, "previous_pid": 20},
        "process": {"cgroup_oom_kills": 1},
        "kernel_log": {"oom_kill.pids": killed, "oom_kill.pid": 4711, "oom_kill.newest_age": 21} if killed else {},
    }  # fmt: skip
    readings = [
        Reading(id=f"r{n}", tool=tool, args={}, node="a:1", at="2026-01-31T02:05:07Z", ms=1, values=values,
                unavailable=None)
        for n, (tool, values) in enumerate(seen.items(), 1)
    ]  # fmt: skip
    (found,) = oom_killed(View(readings, "a:1"), load().thresholds)
    assert isinstance(found, Cause) and (found.probability >= 0.5) == probable


@pytest.mark.parametrize("killed,probable", [("4711 20", True), ("4711", False)])
def test_a_dead_server_was_not_killed_for_another(killed: str, probable: bool) -> None:
    seen: dict[str, Values] = {
        "process": {"listening": False}, "log": {"end": "stops", "log_age": 9, "end_pid": 20},
        "kernel_log": {"oom_kill.pids": killed, "oom_kill.pid": 4711, "oom_kill.newest_age": 5},
    }  # fmt: skip
    refused = Unavailable(kind="refused", detail="ECONNREFUSED")
    readings = [
        Reading(id=f"r{n}", tool=tool, args={}, node="a:1", at="2026-01-31T02:05:07Z", ms=1, values=values,
                unavailable=refused if tool == "connect" else None)
        for n, (tool, values) in enumerate([("connect", {}), *seen.items()], 1)
    ]  # fmt: skip
    found = [one for one in oom_killed(View(readings, "a:1"), load().thresholds) if isinstance(one, Cause)]
    assert [one.probability >= 0.5 for one in found] == [probable]
