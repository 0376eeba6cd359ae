"""The runs in a log: how many in a row were ended soon after their start."""

import pytest

from tools.host.log import log_values
from tools.host.log_lines import log_lines
from tools.records import Values

DAY = "01 Dec 2026 03:"
ENDS = {
    "told": ("# User requested shutdown...", "# Redis is now ready to exit, bye bye..."),
    "loading": ("# Received shutdown signal during loading, exiting now.",),
    "killed": ("* Background saving started by pid 9",),
    "crashed": ("# === REDIS BUG REPORT START: Cut & paste starting from here ===",),
}


def run(number: int, minute: int, *, ready: bool = True, seconds: int = 20, end: str = "") -> str:
    """One run's lines; it's the last one without an `end`."""
    lines = [
        f"{number}:C {DAY}{minute:02}:00.000 # Redis version=7.0.15, bits=64, commit=0, modified=0, pid=1, just started"
    ]
    lines += [f"{number}:M {DAY}{minute:02}:01.000 * Ready to accept connections"] if ready else []
    at = f"{minute + seconds // 60:02}:{seconds % 60:02}"
    return "\n".join([*lines, *(f"{number}:M {DAY}{at}.000 {line}" for line in ENDS.get(end, ()))]) + "\n"


def stops(text: str, *, ended: bool = False) -> Values:
    lines = list(log_lines(text))
    last = lines[-1].at
    assert last is not None
    values = log_values(lines, last, last, ended=ended)
    return {name: value for name, value in values.items() if name.startswith("stops.")}


def test_runs_that_were_told_to_end_are_counted() -> None:
    found = stops(run(1, 1, end="told") + run(2, 2, seconds=30, end="told") + run(3, 3))
    assert found == {
        "stops.count": 2, "stops.longest": 30.0, "stops.newest_age": 31.0, "stops.served": 2, "stops.asked": 2,
    }  # fmt: skip


def test_a_run_that_never_served_is_told_apart() -> None:
    text = run(1, 1, ready=False, end="loading") + run(2, 2, ready=False, end="loading")
    found = stops(text, ended=True)
    assert (found["stops.count"], found["stops.served"], found["stops.asked"]) == (2, 0, 2)


@pytest.mark.parametrize("end", ["crashed", ""])
def test_a_crash_ends_the_row(end: str) -> None:
    text = run(1, 1, end="told") + (run(2, 2, end=end) if end else "") + run(3, 40, end="told") + run(4, 41)
    assert stops(text)["stops.count"] == (1 if end else 2)


def test_a_long_run_ends_the_row_too() -> None:
    assert stops(run(1, 1, seconds=1200, end="told") + run(2, 30)) == {}


def test_a_run_that_just_stops_was_not_told_to() -> None:
    found = stops(run(1, 1, end="killed") + run(2, 2, end="killed") + run(3, 3))
    assert (found["stops.count"], found["stops.asked"]) == (2, 0)
