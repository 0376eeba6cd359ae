"""Values as people read them, and lines as wide as a terminal."""

import shlex
import subprocess

import pytest

from agent.report.quantities import quantity, unit_of
from agent.report.wrapping import cells, command_lines, wrapped
from tools.records import Scalar


@pytest.mark.parametrize(
    ("value", "unit", "read"),
    [
        (117440512, "bytes", "112 MiB"), (1023, "bytes", "1023 bytes"), (1024, "bytes", "1 KiB"),
        (0, "bytes", "0 bytes"),
        (1281 * 2**20, "bytes", "1.25 GiB"), (2**50, "bytes", "1024 TiB"), ("111mb", "bytes", "111 MiB"),
        ("67108864", "bytes", "64 MiB"), ("allkeys-lru", "bytes", "allkeys-lru"), (1500, "seconds", "25 min"),
        (0, "seconds", "0 s"), (90, "seconds", "90 s"), (7300, "seconds", "2 h"), (200_000, "seconds", "2 days"),
        (4.26, "ago", "4.26 s ago"), (0.043, "ms", "43 µs"), (0.43, "ms", "0.43 ms"), (1370, "ms", "1.37 s"),
        (63, "usec", "63 µs"), (142_000, "usec", "142 ms"), (0.9964, "share", "99.6%"), (0.0005, "share", "0.05%"),
        (1471028, "count", "1,471,028"), (6379, "plain", "6379"), (True, "count", "yes"), (None, "count", "none"),
        ("", "count", "empty"), (22.1, "count", "22.1"),
        (10**400, "bytes", "a figure that can't be"), (float("inf"), "ms", "a figure that can't be"),
        (float("nan"), "seconds", "a figure that can't be"),
    ],
)  # fmt: skip
def test_a_quantity_is_in_the_unit_in_which_it_is_said(value: Scalar, unit: str, read: str) -> None:
    assert quantity(value, unit) == read


@pytest.mark.parametrize(
    ("field", "unit"),
    [
        ("used_memory", "bytes"), ("used_memory.delta", "bytes"), ("max_usec", "usec"), ("p99_ms", "ms"),
        ("last1.newest_age", "ago"), ("uptime_in_seconds", "seconds"), ("top_share", "share"), ("master_port", "plain"),
        ("connected_clients", "count"), ("overcommit_memory", "count"),
    ],
)  # fmt: skip
def test_a_name_tells_its_unit(field: str, unit: str) -> None:
    assert unit_of(field) == unit


def test_words_are_wrapped_and_none_is_lost() -> None:
    text = "The memory limit is reached, " * 9 + "x" * 130 + " 数据库连接被拒绝了 " * 9
    for width in (40, 80, 120):
        lines = wrapped(text, width, "Do now    ")
        assert all(cells(line) <= width for line in lines)
        assert "".join("".join(lines).split()) == "Donow" + "".join(text.split())
        assert all(line.startswith(" " * 10) for line in lines[1:])


def test_a_long_command_stays_one_for_a_shell() -> None:
    words = ["-h", "redis.example.org", "CONFIG", "SET", "client-output-buffer-limit", "pubsub 33554432 8388608 60"]
    command = f"printf '%s\\n' {shlex.join(words)}"
    lines = command_lines(command, 60, "$ ", "    ")
    assert len(lines) > 1 and all(cells(line) <= 60 for line in lines)
    assert all(line.endswith(" \\") for line in lines[:-1])
    pasted = "\n".join(lines).removeprefix("$ ")
    done = subprocess.run(["sh", "-c", pasted], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == words


def test_a_figure_and_its_unit_stay_on_one_line() -> None:
    assert wrapped("it was measured in 2.2 s, and 12 MiB", 21) == ["it was measured in", "2.2 s, and 12 MiB"]
    assert wrapped("it was measured in 3 seconds", 21) == ["it was measured in 3", "seconds"]
