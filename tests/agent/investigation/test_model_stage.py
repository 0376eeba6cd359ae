"""The whole program with a model endpoint over HTTP, on a live fault: every run ends with a usable answer."""

import random
from typing import Any

import pytest

from evals.endpoint import Call, Cut, Hang, Move, Raw, Say, Status, endpoint
from evals.lab.catalogue import FAULTS
from evals.lab.servers import ServerKind, installed
from tests.program import rediagnose

pytestmark = pytest.mark.live

TICKET = "checkout times out on Redis"
RIGHT = {"reading": "r1", "field": "unavailable", "value": "wrongpass"}


def submit(*causes: dict[str, Any], outcome: str = "diagnosed", **more: Any) -> Say:
    given = {
        "outcome": outcome, "summary": "It says so itself.", "causes": list(causes), "ruled_out": [], "unknown": [],
        "evidence": [{"reading": "r0", "field": "text", "value": TICKET}], "actions": [], **more,
    }  # fmt: skip
    return Say(calls=(Call(name="submit_diagnosis", arguments=given),))


def cause(id: str, *evidence: dict[str, Any]) -> dict[str, Any]:
    return {"id": id, "probability": 0.9, "where": None, "why": "it says so itself", "evidence": list(evidence)}


GOOD = submit(cause("auth-failure", RIGHT))


async def run(
    kind: ServerKind, *moves: Move, options: tuple[str, ...] = (), id: str = "auth-failure"
) -> dict[str, Any]:
    """The answer of a run on a fault against an endpoint that makes these moves, and the last one from then on."""
    fault = FAULTS[id]
    async with fault.begin(kind, random.Random(2)) as incident, endpoint([*moves, *moves[-1:] * 20]) as at:
        done = await rediagnose(
            "triage", incident.url, TICKET, "--model", "scripted", "--format", "json", "--window", "0.5",
            "--deadline", "40", *options, OPENAI_BASE_URL=at.url, OPENAI_API_KEY="sk-secret-of-the-test",
        )  # fmt: skip
    assert "sk-secret-of-the-test" not in done.out + done.err
    return done.answer()


async def test_a_good_run(kind: ServerKind) -> None:
    looked = Say(text="Let me look.", calls=(Call(name="connect"), Call(name="process")))
    answer = await run(kind, looked, GOOD)
    assert answer["model"]["degraded"] is None
    assert answer["model"]["turns"] == 2
    assert answer["model"]["tokens_in"] == 2000
    assert answer["causes"][0]["id"] == "auth-failure"
    assert answer["causes"][0]["why"] == "it says so itself"
    assert all(cited["verified"] for cited in answer["causes"][0]["evidence"])
    assert answer["findings"][0]["id"] == "auth-failure"
    assert answer["plan"]


FAILING: dict[str, tuple[Move, ...]] = {
    "endless tool calls": (Say(calls=(Call(name="ping"),)),),
    "500 for good": (Status(code=500),),
    "stream cut for good": (Cut(after=GOOD),),
    "hangs": (Hang(),),
    "hangs in the stream": (Hang(after=GOOD),),
    "not the format": (Raw(body="<html>busy</html>", content_type="text/html"),),
    "refused": (Status(code=401),),
}


@pytest.mark.parametrize("moves", FAILING.values(), ids=FAILING.keys())
async def test_when_the_model_fails_the_checks_stand(moves: tuple[Move, ...]) -> None:
    answer = await run(installed()[0], *moves, options=("--model-timeout", "2", "--max-turns", "4"))
    assert answer["model"]["degraded"]
    assert answer["causes"][0]["id"] == "auth-failure"
    assert all(cited["verified"] for cited in answer["causes"][0]["evidence"])
    assert answer["plan"]


