"""What a managed service says of itself becomes causes at its time, and what is over or usual becomes none."""

from typing import Any

import pytest

from agent.answer.diagnosis import Cause
from agent.checks.complaints import complaints
from agent.checks.managed import (
    cpu_credits,
    failover,
    maintenance,
    network_allowance,
    scaling,
    settings_pending,
    throttled,
    unheard,
)
from agent.checks.types import Check
from tests.agent.checks.rows import LIMITS, Expected, Given, Row, found, table, view

DROPPED = {"symptom": "all connections to the cache were reset at once"}
SLOW = {"symptom": "checkout is slow, redis timeouts"}
QUIET = {
    "source": "aws", "service": "elasticache", "resource": "shop", "status": "available", "node": "shop-001",
    "node_type": "cache.r7g.large", "settings.status": "in-sync", "settings.group": "shop-8", "events": 1,
    "e1.kind": "backup", "e1.event": "backup-complete", "e1.age": 120, "e1.at": "2026-01-31T02:03:07Z",
}  # fmt: skip
OUT = "figure.NetworkBandwidthOutAllowanceExceeded"


def given(*events: tuple[str, str, float], **fields: Any) -> Given:
    values = {**QUIET, **{name.replace("__", "."): value for name, value in fields.items()}}
    for number, (kind, event, age) in enumerate(events, 1):
        values |= {f"e{number}.kind": kind, f"e{number}.event": event, f"e{number}.age": age,
                   f"e{number}.at": "2026-01-31T02:00:07Z", f"e{number}.source": "shop-001"}  # fmt: skip
    return {"service": {"service": "elasticache", "by": "address"}, "provider": values}


def over(minutes: int, packets: int, newest: int = 60) -> Given:
    return given(**{f"{OUT}.minutes_15m": minutes, f"{OUT}.sum_15m": packets, f"{OUT}.newest_age": newest})


