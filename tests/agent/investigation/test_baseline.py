"""A good day beside now: what changed is seen and cited, what is as ever says nothing."""

import asyncio
import random
import re
from pathlib import Path
from typing import Any

import pytest

from agent.recordings.replay import case, on_virtual_time
from evals.lab.faults.clients import knock, leak
from evals.lab.servers import ServerKind, installed, running
from evals.lab.topologies import replicated
from evals.lab.traffic import application, fill
from evals.lab.wire import Crew, crew
from tests.program import checked, rediagnose, triage
from tools.record.load import load
from tools.record.tape import Tape

STAYS = "The blip on the network is over, and Redis still gets far more connections than before."
CLIMBS = "The number of Redis clients climbs, nobody knows where they come from."


def storm(hands: Crew, url: str) -> None:
    """Callers that try again on new connections, about 200 times a second."""
    for number in range(8):
        hands.spawn(knock(url, random.Random(number), "checkout-api", 0.03))


def compared(answer: dict[str, Any]) -> dict[str, Any]:
    """The one reading of the baseline."""
    checked(answer)
    (reading,) = [one for one in answer["readings"] if one["tool"] == "baseline"]
    values: dict[str, Any] = reading["values"] or {}
    return values


def cites(claims: list[dict[str, Any]], id: str, answer: dict[str, Any]) -> set[str]:
    """The fields of the baseline's reading that a claim cites."""
    readings = {one["id"] for one in answer["readings"] if one["tool"] == "baseline"}
    return {
        one["field"] for claim in claims if claim["id"] == id for one in claim["evidence"] if one["reading"] in readings
    }


async def test_a_retry_storm_is_told_by_the_good_day(kind: ServerKind, tmp_path: Path) -> None:
    file, rng = tmp_path / "calm.rec", random.Random(4)
    async with running(kind) as server, application(server.url, rng, rate=80, name="orders"), crew() as hands:
        await fill(server.url, rng, 1000)
        calm = await rediagnose("capture", server.url, "-o", str(file), "--duration", "1")
        assert calm.status == 0
        storm(hands, server.url)
        # Long enough for the server's own average to have become that of the storm.
        await asyncio.sleep(6)
        alone = await triage(server.url, "Redis gets many connections")
        answer = await triage(server.url, "Redis gets many connections", "--baseline", str(file))
        told = await rediagnose("triage", server.url, STAYS, "--model", "offline", "--baseline", str(file))
    assert "baseline" not in [reading["tool"] for reading in alone["readings"]]
    assert "retry-storm" not in [cause["id"] for cause in alone["causes"]]
    values = compared(answer)
    assert values["connections_per_second.now"] > 50 > values["connections_per_second.before"]
    assert values["window_seconds"] > 0
    assert 0 <= values["age_days"] < 1
    assert "connections_per_second" in [
        values[f"changed{n}.field"] for n in range(1, 6) if f"changed{n}.field" in values
    ]
    assert "retry-storm" in [cause["id"] for cause in answer["causes"]]
    for id in ("retry-storm", "connection-churn"):
        assert "connections_per_second.before" in cites(answer["causes"], id, answer)
    said = " ".join(told.out.split())
    assert "% sure: retry-storm at" in said
    assert "since the baseline, 0 days ago: " in said
    assert re.search(r"\bconnections \S+/s -> \S+/s", said.split("since the baseline, ")[1])


@pytest.mark.alone
async def test_a_busy_server_that_was_as_busy_is_well(kind: ServerKind, tmp_path: Path) -> None:
    file, rng = tmp_path / "busy.rec", random.Random(5)
    async with running(kind) as server, application(server.url, rng, rate=80, name="orders"), crew() as hands:
        storm(hands, server.url)
        await asyncio.sleep(1)
        await triage(server.url, "all is well", "--record", str(file))
        answer = await triage(server.url, STAYS, "--baseline", str(file))
    values = compared(answer)
    assert values["found"] == "connection-churn"
    assert answer["outcome"] == "no-fault"
    assert "connections_per_second.now" in cites(answer["ruled_out"], "retry-storm", answer)
    assert "connections_per_second.now" in cites(answer["findings"], "connection-churn", answer)
    assert all(cause["probability"] < 0.5 for cause in answer["findings"])


