"""HOTKEYS GET as the documentation shows it, and what isn't one."""

import pytest

from tools.server.hot_keys import parse_hot_keys

REPLY = [
    "tracking-active", 1, "sample-ratio", 1, "selected-slots", [], "all-commands-all-slots-us", 220,
    "collection-duration-ms", 6408, "by-cpu-time-us", ["x", 104, "y", 98, "z", 18, "w", 1],
]  # fmt: skip


def test_the_keys_are_told_with_their_share() -> None:
    told = parse_hot_keys(REPLY)
    assert (told["hotkey1.key"], told["hotkey1.cpu_usec"], told["hotkey1.share"]) == ("x", 104, 0.4727)
    assert told["hot_keys.counting"] is True and "hotkey4.key" not in told
    assert parse_hot_keys([REPLY]) == told


@pytest.mark.parametrize(
    "reply", [None, [], "x", 7, ["by-cpu-time-us"], ["by-cpu-time-us", 3], ["a", 1], [[]], [["x"]]]
)
def test_nothing_is_made_of_anything_else(reply: object) -> None:
    assert parse_hot_keys(reply) == {}


@pytest.mark.parametrize("usec", ["many", None, ["1"], -1.5, "9" * 99])
def test_a_figure_that_is_none_is_left_out(usec: object) -> None:
    assert "hotkey1.cpu_usec" not in parse_hot_keys(["by-cpu-time-us", ["x", usec]])
