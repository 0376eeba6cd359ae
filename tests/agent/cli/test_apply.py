"""`rediagnose apply` and `rollback`: a recorded step in a process of its own, and all that stops it."""

import asyncio
import contextlib
import io
import json
import os
import random
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from agent.answer.diagnosis import Diagnosis, Goal, ModelUse, Step, TargetInfo
from agent.answer.events import Answered
from agent.cli.apply import apply
from agent.cli.commands import COMMANDS
from agent.cli.inputs import typed
from agent.cli.other_inputs import ChangeInputs
from agent.cli.program import parsed, parser
from agent.plan.goals import brought_about, helped, seen
from agent.remediation.applied import alone
from evals.lab.catalogue import FAULTS
from evals.lab.servers import Server, ServerKind, installed, running
from evals.lab.wire import LOST, Wire, dial
from tests.program import ROOT, SETTINGS, Done, rediagnose
from tools.clock import SystemClock
from tools.record.recorder import Recorder
from tools.records import Footprint, Reading
from tools.redact import Pseudonyms

WINDOW = ("--window", "0.3")


class Place(NamedTuple):
    """A server, an application's connection to it, and where things are written."""

    server: Server
    wire: Wire
    file: Path
    audit: Path

    @property
    def node(self) -> str:
        return f"{self.server.host}:{self.server.port}"

    def plan(self, *steps: Step) -> None:
        """Record an answer with this plan."""
        recorder = Recorder(self.file, SystemClock(), Pseudonyms())
        recorder.begin(url=self.server.url)
        answer = Diagnosis(
            symptom="", target=TargetInfo(url=self.server.url, nodes=(self.node,)), outcome="diagnosed", causes=(),
            findings=(), ruled_out=(), unknown=(), plan=steps, readings=(), model=ModelUse(name="offline"), seconds=1,
            footprint=Footprint(commands=0, pings=0, bytes=0),
        )  # fmt: skip
        recorder.event(Answered(diagnosis=answer).model_dump(mode="json", by_alias=True))
        recorder.close()

    def step(self, action: str, before: str | None, **more: Any) -> Step:
        words = shlex.split(action)
        set_ = words[:2] == ["CONFIG", "SET"]
        return Step(**{
            "id": "s1", "kind": "config_set" if set_ else "command", "node": self.node, "action": action,
            "before": before, "after": words[3] if set_ else None, "why": "it's a test", "risk": "risky",
            "needs_approval": True, **more,
        })  # fmt: skip

    def args(self, verb: str, *more: str) -> list[str]:
        return [verb, str(self.file), "s1", "--url", self.server.url, "--audit", str(self.audit), *WINDOW, *more]

    async def run(self, verb: str, *more: str) -> Done:
        return await rediagnose(*self.args(verb, *more))

    async def value(self, parameter: str) -> str:
        reply = await self.wire.ask("CONFIG", "GET", parameter)
        assert isinstance(reply, list)
        return str(reply[1])

    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.audit.read_text().splitlines()]


@asynccontextmanager
async def place(kind: ServerKind, folder: Path) -> AsyncIterator[Place]:
    async with running(kind) as server:
        wire = await dial(server.url)
        try:
            yield Place(server, wire, folder / "incident.rec", folder / "audit" / "log.jsonl")
        finally:
            await wire.close()