@pytest.mark.live
async def test_a_small_leak_shows_beside_what_its_owner_had(tmp_path: Path) -> None:
    file, rng = tmp_path / "calm.rec", random.Random(6)
    async with (
        running(installed()[0]) as server,
        crew() as hands,
        application(server.url, rng, clients=4, rate=60, name="orders"),
    ):
        await rediagnose("triage", server.url, "--model", "offline", "--record", str(file))
        await leak(hands, server.url, rng, "orders", pause=0.002, most=30)
        await asyncio.sleep(3.5)
        alone = await triage(server.url, CLIMBS)
        answer = await triage(server.url, CLIMBS, "--baseline", str(file), "--record", str(tmp_path / "leak.rec"))
    (supposed,), (seen,) = alone["causes"], answer["causes"]
    assert (supposed["id"], seen["id"]) == ("connection-leak", "connection-leak")
    # Alone it has the report's word that they climb; beside the good day it has counted them.
    assert "a look of seconds doesn't show" in alone["summary"]
    assert supposed["probability"] < 0.6 < seen["probability"]
    assert cites(answer["causes"], "connection-leak", answer) >= {"o1_clients.before", "o1_clients.now"}
    assert (compared(answer)["o1_clients.before"], compared(answer)["o1_clients.now"]) == (4, 34)

    async def again() -> list[str]:
        async with case(Tape(load(tmp_path / "leak.rec")), CLIMBS) as incident:
            return [cause.id for cause in incident.answer().causes]

    # The comparison is in the recording: it's told the same without the good day's file.
    assert await asyncio.to_thread(on_virtual_time, again()) == ["connection-leak"]


@pytest.mark.live
async def test_a_pool_that_always_rested_is_no_leak(tmp_path: Path) -> None:
    file, rng = tmp_path / "pool.rec", random.Random(7)
    async with running(installed()[0]) as server, crew() as hands:
        await leak(hands, server.url, rng, "orders", pause=0, most=90)
        await asyncio.sleep(3)
        await triage(server.url, "all is well", "--record", str(file))
        alone = await triage(server.url, CLIMBS)
        answer = await triage(server.url, CLIMBS, "--baseline", str(file))
    assert [cause["id"] for cause in alone["causes"]] == ["connection-leak"]
    assert answer["outcome"] == "no-fault"
    assert cites(answer["ruled_out"], "connection-leak", answer) == {"o1_clients.before", "o1_clients.now"}


@pytest.mark.live
async def test_nodes_are_matched_by_name_or_said_to_be_others(tmp_path: Path) -> None:
    file, kind = tmp_path / "elsewhere.rec", installed()[0]
    async with running(kind) as server:
        await triage(server.url, "all is well", "--record", str(file))
        before = server.url.rpartition("/")[2]
    async with running(kind) as server:
        answer = await triage(server.url, "slow", "--baseline", str(file))
    assert compared(answer)["other_name"] == before
    async with replicated(kind, replicas=1) as deployment:
        answer = await triage(deployment.primary.url, "slow", "--baseline", str(file))
    readings = [one for one in answer["readings"] if one["tool"] == "baseline"]
    assert {one["node"] for one in readings} == {member.name for member in deployment.members}
    assert {one["unavailable"]["kind"] for one in readings} == {"not-recorded"}
    assert any("baseline (not-recorded" in line for line in answer["unknown"])


async def test_what_is_no_good_day_is_wrong_usage(tmp_path: Path) -> None:
    url, dead = "redis://127.0.0.1:1", tmp_path / "dead.rec"
    (tmp_path / "text").write_text("all was well\n")
    assert (await rediagnose("triage", url, "--model", "offline", "--record", str(dead))).status == 0
    for file, said in (
        ("nosuch", "No such file"),
        ("text", "isn't a recording"),
        ("dead.rec", "it has no server's figures"),
    ):
        done = await rediagnose("triage", url, "--baseline", str(tmp_path / file))
        assert done.status == 2
        (line,) = done.err.splitlines()
        assert "--baseline" in line
        assert said in line
