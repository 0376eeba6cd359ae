"""Replies and metrics as programs print them."""

import json

from tools.paste.pieces import Piece
from tools.paste.recognise import recognise


def pieces(text: str) -> tuple[Piece, ...]:
    return recognise(text, "paste").pieces


def test_a_range_of_several_servers_is_two_samples_of_each() -> None:
    def series(node: str, *values: int) -> dict[str, object]:
        metric = {"__name__": "redis_connected_clients", "instance": node}
        return {"metric": metric, "values": [[1712131200 + 60 * at, str(value)] for at, value in enumerate(values)]}

    found = pieces(json.dumps({"data": {"result": [series("a:9121", 1, 2, 3), series("b:9121", 7, 8)]}}))
    told = [(one.node, one.at, (one.values or {})["connected_clients"]) for one in found]
    assert sorted(told) == [
        ("a:9121", 1712131200.0, 1), ("a:9121", 1712131320.0, 3), ("b:9121", 1712131200.0, 7),
        ("b:9121", 1712131260.0, 8),
    ]  # fmt: skip


def test_literals_are_the_values_that_they_print() -> None:
    (one,) = pieces("redis_version: '7.2.4',\nrole: \"master\",\ntcp_port: 6379,\ndb0: { keys: '12', expires: '0' },\n")
    assert one.text.split() == ["redis_version:7.2.4", "role:master", "tcp_port:6379", "db0:keys=12,expires=0"]


def test_a_map_keeps_values_that_have_spaces_and_commas() -> None:
    (one,) = pieces("{os=Linux 6.1 x86_64, db0=keys=1,expires=0, master_host=10.20.0.4, role=slave}")
    assert one.text.splitlines() == [
        "os:Linux 6.1 x86_64", "db0:keys=1,expires=0", "master_host:10.20.0.4", "role:slave",
    ]  # fmt: skip


def test_a_reply_off_the_wire_that_ends_early_is_cut() -> None:
    rows = "*2\n*4\n:7\n:1709294312\n:3120441\n*2\n$4\nKEYS\n$1\n*\n*4\n:6\n:17092943"
    (one,) = pieces(rows)
    assert one.form == "slowlog" and one.cut
    assert [row[:3] for row in one.reply] == [[7, 1709294312, 3120441]]


def test_a_bulk_of_several_lines_is_one_value() -> None:
    found = pieces("*2\n$9\nmaxmemory\n$3\n100\n")
    assert [one.form for one in found] == ["config"] and found[0].reply == ["maxmemory", "100"]


def test_what_commands_carried_past_monitor_isnt_kept() -> None:
    (one,) = pieces('OK\n1712131200.101233 [0 10.1.0.12:50122] "SET" "card" "4111"\n1712131201.1 [0 x] "GET" "a"\n')
    assert one.text == "MONITOR shows 1 commands over 0.0 s: 1 SET"


def test_a_disk_table_without_the_servers_own_mount_says_nothing_of_it() -> None:
    head = "Filesystem      Size  Used Avail Use% Mounted on\n"
    assert [one.form for one in pieces(f"{head}/dev/sda1  40G  12G  28G  30% /\n")] == []
    (one,) = pieces(f"{head}/dev/sdb1  20G  20G  0 100% /var/lib/redis\n")
    assert (one.values or {})["dir_used_share"] == 1.0


def test_free_without_its_command_line_is_read_by_its_size() -> None:
    table = "       total   used   free  shared  buff/cache  available\nMem:   {}  7  1  1  1  61\nSwap:  100  50  50\n"
    (small,), (large,) = pieces(table.format("7951")), pieces(table.format("8141824"))
    assert ((small.values or {})["memory_total_bytes"], (large.values or {})["memory_total_bytes"]) == (
        7951 * 2**20, 8141824 * 2**10,
    )  # fmt: skip
