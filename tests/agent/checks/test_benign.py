"""What explains a report although nothing is wrong."""

import pytest

from agent.answer.diagnosis import Cause
from agent.checks.benign import benign
from agent.checks.errors import client_errors
from tests.agent.checks.rows import LIMITS, Given, view
from tools.records import Values

WORKERS: Given = {
    "info": {"blocked_clients": 300},
    "clients": {"o1.count": 300, "o1.name": "worker", "o1.address": "127.0.0.1", "o1.cmds": "blpop"},
}


@pytest.mark.parametrize(
    ("counted", "said"),
    [
        ({}, "there was no LPUSH or RPUSH"),
        ({"blpop.calls": 5}, "there was no LPUSH or RPUSH"),
        ({"blpop.calls": 5, "lpush.calls.delta": 0, "rpush.calls.delta": 0}, "there was no LPUSH or RPUSH"),
        ({"blpop.calls": 5, "rpush.calls.delta": 3}, "workers are waiting for work."),
    ],
)
def test_workers_that_wait_for_work_are_named_with_whether_any_arrived(counted: Values, said: str) -> None:
    (found,) = benign([view({**WORKERS, "commandstats": counted}, symptom="Jobs aren't processed")])
    assert found.what.startswith("300 clients are blocked in BLPOP")
    assert said in found.what
    assert all(one.verified for one in found.evidence)


def test_nobody_waits_where_nobody_is_blocked() -> None:
    idle: Given = {"info": {"blocked_clients": 0}, "commandstats": {"blpop.calls": 5}}
    assert not [one for one in benign([view(idle, symptom="Jobs aren't processed")]) if "blocked in" in one.what]


REFUSED: Given = {"info": {"errorstat_ERR.count.delta": 9, "total_commands_processed.delta": 9}, "commandstats": {}}
LIMITED: Given = {**REFUSED, "config_drift": {"proto-max-bulk-len.running": "1048576", "drifted": 1}}


@pytest.mark.parametrize(
    ("given", "symptom", "named"),
    [
        (LIMITED, "ERR Protocol error: invalid bulk length", True),
        (LIMITED, "uploads fail", True),
        (LIMITED, "unknown command", False),
        (REFUSED, "ERR Protocol error: invalid bulk length", False),
    ],
)
def test_the_limit_that_refuses_an_argument_is_named_if_the_report_is_about_one(
    given: Given, symptom: str, named: bool
) -> None:
    (found,) = client_errors(view(given, symptom=symptom), LIMITS)
    assert isinstance(found, Cause)
    assert ("proto-max-bulk-len is 1 MiB here" in found.why) == named
    assert found.id == ("query-buffer-hog" if named else "client-errors")
