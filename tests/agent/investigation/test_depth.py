"""A large deployment: which of its nodes are looked at in depth, and what the answer tells of the others."""

from collections.abc import Mapping
from typing import Any

import pytest

from agent.answer.diagnosis import Cause, Diagnosis, Evidence, LookedAt, ModelUse, TargetInfo
from agent.checks.verdict import conclude
from agent.investigation.depth import DEPTH, MOST, worth_depth
from agent.investigation.extent import only_glanced, without_the_well
from tests.agent.checks.rows import LIMITS, Given, view
from tools.records import Footprint, Reading

NAMES = [f"10.0.0.{number}:6379" for number in range(1, 49)]
WELL: Given = {
    "connect": {"stage": "ping"},
    "info": {"used_memory": 1_000_000, "connected_clients": 10, "instantaneous_ops_per_sec": 50, "blocked_clients": 0},
    "commandstats": {"busy_share": 0.01}, "latency_sample": {"median_ms": 0.2, "answered": 5},
}  # fmt: skip


def chosen(others: Mapping[str, Given], symptom: str = "", findings: list[Cause] | None = None) -> list[str]:
    """Which of 48 nodes are, where these aren't well."""
    given = {name: {**WELL, **others.get(name, {})} for name in NAMES}
    named = view(given[NAMES[0]], peers={name: given[name] for name in NAMES[1:]}, node=NAMES[0], symptom=symptom)
    views = [named, *(named.deployment.view(name) for name in NAMES[1:])]
    found = conclude(named.deployment, NAMES, LIMITS).model_copy(update={"findings": tuple(findings or ())})
    return worth_depth(views, found, symptom)


def test_where_all_are_well_the_named_one_and_a_sample_are() -> None:
    names = chosen({})
    assert names[0] == NAMES[0]
    assert len(names) == len(set(names)) == DEPTH
    assert {NAMES.index(name) // 8 for name in names} == set(range(6)), "from all over"


@pytest.mark.parametrize(
    "trouble",
    [
        {"connect": "refused", "info": "refused"},
        {"latency_sample": "timeout"},
        {"info": {**WELL["info"], "rdb_last_bgsave_status": "err"}},
        {"info": {**WELL["info"], "evicted_clients.delta": 3}},
        {"commandstats": {"busy_share": 0.6}},
        {"info": {**WELL["info"], "used_memory": 9_000_000}},
        {"info": {**WELL["info"], "blocked_clients": 40}},
        {"info": {**WELL["info"], "maxmemory": 1_000_000}},
        {"info": {**WELL["info"], "maxclients": 11}},
    ],
)
@pytest.mark.parametrize("at", [1, 20, 47])
def test_a_node_that_stands_out_is(trouble: Given, at: int) -> None:
    assert NAMES[at] in chosen({NAMES[at]: trouble})


def test_one_that_started_long_after_the_others_is_unless_many_did() -> None:
    old, young = ({"info": {**WELL["info"], "uptime_in_seconds": up}} for up in (90_000, 300))
    assert NAMES[29] in chosen(dict.fromkeys(NAMES, old) | {NAMES[29]: young})
    rollout = chosen(dict.fromkeys(NAMES, old) | dict.fromkeys(NAMES[20:40], young))
    assert {NAMES.index(name) // 8 for name in rollout} == set(range(6)), "from all over"


@pytest.mark.parametrize("at", [1, 20, 47])
def test_what_nearly_all_complain_of_sets_none_apart(at: int) -> None:
    info = {**WELL["info"], "evicted_clients.delta": 3}
    alike: dict[str, Given] = {name: {"info": info} for name in NAMES}
    assert NAMES[at] in chosen({**alike, NAMES[at]: {"info": info, "commandstats": {"busy_share": 0.6}}})


def test_one_that_the_symptom_or_a_finding_names_is() -> None:
    assert NAMES[30] in chosen({}, f"errors from {NAMES[30]} since noon")
    full = Cause(id="oom-noeviction", probability=0.6, where=NAMES[31], why="full", evidence=())
    assert NAMES[31] in chosen({}, findings=[full])


def test_those_that_were_never_to_be_visited_are_not() -> None:
    assert NAMES[7] not in chosen({NAMES[7]: {"connect": "untrusted"}})


def test_the_replica_of_a_lost_primary_is_and_the_primary_of_a_cut_off_replica() -> None:
    host, port = NAMES[9].split(":")
    replica: Given = {"info": {**WELL["info"], "master_host": host, "master_port": int(port)}}
    assert {NAMES[9], NAMES[33]} <= set(
        chosen({NAMES[9]: {"connect": "refused", "info": "refused"}, NAMES[33]: replica})
    )
    cut_off: Given = {"info": {**replica["info"], "master_link_status": "down"}}
    assert {NAMES[9], NAMES[33]} <= set(chosen({NAMES[33]: cut_off}))


def test_many_in_trouble_are_looked_at_up_to_a_bound() -> None:
    names = chosen({name: {"connect": "refused", "info": "refused"} for name in NAMES[1:]})
    assert len(names) == MOST and names[0] == NAMES[0]


def reading(number: int, tool: str, node: str | None, **values: Any) -> Reading:
    return Reading(
        id=f"r{number}", tool=tool, args={}, node=node, at="2026-01-31T02:05:07Z", ms=1.0, values=values,
        unavailable=None,
    )  # fmt: skip


def answered(nodes: list[str], *causes: Cause) -> Diagnosis:
    readings = [reading(0, "symptom", None), *(reading(n, "info", node) for n, node in enumerate(nodes, 1))]
    return Diagnosis(
        symptom="", target=TargetInfo(url="redis://a", nodes=tuple(nodes), looked_at=LookedAt(
            known=len(nodes), answered=len(nodes), in_depth=tuple(nodes[:DEPTH]),
            glanced=max(0, len(nodes) - DEPTH))),
        outcome="diagnosed" if causes else "no-fault", causes=causes, findings=causes, ruled_out=(), unknown=(),
        plan=(), readings=tuple(readings), footprint=Footprint(commands=0, pings=0, bytes=0),
        model=ModelUse(name="offline"), seconds=1.0,
    )  # fmt: skip


def test_an_answer_grows_by_what_was_found_and_not_by_nodes() -> None:
    where = NAMES[40]
    other = Evidence(reading="r12", field="role", value="x", verified=True)
    cause = Cause(id="oom-noeviction", probability=0.9, where=where, why="full", evidence=(other,))
    told = without_the_well(answered(NAMES, cause), NAMES[0])
    assert {one.node for one in told.readings} == {None, NAMES[0], where, NAMES[11]}
    few = answered(NAMES[:DEPTH])
    assert without_the_well(few, NAMES[0]) == few


def test_what_a_glance_leaves_out_is_said() -> None:
    one = answered(NAMES)
    (line,) = only_glanced(one.target)
    assert line.startswith("42 of 48 nodes were only looked at briefly")
    few = answered(NAMES[:DEPTH])
    assert not list(only_glanced(few.target))
