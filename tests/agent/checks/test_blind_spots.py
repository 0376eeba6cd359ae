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
from evals.blind import faults
from evals.scoring.scenario import BUNDLED, Scenario, load
from tests.agent.checks.rows import LIMITS, Given, view

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
    if cause not in TABLE["causes"] or cause in ("start-failed", "cluster-slots-down", "oom-killed"):
        # A server that isn't there is seen to be so.
        return
    assert cause in look_alikes(ticket) or symptom_kinds(ticket) == {"errors"}


def test_the_line_names_what_was_refused_and_what_it_hides() -> None:
    given = view(
        {"info": INFO, "slowlog": "denied", "clients": "denied", "config_get": {"timeout": 0}}, symptom="requests stall"
    )
    found = blind_spots([given], LIMITS, {})
    line = cant_tell(found, given.symptom)
    assert line.startswith("Can't tell: SLOWLOG and CLIENT LIST were denied; they would show ")
    assert "causes that would fit 'requests stall': " in line or "causes that fit 'requests stall', such as" in line
    assert cant_tell((), "requests stall") == ""


def test_what_was_found_or_ruled_out_is_not_hidden() -> None:
    given = view({"info": INFO, "clients": "denied", "slowlog": {}, "config_get": {}}, symptom="requests stall")
    settled = {given.node: frozenset(blind(given)["clients"])}
    assert blind_spots([given], LIMITS, settled) == ()


def test_a_report_of_something_else_is_not_hidden_by_it() -> None:
    given = view({"info": INFO, "config_get": "denied", "slowlog": {}, "clients": {}}, symptom="evicted_keys grows")
    assert "config_get" not in blind(given)


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
        ("monitor-attached", {"commandstats": {"commands": 12}}, True),
        ("monitor-attached", {"commandstats": {"commands": 12, "monitor.calls": 1}}, False),
        ("slow-on-command", {"commandstats": {"commands": 1, "get.usec": 900}}, True),
        ("slow-on-command", {"commandstats": {"commands": 40, "get.usec": 900}}, False),
    ],
)  # fmt: skip
def test_other_figures_exclude_a_cause_only_where_they_were_read(cause: str, given: Given, excluded: bool) -> None:
    assert bool(excluding(cause, view(given), LIMITS)) is excluded