async def test_a_recorded_step_is_applied_and_taken_back(kind: ServerKind, tmp_path: Path) -> None:
    async with place(kind, tmp_path) as at:
        action, undo = "CONFIG SET timeout 300", "CONFIG SET timeout 0"
        goal = Goal(tool="config_get", field="timeout", op="==", value=300)
        at.plan(at.step(action, "0", checks=(goal,)))
        evidence, before = at.file.read_bytes(), await at.wire.ask("CONFIG", "GET", "*")
        for given in ((), ("--confirm", "CONFIG SET timeout 301")):
            done = await at.run("apply", *given)
            assert done.status == 1
            assert f"--url {at.server.url} --confirm '{action}'" in done.err
            assert await at.value("timeout") == "0"
        assert (await at.run("rollback", "--confirm", undo)).status == 1
        done = await at.run("apply", "--confirm", action)
        assert done.status == 0, done.err
        assert "s1 verified: timeout was 0 and is now 300; it is in effect" in done.out
        assert "lost at the next restart" in done.out and "    timeout 300\n" in done.out
        assert await at.value("timeout") == "300"
        again = await at.run("apply", "--confirm", action, "--format", "json")
        assert again.status == 1
        assert json.loads(again.out)["outcome"] == "moved"
        assert (await at.run("rollback")).status == 1
        back = await at.run("rollback", "--confirm", undo, "--format", "json")
        assert back.status == 0, back.err
        assert json.loads(back.out)["outcome"] == "rolled-back"
        assert await at.wire.ask("CONFIG", "GET", "*") == before
        assert (await at.run("rollback", "--confirm", undo)).status == 1
        assert at.file.read_bytes() == evidence
        assert at.events() == [
            "approved", "applying", "applied", "verified", "stopped", "approved", "applying", "rolled-back",
        ]  # fmt: skip
        entry = json.loads(at.audit.read_text().splitlines()[1])
        assert (entry["before"], entry["after"], entry["action"]) == ("0", "300", action)
        assert {"time", "user", "host", "pid", "node", "action", "before", "after", "channel", "why"} <= entry.keys()
        assert at.audit.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("old", ["1", "99999999"])
async def test_a_forged_recording_can_not_bring_back_a_value_that_never_stood(
    kind: ServerKind, tmp_path: Path, old: str
) -> None:
    async with place(kind, tmp_path) as at:
        now = await at.value("maxclients")
        action, undo = f"CONFIG SET maxclients {now}", f"CONFIG SET maxclients {old}"
        at.plan(at.step(action, old))
        forged = {"time": "2026-01-01T00:00:00.000+00:00", "user": "me", "host": "here", "pid": 1, "node": at.node,
                  "action": action, "args": shlex.split(action), "before": old, "step": "s1"}  # fmt: skip
        lines = [json.dumps({**forged, "event": event, "after": now}) for event in ("applying", "applied")]
        (tmp_path / "incident.rec.changes.jsonl").write_text("\n".join(lines) + "\n")
        done = await at.run("rollback", "--confirm", undo)
        assert done.status == 1
        assert "out of bounds" in done.err and "audit log" in done.err
        assert await at.value("maxclients") == now
        # Nor does an audit log that anybody may write.
        at.audit.parent.mkdir(exist_ok=True)
        at.audit.write_text("\n".join(lines) + "\n")
        at.audit.chmod(0o666)
        assert (await at.run("rollback", "--confirm", undo)).status == 1
        assert await at.value("maxclients") == now
        assert "forbidden" in at.events()


async def test_a_value_out_of_bounds_comes_back_by_the_audit_log(kind: ServerKind, tmp_path: Path) -> None:
    async with place(kind, tmp_path) as at:
        await at.wire.ask("CONFIG", "SET", "slowlog-log-slower-than", "-1")
        action, undo = "CONFIG SET slowlog-log-slower-than 10000", "CONFIG SET slowlog-log-slower-than -1"
        at.plan(at.step(action, "-1"))
        assert (await at.run("apply", "--confirm", action)).status == 0
        done = await at.run("rollback", "--confirm", undo)
        assert done.status == 0, done.err
        assert await at.value("slowlog-log-slower-than") == "-1"


