"""What a model is shown first: all readings where there is room, and those that matter where there is none."""

import re

import pytest

from agent.answer.diagnosis import Cause, Evidence
from agent.loop.digest import digest, findings_text, reading_json
from agent.loop.prompts import FIRST_BYTES, compose
from agent.model.request import request_size
from tools.records import Reading, Unavailable, Values

TOOLS = ("info", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
"""One that identifies each node, and some that show all their fields."""


def read(id: int, tool: str, values: Values | None = None, *, node: str | None = "a:1", gone: bool = False) -> Reading:
    why = Unavailable(kind="timeout", detail="no answer in 2 s") if gone else None
    return Reading(
        id=f"r{id}", tool=tool, args={}, node=node, at="2026-01-31T02:05:07Z", ms=1.0, values=values, unavailable=why
    )


def looked_at(*nodes: str, fields: int = 12) -> list[Reading]:
    values: Values = {f"field_number_{n}": n for n in range(fields)}
    listed = [(node, tool) for node in nodes for tool in TOOLS]
    return [read(number, tool, values, node=node) for number, (node, tool) in enumerate(listed, 1)]


def test_all_of_it_where_there_is_room() -> None:
    readings = looked_at("a:1")
    shown = digest(readings, 4000)
    assert shown.splitlines()[0] == "a:1:" and "left out" not in shown
    assert [line.split()[1] for line in shown.splitlines()[1:]] == list(TOOLS)
    assert digest(readings, len(shown.encode()) + 1) == shown


@pytest.mark.parametrize("most", [1000, 1300, 1600])
def test_what_a_finding_cites_comes_first(most: int) -> None:
    readings = [*looked_at("a:1"), read(50, "slowlog", {"entries": 9}), read(60, "clients", gone=True, node="b:2")]
    shown = digest(readings, most, cited={"r50", "r8"})
    assert len(shown.encode()) <= most
    assert "r50 slowlog entries=9" in shown
    named = re.findall(r"(r\d+) \w+", shown)
    assert len(named) == len(set(named)), "each is shown or named as left out"
    assert "r8 seventh" in shown.partition("left out")[0] and "r60 clients unavailable=timeout" in shown
    assert "lines left out" in shown


def test_each_node_is_told_from_the_others() -> None:
    shown = digest(looked_at("a:1", "b:2", "c:3"), 9000)
    assert [line for line in shown.splitlines() if line.endswith(":")] == ["a:1:", "b:2:", "c:3:"]
    assert shown.count(" info ") == 3 and shown.count(" third ") == 1


def test_what_several_nodes_have_in_common_is_said_once() -> None:
    state: Values = {"cluster_state": "ok", "slots_unserved": 0, "my_share": 0.3333, "nodes.fail": 0}
    readings = [
        read(1, "cluster", {**state, "x": 1}),
        read(2, "cluster", {**state, "x": 2}, node="b:2"),
        read(3, "cluster", {**state, "my_share": 0.3334, "x": 3}, node="c:3"),
        read(4, "cluster", {"cluster_state": "fail"}, node="d:4"),
        read(5, "cluster", gone=True, node="e:5"),
    ]
    lines = digest(readings, 9000).splitlines()
    assert lines[3] == "r2 cluster as r1 +1"
    assert lines[5] == "r3 cluster as r1 but my_share=0.3334 +1"
    assert lines[7] == "r4 cluster cluster_state=fail", "it doesn't have what the first has"
    assert lines[9] == "r5 cluster unavailable=timeout"


def test_nothing_is_like_a_line_that_is_less_urgent() -> None:
    """A line that may be left out can't stand for one that is cited."""
    state: Values = {"cluster_state": "ok", "slots_unserved": 0, "my_share": 0.3333}
    shown = digest([read(1, "cluster", state), read(2, "cluster", state, node="b:2")], 9000, cited={"r2"})
    assert "r2 cluster cluster_state=ok" in shown


def test_a_reading_that_a_finding_cites_is_shown_of_any_node() -> None:
    readings = looked_at("a:1", "b:2")
    cited = next(one.id for one in readings if (one.node, one.tool) == ("b:2", "third"))
    assert f"{cited} third" in digest(readings, 9000, cited={cited})


def test_findings_name_their_node() -> None:
    evidence = (Evidence(reading="r3", field="connected_clients", value=64, verified=True),)
    cause = Cause(id="thp", probability=0.9, where="b:2", why="Why.", evidence=evidence)
    assert findings_text([cause], 500) == "- thp 0.90: Why. (at b:2) [r3 connected_clients=64]"


def test_no_finding_is_left_out_for_another_ones_evidence() -> None:
    evidence = tuple(Evidence(reading="r3", field=f"field_number_{n}", value=n, verified=True) for n in range(30))
    causes = [Cause(id=f"cause-{n}", probability=0.9, where="b:2", why="Why. " * 20, evidence=evidence)
              for n in range(6)]  # fmt: skip
    for most in (20_000, 3000, 1500, 400):
        shown = findings_text(causes, most)
        assert len(shown) <= most + len(causes)
        assert [line[:9] for line in shown.splitlines()] == [f"- cause-{n}" for n in range(6)]
        assert shown.splitlines()[-1].count("(at b:2)") == 1
    assert "Why." in findings_text(causes, 1500).splitlines()[0]


def test_what_cannot_be_read_at_all_takes_one_line_a_node() -> None:
    away = Unavailable(kind="not-local", detail="another machine")
    nodes = ("a:1", "b:2", "c:3")
    listed = [(node, tool) for node in nodes for tool in ("process", "sockets", "machine", "disk")]
    lost = [read(90 + number, tool, node=node).model_copy(update={"unavailable": away})
            for number, (node, tool) in enumerate(listed)]  # fmt: skip
    shown = digest([*lost, *looked_at(*nodes)], 1800)
    assert shown.count("unavailable=not-local: r") == shown.count(" process, ") == 3
    assert shown.count(" info ") == 3, "it doesn't displace what was read"
    assert f"{lost[0].id} process unavailable" in digest([*lost, *looked_at(*nodes)], 2500, cited={lost[0].id})


@pytest.mark.parametrize("fields", [5, 60])
@pytest.mark.parametrize("nodes", [("a:1",), ("a:1", "b:2", "c:3")])
def test_the_first_request_has_its_bound(fields: int, nodes: tuple[str, ...]) -> None:
    tools = [{"type": "function", "function": {"name": f"t{n}", "description": "x" * 150}} for n in range(36)]
    prompt = compose("it hangs", looked_at(*nodes, fields=fields), (), {}, tools)
    assert request_size(prompt.messages(), tools) <= FIRST_BYTES


def test_a_reading_is_cut_and_says_how_the_rest_is_had() -> None:
    reading = read(4, "info", {f"field_{n}": "x" * 50 for n in range(300)})
    assert len(reading_json(reading)) < 4500 and "more fields; open them with `reading`" in reading_json(reading)
    assert reading_json(reading, fields="field_29?").count("field_29") == 10
    assert "more" not in reading_json(reading, fields="field_29?")
