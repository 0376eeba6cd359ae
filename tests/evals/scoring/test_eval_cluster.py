"""Runs on a cluster: a real scheduler and a worker of it, both on loopback."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evals.scoring.answered import of_recording
from evals.scoring.arm import Arm
from evals.scoring.cluster import Sent, Task, of_sent, packed
from evals.scoring.kept import revision
from evals.scoring.run import Wanted, examine
from evals.scoring.scenario import BUNDLED, load
from tests.program import Done
from tests.stand_in import scenario
from tools.errors import UsageError

ROOT = Path(__file__).resolve().parents[3]
OFFLINE = Arm(name="offline", model="offline")
SOME = "lua-unkillable or monitor-attached"


def started(*args: str, path: Path = ROOT) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("dask")), *args, "--no-dashboard", "--host", "127.0.0.1"],
        cwd=path, env={**os.environ, "PYTHONPATH": str(path)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def ended(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(60)


def waited_for(file: Path) -> str:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if file.exists() and (text := file.read_text()).endswith("}"):
            return str(json.loads(text)["address"])
        time.sleep(0.1)
    raise TimeoutError(f"{file}: no scheduler started")


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of one without workers."""
    file = tmp_path_factory.mktemp("dask") / "scheduler.json"
    process = started("scheduler", "--port", "0", "--scheduler-file", str(file))
    try:
        yield waited_for(file).replace("tcp://", "dask://")
    finally:
        ended(process)


def refused(scheduler: str, path: Path, program: Callable[..., Done]) -> str:
    """What is said of a worker that loads its modules from a folder."""
    worker = started("worker", scheduler.replace("dask://", "tcp://"), "--nworkers", "1", path=path)
    try:
        deadline = time.monotonic() + 120
        while "no workers" in (done := program("eval", "-k", SOME, "--on", scheduler)).err:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    finally:
        ended(worker)
    assert (done.status, done.out) == (2, "")
    return done.err


@pytest.fixture(scope="module")
def cluster(scheduler: str) -> Iterator[str]:
    """The same with a worker."""
    address = scheduler.replace("dask://", "tcp://")
    process = started("worker", address, "--nworkers", "1", "--nthreads", "1", "--preload", "rediagnose")
    try:
        yield scheduler
    finally:
        ended(process)


def test_a_cluster_that_cannot_be_used_is_named(scheduler: str, program: Callable[..., Done]) -> None:
    for url, named in {scheduler: "it has no workers", "dask://127.0.0.1:1": "no scheduler answers"}.items():
        done = program("eval", "-k", SOME, "--on", url)
        assert (done.status, done.out) == (2, "") and named in done.err
    assert "dask://HOST:PORT" in program("eval", "--on", "ray://127.0.0.1:1").err


def test_a_worker_without_this_program_is_refused(scheduler: str, program: Callable[..., Done], tmp_path: Path) -> None:
    scoring = tmp_path / "evals" / "scoring"
    scoring.mkdir(parents=True)
    for folder in (scoring.parent, scoring):
        (folder / "__init__.py").touch()
    assert "can't load rediagnose (No module named 'evals.scoring.kept')" in refused(scheduler, tmp_path, program)
    (scoring / "kept.py").write_text("def revision():\n    return 'another'\n")
    assert "a worker has another version of rediagnose" in refused(scheduler, tmp_path, program)


class Lost:
    """A future that nobody has any more, and the client of a cluster without workers."""

    def result(self, timeout: float) -> int:
        raise TimeoutError

    def done(self) -> bool:
        return False

    def nthreads(self) -> dict[str, int]:
        return {}


def test_a_cluster_whose_workers_went_away_is_not_waited_for() -> None:
    lost: Any = Lost()
    with pytest.raises(UsageError, match="dask://x: its workers are gone; with -o FILE"):
        Task[int](lost, lost, "dask://x").result()


def test_a_cluster_gives_what_this_machine_gives(cluster: str, program: Callable[..., Done], tmp_path: Path) -> None:
    args = ("eval", "-k", SOME, "--format", "json")
    deadline = time.monotonic() + 120
    while (there := program(*args, "--on", cluster, "-o", str(tmp_path / "there"))).status == 2:
        # The worker is still starting.
        assert "no workers" in there.err and time.monotonic() < deadline, there.err
        time.sleep(0.2)
    here = program(*args, "--jobs", "1", "-o", str(tmp_path / "here"))
    assert (here.status, there.status) == (0, 0), there.err
    assert there.out == here.out
    kept = [[json.loads(line) for line in (tmp_path / name).read_text().splitlines()] for name in ("there", "here")]
    assert kept[0] == kept[1] and len(kept[0]) > 3 and {one["code"] for one in kept[0]} == {revision()}


def test_what_is_sent_is_the_recording_as_it_is() -> None:
    one = next(each for each in load(BUNDLED) if each.fault == "monitor-attached")
    sent = packed(BUNDLED, Wanted(one, OFFLINE, 0))
    assert isinstance(sent.scenario, Sent) and sent.scenario.content == (BUNDLED / one.file).read_bytes()
    own = examine(Wanted(one, OFFLINE, 0), lambda each, arm: of_recording(BUNDLED, each, arm))
    assert examine(sent, of_sent) == own and own.first
    with pytest.raises(UsageError, match=r"s1: .*record it again"):
        packed(BUNDLED, Wanted(scenario("s1"), OFFLINE, 0))
