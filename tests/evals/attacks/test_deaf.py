"""A few of the ways to be deaf, each in a process of its own."""

from pathlib import Path

import pytest

from evals.attacks.deaf import Try, tried


@pytest.mark.parametrize(
    "how",
    [
        Try("apply", "audit.jsonl", 3, "stubborn", 1), Try("rollback", "audit.jsonl", 5, "once", 1),
        Try("capture", "socket.connect", 1, "again", 1), Try("triage", "socket.connect", 1, "once", 2),
        Try("chat", "socket.connect", 1, "stubborn", 1),
        # Loading the program reads /proc, before there is an incident; it has some real seconds for it.
        pytest.param(Try("triage", "/proc/", 1, "stubborn", 0), marks=pytest.mark.live),
        Try("apply", "/proc/", 2, "once", 1),
    ],
    ids=str,
)  # fmt: skip
async def test_every_command_ends_and_says_what_became_of_a_change(how: Try, tmp_path: Path) -> None:
    attempt = await tried(how, tmp_path)
    assert attempt.held, attempt.what
