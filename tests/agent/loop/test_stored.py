"""What a model need not ask the server for: stored readings, what changed, parts of runbooks; by a scripted model."""

import json
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from evals.endpoint import Body, Call, Move, Say, endpoint
from evals.lab.catalogue import FAULTS
from evals.lab.servers import ServerKind, installed
from tests.program import rediagnose
from tests.replayed import replayed

FAULT, TICKET = "connection-leak", "checkout times out on Redis"
END = Say(
    calls=(
        Call(
            name="submit_diagnosis",
            arguments={"outcome": "no-fault", "causes": [], "ruled_out": [], "unknown": [], "actions": []},
        ),
    )
)


@asynccontextmanager
async def recording() -> AsyncIterator[str]:
    async with replayed(FAULT) as served:
        yield served.url


@asynccontextmanager
async def server(kind: ServerKind) -> AsyncIterator[str]:
    async with FAULTS[FAULT].begin(kind, random.Random(3)) as incident:
        yield incident.url


async def told(url: str, *asked: Call) -> tuple[dict[str, str], dict[str, Any], list[Body]]:
    """The answers to some calls by their names, the program's own, and what the endpoint was sent."""
    calls = tuple(call.model_copy(update={"id": f"{call.name}-{number}"}) for number, call in enumerate(asked))

    def move(body: Body) -> Move:
        if len(body["messages"]) > 2:
            return END
        first = body["messages"][1]["content"]

        def numbered(call: Call) -> Call:
            text = re.sub(r"of:(\w+)", lambda of: id_of(first, of[1]), json.dumps(call.arguments))
            return call.model_copy(update={"arguments": text})

        return Say(calls=tuple(map(numbered, calls)))

    async with endpoint(move) as at:
        done = await rediagnose(
            "triage", url, TICKET, "--model", "scripted", "--format", "json", "--window", "0.5", "--approve", "never",
            OPENAI_BASE_URL=at.url, OPENAI_API_KEY="k",
        )  # fmt: skip
    last = at.requests[-1]["messages"]
    answers = {one["tool_call_id"]: one["content"] for one in last if one["role"] == "tool"}
    return {call.id or "": answers[call.id or ""] for call in calls}, done.answer(), at.requests


def id_of(first: str, tool: str) -> str:
    found = re.search(rf"^(r\d+) {tool}( |$)", first, re.MULTILINE)
    assert found, f"{tool} isn't in the digest"
    return found[1]


OPENED = (
    Call(name="reading", arguments={"id": "of:info"}),
    Call(name="reading", arguments={"id": "of:info", "fields": "connected_*"}),
    Call(name="reading", arguments={"id": "r999"}),
    Call(name="reading", arguments={"id": "of:memory", "again": True}),
    Call(name="slowlog", arguments={"count": 5000}),
    Call(name="config_get", arguments={"parameters": ["max*", "requirepass"]}),
    Call(name="read_runbook", arguments={"name": FAULT}),
    Call(name="read_runbook", arguments={"name": FAULT, "section": "First minute"}),
)


async def opened(url: str) -> tuple[dict[str, str], dict[str, Any]]:
    answers, answer, requests = await told(url, *OPENED)
    whole, some, none, memory, slowlog, config, cause, section = answers.values()
    stored = {one["id"]: one for one in answer["readings"]}
    info = json.loads(whole)
    assert info["values"].items() <= stored[info["id"]]["values"].items()
    assert len(info["values"]) > 100 and stored[info["id"]]["tool"] == "info"
    assert set(json.loads(some)["values"]) >= {"connected_clients", "connected_slaves"}
    assert all(field.startswith("connected_") for field in json.loads(some)["values"])
    assert none.startswith("error: reading: there is no reading 'r999'; the newest are ")
    assert "count=64" in json.loads(slowlog)["bounds"]
    assert json.loads(slowlog)["since"]["reading"] in stored
    steps = re.findall(rf"^{FAULT}/\d+: (.+)$", cause, re.MULTILINE)
    assert steps and not any("$" in one for one in steps)
    if FAULT in {one["id"] for one in answer["causes"]}:
        assert all(any(step["action"].startswith(one) for step in answer["plan"]) for one in steps)
    assert cause.startswith(f"### {FAULT}") and "Sections (`section`): " in cause and len(cause) < 1500
    assert section.startswith("## First minute") and section.count("```") == 4
    assert json.loads(memory)["tool"] == "memory" and stored[json.loads(memory)["since"]["reading"]]["tool"] == "memory"
    # Opening costs the server nothing: what was read anew is what was asked of a tool that reads.
    asked = [one["tool"] for one in answer["readings"]][-3:]
    assert sorted(asked) == ["config_get", "memory", "slowlog"]
    assert {tool["function"]["name"] for tool in requests[0]["tools"]} >= {"reading", "read_runbook"}
    return answers, json.loads(config)


