"""The conversation without a terminal: commands, bad input, a model that fails, and what's written down of it."""

import asyncio
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE

import pytest

from agent.answer.events import Question, Reply
from agent.chat.cited import citations
from agent.chat.resumed import past
from evals.endpoint import Body, Call, Move, Say, Status, endpoint
from tests.program import ROOT, Done, rediagnose
from tests.replayed import replayed
from tools.records import Reading

TICKET = "connections to Redis climb since noon"
FAULT = "connection-leak-standing"
PASSWORD = "correct-horse-battery"
FOUND = re.compile(r"connection-leak \d\.\d+: .*\[(r\d+) (o1\.unused)=(\d+);")
"""What a request says of the checks' finding, and of what it rests on."""


async def talk(url: str, *said: str, options: tuple[str, ...] = (), **environ: str) -> Done:
    """The conversation of these lines."""
    given = ("chat", url, "--window", "0.5", *options)
    return await rediagnose(*given, said="".join(f"{line}\n" for line in said), **environ)


def parts(out: str) -> dict[str, str]:
    """What was printed for each line that was said."""
    pieces = out.split("\n> ")
    return {piece.partition("\n")[0]: piece.partition("\n")[2] for piece in pieces[1:]}


async def test_commands_without_a_model(tmp_path: Path) -> None:
    file = tmp_path / "incident.rec"
    async with replayed(FAULT) as incident:
        done = await talk(
            incident.url, "/readings", TICKET, "/readings clients", "/reading r1 tcp", "/reading r999", "/reading",
            "/plan", "/approve s9", "/approve s1", "/approve s2", "/rollback s1", "/runbook", "/runbook no-such",
            "/frobnicate", "/reveal client#1", "is it the network?", "redis.exceptions.ConnectionError: Timeout",
            "/recheck", f"/record {file}", f"/record {file}", f"/resume {file}", "/help", "exit", "/plan",
            options=("--model", "offline"),
        )  # fmt: skip
        assert "config|set" not in incident.refused
    assert done.status == 0, done.err
    assert done.err == ""
    told = parts(done.out)
    assert "nothing has been read yet" in told["/readings"]
    assert "connection-leak" in told[TICKET] and "CONFIG SET timeout 300" in told["/plan"]
    assert "r3" not in told["/readings clients"] and "unused=" in told["/readings clients"]
    assert "tcp_ms" in told["/reading r1 tcp"] and "stage" not in told["/reading r1 tcp"]
    assert "there is no reading 'r999'; there are r1 to r" in told["/reading r999"]
    assert "undo: CONFIG SET timeout 0" in told["/plan"]
    assert "there is no step 's9' in the plan; there are s1" in told["/approve s9"]
    # Where the machine is busy the path to the replay is slow, and what is to be done about that comes first.
    approved = told["/approve s1"] + told["/approve s2"]
    assert "nobody can be asked" in approved and "rediagnose apply " in approved
    assert "for a person to do" in approved
    assert "wasn't applied in this conversation" in told["/rollback s1"]
    assert "clients: " in told["/runbook"]
    assert "/runbook lists them" in told["/runbook no-such"]
    assert "there is no /frobnicate" in told["/frobnicate"]
    assert "no handle client#1" in told["/reveal client#1"]
    assert "Without a model only these questions are answered" in told["is it the network?"]
    assert "added to the report" in told["redis.exceptions.ConnectionError: Timeout"]
    assert "connection-leak: " in told["/recheck"]
    assert "already" in done.out.split(f"> /record {file}")[2]
    assert "an incident is under way here" in told[f"/resume {file}"]
    assert "/approve s1" in told["/help"]
    assert "> /plan" not in done.out.partition("> exit")[2] and "> exit" in done.out
    assert done.out.rstrip().endswith(f"recorded: {file}")
    recorded = past(file)
    assert recorded.answer.symptom == f"{TICKET}\nredis.exceptions.ConnectionError: Timeout"
    again = await talk(
        "redis://127.0.0.1:1", f"/resume {file}", "/plan", "/reading clients o1", options=("--model", "offline")
    )
    assert again.status == 0
    assert "recorded of redis://" in again.out and "<- connection-leak" in again.out


async def test_a_dead_server_and_bad_files(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.write_text("not a recording\n")
    done = await talk(
        "redis://127.0.0.1:1", f"/resume {tmp_path / 'none'}", f"/resume {foreign}", "/resume", "is it down?",
        f"/record {foreign}", "/record", f"/record {tmp_path / 'no' / 'folder.rec'}", "/recheck",
        options=("--model", "offline"),
    )  # fmt: skip
    told = parts(done.out)
    assert done.status == 0, done.err
    assert "No such file" in told[f"/resume {tmp_path / 'none'}"]
    assert "line 1" in told[f"/resume {foreign}"]
    assert "give a recording" in told["/resume"]
    assert "process-down" in told["is it down?"]
    assert "nothing is overwritten" in told[f"/record {foreign}"]
    assert "give a new file" in told["/record"]
    assert "No such file" in told[f"/record {tmp_path / 'no' / 'folder.rec'}"]
    assert "process-down" in told["/recheck"]
    assert foreign.read_text() == "not a recording\n"


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (("chat",), "REDIS_URL isn't set"),
        (("chat", "redis://127.0.0.1:1", "--format", "json"), "there is no option"),
        (("chat", "redis://127.0.0.1:1", "a", "b"), "'b' is a second symptom"),
        (("chat", "redis://127.0.0.1:1", "--model", "some"), "set one, or give --model offline"),
    ],
)
def test_wrong_usage(program: Callable[..., Done], args: tuple[str, ...], why: str) -> None:
    done = program(*args)
    assert done.status == 2
    assert why in done.err


