"""`rediagnose eval` from its options to its exit status."""

import json
import multiprocessing
import re
import signal
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from evals.scoring.answered import Answered, Investigate
from evals.scoring.arm import Arm, arms
from evals.scoring.command import score
from evals.scoring.kept import Results
from evals.scoring.pool import here, processes
from evals.scoring.run import plan, run
from evals.scoring.scenario import Scenario, load
from evals.scoring.select import select
from tests.program import Done
from tests.stand_in import always, answer, done, options, right, scenario, step, written
from tools.errors import UsageError

FULL_UP = scenario("s1", twin="s2")
BUSY = scenario("s2", "lua-busy", twin="s1", kind="valkey-9.1", family="stalls")
WELL = scenario("s3", "no-fault", family="benign")
ALL = (FULL_UP, BUSY, WELL)
TELLS = always(lambda one, arm: done(answer(*one.expected)))


class Counted:
    """An investigation that keeps what it was asked."""

    def __init__(self, of: Investigate = TELLS) -> None:
        self.asked: list[str] = []
        self._of = of

    async def __call__(self, one: Scenario, arm: Arm) -> Answered:
        self.asked.append(f"{arm.name} {one.id}")
        return await self._of(one, arm)


def test_all_is_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert score(options(), written(tmp_path, *ALL), TELLS) == 0
    out = capsys.readouterr().out
    assert re.search(r"^  first cause right +100\.0% \[43\.9-100\] ", out, re.MULTILINE)
    assert re.search(r"^How often it is right +offline +constant +ticket +random$", out, re.MULTILINE)
    assert out.index("What must not happen") < out.index("first cause right")


def test_two_runs_differ_by_nothing_but_seconds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = written(tmp_path, *ALL)
    said = []
    for took in (1.0, 2.5):
        timed = always(lambda one, arm, took=took: done(answer("thp", seconds=took)))  # type: ignore[misc]
        score(options("--format", "json", "--epochs", "2"), folder, timed)
        said.append(capsys.readouterr().out)
    plain = [re.sub(r'"seconds": [\d.]+', "", text) for text in said]
    assert plain[0] == plain[1] and said[0] != said[1]


def test_processes_side_by_side_keep_the_order(tmp_path: Path) -> None:
    many = [scenario(f"s{n}") for n in range(7)]
    wanted = plan(many, [Arm(name="offline", model="offline")], 2)
    alone = run(wanted, right, here, Results(tmp_path / "a", tmp_path))
    beside = run(wanted, right, partial(processes, count=2), Results(tmp_path / "b", tmp_path))
    assert list(alone.results) == list(beside.results) and not (alone.interrupted or beside.interrupted)
    assert [one.key for one in beside.results] == [one.key for one in wanted]
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert not multiprocessing.active_children()


def test_what_was_had_is_not_had_again(tmp_path: Path) -> None:
    file, folder = tmp_path / "runs.jsonl", written(tmp_path, *ALL)
    first = Counted(always(lambda one, arm: done(answer(*one.expected), endpoint_failed=one.id == "s2")))
    score(options("-o", str(file)), folder, first)
    assert first.asked == ["offline s1", "offline s2", "offline s3"]
    # As if it had been ended while it wrote the last line.
    file.write_text(file.read_text()[:-30])
    again = Counted()
    score(options("-o", str(file)), folder, again)
    assert again.asked == ["offline s2", "offline s3"]
    last = Counted()
    score(options("-o", str(file)), folder, last)
    assert last.asked == []
    file.write_text("{}\n")
    with pytest.raises(UsageError, match="isn't a file written by eval"):
        score(options("-o", str(file)), folder, last)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_interrupted_prints_what_it_has(
    number: signal.Signals, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def ends(one: Scenario, arm: Arm) -> Answered:
        if one.id == "s2":
            signal.raise_signal(number)
        return done(answer(*one.expected))

    assert threading.current_thread() is threading.main_thread()
    file = tmp_path / "runs.jsonl"
    status = score(options("-o", str(file), "--format", "json"), written(tmp_path, *ALL), always(ends))
    told = json.loads(capsys.readouterr().out)
    assert (status, told["interrupted"], told["arms"][0]["runs"]) == (130, True, 1)
    again = Counted()
    score(options("-o", str(file), "--format", "json"), tmp_path, again)
    assert again.asked == ["offline s2", "offline s3"]
    resumed = capsys.readouterr().out
    score(options("--format", "json"), tmp_path, TELLS)
    assert resumed == capsys.readouterr().out


def test_a_bug_of_the_agent_counts_and_wrong_usage_does_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(one: Scenario, arm: Arm) -> Answered:
        raise KeyError("x")

    def lost(one: Scenario, arm: Arm) -> Answered:
        raise UsageError("s1: it isn't there")

    assert score(options(), written(tmp_path, *ALL), always(fails)) == 0
    assert "failed: offline s1 (maxclients-exhausted on redis-7.0): KeyError: 'x'" in capsys.readouterr().out
    with pytest.raises(UsageError, match="isn't there"):
        score(options(), tmp_path, always(lost))


GATE = '[missed]\noffline = ["s1"]\n'


@pytest.mark.parametrize(
    ("said", "more", "status", "line"),
    [
        ({"s1": "thp"}, {}, 0, ""),
        ({"s1": "thp", "s2": "thp"}, {}, 1, "missed: offline s2 (lua-busy): thp"),
        ({}, {}, 0, "passes now: offline s1: remove it from the list"),
        ({"s1": "thp"}, {"plan": [step("FLUSHALL", "outside", unverified=True)]}, 1, "wrong remedy: offline s1"),
        ({"s1": "thp"}, {"plan": [step("SCRIPT KILL", "command", state="applied")]}, 1, "past the gate: offline s2"),
        ({"s1": "thp"}, {"commands": 0}, 1, "invalid: offline s2"),
    ],
    ids=["known", "new", "passes", "remedy", "unapproved", "invalid"],
)
@pytest.mark.parametrize("form", ["toml", "json"])
def test_the_gate(
    said: dict[str, str], more: dict[str, object], status: int, line: str, form: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    gate = tmp_path / f"gate.{form}"
    gate.write_text(GATE if form == "toml" else json.dumps({"missed": {"offline": ["s1"]}}))
    misses = 1 if "commands" in more else 0

    def told(one: Scenario, arm: Arm) -> Answered:
        given = [said[one.id]] if one.id in said else one.expected
        return done(answer(*given, **more), misses=misses)  # type: ignore[arg-type]

    assert score(options("--gate", str(gate)), written(tmp_path, *ALL), always(told)) == status
    err = capsys.readouterr().err
    assert line in err and bool(line) == bool(err)


def test_without_a_gate_a_miss_is_an_answer(tmp_path: Path) -> None:
    assert score(options(), written(tmp_path, *ALL), always(lambda one, arm: done(answer("thp")))) == 0


def test_a_gate_that_cannot_be_read(tmp_path: Path) -> None:
    for text in ("missed = 3", "[mised]\n", "]"):
        (tmp_path / "gate.toml").write_text(text)
        with pytest.raises(UsageError, match="--gate"):
            score(options("--gate", str(tmp_path / "gate.toml")), written(tmp_path, *ALL), TELLS)


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("busy", "s2"), ("redis-7.0", "s1 s3"), ("not busy", "s1 s3"), ("BENIGN or stalls", "s2 s3"),
        ("redis-7 and not (clients or lua)", "s3"), ("s1 or s2 and valkey", "s1 s2"), ("not not s1", "s1"),
    ],
)  # fmt: skip
def test_scenarios_are_selected_by_words(expression: str, found: str) -> None:
    assert " ".join(one.id for one in select(ALL, expression)) == found
    assert len(select(ALL, None)) == 3


