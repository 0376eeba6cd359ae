"""A person at a real terminal: what was typed before a question is no answer to it, and a letter approves no risk."""

import json
import random
import shlex
import sys
from pathlib import Path

import pytest

from evals.lab.catalogue import FAULTS
from evals.lab.servers import installed
from evals.lab.wire import dial
from evals.terminal import terminal
from tests.program import ROOT

pytestmark = pytest.mark.live

ASKS = "Type yes or timeout; anything else is no:"


async def timeout_of(url: str) -> str:
    wire = await dial(url)
    try:
        reply = await wire.ask("CONFIG", "GET", "timeout")
        return str(reply[1])
    finally:
        await wire.close()


@pytest.mark.parametrize("typed", ["y", "yes", "timeout"])
async def test_what_was_typed_before_the_question_approves_nothing(typed: str, tmp_path: Path) -> None:
    async with FAULTS["connection-leak-standing"].begin(installed()[0], random.Random(4)) as incident:
        command = (
            sys.executable, str(ROOT / "rediagnose.py"), "triage", incident.url, incident.ticket, "--model", "offline",
        )  # fmt: skip
        async with terminal(command, {"XDG_STATE_HOME": str(tmp_path), "TERM": "xterm-256color"}, width=200) as at:
            await at.until("readings")
            for _ in range(3):
                await at.type(typed)
            await at.until(ASKS)
            assert await timeout_of(incident.url) == "0"
            await at.type("y")
            await at.until("refused; nothing was changed")
        assert await timeout_of(incident.url) == "0"
    events = [json.loads(line)["event"] for line in (tmp_path / "rediagnose" / "audit.jsonl").read_text().splitlines()]
    assert "applying" not in events and "refused" in events


async def test_the_question_is_asked_although_the_answer_goes_into_a_file(tmp_path: Path) -> None:
    out = tmp_path / "answer.json"
    async with FAULTS["connection-leak-standing"].begin(installed()[0], random.Random(4)) as incident:
        words = (
            sys.executable, str(ROOT / "rediagnose.py"), "triage", incident.url, incident.ticket, "--model", "offline",
            "--format", "json",
        )  # fmt: skip
        command = ("sh", "-c", f"{shlex.join(words)} > {shlex.quote(str(out))}")
        async with terminal(command, {"XDG_STATE_HOME": str(tmp_path), "TERM": "xterm-256color"}, width=200) as at:
            await at.until(ASKS)
            await at.type("timeout")
            await at.until("Undo it?")
            assert await timeout_of(incident.url) == "300"
            await at.type("yes")
            await at.until("rolled back: timeout is 0 again")
            await at.ended()
        assert await timeout_of(incident.url) == "0"
    states = [step["state"] for step in json.loads(out.read_text())["plan"] if step["action"].startswith("CONFIG SET")]
    assert "rolled-back" in states