FAILED_OVER, RECOVERED = ("failover", "failover-complete"), ("node-replaced", "node-recovered")
ROWS: list[Row] = [
    ("a failover five minutes ago", failover, given((*FAILED_OVER, 300)), {"managed-failover": "sure"}, DROPPED),
    ("it was noted once it was over", failover, given((*FAILED_OVER, -240)), {"managed-failover": "sure"}, DROPPED),
    ("half an hour ago", failover, given((*FAILED_OVER, 1800)), {"managed-failover": "hint"}, DROPPED),
    ("yesterday", failover, given((*FAILED_OVER, 80_000)), {}, DROPPED),
    ("long after the report", failover, given((*FAILED_OVER, -3000)), {}, DROPPED),
    ("the report is about memory", failover, given((*FAILED_OVER, 300)), {}, {"symptom": "memory climbs"}),
    ("nothing but a backup", failover, given(), {}, DROPPED),
    ("a node was replaced", maintenance, given((*RECOVERED, 200)), {"managed-maintenance": "sure"}, DROPPED),
    ("as after each failover", maintenance, given((*RECOVERED, 100), (*FAILED_OVER, 300)), {}, DROPPED),
    ("a node is being replaced", maintenance, given(("node-replaced", "node-recovering", 2000)),
     {"managed-maintenance": "sure"}, DROPPED),
    ("which is over", maintenance, given((*RECOVERED, 50_000), ("node-replaced", "node-recovering", 50_300)), {},
     DROPPED),
    ("an update under way", maintenance, given(update__status="in-progress", update__name="v-1", update__age=900),
     {"managed-maintenance": "sure"}, DROPPED),
    ("an update of last month", maintenance, given(update__status="complete", update__age=3e6), {}, DROPPED),
    ("an update just now", maintenance, given(("patch", "update-done", 60)), {"managed-maintenance": "sure"}, SLOW),
    ("it was only announced", maintenance, given(("other", "replacement-announced", 60)), {}, DROPPED),
    ("it scales", scaling, given(scaling__under_way=True, scaling__percent=42.0), {"managed-scaling": "likely"}, SLOW),
    ("it has scaled", scaling, given(("scaling", "node-type-changed", 60)), {"managed-scaling": "likely"}, DROPPED),
    ("it couldn't", scaling, given(("scaling", "node-type-failed", 60)), {}, DROPPED),
    ("packets are held back", network_allowance, over(9, 5100), {"managed-network-allowance": "likely"}, SLOW),
    ("one burst", network_allowance, over(1, 40), {"managed-network-allowance": "hint"}, SLOW),
    ("a quarter of an hour ago", network_allowance, over(4, 900, 800), {"managed-network-allowance": "hint"}, SLOW),
    ("none at all", network_allowance, over(0, 0), {}, SLOW),
    ("no credits are left", cpu_credits,
     given(node_type="cache.t4g.small", **{"figure.CPUCreditBalance.min_15m": 0.3,
                                           "figure.CPUUtilization.max_15m": 20.1}),
     {"managed-cpu-credits": "likely"}, SLOW),
    ("none are left, and none are needed", cpu_credits,
     given(node_type="cache.t4g.small", **{"figure.CPUCreditBalance.min_15m": 0, "figure.CPUUtilization.max_15m": 4}),
     {}, SLOW),
    ("a node without credits", cpu_credits,
     given(**{"figure.CPUCreditBalance.min_15m": 0, "figure.CPUUtilization.max_15m": 90}), {}, SLOW),
    ("it manages the traffic", throttled, given(**{"figure.TrafficManagementActive.max_15m": 1}),
     {"managed-throttled": "likely"}, SLOW),
    ("a serverless cache throttles", throttled,
     given(**{"figure.ThrottledCmds.sum_15m": 900, "figure.ThrottledCmds.minutes_15m": 5}),
     {"managed-throttled": "likely"}, SLOW),
    ("nothing is throttled", throttled,
     given(**{"figure.ThrottledCmds.sum_15m": 0, "figure.ThrottledCmds.minutes_15m": 0,
              "figure.TrafficManagementActive.max_15m": 0}), {}, SLOW),
    ("a setting waits, and is asked about", settings_pending, given(settings__status="pending-reboot"),
     {"managed-settings-pending": "sure"}, {"symptom": "the changed config setting has no effect"}),
    ("a setting waits, and nobody asks", settings_pending, given(settings__status="pending-reboot"),
     {"managed-settings-pending": "hint"}, SLOW),
    ("all is applied", settings_pending, given(), {}, {"symptom": "the changed config setting has no effect"}),
    *((f"nobody was asked: {check.__name__}", check, {"info": {"role": "master"}}, {}, DROPPED)
      for check in (failover, maintenance, scaling, network_allowance, cpu_credits, throttled, settings_pending)),
]  # fmt: skip


@table(ROWS)
def test_what_the_service_says(check: Check, given: Given, expected: Expected, more: dict[str, Any]) -> None:
    assert found(check, given, **more) == expected


def test_a_failover_that_was_called_for_is_said_to_be_one() -> None:
    one = view(given((*FAILED_OVER, 300), ("failover", "failover-requested", 330)), symptom=DROPPED["symptom"])
    (cause,) = failover(one, LIMITS)
    assert isinstance(cause, Cause)
    assert "somebody called for it" in cause.why and "5 minutes before the report" in cause.why


@pytest.mark.parametrize(("events", "said"), [
    ([("backup", "backup-failed", 4000)], ["its last backup failed"]),
    ([("backup", "backup-complete", 100), ("backup", "backup-failed", 4000)], []),
    ([("scaling", "node-type-failed", 100)], ["changing the type of its nodes failed"]), ([], []),
])  # fmt: skip
def test_what_failed_there_is_a_complaint_unless_it_was_repeated(
    events: list[tuple[str, str, float]], said: list[str]
) -> None:
    told = [one.what for one in complaints(view(given(*events)), LIMITS)]
    assert told == [f"Amazon ElastiCache says that {one}" for one in said]


def test_what_it_didnt_say_is_said() -> None:
    part = given(**{"figures.unavailable": "denied", "figures.permission": "cloudwatch:GetMetricData"})
    assert list(unheard(view(part))) == [
        "Amazon ElastiCache itself didn't say everything: figures (cloudwatch:GetMetricData)"
    ]
    nothing = view({**given(), "provider": "noauth"})
    assert next(unheard(nothing)).startswith("Amazon ElastiCache itself said nothing (noauth)")
    assert not list(unheard(view(given()))) and not list(unheard(view({})))
