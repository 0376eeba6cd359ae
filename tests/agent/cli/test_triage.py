"""The main job on live faults: the right cause first, on every server that is here."""

import random

import pytest

from evals.lab.catalogue import FAULTS
from evals.lab.servers import ServerKind, installed
from tests.families import elsewhere
from tests.program import checked, rediagnose, triage

pytestmark = pytest.mark.live

MAIN = (
    "process-down", "process-frozen", "maxclients-exhausted", "leak-until-refused", "auth-failure", "lua-busy-fresh",
    "slow-on-command", "path-latency", "client-paused", "client-paused-all", "connection-leak", "healthy-load",
)  # fmt: skip
TICKET = "requests time out"
UNKNOWABLE = {
    "lua-unkillable": "whether a script wrote can't be read without trying to kill it",
}
"""Faults whose own id the checks can't tell yet, and why."""
TOLD_FROM = {"slow-consumer-output-dropped": (7, 4)}
"""Faults that an older server shows for moments only: the versions that count them."""
REST = tuple(id for id in FAULTS if id not in {*MAIN, *UNKNOWABLE, *elsewhere()})


@pytest.mark.lab
@pytest.mark.parametrize("fault", MAIN)
async def test_the_cause_comes_first(kind: ServerKind, fault: str) -> None:
    declared = FAULTS[fault]
    if reason := declared.unavailable(kind):
        pytest.skip(reason)
    async with declared.begin(kind, random.Random(11)) as incident:
        answer = await triage(incident.url, TICKET)
    checked(answer)
    if declared.cause == "no-fault":
        assert answer["outcome"] == "no-fault"
        assert [step for step in answer["plan"] if step["needs_approval"]] == []
    else:
        assert answer["causes"][0]["id"] == declared.cause
        assert set(declared.also) <= {cause["id"] for cause in answer["causes"]}
    assert answer["symptom"] == TICKET
    assert answer["model"]["name"] == "offline"
    assert answer["footprint"]["pings"] <= 200


@pytest.mark.lab
@pytest.mark.parametrize("fault", REST)
async def test_the_other_faults(fault: str) -> None:
    declared = FAULTS[fault]
    least = TOLD_FROM.get(fault, (0, 0))
    kinds = [kind for kind in installed() if declared.unavailable(kind) is None and kind.at_least(*least)]
    if not kinds:
        pytest.skip("; ".join({str(declared.unavailable(kind)) for kind in installed()}) or "no server here")
    # One server for each, another for the next: all three would take too long.
    kind = kinds[sorted(FAULTS).index(fault) % len(kinds)]
    async with declared.begin(kind, random.Random(7)) as incident:
        answer = await triage(incident.url, incident.ticket)
    checked(answer)
    if declared.cause == "no-fault":
        assert answer["outcome"] == "no-fault", answer["causes"]
    else:
        assert answer["causes"], answer["outcome"]
        assert answer["causes"][0]["id"] == declared.cause


@pytest.mark.lab
@pytest.mark.parametrize("fault", UNKNOWABLE)
async def test_what_cannot_be_known_is_named_next(kind: ServerKind, fault: str) -> None:
    async with FAULTS[fault].begin(kind, random.Random(7)) as incident:
        answer = await triage(incident.url, incident.ticket)
    checked(answer)
    found = {finding["id"]: finding["probability"] for finding in answer["findings"]}
    assert list(found)[:2] == ["lua-busy", fault]
    assert 0.2 < found[fault] < found["lua-busy"] < 0.8
    assert not [step for step in answer["plan"] if "SHUTDOWN" in step["action"].upper()]


async def test_text_and_markdown_say_what_it_is_first(kind: ServerKind) -> None:
    async with FAULTS["maxclients-exhausted"].begin(kind, random.Random(3)) as incident:
        text = await rediagnose("triage", incident.url, TICKET, "--model", "offline")
        markdown = await rediagnose("triage", incident.url, TICKET, "--model", "offline", "--format", "markdown")
    assert text.status == markdown.status == 0
    first, second, *rest = text.out.splitlines()
    assert first == "Redis is full and turns new clients away."
    assert "% sure: maxclients-exhausted at 127.0.0.1:" in second
    assert [line for line in rest if line.startswith("Do now    CONFIG SET maxclients ")]
    assert [line for line in rest if line.startswith("Don't     ")]
    assert "(--model offline)" in text.out.partition("\nBy ")[2]
    assert "\x1b" not in text.out + text.err
    assert markdown.out.startswith("**Redis is full and turns new clients away.** ")
    assert "maxclients-exhausted" in markdown.out.splitlines()[0]


async def test_a_secret_is_nowhere_in_the_output(kind: ServerKind) -> None:
    async with FAULTS["auth-failure"].begin(kind, random.Random(5)) as incident:
        secret = incident.url.split("@")[0].rpartition(":")[2]
        assert secret
        for form in ("text", "json", "markdown"):
            done = await rediagnose("triage", incident.url, TICKET, "--model", "offline", "--format", form)
            assert done.status == 0
            assert secret not in done.out + done.err
            assert "***@" in done.out or form != "json"
