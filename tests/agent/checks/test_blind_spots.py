"""What wasn't looked at: every cause has its place, every recorded fault fits its report, and the line names both."""

import tomllib
from pathlib import Path

import pytest

import agent.checks.blind_spots
from agent.answer.taxonomy import CAUSES
from agent.checks import NEEDS
from agent.checks.blind_spots import blind_spots, cant_tell, look_alikes, symptom_kinds
from agent.checks.exclusions import excluding
from agent.evidence.view import View
from agent.report.first_screen import first_screen, one_liner
from agent.report.summary import explanation, headline
from evals.blind import MODES, answer, faults
from evals.scoring.scenario import BUNDLED, Scenario, load
from tests.agent.checks.rows import LIMITS, Given, view

UNKEPT: Given = {
    "persistence": {"config.save": "", "aof_enabled": 0},
    "keyspace": {"keys": 40, "hit_ratio": 0.01, "keyspace_hits.delta": 1, "keyspace_misses.delta": 99},
}
TABLE = tomllib.loads((Path(agent.checks.blind_spots.__file__).parent / "look_alikes.toml").read_text())
INFO: dict[str, object] = {
    "connected_clients": 120, "connected_clients.delta": 0, "maxclients": 10000, "used_memory": 5_000_000,
    "client_recent_max_output_buffer": 60_000_000, "mem_clients_normal": 61_000_000, "blocked_clients": 0,
}  # fmt: skip


def blind(given: View) -> dict[str, tuple[str, ...]]:
    return {one.reading: one.hides for one in blind_spots([given], LIMITS, {})}


def test_every_cause_is_shown_by_info_or_has_what_shows_it() -> None:
    by_info = TABLE["shown"]["by_info"]
    assert sorted([*by_info, *TABLE["causes"]]) == sorted(CAUSES)
    kinds = set(TABLE["symptoms"])
    for id, row in TABLE["causes"].items():
        assert set(row["makes"].split()) <= kinds, id
        assert row["needs"].split() or id in NEEDS


@pytest.mark.parametrize("scenario", faults(load(BUNDLED)), ids=lambda one: one.id)
def test_a_recorded_fault_fits_its_own_report_where_it_could_be_hidden(scenario: Scenario) -> None:
    cause, ticket = scenario.cause, scenario.ticket
    if cause not in TABLE["causes"] or cause in ("start-failed", "cluster-slots-down", "oom-killed", "data-gone"):
        # A server that isn't there is seen to be so, and what took data, but for a restart, is counted.
        return
    assert cause in look_alikes(ticket) or symptom_kinds(ticket) == {"errors"}


def test_the_line_names_what_was_refused_and_what_it_hides() -> None:
    given = view(
        {"info": INFO, "slowlog": "denied", "clients": "denied", "config_get": {"timeout": 0}}, symptom="requests stall"
    )
    found = blind_spots([given], LIMITS, {})
    line = cant_tell(found, given.symptom)
    assert line.startswith("Can't tell: SLOWLOG and CLIENT LIST were denied; they would show ")
    assert "causes that fit 'requests stall': " in line or "causes that fit 'requests stall', such as" in line
    assert cant_tell((), "requests stall") == ""


def test_what_was_found_or_ruled_out_is_not_hidden() -> None:
    given = view({"info": INFO, "clients": "denied", "slowlog": {}, "config_get": {}}, symptom="requests stall")
    settled = {given.node: frozenset(blind(given)["clients"])}
    assert blind_spots([given], LIMITS, settled) == ()


def test_a_report_of_something_else_is_not_hidden_by_it() -> None:
    given = view({"info": INFO, "config_get": "denied", "slowlog": {}, "clients": {}}, symptom="evicted_keys grows")
    assert "config_get" not in blind(given)


@pytest.mark.parametrize(("service", "named"), [("elasticache", True), ("azure", False), ("memorystore-valkey", False)])
def test_what_a_services_own_figures_would_not_show_is_not_hidden_there(service: str, named: bool) -> None:
    asked = {"source": "it", "figures.unavailable": "denied", "events.unavailable": "denied"}
    given = view(
        {"info": INFO, "service": {"service": service, "by": "settings"}, "provider": asked}, symptom="requests stall"
    )
    hidden = blind(given)
    assert ("managed-network-allowance" in hidden.get("provider_figures", ())) is named
    assert "managed-failover" in hidden["provider_events"]


def test_a_long_report_is_not_read_out() -> None:
    given = view({"info": INFO, "slowlog": "denied", "clients": {}, "config_get": {}}, symptom="slow\n" + "x" * 200)
    assert "what was reported" in cant_tell(blind_spots([given], LIMITS, {}), given.symptom)


