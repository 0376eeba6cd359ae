"""Facts that somebody else's machine made up: figures that are none, and files that are made to take memory."""

import tracemalloc

import pytest

from tools.errors import UsageError
from tools.host.facts import MOST, parse_facts

UPTIME = "@text /proc/uptime\n 5.0\n"


def facts(port: str = "6379", pid: str = "5", uptime: str = UPTIME, taken: str = "1700000000", more: str = "") -> bytes:
    heads = f"rediagnose host facts 1\n@port {port}\n@pid {pid}\n@config -\n@log -\n@sample 1\n"
    text = f"{heads}{uptime}@sample 2\n{UPTIME}{more}@taken {taken}\n"
    return f"{text}@end {text.count(chr(10)) + 1}\n".encode()


def test_such_facts_are_read() -> None:
    found = parse_facts("there", facts())
    assert (found.port, found.pid, found.seconds) == (6379, 5, 0)


@pytest.mark.parametrize("pid", ["-1", "0", "1e3", "9" * 30, "9" * 5000, "\u0661", "5 6"])
def test_a_process_has_a_number(pid: str) -> None:
    with pytest.raises(UsageError, match="is missing or garbled"):
        parse_facts("there", facts(pid=pid))


@pytest.mark.parametrize("port", ["-1", "0", "65536", "x"])
def test_a_port_is_one(port: str) -> None:
    with pytest.raises(UsageError, match="is missing or garbled"):
        parse_facts("there", facts(port=port))


@pytest.mark.parametrize("uptime", ["", "nan", "inf", "-inf", "1e999", "x"])
def test_an_uptime_is_a_number_of_seconds(uptime: str) -> None:
    with pytest.raises(UsageError, match="is missing or garbled"):
        parse_facts("there", facts(uptime=f"@text /proc/uptime\n {uptime}\n"))


@pytest.mark.parametrize("taken", ["inf", "nan", "-1", "9" * 20])
def test_a_time_is_one(taken: str) -> None:
    with pytest.raises(UsageError, match="is missing or garbled"):
        parse_facts("there", facts(taken=taken))


@pytest.mark.parametrize("flood", ["@text a\n{}", "{}@text a\n"], ids=["lines", "sections"])
def test_a_flood_takes_little_memory(flood: str) -> None:
    unit = "\n" if "{}" in flood[1:] else "@text 1\n"
    raw = facts(more=flood.format(unit * (MOST // 2 // len(unit))))
    tracemalloc.start()
    try:
        with pytest.raises(UsageError, match="more lines or sections"):
            parse_facts("there", raw)
        assert tracemalloc.get_traced_memory()[1] < len(raw)
    finally:
        tracemalloc.stop()
