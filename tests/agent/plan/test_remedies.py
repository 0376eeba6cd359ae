"""Every remedy of every runbook with the readings of every fault of the lab: filled in, and fit for a shell."""

from functools import partial
from typing import Any

import pytest

from agent.evidence.view import Readings, View
from agent.plan.shell import redis_cli
from agent.runbooks.library import load
from agent.runbooks.placeholders import values_at
from agent.runbooks.remedy import Remedy
from evals.scoring.scenario import BUNDLED
from evals.scoring.scenario import load as scenarios
from tests.golden.entries import answer
from tests.remedied import faults, stands
from tools.connection.target import parse_target
from tools.records import Reading

RECORDED = {one.fault: one for one in reversed(scenarios(BUNDLED)) if not one.attack}
"""The first recording of each fault."""
REMEDIES = {
    f"{cause} {number}": remedy
    for book in load().runbooks
    for cause, notes in book.causes.items()
    for number, remedy in enumerate(notes.remedies, 1)
}


@pytest.mark.parametrize("fault", RECORDED)
def test_every_remedy_is_filled_with_the_readings_of_every_fault(fault: str) -> None:
    deployment = Readings(answer(RECORDED[fault]).readings)
    for node in deployment.nodes[:3]:
        view = deployment.view(node)
        values, cli = values_at(view), partial(redis_cli, parse_target("redis://h:1"))
        found = [
            (name, wrong)
            for name, remedy in REMEDIES.items()
            for made in remedy.filled(values, cli)
            for wrong in faults(made, view)
            # What the readings rule out is no step, so it may set what stands.
            if not (wrong.endswith("sets what stands") and _is_ruled_out(remedy, view))
        ]
        assert found == []


def _is_ruled_out(remedy: Remedy, view: View) -> bool:
    return any(clue.tool and clue.holds((), view.fields) for clue in remedy.unless)


def reading(tool: str, **values: Any) -> Reading:
    named = {name.replace("_", "-"): value for name, value in values.items()}
    return Reading(id="r1", tool=tool, args={}, node="n", at="", ms=0, values=named, unavailable=None)


@pytest.mark.parametrize(
    ("line", "already"),
    [
        ("redis-cli CONFIG SET timeout 300", True), ("redis-cli CONFIG SET timeout 60", False),
        ("redis-cli CONFIG SET save ''", True), ("sysctl -w vm.swappiness=1", True),
        ("sysctl -w vm.swappiness=60", False), ("redis-cli CONFIG GET timeout", False),
    ],
)  # fmt: skip
def test_a_line_that_sets_what_stands_is_found(line: str, already: bool) -> None:
    view = View([reading("config_get", timeout="300", save=""), reading("machine", swappiness=1)], "n")
    assert stands(line, view) == already


def remedy(**more: Any) -> Remedy:
    given = {"kind": "outside", "action": "Look at $key.", "why": "w", "risk": "safe", "verify": "v"}
    return Remedy(**{**given, "paste": ["$cli TYPE $key"], **more})


def cli(address: str) -> str | None:
    return f"redis-cli -h {address or 'here'}" if address != "?" else None


@pytest.mark.parametrize(
    "hostile",
    ["a; reboot", "$(reboot)", "`reboot`", "a\nreboot", "-rf", "--eval", "key#1", "'a'", '"a"', "a|b", "a>b", "~root",
     "!!", "a b", "", "a" * 300, "*", "\N{RIGHT-TO-LEFT OVERRIDE}a"],
)  # fmt: skip
def test_what_others_wrote_reaches_no_shell(hostile: str) -> None:
    (filled,) = remedy().filled({"key": (hostile,)}, cli)
    assert filled.action == f"Look at {hostile}."
    assert filled.paste == ()


def test_a_plain_value_is_put_into_each_text_and_line() -> None:
    given = remedy(why="of $key", rollback="back $key", shown_by=["$cli GET $key", "$cli GET $other"])
    (filled,) = given.filled({"key": ("cart:9",)}, cli)
    assert (filled.action, filled.why, filled.rollback) == ("Look at cart:9.", "of cart:9", "back cart:9")
    assert filled.paste == ("redis-cli -h here TYPE cart:9",)
    assert filled.shown_by == ("redis-cli -h here GET cart:9",)


@pytest.mark.parametrize("text", ["action", "why", "rollback", "verify"])
def test_a_remedy_that_lacks_a_value_is_left_out(text: str) -> None:
    assert remedy(**{text: "of $other"}).filled({"key": ("a",)}, cli) == []


def test_several_values_make_several_steps_and_in_a_line_alone_several_lines() -> None:
    made = remedy().filled({"key": ("a", "b")}, cli)
    assert [one.paste for one in made] == [("redis-cli -h here TYPE a",), ("redis-cli -h here TYPE b",)]
    (one,) = remedy(paste=["$node_cli PING"]).filled({"key": ("a",), "node": ("b:1", "?", "c:2")}, cli)
    assert one.paste == ("redis-cli -h b:1 PING", "redis-cli -h c:2 PING")


def test_a_clue_may_be_of_a_tools_reading() -> None:
    off = {"tool": "machine", "field": "swappiness", "op": "<=", "value": 1}
    view = View([reading("machine", swappiness=1)], "n")
    assert remedy().fits((), (), view.fields)
    assert not remedy(unless=[off]).fits((), (), view.fields)
    assert remedy(when=[off]).fits((), (), view.fields)
    assert not remedy(when=[off]).fits((), ())