async def test_two_at_once_send_one_change(kind: ServerKind, tmp_path: Path) -> None:
    async with place(kind, tmp_path) as at:
        action = "CONFIG SET timeout 300"
        at.plan(at.step(action, "0"))
        with alone(at.file):
            done = await at.run("apply", "--confirm", action)
            assert done.status == 1
            assert "another process is carrying out a step" in done.err
            assert (await at.run("rollback", "--confirm", "CONFIG SET timeout 0")).status == 1
            assert not at.audit.exists()
        both = await asyncio.gather(*(at.run("apply", "--confirm", action) for _ in range(2)))
        assert sorted(done.status for done in both) == [0, 1]
        assert at.events().count("applying") == 1
        assert await at.value("timeout") == "300"


@pytest.mark.live
@pytest.mark.parametrize(
    ("action", "before", "more", "said"),
    [
        ("CONFIG SET requirepass hunter2", "", {}, "never made"), ("CONFIG SET slave-read-only no", "yes", {}, "never"),
        ("CONFIG SET timeout 300 requirepass hunter2", "0", {}, "a whole number"), ("FLUSHALL", None, {}, "never sent"),
        ("CONFIG SET 'timeout 1 requirepass' hunter2", "0", {}, "isn't the name of one parameter"),
        ("CONFIG SET tcp-backlog 10", "511", {}, "a restart"), ("CONFIG SET timeout '300", "0", {}, "one command"),
        ("CLIENT KILL TYPE normal", None, {}, "never sent"), ("CONFIG REWRITE", None, {}, "never sent"),
        ("CONFIG SET timeout 300", "60", {}, "was '60'"), ("Restart it", None, {"kind": "outside"}, "for a person"),
        ("CONFIG SET timeout 300", "0", {"node": "10.1.2.3:6379"}, "isn't part of"),
        ("CONFIG SET maxclients 199000", "10000", {}, "file limit"), ("CONFIG SET maxmemory 9999gb", "0", {}, "mach"),
        ("CONFIG SET maxmemory 1048576", "0", {}, "in use"), ("CLIENT KILL ID 999999", "addr=x flags=N", {}, "gone"),
    ],
)  # fmt: skip
async def test_what_a_tampered_file_asks_for_is_refused(
    action: str, before: str | None, more: dict[str, Any], said: str, tmp_path: Path
) -> None:
    async with place(installed()[0], tmp_path) as at:
        await at.wire.ask("SET", "big", "x" * 2_000_000)
        at.plan(at.step("CONFIG SET timeout 300", before, **more).model_copy(update={"action": action}))
        all_before = await at.wire.ask("CONFIG", "GET", "*")
        shown = io.StringIO()
        with contextlib.redirect_stderr(shown):
            status = await apply(
                typed(ChangeInputs, parsed(parser(COMMANDS, ""), at.args("apply", "--confirm", action)))
            )
        assert status == 1
        assert said in shown.getvalue()
        assert await at.wire.ask("CONFIG", "GET", "*") == all_before
        assert "hunter2" not in (at.audit.read_text() if at.audit.exists() else "")


@pytest.mark.live
async def test_a_value_that_moved_is_left_alone(tmp_path: Path) -> None:
    async with place(installed()[0], tmp_path) as at:
        at.plan(at.step("CONFIG SET timeout 300", "0"))
        assert (await at.run("apply", "--confirm", "CONFIG SET timeout 300")).status == 0
        await at.wire.ask("CONFIG", "SET", "timeout", "77")
        done = await at.run("rollback", "--confirm", "CONFIG SET timeout 0")
        assert done.status == 1
        assert "somebody changed it since" in done.err
        assert await at.value("timeout") == "77"


@pytest.mark.live
async def test_wrong_usage_and_a_server_that_is_gone(tmp_path: Path) -> None:
    async with place(installed()[0], tmp_path) as at:
        confirm = ("--confirm", "CONFIG SET timeout 300")
        assert (await at.run("apply", *confirm)).status == 2
        at.plan(at.step("CONFIG SET timeout 300", "0", id="s7"))
        done = await at.run("apply", *confirm)
        assert done.status == 2 and "there are s7" in done.err
        at.file.unlink()
        at.plan(at.step("CONFIG SET timeout 300", "0"))
    assert (await at.run("apply", *confirm)).status == 3


