"""What is longer than a terminal goes through a pager: a real program, which may leave when it likes."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from agent.report.pager import page, pager_command
from agent.report.sections import Styled

KEEPS = "import sys; open(sys.argv[1], 'w', encoding='utf-8').write(sys.stdin.read())"
"""A pager that keeps what it was given."""


@pytest.mark.parametrize(
    ("environ", "command"),
    [
        ({}, ("less",)), ({"PAGER": "more -s"}, ("more", "-s")), ({"PAGER": ""}, ()), ({"PAGER": "cat"}, ()),
        ({"PAGER": "no-such-pager"}, ()), ({"PAGER": "less '"}, ()),
        ({"PAGER": "more", "REDIAGNOSE_PAGER": "cat"}, ()),
    ],
)  # fmt: skip
def test_the_environment_names_the_pager(environ: Mapping[str, str], command: tuple[str, ...]) -> None:
    assert pager_command(environ, lambda name: name if name in ("less", "more") else None) == command


def test_without_a_pager_there_is_none() -> None:
    assert pager_command({}, lambda name: None) == ()


def test_it_gets_all_lines_and_nothing_that_steers_the_terminal(tmp_path: Path) -> None:
    file = tmp_path / "paged"
    lines = [
        Styled("Redis is full", "bold red"),
        *(Styled(f"line {n}") for n in range(500)),
        Styled("evil\x1b]0;title\x07 \u202e"),
    ]
    assert page(lines, (sys.executable, "-c", KEEPS, str(file)), os.environ)
    kept = file.read_text(encoding="utf-8")
    assert "Redis is full" in kept and "line 499\n" in kept and "evil" in kept
    assert "title" not in kept and "\u202e" not in kept and "\x07" not in kept


def test_a_reader_may_leave_before_the_end() -> None:
    lines = [Styled("x" * 1000)] * 2000
    assert page(lines, (sys.executable, "-c", "pass"), os.environ)


def test_a_pager_that_cannot_be_started_is_none() -> None:
    assert not page([Styled("x")], ("/no/such/pager",), os.environ)
