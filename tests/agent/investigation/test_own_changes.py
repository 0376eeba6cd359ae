"""What this program itself changed is said as such, as long as it stands, and of that node and setting only."""

from typing import Any

import pytest

from agent.answer.diagnosis import Cause, Evidence
from agent.checks.own_changes import TOOL, own
from agent.evidence.view import Readings, View
from agent.investigation.own_changes import note_own_changes
from tests.program import rediagnose
from tools.clock import SystemClock
from tools.gate.ledger import Entry
from tools.records import Reading
from tools.toolbox import Toolbox

NODE = "127.0.0.1:6379"
SHRUNK = Cause(
    id="maxmemory-shrunk", probability=0.9, where=NODE, why="maxmemory was set to 60 MiB.",
    evidence=(Evidence(reading="r4", field="maxmemory", value=62914560, verified=True),),
)  # fmt: skip


def entry(**more: Any) -> Entry:
    values: dict[str, Any] = {
        "time": "2026-11-30T18:02:11.123+00:00", "event": "applied", "user": "ada", "host": "vm", "pid": 1,
        "node": NODE, "action": "", "args": ("CONFIG", "SET", "maxmemory", "60mb"), "before": "125829120",
    }  # fmt: skip
    return Entry.model_validate(values | more)


def noted(*entries: Entry) -> list[Reading]:
    toolbox = Toolbox([], SystemClock(), lambda call: None)
    note_own_changes(toolbox, (NODE,), entries, ())
    return toolbox.readings


def why(*entries: Entry, cause: Cause = SHRUNK) -> str:
    return own(View(Readings(noted(*entries)), NODE), cause).why


def test_a_change_of_its_own_is_said_with_when_and_by_whom() -> None:
    said = why(entry())
    assert said.endswith(
        "It was rediagnose itself that set maxmemory to 60mb, at 18:02 UTC on 2026-11-30, approved by ada."
    )
    assert "undid a step and set maxmemory" in why(entry(), entry(event="rolled-back", restores=True))


@pytest.mark.parametrize("other", [
    {"node": "127.0.0.1:6380"}, {"args": ("CONFIG", "SET", "maxclients", "60mb")}, {"event": "applying"},
    {"event": "proposed"}, {"args": ("CONFIG", "SET", "maxmemory", "90mb")}, {"args": ("CLIENT", "KILL", "ID", "3")},
], ids=str)  # fmt: skip
def test_another_node_setting_or_value_says_nothing(other: dict[str, Any]) -> None:
    assert why(entry(**other)) == SHRUNK.why


def test_the_last_change_of_a_setting_counts_and_without_any_nothing_is_noted() -> None:
    assert why(entry(), entry(args=("CONFIG", "SET", "maxmemory", "90mb"))) == SHRUNK.why
    assert noted() == [] and why() == SHRUNK.why


def test_a_recording_has_it_in_place_of_the_log() -> None:
    (reading,) = noted(entry())
    toolbox = Toolbox([], SystemClock(), lambda call: None)
    note_own_changes(toolbox, (NODE,), (), [reading])
    assert [(one.tool, one.values) for one in toolbox.readings] == [(TOOL, reading.values)]


async def test_an_audit_log_that_cant_be_read_costs_nothing(tmp_path: Any) -> None:
    done = await rediagnose("triage", "redis://127.0.0.1:1", "slow", "--audit", str(tmp_path), "--window", "0.2")
    assert done.status == 0 and "own_changes" not in done.out
