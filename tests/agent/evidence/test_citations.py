"""Citations: what counts as the same value, and what the model hears where it isn't."""

import pytest

from agent.answer.diagnosis import Cause, Evidence, RuledOut
from agent.evidence.citations import matches, problems, verify, verify_ruled_out
from tools.records import Reading, Scalar, Unavailable, Values


def reading(id: str, tool: str, values: Values | None, unavailable: Unavailable | None = None) -> Reading:
    return Reading(
        id=id, tool=tool, args={}, node="127.0.0.1:6379", at="2026-01-31T02:05:07Z", ms=1.0, values=values,
        unavailable=unavailable,
    )  # fmt: skip


READINGS = (
    reading("r0", "symptom", {"text": "checkout times out"}),
    reading(
        "r1", "info", {"connected_clients": 64, "rejected_connections.delta": 42, "busy": 0.9312, "role": "master"}
    ),
    reading("r2", "config_get", {"maxclients": "64", "timeout": None}),
    reading("r3", "connect", {"stage": "tcp"}, Unavailable(kind="maxclients", detail="ERR max number of clients")),
    reading("r4", "process", {"stopped": True}),
)


def cited(reading: str, field: str, value: Scalar) -> Evidence:
    return Evidence(reading=reading, field=field, value=value)


@pytest.mark.parametrize(
    ("value", "actual"),
    [
        (0.93, 0.9312), (0.9, 0.9312), (1, 0.9312), (42, 42), (42, 42.0), (42.0, 42), (1e3, 1000), (40, 40.3),
        ("42", 42), ("0.93", 0.9312), ("1e3", 1000), (64, "64"), (-3, -3.2), (0, 0.0), (0.13, 0.125), (0.12, 0.125),
        (1e-05, 0.00001), (123456789012345678, 123456789012345678), (0, "0"),
        ("master", "master"), ("", ""), (True, True), ("true", True), ("True", True), (False, False), (None, None),
    ],
)  # fmt: skip
def test_same_at_the_precision_it_is_cited_with(value: Scalar, actual: Scalar) -> None:
    assert matches(value, actual)


@pytest.mark.parametrize(
    ("value", "actual"),
    [
        (0.94, 0.9312), (0.9313, 0.9312), (43, 42), (41, 40.3), (1e3, 1001), ("42 ", "42"), ("Master", "master"),
        ("042", "42"), (True, 1), (1, True), (False, 0), ("yes", True), (None, 0), (0, None), ("", None),
        (float("nan"), 0.0), (float("inf"), 5), (5, float("inf")), ("nan", 5), ("9" * 4000, 5),
        (123456789012345679, 123456789012345678),
    ],
)  # fmt: skip
def test_not_the_same(value: Scalar, actual: Scalar) -> None:
    assert not matches(value, actual)


def test_verify_marks_each_citation_by_its_own_reading() -> None:
    evidence = (
        cited("r1", "rejected_connections.delta", 42), cited("r1", "rejected_connections", 42),
        cited("r9", "busy", 0.9312), cited("r3", "unavailable", "maxclients"), cited("r3", "unavailable", "timeout"),
        cited("r1", "unavailable", None), cited("r2", "timeout", None), cited("r0", "text", "checkout times out"),
    )  # fmt: skip
    cause = Cause(id="maxclients-exhausted", probability=0.9, where=None, why="", evidence=evidence)
    assert [one.verified for one in verify(cause, READINGS).evidence] == [
        True, False, False, True, False, False, True, True,
    ]  # fmt: skip
    out = RuledOut(id="path-latency", because="", evidence=evidence[:2])
    assert [one.verified for one in verify_ruled_out(out, READINGS).evidence] == [True, False]


def test_a_citation_cannot_bring_its_own_verification() -> None:
    forged = Evidence(reading="r1", field="connected_clients", value=1, verified=True)
    cause = Cause(id="maxclients-exhausted", probability=0.9, where=None, why="", evidence=(forged,))
    assert not verify(cause, READINGS).evidence[0].verified


def test_problems_name_the_reading_the_field_and_the_value() -> None:
    told = problems(
        "causes[0]",
        (
            cited("r1", "connected_clients", 64), cited("r1", "rejected_connections.delta", 40),
            cited("r1", "rejected_conections.delta", 42), cited("r1", "maxclients", 64), cited("r7", "x", 1),
        ),
        READINGS,
    )  # fmt: skip
    assert told == [
        "causes[0].evidence[1]: r1 rejected_connections.delta is 42, not 40",
        "causes[0].evidence[2]: r1 (info) has no field 'rejected_conections.delta'; "
        "closest: rejected_connections.delta",
        "causes[0].evidence[3]: r1 (info) has no field 'maxclients'; r2 has it",
        "causes[0].evidence[4]: there is no reading 'r7'; there are r0, r1, r2, r3, r4",
    ]


def test_a_problem_tells_the_value_of_that_field_only_and_not_all_of_a_long_one() -> None:
    long = reading("r1", "symptom", {"text": "x" * 5000, "other": "secret"})
    (told,) = problems("ruled_out[0]", (cited("r1", "text", "y"),), (long,))
    assert len(told) < 400
    assert "secret" not in told
