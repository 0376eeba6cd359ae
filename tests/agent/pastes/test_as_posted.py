"""Forms in which old servers write and people post: without a year, in brackets, cut out of something larger."""

from agent.answer.diagnosis import Diagnosis
from agent.pastes.incident import incident_of
from tests.agent.pastes.test_incident import answer
from tools.host.log_lines import is_dated, log_lines
from tools.paste.pieces import Piece
from tools.paste.recognise import recognise

FORKS = """\
812:M 30 Dec 23:59:58.101 * 10 changes in 300 seconds. Saving...
812:M 30 Dec 23:59:58.120 # Can't save in background: fork: Cannot allocate memory
812:M 02 Jan 00:00:04.301 # Can't save in background: fork: Cannot allocate memory
"""
OLDER = """\
[77] 04 Mar 10:00:00 \\* Slave asks for synchronization
[77] 04 Mar 10:02:00.010 # Client addr=10.9.8.7:4010 fd=7 name= age=80 idle=40 flags=S db=0 sub=0 psub=0 multi=-1 \
qbuf=0 qbuf-free=0 obl=0 oll=900 omem=99000000 events=rw cmd=sync scheduled to be closed ASAP for overcoming of \
output buffer limits.
"""
STATE = """\
"State": {
    "Status": "exited",
    "Running": false,
    "OOMKilled": %s,
    "ExitCode": %d,
    "StartedAt": "2026-01-31T01:00:00Z",
    "FinishedAt": "2026-01-31T02:00:00Z"
}
"""


def told(text: str) -> Diagnosis:
    return answer(incident_of([recognise(text, "paste")], ""))


def only(text: str) -> Piece:
    (piece,) = recognise(text, "paste").pieces
    return piece


def test_a_log_without_a_year_is_a_log_of_an_unknown_time() -> None:
    piece = only(FORKS)
    assert (piece.form, piece.at) == ("server-log", None)
    first, _, last = (line.at for line in log_lines(FORKS))
    assert first is not None and last is not None and not is_dated(first)
    assert round(last - first) == 2 * 86400 + 6


def test_the_number_of_an_old_servers_process_is_no_prefix_of_a_shipper() -> None:
    piece = only(OLDER)
    assert (piece.form, piece.text.count("[77]")) == ("server-log", 2)
    assert [line.pid for line in log_lines(OLDER)] == [77, 77]


def test_memory_that_was_refused_is_no_limit_of_processes() -> None:
    found = told(FORKS)
    assert [one.id for one in found.causes] == ["fork-denied"]
    assert "overcommit_memory" in found.plan[0].action
    assert not any("process limit" in step.action for step in found.plan)
    denied = told(FORKS.replace("Cannot allocate memory", "Resource temporarily unavailable"))
    assert "process limit" in denied.plan[0].action
    assert not any("overcommit_memory" in step.action for step in denied.plan)


def test_one_replica_that_was_cut_off_is_a_hint() -> None:
    found = told(OLDER)
    assert found.outcome == "insufficient-evidence" and "hint at replica-output-loop" in found.summary


def test_a_quoted_end_of_a_line_says_who_was_cut_off() -> None:
    quoted = (
        "We get this every hour:\n> `Client id=4 addr=10.1.1.9:5000 fd=9 name= age=66 idle=5 flags=P db=0 sub=0 psub=1 "
        "omem=99000000 events=r cmd=psubscribe scheduled to be closed ASAP for overcoming of output buffer limits`\n"
    )
    found = told(quoted)
    assert [one.id for one in found.causes] == ["slow-consumer-output"]


def test_docker_says_how_a_container_ended() -> None:
    assert only(STATE % ("true", 137)).form == "container"
    assert [one.id for one in told(STATE % ("true", 137)).causes] == ["oom-killed"]
    killed = told(STATE % ("false", 137))
    assert killed.outcome == "insufficient-evidence" and "hint at oom-killed" in killed.summary
    assert told(STATE % ("false", 0)).outcome == "insufficient-evidence"


def test_the_counters_of_stackexchange_redis_name_it() -> None:
    said = (
        "Timeout performing HGET cart:7, inst: 2, mgr: Inactive, err: never, queue: 812, qu: 0, qs: 812, qc: 0, wr: 0, "
        "wq: 0, in: 0, ar: 0, IOCP: (Busy=0,Free=1000,Min=4,Max=1000), WORKER: (Busy=90,Free=32677,Min=4,Max=32767)"
    )
    found = told(said)
    assert "StackExchange.Redis" in found.client_says[0].told and "90 worker threads" in found.client_says[0].told
