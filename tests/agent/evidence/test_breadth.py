"""What saw less adds to what is known, and never erases it."""

from typing import Any

import pytest

from agent.checks.verdict import at_least, conclude
from agent.evidence.view import View
from tests.agent.checks.rows import LIMITS, NODE
from tools.records import Reading, Unavailable, Values


def reading(
    number: int, tool: str, values: Values | None, *, asked: bool = True, kind: Any = None, **args: Any
) -> Reading:
    unavailable = Unavailable(kind=kind, detail="no answer") if kind else None
    return Reading(
        id=f"r{number}", tool=tool, args=args, node=NODE, at="2026-01-31T02:05:07Z", ms=1.0, values=values,
        unavailable=unavailable, asked=asked,
    )  # fmt: skip


SECTIONS = ["clients", "memory", "errorstats"]
WIDE = reading(
    1, "info", {"window_seconds": 2.0, "connected_clients": 4, "errorstat_OOM.count.delta": 42}, asked=False,
    sections=SECTIONS, window=2,
)  # fmt: skip
CLIENTS = reading(
    2, "clients", {"connected": 9, "o1.name": "shop", "o1.count": 5, "o2.count": 4}, asked=False, groups=6
)
SAMPLE = reading(3, "latency_sample", {"answered": 60, "median_ms": 80.0}, asked=False, count=60, seconds=2)

LESS: dict[str, tuple[Reading, Reading, Values]] = {
    "two sections": (
        WIDE, reading(9, "info", {"connected_clients": 7}, sections=["clients"], window=2),
        {"connected_clients": 7, "errorstat_OOM.count.delta": 42},
    ),
    "a glance": (
        WIDE,
        reading(9, "info", {"connected_clients": 7, "errorstat_OOM.count.delta": 0}, sections=SECTIONS, window=0.05),
        {"connected_clients": 7, "errorstat_OOM.count.delta": 42},
    ),
    "as much": (
        WIDE, reading(9, "info", {"connected_clients": 7, "errorstat_OOM.count.delta": 0}, sections=SECTIONS, window=2),
        {"connected_clients": 7, "errorstat_OOM.count.delta": 0},
    ),
    "a longer look": (
        WIDE, reading(9, "info", {"errorstat_OOM.count.delta": 99}, sections=SECTIONS, window=8),
        {"connected_clients": 4, "errorstat_OOM.count.delta": 99},
    ),
    "in vain": (
        WIDE, reading(9, "info", None, kind="timeout", sections=SECTIONS, window=2),
        {"connected_clients": 4, "errorstat_OOM.count.delta": 42, "unavailable": None},
    ),
    "fewer rows": (
        CLIENTS, reading(9, "clients", {"connected": 3, "o1.name": "cron", "o1.count": 3}, groups=1),
        {"connected": 9, "o1.name": "shop", "o1.count": 5, "o2.count": 4},
    ),
    "as many rows": (
        CLIENTS, reading(9, "clients", {"connected": 3, "o1.name": "cron", "o1.count": 3}, groups=6),
        {"connected": 3, "o1.name": "cron", "o1.count": 3, "o2.count": None},
    ),
    "a single ping": (
        SAMPLE, reading(9, "latency_sample", {"answered": 1, "median_ms": 0.1}, count=1, seconds=0),
        {"answered": 60, "median_ms": 80.0},
    ),
    "its defaults, which nobody knows": (
        SAMPLE, reading(9, "latency_sample", {"answered": 5, "median_ms": 0.1}), {"answered": 60, "median_ms": 80.0},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("before", "asked", "known"), LESS.values(), ids=LESS.keys())
def test_what_saw_less_never_erases(before: Reading, asked: Reading, known: Values) -> None:
    view = View([before, asked], NODE)
    for field, value in known.items():
        assert (view.unavailable(before.tool) if field == "unavailable" else view.get(before.tool, field)) == value
    # What is cited is the reading that the value is of.
    for field, value in known.items():
        for cited in view.cite((before.tool, field)):
            held = {before.id: before, asked.id: asked}[cited.reading]
            assert held.get(field) == cited.value == value


def test_a_verdict_is_never_weaker_for_what_was_asked_for() -> None:
    full = reading(2, "memory", {"maxmemory_policy": "noeviction", "maxmemory_used_share": 0.99}, asked=False, window=2)
    quiet = WIDE.model_copy(update={"id": "r9", "asked": True, "values": {"errorstat_OOM.count.delta": 0}})
    floor = conclude([WIDE, full], [NODE], LIMITS)
    later = conclude([WIDE, full, quiet], [NODE], LIMITS)
    assert floor.causes[0].id == "oom-noeviction" and not later.causes
    kept = at_least(floor, later)
    assert kept.outcome == "diagnosed" and kept.causes == floor.causes