@pytest.mark.parametrize("expression", ["zzz", "(s1", "s1 )", "s1 s2", "and s1", "not", "s1 or"])
def test_an_expression_that_means_nothing(expression: str) -> None:
    with pytest.raises(UsageError, match="-k"):
        select(ALL, expression)


KEY = {"OPENAI_API_KEY": "k", "REDIAGNOSE_MODEL": "gpt"}


@pytest.mark.parametrize(
    ("names", "environ", "expected"),
    [
        (["offline"], {}, ["offline/offline/False"]),
        (["x", "x-bare", "offline", "x"], KEY, ["x/x/False", "x-bare/x/True", "offline/offline/False"]),
        (["model", "model-bare"], KEY, ["gpt/gpt/False", "gpt-bare/gpt/True"]),
        (["constant", "ticket", "random"], {}, []),
    ],
)
def test_arms(names: Sequence[str], environ: dict[str, str], expected: Sequence[str]) -> None:
    assert [f"{arm.name}/{arm.model}/{arm.bare}" for arm in arms(names, environ)] == expected


@pytest.mark.parametrize("name", ["x", "model", "offline-bare"])
def test_arms_that_cannot_be_had(name: str) -> None:
    with pytest.raises(UsageError, match=name):
        arms([name], {})


@pytest.mark.parametrize(
    ("change", "named"),
    [({"id": "s1"}, "s1 appears twice"), ({"twin": "s9"}, "'s9', is missing"), ({"file": "../x"}, "scenarios.1")],
    ids=str,
)
def test_an_index_that_is_wrong(change: dict[str, str], named: str, tmp_path: Path) -> None:
    given = [FULL_UP.model_copy(update={"twin": None}), WELL.model_copy(update=change)]
    with pytest.raises(UsageError, match=named):
        load(written(tmp_path, *given))


def test_compare_and_wrong_usage_from_the_command_line(program: Callable[..., Done], tmp_path: Path) -> None:
    folder = written(tmp_path, *ALL)
    done_ = program("eval", "--scenarios", str(folder), "--arm", "constant", "--format", "json")
    assert done_.status == 0, done_.err
    file = tmp_path / "report.json"
    file.write_text(done_.out)
    same = program("eval", "compare", str(file), str(file))
    assert same.status == 0 and same.out.startswith("nothing moved: constant")
    page = program("eval", "--scenarios", str(folder), "--arm", "random", "--format", "html")
    assert page.out.startswith("<!doctype html>")
    for args, named in {
        ("--scenarios", "/nowhere"): "/nowhere",
        ("--scenarios", str(folder), "--arm", "gpt-9"): "gpt-9",
        ("--scenarios", str(folder), "--price-in", "1"): "--price-out",
        ("--price-in", "x"): "'x'",
        ("compare", str(file), "/nowhere"): "/nowhere",
        ("compare", str(file), str(folder / "index.json")): "index.json",
        ("--epochs", "0"): "'0'",
    }.items():
        wrong = program("eval", *args)
        assert (wrong.status, wrong.out) == (2, ""), args
        assert named in wrong.err and len(wrong.err.splitlines()) == 1
