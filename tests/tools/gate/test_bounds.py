"""What a parameter may be set to: each bound's two sides, and the room that readings leave."""

from typing import Any

import pytest

from tools.errors import Forbidden
from tools.gate.bounds import RESERVED_FDS, Room, check_bounds, check_room, room_of, size
from tools.records import Reading, Values

NODE = "127.0.0.1:6379"


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [
        ("0", 0), ("64", 64), ("64b", 64), ("1k", 1000), ("1kb", 1024), ("2KB", 2048), ("1m", 10**6), ("1mb", 2**20),
        ("3G", 3 * 10**9), ("1gb", 2**30), ("9" * 18, int("9" * 18)), ("9" * 19, None), ("1tb", None), ("1kbb", None),
        ("-1", None), ("", None), ("mb", None), ("1 mb", None), ("1.5gb", None), ("1mb\n", None),
    ],
)  # fmt: skip
def test_a_size_is_written_as_in_a_configuration(text: str, bytes_: int | None) -> None:
    assert size(text) == bytes_


WHOLE: dict[str, Any] = {"min": 10, "max": 100, "or": ["0"]}
BYTES: dict[str, Any] = {"size": True, "min": 1024}


@pytest.mark.parametrize(
    ("bounds", "value", "why"),
    [
        ({"one_of": ["yes", "no"]}, "yes", None), ({"one_of": ["yes", "no"]}, "no", None),
        ({"one_of": ["yes", "no"]}, "Yes", r"p 'Yes': only yes, no$"),
        ({"form": r"\d{1,2}"}, "12", None), ({"form": r"\d{1,2}"}, "123", "p '123': not in the form that this"),
        ({"form": r"\d{1,2}"}, "\u0661\u0662", "not in the form"),
        (WHOLE, "10", None), (WHOLE, "100", None), (WHOLE, "0", None),
        (WHOLE, "9", r"p 9: out of bounds \(10 to 100\)"), (WHOLE, "101", r"p 101: out of bounds \(10 to 100\)"),
        (WHOLE, "ten", r"p 'ten': write a whole number$"), (WHOLE, "20kb", "write a whole number$"),
        (WHOLE, "\u0662\u0662", "write a whole number$"), (WHOLE, "1" * 16, "write a whole number$"),
        ({"min": -5}, "-5", None), ({"min": -5}, "-6", r"p -6: out of bounds \(-5 and above\)"),
        ({"max": 7}, "7", None), ({"max": 7}, "-7", None), ({"max": 7}, "8", r"\(7\)"), ({}, "1" * 15, None),
        (BYTES, "1kb", None), (BYTES, "1024", None), (BYTES, "1k", r"p 1k: out of bounds \(1024 and above\)"),
        (BYTES, "1.5kb", "write a whole number of bytes$"),
    ],
)  # fmt: skip
def test_a_value_is_held_to_its_bounds(bounds: dict[str, Any], value: str, why: str | None) -> None:
    if why is None:
        check_bounds("p", value, bounds)
    else:
        with pytest.raises(Forbidden, match=why):
            check_bounds("p", value, bounds)


def reading(tool: str, values: Values | None, node: str | None = NODE) -> Reading:
    return Reading(id="r1", tool=tool, args={}, node=node, at="", ms=1, values=values, unavailable=None)


FILES = reading("process", {"nofile_soft": 1024, "nofile_hard": 4096})
HERE = reading("process", {"listening": True})
MACHINE = reading("machine", {"memory_total_bytes": 1000, "locality": "local"}, "another:1")


@pytest.mark.parametrize(
    ("readings", "room"),
    [
        ([], Room()),
        ([FILES], Room(clients=4096 - RESERVED_FDS)),
        ([reading("process", {"nofile_soft": 1024})], Room(clients=1024 - RESERVED_FDS)),
        ([reading("process", {"nofile_hard": RESERVED_FDS - 1})], Room(clients=0)),
        ([reading("process", {"nofile_hard": True})], Room()),
        ([reading("process", {"nofile_hard": "many", "nofile_soft": 100.0})], Room(clients=100 - RESERVED_FDS)),
        # Another node's limits aren't this one's, what has no node is everybody's, the newest counts.
        ([FILES.model_copy(update={"node": "another:1"})], Room()),
        ([FILES.model_copy(update={"node": None})], Room(clients=4096 - RESERVED_FDS)),
        ([FILES, reading("process", {"nofile_hard": 100})], Room(clients=100 - RESERVED_FDS)),
        ([FILES, reading("process", None)], Room(clients=4096 - RESERVED_FDS)),
        # A machine's memory counts where the server's process is seen on it.
        ([HERE, MACHINE], Room(memory=1000)), ([MACHINE], Room()),
        ([HERE, reading("machine", {"memory_total_bytes": 1000, "locality": "remote"}, "another:1")], Room()),
        ([HERE, reading("memory", {"used_memory": 5, "locality": "local"}, "another:1")], Room()),
        ([HERE, MACHINE, reading("process", {"cgroup_memory_limit": 600})], Room(memory=600)),
        ([HERE, MACHINE, reading("process", {"cgroup_memory_limit": 2000})], Room(memory=1000)),
        ([reading("process", {"cgroup_memory_limit": 600})], Room(memory=600)),
        ([reading("info", {"used_memory": 7, "connected_clients": 3})], Room(used=7, connected=3)),
        ([reading("info", {"used_memory": 7}), reading("memory", {"used_memory": 9})], Room(used=9)),
        ([reading("info", {"used_memory": 7}), reading("memory", {"used_memory": 0})], Room(used=0)),
    ],
)  # fmt: skip
def test_the_room_is_that_of_the_newest_readings(readings: list[Reading], room: Room) -> None:
    assert room_of(readings, NODE) == room


FULL = Room(clients=968, memory=2**30, used=2**20, connected=112)


@pytest.mark.parametrize(
    ("name", "value", "room", "told"),
    [
        ("maxclients", "113", FULL, None), ("maxclients", "968", FULL, None),
        ("maxclients", "112", FULL, "!maxclients 112: 112 are connected, so every new client would be refused"),
        ("maxclients", "969", FULL,
         "!maxclients 969: the process' file limit leaves room for 968 (limit minus 32)"),
        ("maxclients", "5000", Room(), "The file limit of the process isn't known from here."),
        ("maxmemory", "1gb", FULL, None), ("maxmemory", "1mb", FULL, None), ("maxmemory", "0", FULL, None),
        ("maxmemory", "1025mb", FULL,
         "!maxmemory 1025mb: the machine or its control group has 1073741824 bytes"),
        ("maxmemory", "1048575", FULL,
         "!maxmemory 1048575: 1048576 bytes are in use; the excess would be evicted at once, or writes refused"),
        ("maxmemory", "5mb", Room(), "The memory of its machine and the memory in use isn't known from here."),
        ("maxmemory", "5mb", Room(memory=2**30), "The memory in use isn't known from here."),
        ("maxmemory", "5mb", Room(used=1), "The memory of its machine isn't known from here."),
        ("timeout", "5", FULL, None), ("timeout", "5", Room(), None),
    ],
)  # fmt: skip
def test_what_there_is_no_room_for_is_refused_and_what_is_not_known_said(
    name: str, value: str, room: Room, told: str | None
) -> None:
    try:
        assert check_room(name, value, room) == told
    except Forbidden as error:
        assert f"!{error}" == told


def test_an_old_limit_may_lock_new_clients_out_and_never_passes_the_files() -> None:
    assert check_room("maxclients", "50", FULL, restores=True) is None
    with pytest.raises(Forbidden, match="file limit"):
        check_room("maxclients", "969", FULL, restores=True)
