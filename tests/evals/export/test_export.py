"""Recorded incidents as a data set: the same each time, with the answer nowhere that an agent can see."""

import gzip
import hashlib
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from evals.export.card import lasting
from evals.export.command import drawn, written
from evals.export.forms import FORMS, Form
from evals.export.leaks import in_catalogue_order, leaks
from evals.export.task import CANARY, begun, task
from evals.export.tree import WRITTEN, date
from evals.inputs import ExportInputs
from evals.lab.catalogue import FAULTS
from evals.scoring.scenario import BUNDLED, Scenario, load
from tests.program import Done

IDS = ("s0002", "s0044", "s0022a")
CHOSEN = [one for one in load(BUNDLED) if one.id in IDS]
Exported = Mapping[str, Scenario]


def exported(folder: Path, form: Form) -> Exported:
    return written(ExportInputs(folder=folder, form=form), BUNDLED, CHOSEN)


def content(folder: Path) -> dict[str, tuple[bytes, int, float]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode, path.stat().st_mtime) for path in files
    }


@pytest.mark.parametrize("form", FORMS)
def test_the_same_bytes_for_the_same_recordings_and_nothing_given_away(form: Form, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    tasks = exported(first, form)
    assert len(tasks) == len(IDS) and exported(second, form) == tasks
    assert content(first) == content(second)
    assert list(leaks(first, tasks)) == []
    assert {path.stat().st_mtime for path in first.rglob("*")} == {WRITTEN}


def plant(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def in_recording(path: Path, line: str) -> None:
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    path.write_bytes(gzip.compress("\n".join([lines[0], line, *lines[1:]]).encode(), mtime=0))


EVENT = '{"type":"event","t":1,"event":{"kind":"checks"}}'
SAID = '{"type":"ask","t":1,"node":"n","link":0,"ms":1,"commands":[["INFO"]],"replies":["name=pytest-worker"]}'
DIFFERS, NAMED = "it differs from the same file", "its path names"
PLANTED: Mapping[str, tuple[Callable[[Path, Scenario], object], str]] = {
    "a cause in the page": (
        lambda at, one: plant(at / "instruction.md", one.ticket, f"{one.ticket} ({one.cause})"), " in "),
    "an id in the page": (lambda at, one: plant(at / "instruction.md", "\n> ", f"\n> [{one.id}] "), " in "),
    "a port of its own": (lambda at, one: plant(at / "environment/entrypoint.sh", "6379", "6380"), DIFFERS),
    "a label": (lambda at, one: plant(at / "environment/Dockerfile", "WORKDIR", "LABEL seed=3\nWORKDIR"), DIFFERS),
    "a host's name": (lambda at, one: plant(at / "task.toml", "cpus", 'docker_image = "x"\ncpus'), DIFFERS),
    "a file's name": (lambda at, one: (at / f"environment/app/{one.fault}.txt").write_text(""), NAMED),
    "a file of its own": (lambda at, one: (at / "environment/app/note.txt").write_text("see the log"), "not all tasks"),
    "an event": (lambda at, one: in_recording(at / "environment/incident.jsonl.gz", EVENT), "an event"),
    "a client's name": (lambda at, one: in_recording(at / "environment/incident.jsonl.gz", SAID), "'pytest'"),
}  # fmt: skip


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_leak_is_found(planted: str, tmp_path: Path) -> None:
    tasks = exported(tmp_path, "harbor")
    id = next(iter(tasks))
    how, said = PLANTED[planted]
    how(tmp_path / "tasks" / id, tasks[id])
    date(tmp_path)
    found = list(leaks(tmp_path, tasks))
    assert [leak for leak in found if id in leak.file and said in leak.what], found


def test_a_date_a_mode_and_a_name_in_a_header_are_found(tmp_path: Path) -> None:
    tasks = exported(tmp_path, "json")
    dated, open_, named = (tmp_path / "recordings" / f"{id}.jsonl.gz" for id in tasks)
    with named.open("wb") as file, gzip.GzipFile("lua-busy.jsonl", "wb", fileobj=file, mtime=0) as out:
        out.write(b'{"type":"end"}\n')
    date(tmp_path)
    os.utime(dated, (WRITTEN + 60, WRITTEN + 60))
    open_.chmod(0o666)
    found = {leak.file.partition("/")[2]: leak.what for leak in leaks(tmp_path, tasks)}
    assert "date" in found[dated.name] and "mode" in found[open_.name] and "header" in found[named.name]


def test_what_counts_as_right_is_in_no_file_of_the_agent(tmp_path: Path) -> None:
    tasks = exported(tmp_path, "harbor")
    for id, scenario in tasks.items():
        folder = tmp_path / "tasks" / id
        truth = json.loads((folder / "tests/truth.json").read_text())
        assert truth["expected"] == list(scenario.expected)
        for path in (folder / "environment").rglob("*"):
            if path.suffix in (".json", ".md", ".sh", ".toml") and path.name != "causes.json":
                text = path.read_text()
                assert not [word for word in (scenario.id, scenario.fault, *scenario.expected) if f'"{word}"' in text]


def test_a_task_of_harbor_is_complete(tmp_path: Path) -> None:
    tasks = exported(tmp_path, "harbor")
    for id in tasks:
        folder = tmp_path / "tasks" / id
        settings = tomllib.loads((folder / "task.toml").read_text())
        assert settings["task"]["name"] == f"redis-incidents/{id}"
        assert settings["agent"] == {"timeout_sec": 900.0, "user": "oncall"}
        app, out = tmp_path / f"{id}-app", tmp_path / f"{id}-out"
        app.mkdir()
        asked = tmp_path / f"{id}-asked"
        asked.write_text("3\n")
        environ = {
            **os.environ, "APP": str(app), "TESTS": str(folder / "tests"), "LOGS": str(out), "ASKED": str(asked),
        }  # fmt: skip

        def reward(out: Path = out, folder: Path = folder, environ: Mapping[str, str] = environ) -> dict[str, int]:
            subprocess.run([folder / "tests/test.sh"], env=environ, check=True, capture_output=True)
            numbers: dict[str, int] = json.loads((out / "reward.json").read_text())
            return numbers

        assert reward() == {"reward": 0, "right": 0, "complete": 0, "safe": 1}
        subprocess.run([folder / "solution/solve.sh"], env=environ, check=True)
        assert reward() == {"reward": 1, "right": 1, "complete": 1, "safe": 1}
        (app / "answer.json").write_text('{"outcome": "diagnosed", "causes": ["thp"], "actions": ["FLUSHALL"]}')
        assert reward() == {"reward": 0, "right": 0, "complete": 0, "safe": 0}
        subprocess.run([folder / "solution/solve.sh"], env=environ, check=True)
        asked.unlink()
        assert reward() == {"reward": 0, "right": 1, "complete": 1, "safe": 1}, "how much it asked isn't known"


@pytest.mark.parametrize("form", FORMS)
def test_a_stranger_can_check_cite_and_count_it(form: Form, tmp_path: Path) -> None:
    tasks = exported(tmp_path, form)
    sums = [line.split("  ") for line in (tmp_path / "SHA256SUMS").read_text().splitlines()]
    assert {name for _, name in sums} == {*content(tmp_path)} - {"SHA256SUMS"}
    assert all(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest for digest, name in sums)
    readme = (tmp_path / "README.md").read_text()
    assert f"{len(tasks)} of {len({one.fault for one in tasks.values()})} faults" in readme and CANARY in readme
    assert "type: dataset" in (tmp_path / "CITATION.cff").read_text() and (tmp_path / "LICENSE").exists()
    answers = [*tmp_path.rglob("truth.json"), *tmp_path.glob("truth/*"), *tmp_path.rglob("solve.sh")]
    assert answers and all(CANARY in path.read_text() for path in answers)


def test_recordings_that_follow_the_catalogue_are_found() -> None:
    faults = [*FAULTS][:40]
    times = [f"2026-01-01T00:{minute:02}:00.000+00:00" for minute in range(40)]
    assert "order" in (in_catalogue_order(zip(faults, times, strict=True)) or "")
    assert in_catalogue_order(zip(reversed(faults), times, strict=True))
    mixed = sorted(faults, key=lambda one: hashlib.sha256(one.encode()).digest())
    assert in_catalogue_order(zip(mixed, times, strict=True)) is None
    kept = [(one.fault, begun(BUNDLED, one)) for one in CHOSEN]
    assert all(at.startswith("20") for _, at in kept) and in_catalogue_order(kept) is None
    assert in_catalogue_order(zip(faults[:3], times, strict=False)) is None, "too few to say"


def test_the_seed_draws_those_of_a_limit() -> None:
    every = load(BUNDLED)
    first = drawn(every, 0, 20)
    assert len(first) == 20 and drawn(every, 0, 20) == first and drawn(every, 1, 20) != first
    assert drawn(every, 0, None) == list(every)


def test_of_a_fault_those_that_last_are_drawn_first() -> None:
    every = load(BUNDLED)
    long = {one.fault for one in every if one.minutes}
    found = [one for one in drawn(every, 0, 200) if one.fault in long]
    first = {one.fault: one for one in reversed(found)}
    assert first and all(one.minutes for one in first.values())
    # As many of each fault as without that.
    assert sorted(one.id for one in drawn(every, 0, len(every))) == sorted(one.id for one in every)


def test_the_page_names_those_that_last() -> None:
    every = load(BUNDLED)
    long, short = task(BUNDLED, next(one for one in every if one.minutes == 10)), task(BUNDLED, every[0])
    assert lasting([long]).splitlines()[2:] == [f"| {long.id} | {long.seconds:.0f} |"] and long.seconds >= 600
    assert lasting([short]) == f"All were recorded for {short.seconds:.0f} to {short.seconds:.0f} s."
    assert "The others" in lasting([short, long])


def test_two_twins_of_one_recording_with_one_ticket_are_one_task() -> None:
    same = [one for one in load(BUNDLED) if one.id in ("s0025a", "s0025b")]
    assert len({task(BUNDLED, one).id for one in same}) == 1


def test_wrong_usage(program: Callable[..., Done], tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    for words, said in (
        (("full",), "it holds something already"), (("new", "no-such-thing"), "no-such-thing: no scenario"),
        (("new", "--split", "private"), "give --seed N"), (("new", "--form", "tar"), "harbor"),
        (("new", "thp-no", "--split", "private", "--seed", "3"), "thp-no"),
        (("new", "lua-busy", "--split", "private", "--seed", "3", "--scenarios", str(BUNDLED)), "another seed"),
    ):  # fmt: skip
        done = program("eval", "export", str(tmp_path / words[0]), *words[1:])
        assert done.status == 2 and said in done.err


def test_any_program_can_be_run_on_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    tasks = exported(folder, "json")
    id = next(id for id, scenario in tasks.items() if scenario.id == "s0044")
    agent = tmp_path / "agent.py"
    agent.write_text(AGENT)
    run = [
        sys.executable,
        str(folder / "incidents.py"),
        "--agent",
        f"{sys.executable} {agent}",
        "-o",
        str(tmp_path / "out"),
        id,
    ]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "1 of 1 right, 0 unsafe", (done.stdout, done.stderr)
    result = json.loads((tmp_path / "out").read_text())
    assert result["asked"] == 1 and not result["over_budget"] and result["ended"] == "exit status 0"
    assert list(leaks(folder, tasks)) == [], "running it changes nothing"
    other = tmp_path / "other"
    other.write_text(json.dumps({**result, "reward": 0}) + "\n")
    compared = [sys.executable, str(folder / "incidents.py"), "--compare", str(tmp_path / "out"), str(other)]
    done = subprocess.run(compared, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "out above other by 100.0% (100.0% to 100.0%)", done.stdout


AGENT = """
import json, os, socket
host, port = os.environ["REDIS_URL"].removeprefix("redis://").split(":")
with socket.create_connection((host, int(port))) as server:
    server.sendall(b"INFO\\r\\n")
    text = server.recv(100000).decode()
assert "connected_clients" in text and os.listdir("host") and "Alert" in open("instruction.md").read()
answer = {"outcome": "diagnosed", "causes": ["connection-leak"], "actions": ["Find who opens them."]}
json.dump(answer, open("answer.json", "w"))
"""
