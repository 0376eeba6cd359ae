"""Migrations of whole slots: what each end says of one, and what is made of it."""

from typing import Any

import pytest

from agent.checks.slot_migrations import HOUR, LATELY, SILENT, failed_migration
from tests.agent.checks.rows import Expected, found
from tools.server.slot_migrations import parse_migration

OPEN = "open-slot"


def told(
    state: str, age: float, *, failed: int = 1, operation: str = "import", reason: str = "memory"
) -> dict[str, Any]:
    return {
        "migrations": 3, "migrations_failed": failed, "migration1.state": state, "migration1.age": age,
        "migration1.operation": operation, "migration1.slots": "0-200", "migration1.peer": "10.0.0.2:6379",
        **({"migration1.reason": reason} if state == "failed" else {}),
    }  # fmt: skip


ROWS: list[tuple[str, dict[str, Any], Expected]] = [
    ("failed again and again", told("failed", 5, failed=2), {OPEN: "sure"}),
    ("failed once", told("failed", 5), {OPEN: "likely"}),
    ("failed a while ago", told("failed", LATELY + 1), {OPEN: "hint"}),
    ("failed long ago", told("failed", HOUR + 1), {}),
    ("done after failures", told("done", 5, failed=4), {}),
    ("cancelled", told("cancelled", 5), {}),
    ("under way", told("running", SILENT - 1), {}),
    ("stuck", told("running", SILENT), {OPEN: "maybe"}),
    ("none ever", {"cluster_state": "ok"}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("what", "given", "expected"), ROWS, ids=[row[0] for row in ROWS])
def test_the_newest_migration_is_judged_by_its_state_and_age(
    what: str, given: dict[str, Any], expected: Expected
) -> None:
    assert found(failed_migration, {"cluster": given}) == expected


VALKEY = [
    "name", "180c", "operation", "IMPORT", "slot_ranges", "0-200", "target_node", "bb", "source_node", "aa",
    "create_time", 100, "last_update_time", 101, "last_ack_time", 103, "state", "failed", "message",
    "Ran out of memory (OOM) during slot import", "cow_size", 0,
]  # fmt: skip
REDIS = [
    "id", "24cf", "slots", "0-1000", "source", "aa", "dest", "bb", "operation", "migrate", "state", "completed",
    "last_error", "", "retries", 2, "create_time", 100, "start_time", 101, "end_time", 109, "write_pause_ms", 3,
]  # fmt: skip


def test_both_products_replies_are_read_alike() -> None:
    one = parse_migration(VALKEY)
    assert one and (one.operation, one.state, one.reason, one.peer) == ("import", "failed", "memory", "aa")
    assert (one.slots, one.begun, one.changed) == ("0-200", 100, 103)
    one = parse_migration(REDIS)
    assert one and (one.operation, one.state, one.reason, one.peer) == ("export", "done", "", "bb")
    assert (one.retries, one.begun, one.changed) == (2, 100, 109)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("Connection lost to target. Check CLUSTER GETSLOTMIGRATIONS on the target node", "connection"),
        ("Protocol error: invalid CRLF in request", "protocol"), ("Timed out", "timeout"), ("", "other"),
        ("Failed to AUTH to target node: NOAUTH", "auth"), ("Unpaused before migration completed", "other"),
    ],
)  # fmt: skip
def test_a_reason_is_one_of_few_words(message: str, reason: str) -> None:
    one = parse_migration([*VALKEY[:18], "message", message])
    assert one and one.reason == reason


@pytest.mark.parametrize("row", [None, "x", 7, [], ["state"], ["state", "failed"], ["operation", "EXPORT"], ["a"] * 66])
def test_what_is_no_migration_is_left_out(row: object) -> None:
    assert parse_migration(row) is None


def test_what_a_peer_chose_stays_out() -> None:
    one = parse_migration(
        ["operation", "\x1b[2J", "state", "weird" * 99, "slot_ranges", "0-1; rm -rf /", "message", "x"]
    )
    assert one and (one.operation, one.state, one.slots) == ("export", "running", "unknown")
