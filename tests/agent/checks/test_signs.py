"""A complaint is attributed to the cause of the answer that leads to it, and to no other."""

import pytest

from agent.answer.diagnosis import Cause, Evidence
from agent.answer.open_points import Complained
from agent.answer.taxonomy import CAUSES
from agent.checks.complaints.signs import explained, signs

HERE, THERE = "127.0.0.1:6379", "127.0.0.1:6380"


def cause(id: str, field: str = "x", where: str | None = HERE) -> Cause:
    cited = (Evidence(reading="r1", field=field, value=1, verified=True),)
    return Cause(id=id, probability=0.9, where=where, why="", evidence=cited)


def complaint(*fields: str, node: str = HERE) -> Complained:
    return Complained(what="", node=node, evidence=tuple(Evidence(reading="r1", field=one, value=1) for one in fields))


def by(found: list[Complained], *causes: Cause) -> list[str | None]:
    return [one.explained_by for one in explained(found, causes)]


def test_every_sign_is_of_known_causes() -> None:
    assert {id for one in signs() for id in one.causes} <= set(CAUSES)


@pytest.mark.parametrize(("field", "id"), [
    ("connected_clients", "connection-leak"), ("connected_clients", "maxclients-exhausted"),
    ("rdb_last_bgsave_status", "bgsave-disk-full"), ("errorstat_OOM.count.delta", "maxmemory-shrunk"),
    ("m1.r2.flags", "process-down"), ("used_memory", "thp"),
])  # fmt: skip
def test_a_complaint_comes_from_what_leads_to_it(field: str, id: str) -> None:
    cited = cause(id, field) if field == "used_memory" else cause(id)
    assert by([complaint(field)], cited) == [id]
    assert by([complaint(field)], cause("script-missing")) == [None]


def test_it_counts_at_the_causes_own_node_unless_others_notice_it_too() -> None:
    assert by([complaint("connected_clients", node=THERE)], cause("connection-leak")) == [None]
    assert by([complaint("master_link_status", node=THERE)], cause("process-down")) == ["process-down"]


def test_rejected_calls_come_from_what_explains_the_errors_they_were_rejected_with() -> None:
    rejected, full = complaint("set.rejected_calls.delta"), complaint("errorstat_OOM.count.delta")
    assert by([rejected, full], cause("oom-noeviction")) == ["oom-noeviction"] * 2
    assert by([rejected], cause("oom-noeviction")) == [None]
    other = complaint("errorstat_WRONGTYPE.count.delta")
    assert by([rejected, full, other], cause("oom-noeviction")) == [None, "oom-noeviction", None]
