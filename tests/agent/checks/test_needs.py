"""What the checks declare beside themselves: what their causes need, and what they explain away."""

import ast
from pathlib import Path

import pytest

from agent import checks
from agent.answer.taxonomy import CAUSES
from agent.checks import CONSEQUENCES, FAMILIES, NEEDS
from agent.checks.verdict import HIDDEN, NAMED_FIRST, TOOLS, unknown
from agent.evidence.fields import FIGURES
from agent.evidence.view import View
from tests.agent.checks.rows import view
from tools.connection.allowed import TABLE

NO_CAUSE = "outside-redis"
"""A finding that is no cause of the taxonomy."""


def yielded() -> dict[str, str]:
    """Every cause that some check finds, with the module that does."""
    found = {}
    for path in sorted(Path(checks.__path__[0]).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "cause":
                for one in ast.walk(node.args[0]):
                    if isinstance(one, ast.Constant) and one.value in CAUSES | {NO_CAUSE: None}:
                        found[str(one.value)] = path.name
    return found


def test_every_cause_that_a_check_finds_declares_what_it_needs() -> None:
    assert {cause: module for cause, module in yielded().items() if cause not in NEEDS} == {}
    assert set(NEEDS) == set(CAUSES) | {NO_CAUSE}
    assert sum(len(family.needs) for family in FAMILIES) == len(NEEDS)


def test_what_is_declared_is_known() -> None:
    tools = {tool for needed in NEEDS.values() for tool in needed}
    assert tools <= set(FIGURES)
    assert tools == set(TOOLS) == set(HIDDEN)
    assert set(NAMED_FIRST) <= set(CAUSES)
    known = set(CAUSES) | {NO_CAUSE}
    assert {id for cause, effects in CONSEQUENCES.items() for id in (cause, *effects)} <= known
    assert all(0 < factor < 1 for effects in CONSEQUENCES.values() for factor in effects.values())


def test_a_command_that_is_refused_hides_what_its_tool_hides() -> None:
    """`rediagnose acl` says it of single commands, an answer of whole readings: one may not contradict the other."""
    for cause, needed in NEEDS.items():
        for tool in needed:
            sent = [row for row in TABLE.values() if tool in row.tools and row.causes]
            assert not sent or any(cause in row.causes for row in sent), (cause, tool)


def test_what_could_not_be_read_is_said_with_what_it_hides() -> None:
    missing = view({"machine": "not-local", "info": ("denied", {})})
    assert unknown([missing]) == [
        "info (denied: denied) can't be read; that hides maxclients-exhausted, connection-churn, cpu-saturated, "
        "client-evicted, auth-failure, eviction-churn, oom-noeviction, mass-expiry, tracking-table-growth, data-gone, "
        "queue-evicted, script-missing, client-errors",
        "machine (not-local: not-local) can't be read; that hides packet-loss, swapping",
    ]


def test_what_could_not_be_read_of_one_node_only_names_it() -> None:
    one = view({"disk": "not-local"}, peers={"10.0.0.2:6379": {"info": {"role": "master"}}})
    nodes = [one, View(one.all, "10.0.0.2:6379")]
    assert unknown(nodes) == [
        "disk (not-local: not-local) can't be read; that hides bgsave-disk-full, aof-disk-full, "
        "save-path-unwritable (n)"
    ]


@pytest.mark.parametrize(("heard", "symptom", "words"), [
    ("silent", "", "didn't announce itself"), ("announced", "", "couldn't be queried from here"),
    ("not-asked", "would it fail over?", "this user can't see"), ("not-asked", "slow", ""),
    ("none", "Two sentinels are gone", "no sentinel is connected"), ("none", "slow", ""),
])  # fmt: skip
def test_sentinels_that_were_not_heard_are_said(heard: str, symptom: str, words: str) -> None:
    one = view({"topology": {"topology": "replication", "sentinels": heard}}, symptom=symptom)
    lines = unknown([one])
    assert (words in lines[0]) if words else lines == []


def test_what_was_not_asked_is_said() -> None:
    refused = view({"connect": "refused"})
    assert unknown([refused]) == [
        "info, slowlog, clients, config_get weren't read, because there was no connection (refused)"
    ]
    partly = view({
        "config_get": {"latency-monitor-threshold": "0"}, "clients": {"share_seen": 0.25}, "topology": {"left_out": 3},
    })  # fmt: skip
    assert unknown([partly]) == [
        "latency-monitor-threshold is 0, the default: the server records no latency events",
        "25% of the clients were checked",
        "3 more nodes belong to this deployment and weren't checked; nodes reported as down were checked first",
    ]
    many = view({"sentinel": {"masters.left_out": 6}})
    assert unknown([many]) == [
        "6 more masters are watched here and weren't checked one by one; masters reported as down were checked first"
    ]
    read = view({"config_get": {"latency-monitor-threshold": "100"}, "clients": {"share_seen": 1.0}})
    assert unknown([read]) == []
