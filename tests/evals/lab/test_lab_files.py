"""Files and folders that the lab may write to, and that are somebody's own."""

import os
from pathlib import Path

import pytest

from evals.lab.record import PAGE, known_in
from evals.lab.run import read
from evals.scoring.scenario import INDEX
from tools.errors import UsageError


@pytest.mark.parametrize("content", ["notes without an end", '{"outcome": "diagnosed"}', "{", "two\nlines", "{}\n"])
def test_what_isnt_ours_stays_as_it_is(tmp_path: Path, content: str) -> None:
    file = tmp_path / "x"
    file.write_text(content)
    with pytest.raises(UsageError, match=r"^-o "):
        read(file)
    assert file.read_text() == content


def test_a_pipe_is_waited_for_by_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(UsageError, match="it isn't a file"):
            read(path)


def test_a_first_line_that_was_cut_off_is_removed(tmp_path: Path) -> None:
    (tmp_path / "x").write_text('{"fault":"thp","fam')
    assert read(tmp_path / "x") == read(tmp_path / "new") == []
    assert (tmp_path / "x").read_text() == ""


def test_a_folder_with_a_page_of_its_own_gets_no_recordings(tmp_path: Path) -> None:
    assert known_in(tmp_path) == known_in(tmp_path / "new") == ()
    (tmp_path / PAGE).write_text("# My project\n")
    with pytest.raises(UsageError, match="would be overwritten"):
        known_in(tmp_path)
    for content in ("", "{}", "[" * 50_000, '{"schema": 1, "scenarios": 3}'):
        (tmp_path / INDEX).write_text(content)
        with pytest.raises(UsageError, match="isn't an index of recordings"):
            known_in(tmp_path)