@pytest.mark.live
async def test_what_cannot_be_written_down_is_not_done(tmp_path: Path) -> None:
    async with place(installed()[0], tmp_path) as at:
        at.plan(at.step("CONFIG SET timeout 300", "0"))
        at.audit.parent.write_text("a file where a folder should be")
        done = await at.run("apply", "--confirm", "CONFIG SET timeout 300")
        assert done.status == 1
        assert "isn't made" in done.err and str(at.audit) in done.err
        assert await at.value("timeout") == "0"
        at.audit.parent.unlink()
        Path(f"{at.file}.changes.jsonl").mkdir()
        assert (await at.run("apply", "--confirm", "CONFIG SET timeout 300")).status == 1
        assert await at.value("timeout") == "0"


@pytest.mark.live
async def test_not_better_is_said(tmp_path: Path) -> None:
    async with place(installed()[0], tmp_path) as at:
        goal = Goal(tool="info", field="connected_clients", op=">", value=1000)
        at.plan(at.step("CONFIG SET timeout 300", "0", checks=(goal,)))
        done = await at.run("apply", "--confirm", "CONFIG SET timeout 300")
        assert done.status == 1
        assert "not better" in done.out
        assert (await at.run("rollback", "--confirm", "CONFIG SET timeout 0")).status == 0


async def test_a_step_that_makes_it_worse_is_taken_back_at_once(kind: ServerKind, tmp_path: Path) -> None:
    async with place(kind, tmp_path) as at:
        others = [await dial(at.server.url) for _ in range(30)]
        at.plan(at.step("CONFIG SET maxclients 40", "10000"))

        async def knock() -> None:
            # Below what is connected it would be refused: it fills once it's set.
            while True:
                if await at.value("maxclients") == "40":
                    with contextlib.suppress(*LOST):
                        others.append(await dial(at.server.url))
                await asyncio.sleep(0.01)

        knocking = asyncio.create_task(knock())
        try:
            done = await at.run("apply", "--confirm", "CONFIG SET maxclients 40", "--format", "json")
        finally:
            knocking.cancel()
            await asyncio.gather(knocking, return_exceptions=True)
            for wire in others:
                await wire.close()
        assert done.status == 1, done.err
        told = json.loads(done.out)
        assert told["outcome"] == "rolled-back"
        assert "rejections" in told["worse"][0]
        assert await at.value("maxclients") == "10000"
        assert at.events()[-2:] == ["rolled-back", "worse"]
        assert (await at.run("rollback", "--confirm", "CONFIG SET maxclients 10000")).status == 1


@pytest.mark.live
async def test_a_bound_below_what_is_connected_is_not_sent(tmp_path: Path) -> None:
    async with place(installed()[0], tmp_path) as at:
        others = [await dial(at.server.url) for _ in range(30)]
        at.plan(at.step("CONFIG SET maxclients 12", "10000"))
        done = await at.run("apply", "--confirm", "CONFIG SET maxclients 12")
        for wire in others:
            await wire.close()
        assert done.status == 1 and "are connected" in done.err
        assert await at.value("maxclients") == "10000" and at.events()[-1] == "stopped"


@pytest.mark.live
async def test_a_process_that_is_killed_after_its_change_leaves_enough_to_undo_it(tmp_path: Path) -> None:
    async with place(installed()[0], tmp_path) as at:
        at.plan(at.step("CONFIG SET timeout 300", "0"))
        before = await at.wire.ask("CONFIG", "GET", "*")
        args = ("apply", str(at.file), "s1", "--url", at.server.url, "--audit", str(at.audit))
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(ROOT / "rediagnose.py"), *args, "--confirm", "CONFIG SET timeout 300", "--window", "2",
        )  # fmt: skip
        while await at.value("timeout") == "0":
            await asyncio.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        assert "unmeasured" not in at.events()
        done = await at.run("rollback", "--confirm", "CONFIG SET timeout 0")
        assert done.status == 0, done.err
        assert await at.wire.ask("CONFIG", "GET", "*") == before