async def test_stored_readings_are_opened_on_a_recording() -> None:
    async with recording() as url:
        _, config = await opened(url)
        nosuch, *_ = (await told(url, Call(name="read_runbook", arguments={"name": FAULT, "section": "Nosuch"})))[
            0
        ].values()
    assert nosuch.startswith("error: read_runbook: ") and "First minute" in nosuch
    assert config["unavailable"] or config["values"]["maxmemory"] is not None


@pytest.mark.live
async def test_stored_readings_are_opened_on_a_server(kind: ServerKind) -> None:
    async with server(kind) as url:
        _, config = await opened(url)
    assert config["unavailable"] is None
    assert {"maxclients", "maxmemory", "maxmemory-policy"} <= config["values"].keys()
    assert all(field.startswith("max") or field == "requirepass" for field in config["values"])
    assert config["values"]["requirepass"] in ("", "***")


@pytest.mark.live
async def test_a_tool_that_is_called_anew_says_what_changed() -> None:
    async with server(installed()[0]) as url:
        answers, answer, _ = await told(
            url, Call(name="clients"), Call(name="info", arguments={"sections": ["stats"], "window": 0.5}),
            Call(name="config_get", arguments={"parameters": ["maxclients"]}),
        )  # fmt: skip
    clients, info, config = (json.loads(text) for text in answers.values())
    stored = {one["id"]: one for one in answer["readings"]}
    assert [stored[one["since"]["reading"]]["tool"] for one in (clients, info, config)] == [
        "clients", "info", "config_get",
    ]  # fmt: skip
    assert config["since"]["changed"] == "nothing"
    before = stored[info["since"]["reading"]]["values"]["total_commands_processed"]
    now = info["values"]["total_commands_processed"]
    assert f"total_commands_processed: {before} -> {now}" in info["since"]["changed"]
    assert not [line for line in info["since"]["changed"] if line.startswith("used_memory")]


async def test_the_prompt_that_is_shown_is_the_one_that_leaves() -> None:
    async with recording() as url:
        _, _, requests = await told(url)
    async with recording() as url:
        shown = await rediagnose(
            "triage", url, TICKET, "--model", "scripted", "--window", "0.5", "--show-prompt",
            OPENAI_BASE_URL="http://127.0.0.1:1/v1", OPENAI_API_KEY="k",
        )  # fmt: skip
    body = json.loads(shown.out)
    assert body.keys() == requests[0].keys()
    assert body["tools"] == requests[0]["tools"] and body["model"] == requests[0]["model"]
    assert [one["role"] for one in body["messages"]] == ["system", "user"]
    assert body["messages"][0] == requests[0]["messages"][0]
    # The figures are those of another look.
    assert skeleton(body["messages"][1]["content"]) == skeleton(requests[0]["messages"][1]["content"])


def skeleton(first: str) -> list[str]:
    readings, _, rest = first.partition("## What the checks found")
    tools = sorted(set(re.findall(r"^r\d+ (\w+)", readings, re.MULTILINE)))
    return [*tools, rest.partition("## Causes")[2]]
