"""What a version is known for is a note beside a finding, and never more."""

from datetime import date

import pytest

from agent.answer.taxonomy import CAUSES
from agent.checks.complaints import complaints
from agent.checks.known_versions import CRASH, known_faults, noted, notes, read_on
from tests.agent.checks.rows import LIMITS, view


def of(cause: str, **info: str) -> list[str]:
    return list(notes(view({"info": dict(info)}), cause))


@pytest.mark.parametrize("version", ["9.0.0", "9.0.5", "9.1.1"])
def test_a_version_that_has_a_fault_is_told(version: str) -> None:
    told = " ".join(of("open-slot", redis_version="7.2.4", valkey_version=version))
    assert f"A known issue of valkey {version}: an atomic slot migration fails" in told
    assert "https://github.com/valkey-io/valkey/issues/4545" in told


@pytest.mark.parametrize(
    ("cause", "info"),
    [
        ("open-slot", {"redis_version": "7.2.4", "valkey_version": "9.1.2"}),
        ("open-slot", {"redis_version": "7.2.4", "valkey_version": "8.1.8"}),
        ("open-slot", {"redis_version": "9.1.1"}),
        ("cpu-saturated", {"redis_version": "7.2.4", "valkey_version": "9.1.1"}),
        ("client-paused", {"redis_version": "7.4.6"}), ("client-paused", {"redis_version": "7.0.15"}),
        ("client-paused", {"redis_version": "unknown"}), ("mass-expiry", {"redis_version": "8.2.3"}), ("open-slot", {}),
    ],
)  # fmt: skip
def test_no_other_version_product_cause_or_command_is(cause: str, info: dict[str, str]) -> None:
    assert of(cause, **info) == []


def test_what_takes_a_module_is_told_where_its_commands_are_called() -> None:
    called = {"ft.search.calls": 10}
    assert list(notes(view({"info": {"redis_version": "8.2.3"}, "commandstats": called}), "mass-expiry"))


def test_a_note_changes_no_probability_and_is_no_evidence() -> None:
    shown = view({"info": {"redis_version": "7.4.1", "role": "master"}})
    before = shown.cause("client-paused", 0.4, "Clients wait.", ("info", "role"))
    after = noted(shown, before)
    assert after.why.startswith("Clients wait. A known issue of redis 7.4.1:")
    assert (after.probability, after.evidence) == (0.4, before.evidence)


def test_a_crash_is_told_with_it() -> None:
    shown = view({"info": {"redis_version": "8.2.3"}, "log": {"previous_end": "crash", "started_age": 60}})
    assert "known issue" in next(complaints(shown, LIMITS)).what


def test_each_line_has_a_source_an_end_and_causes_of_the_taxonomy() -> None:
    assert read_on() >= date(2026, 11, 29)
    for one in known_faults():
        assert one.source.startswith("https://") and (one.fixed is None) != (one.last is None)
        assert set(one.causes) <= {*CAUSES, CRASH}