@pytest.mark.live
async def test_a_triage_that_is_killed_after_its_change_leaves_enough_to_undo_it(tmp_path: Path) -> None:
    """On a terminal, with a yes: what was recorded until then is enough for another process."""
    fault, kind = FAULTS["connection-leak-standing"], installed()[-1]
    record, audit = tmp_path / "incident.rec", tmp_path / "audit.jsonl"
    async with fault.begin(kind, random.Random(6)) as incident:
        wire = await dial(incident.url)
        before = await wire.ask("CONFIG", "GET", "*")
        ours, theirs = os.openpty()
        environ = {name: value for name, value in os.environ.items() if name not in SETTINGS}
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(ROOT / "rediagnose.py"), "triage", incident.url, incident.ticket, "--model", "offline",
            "--record", str(record), "--audit", str(audit), "--window", "1.5", "--format", "json", env=environ,
            stdin=theirs, stderr=theirs, stdout=asyncio.subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        printed = bytearray()
        drained = asyncio.get_running_loop().run_in_executor(None, drain, ours, printed)
        while b"anything else is no" not in printed:
            assert process.returncode is None, printed.decode()
            await asyncio.sleep(0.01)
        os.write(ours, b"timeout\r")
        while (await wire.ask("CONFIG", "GET", "timeout")) == ["timeout", "0"]:
            assert process.returncode is None
            await asyncio.sleep(0.01)
        process.kill()
        await process.wait()
        await drained
        os.close(ours)
        (step,) = {json.loads(line)["step"] for line in Path(f"{record}.changes.jsonl").read_text().splitlines()}
        done = await rediagnose(
            "rollback", str(record), step, "--url", incident.url, "--audit", str(audit),
            "--confirm", "CONFIG SET timeout 0",
        )  # fmt: skip
        assert done.status == 0, done.err
        assert await wire.ask("CONFIG", "GET", "*") == before
        await wire.close()
    events = [json.loads(line)["event"] for line in audit.read_text().splitlines()]
    assert events[0] == "proposed" and events[-3:] == ["approved", "applying", "rolled-back"]
    assert "verified" not in events


def drain(terminal: int, printed: bytearray) -> None:
    """Read what a terminal prints until nobody is there."""
    try:
        while piece := os.read(terminal, 4096):
            printed += piece
    except OSError:
        # The other end is closed.
        return


@pytest.mark.parametrize(
    ("op", "value", "before", "after", "holds", "said", "verified"),
    [
        ("==", 0, 24, 0, True, "it helped", True), ("==", 0, 0, 0, True, "were before", False),
        ("<", 50, None, 7.5, True, "helped", True), ("falls", None, 9, 8, True, "it helped", True),
        ("falls", None, None, 8, None, "later", False), ("!=", "no", "no", "ok", True, "", True),
        ("==", False, True, False, True, "it helped", True), (">", 1, 5, None, None, "later", False),
        ("grows", None, 1, 1, False, "", False),
    ],
)  # fmt: skip
def test_goals_are_compared(
    op: Any, value: Any, before: Any, after: Any, holds: bool | None, said: str, verified: bool
) -> None:  # fmt: skip
    def at(scalar: Any) -> dict[str, Reading]:
        values = {} if scalar is None else {"f": scalar}
        return {"info": Reading(id="r1", tool="info", args={}, node="n", at="", ms=1, values=values, unavailable=None)}

    one = seen(Goal(tool="info", field="f", op=op, value=value), at(before), at(after))
    assert one.holds is holds
    assert said in helped([one])
    assert brought_about([one]) is verified
