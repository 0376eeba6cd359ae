"""The conversation in a real terminal, through a whole incident on a live fault, with a scripted model and without."""

import asyncio
import json
import os
import random
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.chat.resumed import past
from agent.remediation.applied import answer_of
from evals.endpoint import Body, Call, Endpoint, Hang, Move, Say, endpoint
from evals.lab.catalogue import FAULTS
from evals.lab.servers import ServerKind, installed
from evals.lab.wire import dial
from evals.terminal import Terminal, terminal
from tests.program import ROOT, until
from tools.gate.ledger import Ledger, changes_path
from tools.record.load import load

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux isn't installed")
FAULT, TICKET = "connection-leak-standing", "connections to Redis climb since noon"
STEP = "CONFIG SET timeout 300"


@asynccontextmanager
async def talking(url: str, folder: Path, *more: str, **environ: str) -> AsyncIterator[Terminal]:
    """A conversation in a terminal."""
    command = [sys.executable, str(ROOT / "rediagnose.py"), "chat", url, "--window", "0.5", *more]
    async with terminal(command, {"XDG_STATE_HOME": str(folder), "TERM": "xterm-256color", **environ}, width=200) as at:
        await at.until("/help lists the commands")
        yield at


async def value(url: str, parameter: str) -> str:
    wire = await dial(url)
    try:
        reply = await wire.ask("CONFIG", "GET", parameter)
    finally:
        await wire.close()
    assert isinstance(reply, list)
    return str(reply[1])


async def test_without_a_model(kind: ServerKind, tmp_path: Path) -> None:
    async with (
        FAULTS[FAULT].begin(kind, random.Random(4)) as incident,
        talking(incident.url, tmp_path, "--model", "offline") as at,
    ):
        await at.until("What was reported?")
        await at.write("/runb")
        await at.press("Tab")
        await at.until("> /runbook")
        await at.press("C-c")
        await at.until("Ctrl-D or /quit ends")
        shown = await at.after(TICKET)
        assert "connection-leak" in shown
        step = re.search(rf"(s\d) {STEP} \(risky; /approve", shown)
        assert step, shown
        assert "Seen: clients checkout-api at 127.0.0.1" in await at.after("why is it so?")
        assert "<- connection-leak" in await at.after("/reading clients o1.unused")
        assert "/runbook lists them" in await at.after("/runbook nothing-of-that-name")
        assert "Check o1.unused falls" in await at.after("/runbook connection-leak")
        await at.say(f"/approve {step[1]}")
        await at.until("Type yes or timeout; anything else is no:")
        # A letter that the hand gives by itself is no yes to a risky change.
        await at.after("y")
        assert await value(incident.url, "timeout") == "0"
        await at.say(f"/approve {step[1]}")
        await at.until("Type yes or timeout; anything else is no:", times=2)
        assert f"{step[1]} verified: timeout was 0 and is now 300" in await at.after("timeout")
        assert await value(incident.url, "timeout") == "300"
        assert "config_get timeout: 0 -> 300" in await at.after("/recheck")
        file = tmp_path / "incident.rec"
        await at.say(f"/record {file}")
        await at.until(f"recording to {file}")
        await at.press("C-d")
        await at.until(f"recorded: {file}")
    told = answer_of(file)
    assert told.plan[-1].state == "verified"
    changes = Ledger(changes_path(file)).read()
    assert [one.event for one in changes] == ["refused", "approved", "applying", "applied", "verified"]


