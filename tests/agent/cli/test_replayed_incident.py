"""The commands on a recorded incident that is served: triaged, captured, commented on, its step tried and refused."""

import asyncio
import json
import signal
import sys
from pathlib import Path
from subprocess import PIPE

import pytest

from tests.program import ROOT, checked, rediagnose, triage, until
from tests.replayed import Replayed, recorded, replayed
from tools.record.load import load
from tools.record.tape import Tape

FAULT, SYMPTOM = "connection-leak-standing", "connections to Redis climb since noon"
ACTION, UNDO = "CONFIG SET timeout 300", "CONFIG SET timeout 0"
WINDOW = ("--window", "0.3")


async def triaged(at: Replayed, file: Path) -> str:
    """The step's id in what is recorded of a triage."""
    answer = await triage(at.url, SYMPTOM, *WINDOW, "--record", str(file))
    checked(answer)
    (id,) = (step["id"] for step in answer["plan"] if step["action"] == ACTION)
    return str(id)


async def test_a_step_is_asked_for_and_the_server_has_the_last_word(tmp_path: Path) -> None:
    file, audit = tmp_path / "incident.rec", tmp_path / "audit.jsonl"
    async with replayed(FAULT) as at:
        given = [str(file), await triaged(at, file), "--url", at.url, "--audit", str(audit), *WINDOW]
        evidence = file.read_bytes()
        for confirmed in ((), ("--confirm", f"{ACTION}0")):
            done = await rediagnose("apply", *given, *confirmed)
            assert done.status == 1
            assert f"--url {at.url} --confirm '{ACTION}'" in done.err
        assert "config|set" not in at.refused and not audit.exists()
        done = await rediagnose("apply", *given, "--confirm", ACTION)
        assert done.status == 1 and f"refused {ACTION}" in done.err
        assert "config|set" in at.refused
        told = json.loads((await rediagnose("apply", *given, "--confirm", ACTION, "--format", "json")).out)
        assert told["outcome"] == "refused"
        back = await rediagnose("rollback", *given, "--confirm", UNDO)
        assert back.status == 1 and back.err.count("\n") == 1
        nothing = [str(file), "s9", *given[2:], "--confirm", ACTION]
        assert "s9" in (await rediagnose("apply", *nothing)).err
    events = [json.loads(line)["event"] for line in audit.read_text().splitlines()]
    assert events[:3] == ["approved", "applying", "failed"] and "applied" not in events
    assert file.read_bytes() == evidence


async def test_a_capture_of_it_is_whole_and_tells_the_same(tmp_path: Path) -> None:
    file = tmp_path / "capture.rec"
    async with replayed(FAULT) as at:
        done = await rediagnose("capture", at.url, "-o", str(file), "--duration", "1.5", "--every", "0.5", SYMPTOM)
        assert done.status == 0, done.err
        (line,) = done.out.splitlines()
        assert line.startswith(f"{file}: ") and "commands" in line
        again = await rediagnose("capture", at.url, "-o", str(file), SYMPTOM)
        assert again.status == 2 and str(file) in again.err
    recording = load(file)
    assert not recording.cut and Tape(recording).head.symptom == SYMPTOM


@pytest.mark.parametrize("form", ["text", "json"])
async def test_a_ticket_gets_its_comment(form: str, tmp_path: Path) -> None:
    ticket = tmp_path / "ticket.txt"
    async with replayed(FAULT) as at:
        ticket.write_text(f"{SYMPTOM}\n\nIt's {at.url}\n")
        done = await rediagnose(
            "annotate", str(ticket), "--url", at.url, "--model", "offline", *WINDOW, "--format", form
        )
    assert done.status == 0, done.err
    assert "connection-leak" in done.out and ACTION in done.out


async def test_a_recording_is_served_until_it_is_ended() -> None:
    command = (sys.executable, str(ROOT / "rediagnose.py"), "replay", str(recorded(FAULT)))
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    begun = (await until(process.stdout, b"Ctrl-C ends it.")).decode()
    assert begun.startswith("Symptom   ") and "  ->  redis://127.0.0.1:" in begun
    process.send_signal(signal.SIGINT)
    out, err = await process.communicate()
    assert process.returncode == 0 and err == b""
    assert out.decode().startswith("0 commands were received, all of them recorded or implied.")


async def test_what_a_user_needs_is_told_of_a_recorded_server_too() -> None:
    async with replayed(FAULT) as at:
        done = await rediagnose("acl", at.url, "--format", "json")
        assert done.status == 0, done.err
        assert json.loads(done.out)
        plain = await rediagnose("acl", at.url)
        assert plain.status == 0 and "ACL SETUSER" in plain.out


async def test_a_good_day_is_no_comparison_for_a_server_that_stands_still() -> None:
    """A moment that is replayed has no rates: that is said, and the diagnosis stands without it."""
    async with replayed(FAULT) as at:
        answer = await triage(at.url, SYMPTOM, *WINDOW, "--baseline", str(recorded("healthy-load")))
    checked(answer)
    (compared,) = [reading for reading in answer["readings"] if reading["tool"] == "baseline"]
    assert compared["unavailable"]["kind"] == "not-recorded"
    assert compared["values"]["age_days"] > 0 and compared["values"]["other_name"] != at.node
    assert "connection-leak" in [cause["id"] for cause in answer["causes"]]
