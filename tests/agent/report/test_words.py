"""What is cited, in words; and the table of words against the fields that there are."""

import pytest

from agent.answer.diagnosis import Evidence
from agent.evidence.known import is_known
from agent.report.words import TABLE, all_in_words, who
from tools.records import Reading, Scalar, Values

NUMBERS = ("1", "10", "60", "99", "600")
"""Those that stand in some field's name."""


def reading(tool: str, values: Values, **args: Scalar) -> Reading:
    return Reading(id="r3", tool=tool, args=dict(args), node="n", at="", ms=1.0, values=values, unavailable=None)


def told(tool: str, values: Values, *fields: str) -> list[str]:
    """The words for these fields of a reading; for all of it where none is named."""
    one = reading(tool, {"window_seconds": 2.004, **values})
    cited = [Evidence(reading="r3", field=field, value=one.get(field), verified=True) for field in fields or values]
    return all_in_words([cited], [one])


@pytest.mark.parametrize(
    ("tool", "values", "words"),
    [
        ("info", {"rejected_connections.delta": 42}, "42 connections turned away over 2 s"),
        ("info", {"rejected_connections.delta": 1}, "1 connection turned away over 2 s"),
        ("info", {"total_commands_processed.rate": 780.4}, "commands: 780/s"),
        ("info", {"used_memory": 117440512}, "112 MiB of memory used"),
        ("info", {"used_memory.delta": 117440512}, "112 MiB more of memory used over 2 s"),
        ("info", {"connected_clients.delta": -1}, "1 fewer clients connected over 2 s"),
        ("process", {"listening": False}, "nothing listens on the port"),
        ("persistence", {"aof_enabled": 1}, "the append-only file is on"),
        ("info", {"a_field_of_tomorrow": 3}, "a field of tomorrow 3"),
        ("prefixes", {"p1.prefix": "cart:", "p1.share": 0.99}, "keys cart:*: 99% of the sample"),
        ("streams", {"s1.g1.pending.delta": -2}, "group: 2 fewer pending over 2 s"),
        ("latency_events", {"fork.max_60s_ms": 329}, "fork took up to 329 ms within a minute"),
        ("log", {"no_space.count": 1, "no_space.newest_age": 90.0},
         "no space on the disk: once, the last 90 s ago"),
        ("commandstats", {"config|set.calls": 12, "config|set.usec_per_call": 63.0},
         "CONFIG SET: 12 calls, 63 µs a call since its start"),
    ],
)  # fmt: skip
def test_a_field_is_told_in_words(tool: str, values: Values, words: str) -> None:
    assert told(tool, values) == [words]


def test_what_is_of_one_client_is_told_together_and_with_its_name() -> None:
    values: Values = {"o1.name": "orders", "o1.address": "10.0.0.7", "o1.count": 31, "o1.idle_median": 1500}
    assert told("clients", values, "o1.count", "o1.idle_median") == [
        "clients orders at 10.0.0.7: 31 connections, idle for 25 min"
    ]
    values = {"omem_max": 60711731, "omem_max.name": "", "omem_max.address": "10.0.0.7:4433"}
    assert told("clients", values, "omem_max") == ["largest output buffer 57.9 MiB, of 10.0.0.7:4433"]


def test_an_answer_that_did_not_come_is_told_by_its_kind() -> None:
    cited = [Evidence(reading="r3", field="unavailable", value="maxclients", verified=True)]
    assert all_in_words([cited], [reading("connect", {})]) == [
        "a new connection: refused because the client limit is reached"
    ]


def test_what_is_not_verified_or_was_not_read_is_not_told() -> None:
    one = reading("info", {"connected_clients": 3})
    cited = [
        Evidence(reading="r3", field="connected_clients", value=4, verified=False),
        Evidence(reading="r3", field="maxclients", value=None, verified=True),
        Evidence(reading="r9", field="maxclients", value=4, verified=True),
    ]
    assert all_in_words([cited], [one]) == []


def test_nobody_is_named_where_nobody_was_read() -> None:
    assert who(reading("clients", {"o1.count": 3}), "o1") == ""


def test_the_table_speaks_of_fields_that_there_are() -> None:
    tool, unknown = "", []
    for line in TABLE.read_text("utf-8").splitlines():
        if line.startswith("["):
            tool = line.strip("[]")
        elif line and not line.startswith("# ") and tool not in ("", "events", "log"):
            field = line.partition(": ")[0]
            if not any(_is_there(tool, field.replace("#", number).replace("*", "x")) for number in NUMBERS):
                unknown.append((tool, field))
    assert unknown == []


def _is_there(tool: str, field: str) -> bool:
    """Whether a tool's readings may have a field, or rows of that name."""
    ends = (
        "",
        ".delta",
        ".address",
        ".name",
        ".key",
        ".node",
        ".command",
        ".event",
        ".group",
        ".run",
        ".slot",
        ".prefix",
    )
    return any(is_known(tool, f"{field}{end}") for end in ends)
