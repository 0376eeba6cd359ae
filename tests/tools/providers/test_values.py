"""Figures and events as the values of a reading: what counts is the time of the report."""

from typing import Any

from tools.providers.found import Event, Figure, Found, Logged, Point, Refused, Setting, Window
from tools.providers.values import MOST_EVENTS, MOST_SETTINGS, values_of

NOW = 1_790_000_000.0
WINDOW = Window(NOW, NOW - 3600, NOW, NOW - 86_400)


def found(**more: Any) -> Found:
    return Found("aws", "elasticache", "shop")._replace(**more)


def points(*pairs: tuple[float, float]) -> tuple[Point, ...]:
    return tuple(Point(NOW - seconds, value) for seconds, value in pairs)


def test_what_happened_an_hour_ago_isnt_counted_as_the_reports_time() -> None:
    values = values_of(found(figures=(Figure("Dropped", points((3000, 12)), counts=True),)), WINDOW)
    assert values["figure.Dropped.sum_15m"] == values["figure.Dropped.minutes_15m"] == 0
    assert (values["figure.Dropped.sum"], values["figure.Dropped.newest_age"]) == (12, 3000)


def test_a_level_that_wasnt_measured_lately_has_no_recent_value() -> None:
    values = values_of(found(figures=(Figure("Cpu", points((3000, 12), (2000, 14))),)), WINDOW)
    assert (values["figure.Cpu.last"], values["figure.Cpu.mean"]) == (14, 13)
    assert "figure.Cpu.max_15m" not in values


def test_of_many_events_the_newest_are_kept_and_all_are_counted() -> None:
    many = tuple(Event(NOW - 60 * number, "backup", "backup-complete", "shop") for number in range(40))
    values = values_of(found(events=(*many, Event(NOW - 90_000, "failover", "failover-complete"))), WINDOW)
    assert (values["events"], values["events.backup"], values["e1.age"]) == (40, 40, 0)
    assert f"e{MOST_EVENTS}.kind" in values and f"e{MOST_EVENTS + 1}.kind" not in values
    assert "events.failover" not in values


def test_a_refused_part_is_never_empty() -> None:
    values = values_of(found(refused=(Refused("events", "denied", "elasticache:DescribeEvents"),)), WINDOW)
    assert "events" not in values
    assert (values["events.unavailable"], values["events.permission"]) == ("denied", "elasticache:DescribeEvents")


def test_settings_facts_and_the_log_are_bounded() -> None:
    settings = tuple(Setting(f"name-{number}", "1") for number in range(200))
    logged = (Logged(NOW - 5, "fork_failed", "critical"), Logged(NOW - 50, "fork_failed", "critical"),
              Logged(NOW - 1, "started", "info"))  # fmt: skip
    facts = {"status": "a b\n", "node_type": "cache.t4g.small", "secret": "x", "nodes": 2}
    values = values_of(found(settings=settings, logged=logged, facts=facts), WINDOW)
    assert sum(field.startswith("setting.") for field in values) == MOST_SETTINGS
    assert (values["log.fork_failed.count"], values["log.fork_failed.newest_age"]) == (2, 5)
    assert "log.started.count" not in values and "status" not in values and "secret" not in values
    assert (values["node_type"], values["nodes"]) == ("cache.t4g.small", 2)