CORRECTED: dict[str, tuple[Move, ...]] = {
    "a value that isn't there, corrected": (submit(cause("auth-failure", {**RIGHT, "value": "busy"})), GOOD),
    "malformed arguments": (Say(calls=(Call(name="clients", arguments='{"groups": '),)), GOOD),
    "an unknown tool": (Say(calls=(Call(name="flushall"),)), GOOD),
    "429": (Status(code=429, headers={"Retry-After": "1"}), GOOD),
    "500s": (Status(code=500), Status(code=503), GOOD),
    "a stream cut in the middle": (Cut(after=GOOD), GOOD),
}


@pytest.mark.parametrize("moves", CORRECTED.values(), ids=CORRECTED.keys())
async def test_what_passes_is_survived(moves: tuple[Move, ...]) -> None:
    answer = await run(installed()[0], *moves)
    assert answer["model"]["degraded"] is None
    assert answer["causes"][0]["id"] == "auth-failure"
    assert answer["causes"][0]["evidence"][0]["verified"]


async def test_a_citation_that_is_never_corrected_is_shown_and_ranks_behind() -> None:
    wrong = submit(cause("lua-busy", {"reading": "r1", "field": "unavailable", "value": "busy"}))
    answer = await run(installed()[0], wrong)
    assert answer["causes"][0]["id"] == "auth-failure"
    (said,) = [found for found in answer["causes"] if found["id"] == "lua-busy"]
    assert [cited["verified"] for cited in said["evidence"]] == [False]
    assert "lua-busy" in answer["model"]["degraded"]


async def test_no_fault_against_the_checks_needs_evidence() -> None:
    answer = await run(installed()[0], submit(outcome="no-fault"))
    assert answer["outcome"] == "diagnosed"
    assert "auth-failure" in answer["model"]["degraded"]


async def test_what_a_model_proposes_is_classified() -> None:
    proposed = Say(
        calls=(
            Call(name="propose_config_set", arguments={"parameter": "RequirePass", "value": "", "why": "open up"}),
            Call(
                name="propose_config_set", arguments={"parameter": "tcp-keepalive", "value": "60", "why": "finds dead"}
            ),
        )
    )
    actions = [
        {"kind": "command", "action": "FLUSHALL", "why": "space", "verify": None, "avoid": None},
        {"kind": "outside", "action": "run redis-cli CONFIG SET protected-mode no", "why": "x", "verify": None,
         "avoid": None},
        {"kind": "config_set", "action": "CONFIG SET hz 20", "why": "x", "verify": None, "avoid": None},
        {"kind": "config_set", "action": "CONFIG SET timeout 120", "why": "x", "verify": None, "avoid": None},
    ]  # fmt: skip
    concluded = submit(outcome="no-fault", actions=actions)
    answer = await run(installed()[0], proposed, concluded, id="healthy-load")
    steps = {step["action"]: step for step in answer["plan"]}
    assert {"CONFIG SET tcp-keepalive 60", "CONFIG SET hz 20"} <= set(steps)
    assert steps["CONFIG SET tcp-keepalive 60"]["risk"] == "safe"
    assert steps["CONFIG SET hz 20"]["state"] == "proposed"
    # What shows that it worked comes from the runbook that sets the same parameter.
    assert steps["CONFIG SET tcp-keepalive 60"]["checks"]
    assert steps["CONFIG SET timeout 120"]["checks"][0]["value"] in (120, "120")
    assert not steps["CONFIG SET hz 20"]["checks"]
    assert not [action for action in steps if "FLUSHALL" in action or "protected-mode" in action]
    assert "requirepass" not in str(steps).lower()


async def test_show_prompt_sends_nothing() -> None:
    fault = FAULTS["healthy-load"]
    async with fault.begin(installed()[0], random.Random(2)) as incident, endpoint([GOOD]) as at:
        done = await rediagnose(
            "triage", incident.url, TICKET, "--model", "scripted", "--show-prompt", OPENAI_BASE_URL=at.url
        )
        assert at.requests == []
    assert done.status == 0
    assert TICKET in done.out
    assert '"submit_diagnosis"' in done.out