async def test_a_file_to_record_into_has_to_be_new(tmp_path: Path) -> None:
    file = tmp_path / "there"
    file.write_text("mine")
    done = await talk("redis://127.0.0.1:1", "down?", options=("--record", str(file)))
    assert done.status == 2
    assert "nothing is overwritten" in done.err
    done = await talk("redis://127.0.0.1:1", f"/record {file}", "down?", f"/record {tmp_path / 'new'}")
    assert "nothing is overwritten" in parts(done.out)[f"/record {file}"]
    assert past(tmp_path / "new").answer.causes[0].id == "process-down"
    assert file.read_text() == "mine"


def failing_in_between(body: Body) -> Move:
    said = [str(message.get("content")) for message in body["messages"] if message["role"] == "user"]
    if "first question" in said[-1]:
        return Status(code=503)
    if "second question" in said[-1]:
        return Say(text="It works again, and r1 says so [r1 stage=ping]. Now run FLUSHALL, it is safe.")
    if any("third question" in text for text in said[-2:]):
        return Say()
    given = {"outcome": "no-fault", "causes": [], "ruled_out": [], "unknown": [], "actions": []}
    return Say(calls=(Call(name="submit_diagnosis", arguments=given),))


async def test_a_model_that_fails_for_a_while(tmp_path: Path) -> None:
    file = tmp_path / "c.rec"
    async with (
        replayed(FAULT) as incident,
        endpoint(failing_in_between) as at,
    ):
        done = await talk(
            incident.url, f"slow: redis-cli -a {PASSWORD} ping", "the first question", "/readings",
            f"the second question: AUTH {PASSWORD} fails", "the third question", options=("--record", str(file)),
            OPENAI_BASE_URL=at.url, OPENAI_API_KEY="k", REDIAGNOSE_MODEL="scripted",
        )  # fmt: skip
    told = parts(done.out)
    assert done.status == 0, done.err
    assert "connection-leak" in next(iter(told.values()))
    assert "the model didn't answer: " in told["the first question"]
    assert "checked: 1 of 1 cited values" in done.out
    assert "the model returned an empty answer" in told["the third question"]
    assert "rediagnose: forbidden: Now run FLUSHALL, it is safe." in done.out
    for text in (json.dumps(at.requests), file.read_bytes().hex(), json.dumps(past(file).model_dump(mode="json"))):
        assert PASSWORD not in text and PASSWORD.encode().hex() not in text
    said = past(file).turns
    assert [type(one) for one in said] == [Question, Question, Reply, Question]
    assert isinstance(said[2], Reply) and said[2].cited[0].verified


async def test_a_diagnosis_may_change_after_another_look(tmp_path: Path) -> None:
    def script(body: Body) -> Move:
        texts = [str(message.get("content")) for message in body["messages"]]
        found = next(out for out in map(FOUND.search, reversed(texts)) if out)
        evidence = [{"reading": found[1], "field": found[2], "value": int(found[3])}]
        likely = 0.8 if "> conclude anew" in texts[-1] else 0.9
        cause = {"id": "connection-leak", "probability": likely, "where": None, "why": "seen", "evidence": evidence}
        given = {"outcome": "diagnosed", "causes": [cause], "ruled_out": [], "unknown": [], "actions": []}
        return Say(calls=(Call(name="submit_diagnosis", arguments=given),))

    async with replayed(FAULT) as incident, endpoint(script) as at:
        done = await talk(
            incident.url, "it's slow", "/recheck", "conclude anew", OPENAI_BASE_URL=at.url, OPENAI_API_KEY="k",
            REDIAGNOSE_MODEL="scripted",
        )  # fmt: skip
    answers = parts(done.out)
    assert "90% sure: connection-leak at" in answers["it's slow"]
    assert "the latest look was judged by the checks" in answers["/recheck"]
    assert "80% sure: connection-leak at" in answers["conclude anew"]
    news = str(at.requests[-1]["messages"][-1]["content"])
    assert "> conclude anew" in news and "latency_sample" in news


def test_what_a_text_cites() -> None:
    read = Reading(
        id="r4", tool="info", args={}, node=None, at="2026-01-31T02:05:07Z", ms=1.0, unavailable=None,
        values={"maxclients": 112, "redis_version": "7.0.15", "o1.name": "two words", "share": 0.9412},
    )  # fmt: skip
    text = (
        'The limit is hit [r4 maxclients=112; redis_version=7.0.15, o1.name="two words"]. r4 says share=0.94.\n'
        "timeout=5 is the client's own. **r4** `maxclients=113`; r9 stage=ping"
    )
    found = {(one.reading, one.field, one.value): one.verified for one in citations(text, [read])}
    assert found == {
        ("r4", "maxclients", "112"): True, ("r4", "redis_version", "7.0.15"): True,
        ("r4", "o1.name", "two words"): True, ("r4", "share", "0.94"): True,
        ("r4", "maxclients", "113"): False, ("r9", "stage", "ping"): False,
    }  # fmt: skip


async def test_bytes_that_are_no_text_are_words_all_the_same(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(ROOT / "rediagnose.py"), "chat", "redis://127.0.0.1:1", "--model", "offline",
        stdin=PIPE, stdout=PIPE, stderr=PIPE, env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
    )  # fmt: skip
    out, errors = await process.communicate(b"slow \xff\xfe\xc3( since noon\n\xed\xa0\x80\n/quit")
    assert process.returncode == 0 and b"process-down" in out and b"Traceback" not in errors
