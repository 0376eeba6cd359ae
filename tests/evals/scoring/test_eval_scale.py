"""However many runs there are, memory holds little of each: their texts are in a file, and reports are written part by
part."""

import contextlib
import gc
import io
import tracemalloc
from pathlib import Path

import pytest

from agent.answer.diagnosis import Diagnosis
from agent.answer.events import Event, ModelRetried
from agent.answer.taxonomy import CAUSES
from evals.scoring.command import score
from evals.scoring.kept import results
from evals.scoring.pool import here
from evals.scoring.result import Result
from tests.stand_in import always, answer, done, options, scenario, written

MOST = 6_000
"""Bytes that one more incident may take. Its scenario takes 1.7 kB, its ticket 0.6 kB, its place in the file and in the
plan 0.3 kB, and the figures that an arm's summary is made from 1 kB."""
HEARD: tuple[Event, ...] = (ModelRetried(attempt=1, seconds=1, why=400 * "x"),) * 60
WRONG: Diagnosis = answer("thp", found=sorted(CAUSES)[:10])


class Sink(io.TextIOBase):
    """An output whose length is known and that holds nothing."""

    length = 0

    def write(self, text: str) -> int:
        self.length += len(text)
        return len(text)


def peak(folder: Path, count: int, form: str) -> tuple[int, int]:
    """The most bytes held while so many incidents are scored, and the length of the report."""
    folder.mkdir()
    written(folder, *(scenario(f"s{number}", ticket=f"checkout times out INC-{number}") for number in range(count)))
    out = Sink()
    gc.collect()
    tracemalloc.start()
    try:
        with contextlib.redirect_stdout(out):
            score(options("--format", form), folder, always(lambda one, arm: done(WRONG, *HEARD)), here)
        return tracemalloc.get_traced_memory()[1], out.length
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("form", ["json", "html", "text"])
def test_memory_grows_by_little_for_each_run(form: str, tmp_path: Path) -> None:
    few, many = 20, 80
    # What is made once, such as validators, is made before anything is measured.
    peak(tmp_path / "first", 2, form)
    least, short = peak(tmp_path / "few", few, form)
    most, long = peak(tmp_path / "many", many, form)
    assert (most - least) / (many - few) < MOST
    if form != "text":
        assert (long - short) / (many - few) > 3 * MOST


def test_results_that_nobody_asked_to_keep_are_gone_afterwards(tmp_path: Path) -> None:
    with results(None, tmp_path) as file:
        file.keep(Result(scenario="s1", arm="offline", epoch=0), scenario("s1"))
        assert file.file.is_file()
    assert not file.file.parent.exists()
    with results(tmp_path / "x", tmp_path) as file:
        file.file.touch()
    assert (tmp_path / "x").is_file()
