"""A paste of one thing only: what the server's own doctors say, one statistic, one status, one error, one list."""

import pytest

from agent.answer.diagnosis import Diagnosis
from agent.investigation.then import with_then
from agent.pastes.incident import incident_of
from tests.agent.pastes.test_as_posted import told
from tests.agent.pastes.test_incident import answer
from tools.host.log_lines import log_lines
from tools.paste.recognise import recognise

LATENCY = """\
10.9.0.1:6379> LATENCY DOCTOR
Dave, I have observed latency spikes in this Redis instance. You don't mind talking about it, do you Dave?

1. fork: 4 latency spikes (average 700ms, mean deviation 20ms, period 250.00 sec). Worst all time event 790ms. Fork \
rate is 4.00 GB/sec (good).
2. command: 2 latency spikes (average 210ms, mean deviation 5ms, period 9.50 sec). Worst all time event 240ms.
"""
MEMORY = """\
10.9.0.1:6379> MEMORY DOCTOR
Sam, I detected a few issues in this Redis instance memory implants:

 * Peak memory: In the past this instance used more than 150% the memory that is currently using. This is harmless.

 * Big client buffers: The clients output buffers in this instance are greater than 200K per client (on average).

I'm here to keep you safe, Sam. I want to help you.
"""
STATS = """\
10.9.0.1:6379> MEMORY STATS
1) "peak.allocated"
2) (integer) 99000000
3) "total.allocated"
4) (integer) 90000000
5) "startup.allocated"
6) (integer) 800000
7) "clients.normal"
8) (integer) 80000000
"""
COSTS = """\
# Commandstats
cmdstat_get:calls=9000000,usec=9000000,usec_per_call=1.00
cmdstat_blpop:calls=4000,usec=4000000000,usec_per_call=1000000.00
cmdstat_smembers:calls=2500,usec=300000000,usec_per_call=120000.00
"""
SAVED = "# Persistence\nloading:0\nrdb_changes_since_last_save:7\nrdb_last_bgsave_status:err\nrdb_last_save_time:17\n"
NODES = """\
1b94f2cd60995ed430ff7b4785c53ce9672e85d1 10.9.0.1:6379@16379 myself,master - 0 1605515275538 7 connected 0-99
2b94f2cd60995ed430ff7b4785c53ce9672e85d2 10.9.0.2:6379@16379 master,fail - 16055152 1605515269 6 connected 100-349
"""
ABORTED = """\
9:X 08 Dec 2025 10:11:02.205 # +odown master orders 10.9.0.1 6379 #quorum 3/2
9:X 08 Dec 2025 10:11:02.372 # -failover-abort-no-good-slave master orders 10.9.0.1 6379
"""
NAMED = "CACHE7 - 91:M 17 Nov 2025 21:18:03.505 # Cluster state changed: fail\n"
INFO = """\
redis_version:%s
uptime_in_seconds:4000
connected_clients:3
used_memory:%d
total_commands_processed:9000
"""


def test_the_doctors_events_are_repeated_and_hinted_at() -> None:
    found = told(LATENCY)
    assert [one.what for one in found.complaints] == [
        "LATENCY DOCTOR counts the event fork 4 times, 700 ms on average, 790 at most",
        "LATENCY DOCTOR counts the event command 2 times, 210 ms on average, 240 at most",
    ]
    assert found.findings[0].id == "fork-stall" and found.outcome == "insufficient-evidence"


def test_what_the_memory_doctor_calls_harmless_is_no_complaint() -> None:
    (only,) = told(MEMORY).complaints
    assert only.what == "MEMORY DOCTOR says: big client buffers"


def test_memory_stats_say_who_holds_the_memory() -> None:
    (only,) = told(STATS).complaints
    assert only.what == "the buffers of clients hold 76 of the 86 MiB in use"


def test_the_command_that_cost_most_is_hinted_at_and_one_that_waits_is_not() -> None:
    found = told(COSTS)
    assert found.findings[0].id == "slow-on-command" and "SMEMBERS took 120 ms a call" in found.findings[0].why


def test_a_failed_save_alone_is_no_full_disk() -> None:
    found = told(SAVED)
    assert not found.causes and "rdb_last_bgsave_status is err" in [one.what for one in found.complaints]
    refused = told(
        f"{SAVED}\n(error) MISCONF Redis is configured to save RDB snapshots, but it can't persist on disk\n"
    )
    assert refused.findings[0].id == "bgsave-disk-full"


def test_a_list_of_nodes_alone_shows_the_slots_of_those_that_failed() -> None:
    found = told(NODES)
    assert [one.id for one in found.causes] == ["cluster-slots-down"]
    assert "250 of 16384 slots" in found.causes[0].why and "replicas" not in found.causes[0].why
    assert not any("FAILOVER" in step.action for step in found.plan)


def test_an_aborted_failover_doesnt_say_what_bars_the_replicas() -> None:
    found = told(ABORTED)
    assert found.causes[0].id == "sentinel-no-good-replica"
    assert "Ask a sentinel why" in found.plan[0].action
    assert not any("replica-priority 100" in step.action for step in found.plan)


def test_a_name_before_a_line_is_no_part_of_it() -> None:
    (piece,) = recognise(NAMED, "paste").pieces
    assert piece.form == "server-log" and [line.pid for line in log_lines(piece.text)] == [91]
    found = told(NAMED)
    assert found.causes[0].id == "cluster-slots-down"
    assert "See whether it is still so" in found.plan[0].action
    assert not any("cut off from the majority. Fix" in step.action for step in found.plan)


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        ("-OOM command not allowed when used memory > 'maxmemory'.", "oom-noeviction"),
        ("(error) LOADING Redis is loading the dataset in memory", "loading-dataset"),
        ("(error) NOREPLICAS Not enough good replicas to write.", "noreplicas"),
        ("(error) ERR max number of clients reached", "maxclients-exhausted"),
    ],
)
def test_an_error_alone_hints_at_what_it_means(reply: str, cause: str) -> None:
    found = told(reply)
    assert (found.outcome, found.findings[0].id) == ("insufficient-evidence", cause)


def _of(version: str, held: int) -> Diagnosis:
    return answer(incident_of([recognise(INFO % (version, held), "paste")], ""))


def test_figures_of_another_server_are_told_apart() -> None:
    live = _of("7.0.15", 2 << 20).model_copy(update={"outcome": "no-fault", "summary": "It works normally."})
    other = with_then(live, _of("2.4.2", 2 << 30))
    assert other.outcome == "no-fault"
    assert other.summary == (
        "It works normally. What was pasted may be of another server, or of long ago: version 2.4.2 there, 7.0.15 "
        "here; 2 GiB in use there, 2 MiB here."
    )
    assert with_then(live, _of("7.0.15", 3 << 20)).summary == "It works normally."


def test_an_append_only_file_that_cant_be_opened_at_the_start_ends_the_server() -> None:
    found = told(
        "1:C 05 Sep 2025 21:43:13.491 # Redis version=7.0.7, bits=64, pid=1, just started\n"
        "1:M 05 Sep 2025 21:43:13.492 # Can't open the append-only file: Read-only file system\n"
    )
    assert [one.id for one in found.causes] == ["start-failed"]
    assert "the file system is read-only" in found.causes[0].why
    assert "read-only, and make it writable" in found.plan[0].action
