"""What remedies are filled with: the values at a node, each threshold's two sides."""

import pytest

from agent.runbooks.placeholders import values_at
from tests.agent.checks.rows import Given, view

GIB = 2**30


def unknown_to(given: Given, name: str) -> bool:
    return name not in values_at(view(given))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ("SCRIPT KILL",)), ({"info": "busy"}, ("SCRIPT KILL",)),
    ],
)  # fmt: skip
def test_what_ends_a_script(given: Given, expected: tuple[str, ...]) -> None:
    assert values_at(view(given))["kill_command"] == expected


def test_who_holds_most_connections() -> None:
    owner = {"o1.address": "10.0.0.7", "o1.name": "orders", "o1.count": 111}
    assert values_at(view({"clients": owner}))["owner"] == ("orders at 10.0.0.7, 111 connections",)
    assert values_at(view({"clients": {**owner, "o1.name": ""}}))["owner"] == ("10.0.0.7, 111 connections",)
    assert values_at(view({}))["owner"] == ("the one with the most lines in CLIENT LIST",)


@pytest.mark.parametrize(
    ("limit", "hard", "expected"),
    [
        (100, None, ("10000",)), (9999, None, ("10000",)), (10000, None, ("20000",)), (100, 0, ("10000",)),
        (100, 1024, ("992",)), (100, 133, ("101",)), (100, 132, None), (100, 20000, ("10000",)),
    ],
)  # fmt: skip
def test_a_higher_maxclients(limit: int, hard: int | None, expected: tuple[str, ...] | None) -> None:
    process = {} if hard is None else {"nofile_hard": hard}
    for tool in ("info", "config_get"):
        assert values_at(view({tool: {"maxclients": limit}, "process": process})).get("maxclients_target") == expected


def test_no_maxclients_without_the_one_in_force() -> None:
    assert unknown_to({"process": {"nofile_hard": 1024}}, "maxclients_target")


@pytest.mark.parametrize(
    ("ids", "count", "ended", "text"),
    [
        ("7", 1, ("7",), "1 client"), ("7 8", 2, ("7", "8"), "2 clients"), ("1 2 3 4", 4, tuple("1234"), "4 clients"),
        ("1 2 3 4 5", 5, tuple("1234"), "5 clients, of which this plan disconnects 4"),
    ],
)  # fmt: skip
def test_the_monitors_that_a_plan_ends(ids: str, count: int, ended: tuple[str, ...], text: str) -> None:
    values = values_at(view({"clients": {"monitor.ids": ids, "monitors": count}}))
    assert (values["monitor_id"], values["monitors"]) == (ended, (text,))


def test_monitors_whose_ids_are_not_known() -> None:
    assert values_at(view({"clients": {"monitors": 2}}))["monitors"] == ("its lines in CLIENT LIST have flags=O",)
    assert unknown_to({"clients": {"monitors": 2}}, "monitor_id")


def room(
    limit: int, free: int | None = None, group: int | None = None, file: str = "", used: float | None = None,
    share: float = 1,
) -> Given:  # fmt: skip
    given: dict[str, Given] = {
        "memory": {"maxmemory": limit, "maxmemory_used_share": share}, "config_drift": {"maxmemory.file": file},
    }  # fmt: skip
    given |= {} if free is None else {"machine": {"memory_available_bytes": free}}
    given |= {} if group is None else {"process": {"cgroup_memory_limit": group}}
    return given | ({} if used is None else {"log": {"maxmemory_below_use.used": used}})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (room(GIB, 8 * GIB), 2 * GIB), (room(GIB, GIB), 1.5 * GIB), (room(GIB, 8 * GIB, 2 * GIB), 1.4 * GIB),
        # less than a tenth more is none
        (room(1000, 200), 1100), (room(1000, 199), None), (room(0, GIB), None), (room(GIB), None),
    ],
)  # fmt: skip
def test_a_higher_maxmemory(given: Given, expected: float | None) -> None:
    target = values_at(view(given)).get("maxmemory_target")
    assert target == (None if expected is None else (f"{expected:.0f}",))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (room(GIB, 8 * GIB, file="2gb"), 2 * GIB), (room(GIB, 8 * GIB, used=3 * GIB), 3 * GIB),
        (room(GIB, 8 * GIB, file="2gb", used=3 * GIB), 2 * GIB), (room(GIB, 8 * GIB, file="1gb"), None),
        (room(GIB, 2 * GIB, file="2gb"), 2 * GIB), (room(GIB, 2 * GIB - 2, file="2gb"), None),
        (room(GIB, 8 * GIB, used=1.5 * GIB, share=1.6), 1.1 * 1.6 * GIB),
        (room(GIB, file="2gb"), None), (room(0, 8 * GIB, file="2gb"), None), (room(GIB, 8 * GIB), None),
    ],
)  # fmt: skip
def test_the_maxmemory_of_before(given: Given, expected: float | None) -> None:
    before = values_at(view(given)).get("maxmemory_before")
    assert before == (None if expected is None else (f"{expected:.0f}",))


@pytest.mark.parametrize(
    ("folder", "own"),
    [
        ("/var/lib/redis", True), ("/data", True), ("/srv/cache-7", True), ("/home/app/redis", True), ("/", False),
        ("/etc", False), ("/etc/redis", False), ("/usr/../data", False), ("//etc", False), ("/./etc/", False),
        ("/root/x", False), ("/var", False), ("/tmp", False), ("/tmp/", False), ("relative", False),
    ],
)  # fmt: skip
def test_no_folder_of_the_system_is_given_to_a_servers_user(folder: str, own: bool) -> None:
    assert ("own_folder" in values_at(view({"disk": {"dir": folder}}))) is own