async def test_a_signal_closes_what_is_written_down(tmp_path: Path) -> None:
    file = tmp_path / "incident.rec"
    program = [sys.executable, str(ROOT / "rediagnose.py"), "chat", "redis://127.0.0.1:1", "--model", "offline"]
    process = await asyncio.create_subprocess_exec(
        *program, "is it down?", "--record", str(file), env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    await until(process.stdout, b"By        rediagnose's checks")
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    assert process.returncode == 130
    assert not load(file).cut
    assert past(file).answer.causes[0].id == "process-down"


def found(body: Body, tool: str, field: str) -> dict[str, Any]:
    """A citation of the newest reading of a tool that the model was shown; empty where it wasn't."""
    lines = [line for message in body["messages"] for line in str(message.get("content") or "").splitlines()]
    for line in reversed(lines):
        if line.startswith("{") and json.loads(line).get("tool") == tool:
            reading = json.loads(line)
            return {"reading": reading["id"], "field": field, "value": reading["values"][field]}
        if match := re.match(rf"(r\d+) {tool} .*?(?<![\w.]){re.escape(field)}=(\S+)", line):
            return {"reading": match[1], "field": field, "value": match[2]}
    return {}


def engineer(body: Body) -> Move:
    """A model that looks at the clients, concludes, and answers questions."""
    last = body["messages"][-1]
    said = str(last.get("content") or "")
    asked = next((str(m["content"]) for m in reversed(body["messages"]) if m["role"] == "user"), "")
    if "who holds them" in asked:
        if not (cited := found(body, "clients", "o1.count")):
            return Say(calls=(Call(name="clients"),))
        words = f"It's the owner o1 with [{cited['reading']} o1.count={cited['value']}], and [r1 stage=never] besides."
        return Say(text=words)
    if "think long" in asked:
        return Hang(after=Say(text="Let me think about it for a very long time, until somebody stops me."))
    if "Traceback" in asked:
        return Say(text="It's a stack trace of a client.")
    if "keepalive" in asked and "# Incident" not in asked:
        if last["role"] == "tool":
            return Say(text="It is 300 by default [r1 stage=ping]; I proposed 60.")
        proposed = {"parameter": "tcp-keepalive", "value": "60", "why": "finds dead peers sooner"}
        return Say(calls=(Call(name="propose_config_set", arguments=proposed),))
    if last["role"] != "tool" and "# Incident" in said:
        return Say(text="I look at the clients first.", calls=(Call(name="clients"),))
    cause = {
        "id": "connection-leak", "probability": 0.9, "where": None, "why": "One owner's clients are never used.",
        "evidence": [found(body, "clients", "o1.unused")],
    }  # fmt: skip
    given = {
        "outcome": "diagnosed",
        "summary": "One owner's clients are never used.",
        "causes": [cause],
        "ruled_out": [],
        "unknown": [],
        "actions": [],
    }
    return Say(calls=(Call(name="submit_diagnosis", arguments=given),))


@pytest.mark.live
async def test_with_a_model_and_resumed(tmp_path: Path) -> None:
    file = tmp_path / "incident.rec"
    async with FAULTS[FAULT].begin(installed()[0], random.Random(4)) as incident, endpoint(engineer) as model:
        given = {"OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": "k", "REDIAGNOSE_MODEL": "scripted"}
        async with talking(incident.url, tmp_path, TICKET, "--record", str(file), **given) as at:
            await at.until("I look at the clients first.")
            shown = await at.until("the model scripted, with its evidence checked by code (REDIAGNOSE_MODEL)")
            assert "90% sure: connection-leak" in shown
            assert "One owner's clients are never used." in shown
            await at.say("who holds them?")
            await at.until("It's the owner o1 with")
            await at.until("wrong: r1 stage=never (it's ping)")
            await at.until("checked: 1 of 2 cited values")
            await at.say("think long about it")
            await at.until("Let me think abo")
            await at.press("C-c")
            await at.until("interrupted: the answer above wasn't checked")
            await at.say("what of the keepalive?")
            await at.until("new in the plan:")
            shown = await at.until("CONFIG SET tcp-keepalive 60 (safe; /approve")
            step = re.search(r"(s\d) CONFIG SET tcp-keepalive 60 \(", shown)
            assert step
            await at.paste(
                "Traceback (most recent call last):\n  redis.exceptions.ConnectionError: Timeout\n/approve s1\ny\n"
            )
            await at.press("Enter")
            await at.until("It's a stack trace of a client")
            assert await value(incident.url, "timeout") == "0"
            await at.say(f"/approve {step[1]}")
            await at.until("Type y or yes; anything else is no:")
            await at.type("y")
            await at.until(f"{step[1]} verified")
            assert await value(incident.url, "tcp-keepalive") == "60"
            await at.say(f"/rollback {step[1]}")
            await at.until("Undo it")
            await at.type("y")
            await at.until(f"{step[1]} rolled back: tcp-keepalive is 300 again")
            assert await value(incident.url, "tcp-keepalive") == "300"
            await at.say("/quit")
            await at.until(f"recorded: {file}")
        well_formed(model)
        async with talking(incident.url, tmp_path, "--resume", str(file), **given) as at:
            await at.until(f"{TICKET}")
            await at.until("90% sure: connection-leak")
            await at.until("/recheck looks at the server as it is now")
            asked = len(model.requests)
            await at.say("/reading r1")
            await at.until("stage")
            await at.say("who holds them, you said?")
            await at.until("It's the owner o1 with")
            first = model.requests[asked]["messages"]
            assert "what of the keepalive?" in json.dumps(first)
            assert "I proposed 60." in json.dumps(first)
            await at.say("/approve s1")
            await at.until("so the server is looked at again first")
            await at.until("Type yes or timeout; anything else is no:")
            await at.type("yes")
            await at.until("s1 verified: timeout was 0 and is now 300")
            await at.press("C-d")
        well_formed(model)
        assert await value(incident.url, "timeout") == "300"


def well_formed(model: Endpoint) -> None:
    """Whether each call of every conversation was answered, as endpoints insist."""
    for body in model.requests:
        open_: set[str] = set()
        for message in body["messages"]:
            if message["role"] == "tool":
                open_.remove(message["tool_call_id"])
            else:
                assert not open_, message
            open_ |= {call["id"] for call in message.get("tool_calls") or ()}
        assert not open_
