"""The file of results: what was killed goes on, and only what is still true is taken from it."""

import json
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evals.scoring import kept
from evals.scoring.arm import Arm
from evals.scoring.kept import Results, revision
from evals.scoring.pool import here, in_order, processes
from evals.scoring.run import TRAILS, plan, run
from evals.scoring.scenario import Scenario
from tests.program import Done
from tests.stand_in import always, answer, done, right, scenario, written
from tools.errors import UsageError

OFFLINE = Arm(name="offline", model="offline")
MANY = [scenario(f"s{number}") for number in range(5)]


def had(file: Results, scenarios: list[Scenario]) -> list[str]:
    return [id for id, _, _ in file.had({one.key: one.scenario for one in plan(scenarios, [OFFLINE], 1)})[0]]


def filled(folder: Path) -> Results:
    for one in MANY:
        (folder / one.file).write_text(one.id)
    file = Results(folder / "runs.jsonl", folder)
    run(plan(MANY, [OFFLINE], 1), right, here, file)
    return file


def test_only_runs_of_the_same_recording_and_truth_are_taken(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / MANY[1].file).write_text("recorded anew")
    retold = [*MANY[:2], scenario("s2", ticket="told otherwise"), scenario("s3", "lua-busy"), MANY[4]]
    file = Results(tmp_path / "runs.jsonl", tmp_path)
    assert had(file, retold) == ["s0", "s4"]
    assert file.had({one.key: one.scenario for one in plan(retold, [OFFLINE], 1)})[1] == 3


def test_runs_of_another_version_of_the_program_are_had_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = filled(tmp_path)
    lines = [json.loads(line) for line in file.file.read_text().splitlines()]
    assert {line["code"] for line in lines} == {revision()} and len({line["incident"] for line in lines}) == 5
    lines[2]["code"] = "0" * 16
    file.file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    capsys.readouterr()
    again = run(plan(MANY, [OFFLINE], 1), right, here, file)
    assert [one.scenario for one in again.results] == [one.id for one in MANY]
    assert "1 of its runs are of another recording or version of this program" in capsys.readouterr().err
    # The line that is true now comes later, and counts.
    assert len(file.file.read_text().splitlines()) == 6 and had(file, MANY) == ["s0", "s1", "s3", "s4", "s2"]


@pytest.mark.parametrize("lost", [1, 2, 30])
def test_a_last_line_that_was_cut_off_is_written_again(tmp_path: Path, lost: int) -> None:
    file = filled(tmp_path)
    whole = file.file.read_bytes()
    file.file.write_bytes(whole[:-lost])
    assert had(file, MANY) == ["s0", "s1", "s2", "s3"]
    run(plan(MANY, [OFFLINE], 1), right, here, file)
    assert file.file.read_bytes() == whole


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for content in (b"{}\n", b"\xff\n", b"[]\n"):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(UsageError, match="isn't a file written by eval"):
            Results(tmp_path / "x", tmp_path).had({})
    with pytest.raises(UsageError, match="-o"):
        Results(tmp_path, tmp_path).had({})


def test_the_revision_is_of_what_answers_and_judges() -> None:
    assert all((kept.ROOT / room).is_dir() for room in kept.CODE)
    assert revision() == revision() and len(revision()) == kept.DIGITS


def test_a_program_that_was_killed_goes_on_where_it_was(program: Callable[..., Done], tmp_path: Path) -> None:
    file = tmp_path / "runs.jsonl"
    args = ("eval", "-k", "lua-busy or slow-on-command", "--jobs", "2", "-o", str(file), "--format", "json")
    root = Path(__file__).resolve().parents[3]
    killed = subprocess.Popen(
        [sys.executable, "-m", "rediagnose", *args], cwd=root, stdout=subprocess.PIPE, start_new_session=True
    )
    deadline = time.monotonic() + 120
    while killed.poll() is None and time.monotonic() < deadline:
        if file.exists() and file.read_bytes().count(b"\n") >= 3:
            break
        time.sleep(0.05)
    killed.kill()
    # Its workers have the other end of its output: this returns once they have ended as well.
    killed.communicate(timeout=60)
    before = file.read_bytes()
    assert before.count(b"\n") >= 3
    again = program(*args)
    assert again.status == 0, again.err
    runs = json.loads(again.out)["arms"][0]["runs"]
    # What was had is still there, and nothing was had twice.
    assert file.read_bytes().startswith(before[: before.rindex(b"\n") + 1])
    assert file.read_bytes().count(b"\n") == runs > 3


def test_no_more_is_handed_out_than_is_worked_on() -> None:
    out = deque[int]()
    taken = 0

    class Now:
        def __init__(self, number: int) -> None:
            self._number = number

        def result(self) -> int:
            out.remove(self._number)
            return self._number

    def submit(number: int) -> Now:
        out.append(number)
        assert len(out) <= 4
        return Now(number)

    def numbers() -> Iterator[int]:
        nonlocal taken
        for number in range(100):
            taken = number
            yield number

    found = in_order(submit, numbers(), 4)
    assert next(found) == 0 and taken == 4
    assert list(found) == list(range(1, 100))


def test_processes_give_what_this_one_gives() -> None:
    assert list(processes(str, range(40), count=2)) == list(here(str, range(40)))


def test_of_thousands_that_are_wrong_the_first_have_their_trail_in_the_report(tmp_path: Path) -> None:
    many = [scenario(f"s{number}") for number in range(TRAILS + 20)]
    file = Results(tmp_path / "runs.jsonl", written(tmp_path, *many))
    wrong = always(lambda one, arm: done(answer("thp")))
    found = list(run(plan(many, [OFFLINE], 1), wrong, here, file).results)
    assert [bool(one.trail) for one in found] == [True] * TRAILS + [False] * 20
    lines = file.file.read_text().splitlines(keepends=True)
    assert all(json.loads(line)["trail"] for line in lines)
    # One that goes on from any place reports the same.
    file.file.write_text("".join(lines[10:40]))
    assert list(run(plan(many[:50], [OFFLINE], 1), wrong, here, file).results) == found[:50]


@pytest.mark.parametrize("content", [b"notes without an end", b'{"outcome": "diagnosed"}', b"\x1f\x8b\x08\x00", b"{"])
def test_what_isnt_ours_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(UsageError, match="isn't a file written by eval"):
        Results(tmp_path / "x", tmp_path).had({})
    assert (tmp_path / "x").read_bytes() == content


def test_a_pipe_is_waited_for_by_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(UsageError, match="isn't a file written by eval"):
            Results(path, tmp_path).had({})


def test_a_first_line_that_was_cut_off_is_written_again(tmp_path: Path) -> None:
    file = filled(tmp_path)
    whole = file.file.read_bytes()
    for left in (20, len(whole.splitlines()[0])):
        file.file.write_bytes(whole[:left])
        assert had(file, MANY) == []