@pytest.mark.parametrize(
    ("cause", "given", "excluded"),
    [
        ("connection-leak", {"info": {**INFO, "connected_clients": 6}}, True),
        ("connection-leak", {"info": INFO}, False),
        ("connection-leak", {"info": {**INFO, "connected_clients": 20, "connected_clients.delta": 5}}, False),
        ("slow-consumer-output", {"info": INFO}, False),
        ("slow-consumer-output",
         {"info": {**INFO, "client_recent_max_output_buffer": 0, "mem_clients_normal": 4000}}, True),
        ("client-paused", {"info": INFO}, True),
        ("client-paused", {"info": {**INFO, "blocked_clients": 3}}, False),
        ("client-paused", {"info": {}}, False),
        ("oom-killed", {"info": {"uptime_in_seconds": 900_000}}, True),
        ("oom-killed", {"info": {"uptime_in_seconds": 9}}, False),
        ("oom-killed", {"info": {"uptime_in_seconds": 8000}}, True),
        ("thp", {"info": {"latest_fork_usec": 900, "used_memory_rss": 9_000_000},
                 "persistence": {"rdb_last_cow_size": 400_000}}, True),
        ("thp", {"info": {"latest_fork_usec": 900, "used_memory_rss": 9_000_000},
                 "persistence": {"rdb_last_cow_size": 8_000_000}}, False),
        ("config-drift", {"commandstats": {"commands": 4}}, True),
        ("config-drift", {"commandstats": {"commands": 4, "config|set.calls": 1}}, False),
        ("slowness-failover", {"topology": {"topology": "cluster"}}, True),
        ("slowness-failover", {"topology": {"topology": "replication"}, "clients": {}}, True),
        ("slowness-failover", {"topology": {"topology": "replication"}, "clients": "denied"}, False),
        ("monitor-attached", {"commandstats": {"commands": 12}}, True),
        ("monitor-attached", {"commandstats": {"commands": 12, "monitor.calls": 1}}, False),
        ("slow-on-command", {"commandstats": {"commands": 1, "get.usec": 900}}, True),
        ("slow-on-command", {"commandstats": {"commands": 40, "get.usec": 900}}, False),
    ],
)  # fmt: skip
def test_other_figures_exclude_a_cause_only_where_they_were_read(cause: str, given: Given, excluded: bool) -> None:
    assert bool(excluding(cause, view(given), LIMITS)) is excluded


@pytest.mark.parametrize(
    ("given", "symptom", "excluded"),
    [
        ({"info": {"uptime_in_seconds": 9}}, "our sessions are gone", False),
        ({"info": {"uptime_in_seconds": 9}}, "the cart is as it was before", True),
        ({"info": {"uptime_in_seconds": 9}, "log": {"started_age": 9.0}}, "our sessions are gone", True),
        ({"info": {"uptime_in_seconds": 900_000}}, "our sessions are gone", True),
        ({"info": {"uptime_in_seconds": 9}, "replication": {"second_repl_offset": 99}}, "our sessions are gone", True),
        ({"info": {"uptime_in_seconds": 9}, "persistence": {"config.save": "900 1"}}, "our sessions are gone", True),
    ],
)  # fmt: skip
def test_a_server_that_began_empty_is_a_blind_spot_while_no_log_was_read(
    given: Given, symptom: str, excluded: bool
) -> None:
    assert bool(excluding("data-gone", view({**UNKEPT, **given}, symptom=symptom), LIMITS)) is excluded


@pytest.mark.parametrize(
    ("cause", "symptom", "drift", "excluded"),
    [
        ("config-drift", "checkout is slow, see the config", {"set_calls": 0}, True),
        ("config-drift", "checkout is slow, see the config", {"set_calls": 2}, False),
        ("config-drift", "redis.conf says something else than what runs", {"set_calls": 0}, False),
        ("bound-elsewhere", "connection refused from the pods", {"bind": "* -::*"}, True),
        ("bound-elsewhere", "connection refused from the pods", {"bind": "127.0.0.1"}, False),
        ("bound-elsewhere", "connection refused at [::1]:6379", {"bind": "0.0.0.0"}, False),
        ("bound-elsewhere", "connection refused at [::1]:6379", {"bind": ""}, True),
        ("bound-elsewhere", "connection refused at 192.0.2.2:6379", {"bind": "127.0.0.1 192.0.2.2"}, True),
        ("bound-elsewhere", "connection refused at 192.0.2.2:6379", {"bind": "127.0.0.1 -192.0.2.2"}, False),
        ("bound-elsewhere", "connection refused at 192.0.2.3:6379", {"bind": "127.0.0.1 192.0.2.2"}, False),
        ("bound-elsewhere", "connection refused from the pods", {"bind": "127.0.0.1 192.0.2.2"}, True),
        ("bound-elsewhere", "can't connect to Redis: [Errno 113] No route to host", {}, True),
        ("bound-elsewhere", "can't connect to Redis: [Errno 111] Connection refused, or no route to host", {}, False),
    ],
)  # fmt: skip
def test_the_server_says_from_afar_what_excludes_a_cause(
    cause: str, symptom: str, drift: dict[str, object], excluded: bool
) -> None:
    assert bool(excluding(cause, view({"config_drift": drift}, symptom=symptom), LIMITS)) is excluded


@pytest.mark.parametrize(
    ("sentinel", "up", "excluded"),
    [
        ({"m1.config-epoch": 1, "m1.role-reported-time": 20_000}, 900, False),
        ({"m1.config-epoch": 1, "m1.role-reported-time": 20_000}, 5, True),
        ({"m1.config-epoch": 1, "m1.role-reported-time": 3_600_000}, 90_000, True),
        ({"m1.config-epoch": 0, "m1.role-reported-time": 20_000}, 900, True),
        ({"m1.config-epoch": 1}, 900, False),
    ],
)  # fmt: skip
def test_a_failover_that_a_death_explains_or_that_is_old_is_no_slowness(
    sentinel: dict[str, object], up: int, excluded: bool
) -> None:
    given = view(
        {"info": {"uptime_in_seconds": up}, "topology": {"topology": "sentinel"}},
        peers={"s:1": {"sentinel": {"m1.address": "n", **sentinel}}},
    )
    assert bool(excluding("slowness-failover", given, LIMITS)) is excluded


def test_what_nobody_could_see_is_line_one_once() -> None:
    scenario = next(one for one in load(BUNDLED) if one.id == "s0150")
    answered = answer(scenario, MODES["no-host"])
    line = headline(answered)
    assert line.startswith("Can't tell: the server's process was out of reach on another machine; it would show ")
    assert "Can't tell" not in explanation(answered)
    assert one_liner(answered).startswith(line)
    assert "".join(one.text for one in first_screen(answered, 80)).count("Can't tell") == 1
