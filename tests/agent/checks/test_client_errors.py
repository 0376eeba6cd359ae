"""What clients' errors are to the checks: evidence of their own, below what was measured."""

from collections.abc import Mapping
from typing import Any

import pytest

from agent.checks.client_errors import client_says, suggested
from agent.checks.clientside import POOL_WORDS, pool, starved
from agent.checks.complaints.traffic import _of_clients
from agent.checks.types import Check
from agent.evidence.report_words import denied
from agent.evidence.view import CLIENT_ERRORS
from tests.agent.checks.rows import Expected, Given, Row, found, table, view
from tools.client_errors.reading import client_error_values
from tools.client_errors.recognise import client_errors
from tools.records import Values

IDLE: Given = {
    "commandstats": {"busy_share": 0.01}, "latency_sample": {"median_ms": 0.3, "over_10ms_share": 0.0},
    "info": {"rejected_connections.delta": 0, "connected_clients": 20, "maxclients": 10000},
}  # fmt: skip
BUSY: Given = {**IDLE, "commandstats": {"busy_share": 0.8}}
UNSEEN: Given = {"info": "not-pasted", "process": "not-pasted"}


def reading(text: str) -> Values:
    values = client_error_values(client_errors(text))
    assert values
    return values


def counted(busy: int, least: int, unread: int = 0) -> Values:
    return reading(
        "StackExchange.Redis.RedisTimeoutException: Timeout performing GET (5000ms), inst: 0, qu: 0, qs: 40, in:"
        f" {unread}, IOCP: (Busy=0,Free=1000,Min=8,Max=1000), WORKER: (Busy={busy},Free=9,Min={least},Max=32767)"
    )


POOL = reading("redis.exceptions.ConnectionError: Too many connections")
CLIENTS: list[Row] = [
    ("a pool's error beside an idle server", pool, {CLIENT_ERRORS: POOL, **IDLE}, {"pool-exhausted": "likely"}),
    ("a pool's error beside a busy server", pool, {CLIENT_ERRORS: POOL, **BUSY}, {"pool-exhausted": "not"}),
    ("a pool's error alone", pool, {CLIENT_ERRORS: POOL, **UNSEEN}, {"pool-exhausted": "hint"}),
    ("no error of a pool", pool, {CLIENT_ERRORS: counted(50, 4), **IDLE}, {}),
    ("busy threads beside an idle server", starved, {CLIENT_ERRORS: counted(50, 4), **IDLE},
     {"client-starved": "likely"}),
    ("busy threads beside a busy server", starved, {CLIENT_ERRORS: counted(50, 4), **BUSY}, {"client-starved": "not"}),
    ("busy threads alone", starved, {CLIENT_ERRORS: counted(50, 4), **UNSEEN}, {"client-starved": "hint"}),
    ("unread replies", starved, {CLIENT_ERRORS: counted(2, 8, unread=900_000), **IDLE}, {"client-starved": "likely"}),
    ("threads that have rest, whatever the words", starved, {CLIENT_ERRORS: counted(2, 8), **IDLE}, {},
     {"symptom": "time-outs, Busy=2, qs: 40"}),
    ("words alone, without counters", starved, IDLE, {"client-starved": "likely"}, {"symptom": "Busy=44, Min=4"}),
    ("a server that nobody looked at", suggested,
     {CLIENT_ERRORS: reading("redis.exceptions.OutOfMemoryError: command not allowed when used memory > 'maxmemory'."),
      **UNSEEN}, {"oom-noeviction": "hint"}),
    ("a server that was looked at", suggested,
     {CLIENT_ERRORS: reading("redis.exceptions.OutOfMemoryError: command not allowed when used memory > 'maxmemory'."),
      **IDLE}, {}),
]  # fmt: skip


@table(CLIENTS)
def test_clients_errors_count_as_what_was_measured_allows(
    check: Check, given: Given, expected: Expected, more: Mapping[str, Any]
) -> None:
    assert found(check, given, **more) == expected


def test_every_suggested_cause_is_one() -> None:
    from agent.answer.taxonomy import CAUSES
    from agent.checks.client_errors import SUGGESTS
    from tools.client_errors.table import table as forms

    assert {id for id, _ in SUGGESTS.values()} <= {*CAUSES, "outside-redis"}
    assert set(SUGGESTS) <= {one.name for one in forms().forms}
    assert all(likely < 0.5 for _, likely in SUGGESTS.values())


def test_the_line_says_who_what_and_the_figures() -> None:
    (said,) = client_says(view({CLIENT_ERRORS: counted(61, 8)}))
    assert said.told == (
        "The client (StackExchange.Redis) says: 40 commands wait for a reply, 61 worker threads are busy, the pool"
        " starts with 8 and grows slowly: the application's own threads are starved (command GET, time-out 5 s)."
    )
    assert (said.side, said.stage) == ("client", "reply")
    assert all(one.verified for one in said.evidence)


def test_a_client_that_accuses_itself_bars_an_all_clear() -> None:
    assert [one.what for one in _of_clients(view({CLIENT_ERRORS: POOL, **IDLE}))] == [
        "the reporting client says that it has no connection left in its pool"
    ]
    assert list(_of_clients(view({CLIENT_ERRORS: POOL, **UNSEEN}))) == []


def test_what_is_denied_is_not_reported() -> None:
    (error,) = client_errors("we see no redis.exceptions.TimeoutError: Timeout reading from socket any more")
    assert denied(error.before)
    (error,) = client_errors("pods restart; redis.exceptions.TimeoutError: Timeout reading from socket")
    assert not denied(error.before)


def test_an_error_reply_without_a_client_is_no_more_than_the_report() -> None:
    assert client_error_values(client_errors("OOM command not allowed when used memory > 'maxmemory'.")) is None


@pytest.mark.parametrize(
    ("text", "client"),
    [
        ("redis.exceptions.MaxConnectionsError: Too many connections", True),
        ("ConnectionError: Too many connections", True),
        ("Redis too many connections (instance 10.0.0.5:9121)", False),
        ("Redis instance has too many connections\n  VALUE = 342", False),
        ("Redis of orders has too many connections", False),
    ],
)
def test_a_servers_clients_that_are_too_many_are_no_pool(text: str, client: bool) -> None:
    assert bool(POOL_WORDS.search(text)) == client
