"""Client errors in what people report: whose, which, at which stage, and whom they accuse."""

import pytest

from tests.tools.client_errors.forms import CASES, OTHERS, Case
from tools.client_errors.figures import milliseconds
from tools.client_errors.recognise import HITS, MARKS, MOST, client_errors
from tools.client_errors.table import table

LIBRARIES = {
    "redis-py", "jedis", "lettuce", "redisson", "go-redis", "ioredis", "node-redis", "StackExchange.Redis", "phpredis",
    "predis", "sidekiq", "celery", "bullmq", "redis-rb", "redis-cli", "Spring Data Redis", "aioredis", "fred",
    "redis-rs",
}  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.library}-{case.name}")
def test_an_error_says_whose_it_is_how_far_it_got_and_whom_it_accuses(case: Case) -> None:
    found = client_errors(case.text)
    assert [(one.library, one.name, one.stage, one.side) for one in found] == [
        (case.library, case.name, case.stage, case.side)
    ]
    assert case.figures.items() <= found[0].figures.items()
    assert 0 < found[0].weight < 1


def test_the_cases_are_of_many_libraries() -> None:
    assert {case.library for case in CASES} >= LIBRARIES
    assert len(CASES) >= 40


@pytest.mark.parametrize("text", OTHERS)
def test_what_other_systems_say_is_not_taken(text: str) -> None:
    assert client_errors(text) == ()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.library}-{case.name}")
def test_it_stands_within_a_log_of_other_things(case: Case) -> None:
    head = "2026-01-02T03:04:05Z INFO started\n" * 300
    tail = "\n" * 2 + "2026-01-02T03:09:05Z INFO request GET /cart took 12 ms\n" * 300
    found = client_errors(f"{head}{case.text}{tail}")
    assert [(one.library, one.name) for one in found] == [(case.library, case.name)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.library}-{case.name}")
def test_it_is_known_in_a_line_of_json(case: Case) -> None:
    line = '{"level":"error","stack":"' + case.text.replace("\n", "\\n").replace("\t", "\\t") + '"}'
    assert (case.library, case.name) in [(one.library, one.name) for one in client_errors(line)]


def test_two_libraries_in_one_text_are_two() -> None:
    text = "\n\n".join(
        ("redis.exceptions.ConnectionError: No connection available.", "x: redis: connection pool timeout")
    )
    assert {one.library for one in client_errors(text)} == {"redis-py", "go-redis"}


def test_the_nearest_frames_say_whose_an_error_is() -> None:
    ours = "redis.clients.jedis.exceptions.JedisConnectionException: java.net.SocketTimeoutException: Read timed out\n"
    theirs = "java.net.SocketTimeoutException: Read timed out\n\tat com.mysql.cj.protocol.Stream.fill(R.java)\n"
    (found,) = client_errors(ours + "\tat a.b.C.d(C.java:1)\n" * 30 + theirs)
    assert (found.library, found.count) == ("jedis", 1)


def test_repetitions_are_counted() -> None:
    found = client_errors("redis.exceptions.TimeoutError: Timeout reading from socket\n" * (HITS + 5))
    assert [one.count for one in found] == [HITS + 5]


def test_what_is_kept_of_a_line_has_no_password_in_it() -> None:
    (found,) = client_errors(
        "consumer: Cannot connect to redis://:hunter2secret@cache:6379/0: Error 111 connecting to cache:6379."
        " Connection refused."
    )
    assert "hunter2secret" not in repr(found.model_dump(exclude={"before"}))
    assert found.figures["endpoint"] == "cache:6379"


def test_floods_and_long_lines_are_read_within_bounds() -> None:
    trace = "redis.exceptions.ConnectionError: Error 111 connecting to cache:6379. Connection refused.\n"
    nested = "During handling of the above exception, another exception occurred:\n" + trace
    assert client_errors(nested * 10_000)[0].count == 10_000
    line = "x" * 50_000 + " redis.exceptions.TimeoutError: Timeout reading from socket " + "Connection " * 10_000
    assert client_errors(line)[0].name == "reply-timeout"
    hostile = ("Busy=" + "9" * 5000 + "Timeout performing " + "A" * 5000 + " qs: ") * 20
    assert len(client_errors(f"StackExchange.Redis {hostile}")) <= MOST


def test_each_form_is_looked_for_by_a_text_that_it_must_have() -> None:
    known = table()
    assert [one.name for one in known.forms if not one.certain] == []
    assert {one.library for one in known.forms} - {""} <= {sign.library for sign in known.signs}
    assert [sign.library for sign in known.signs if not sign.certain] == []


def test_no_error_is_hidden_by_the_first_question() -> None:
    assert [case.text for case in CASES if not any(mark in case.text for mark in MARKS)] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [("5000ms", 5000.0), ("1 minute(s)", 60_000.0), ("2.5 sec", 2500.0), ("500 millisecond(s)", 500.0), ("soon", None)],
)
def test_durations_are_milliseconds(text: str, expected: float | None) -> None:
    assert milliseconds(text) == expected
