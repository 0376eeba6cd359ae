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
from tools.host.kernel_log import DEVICE, kernel_log, parse_kill
from tools.host.local import Host
from tools.records import Reading, Unavailable, Values

IN_GROUP = (
    "3,346,6502556169,-;Memory cgroup out of memory: Killed process 312 (redis-server) total-vm:75176kB, "
    "anon-rss:30464kB, file-rss:6628kB, shmem-rss:0kB, UID:0 pgtables:116kB oom_score_adj:0\n"
)
OF_MACHINE = "3,9,1000000,-;Out of memory: Killed process 7 (valkey-server) total-vm:10kB, anon-rss:4kB, file-rss:0kB\n"
OLD = "3,9,1000000,-;Out of memory: Kill process 7 (redis-server) score 812 or sacrifice child\n"


def test_a_record_of_a_kill() -> None:
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
