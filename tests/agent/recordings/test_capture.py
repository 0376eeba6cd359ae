"""A capture: everything is in it, it's whole whatever happens, and a replay of it answers as the live triage did."""

import asyncio
import random
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any

import pytest

from agent.answer.diagnosis import Diagnosis, ModelUse
from agent.investigation.investigation import Investigation
from agent.investigation.sources import Options, Sources
from agent.recordings.capture import capture
from agent.recordings.replay import case, on_virtual_time
from agent.runbooks.library import load as runbooks
from evals.lab.servers import ServerKind, installed, running
from evals.lab.topologies import replicated, sentinels
from evals.lab.traffic import application, fill
from evals.lab.wire import crew
from tests.program import ROOT, Done, rediagnose, triage
from tools.clock import SystemClock
from tools.connection.target import parse_target
from tools.record.load import Recording, load
from tools.record.schema import Ask, Happened, Seen
from tools.record.tape import Tape

SHORT = ("--duration", "2.5", "--every", "1")


async def captured(url: str, symptom: str, file: Path, *args: str) -> Done:
    done = await rediagnose("capture", url, "-o", str(file), *(args or SHORT), symptom)
    assert done.status == 0, done.err
    (line,) = done.out.splitlines()
    assert line.startswith(f"{file}: ")
    assert "commands" in line
    return done


async def replayed(file: Path) -> Diagnosis:
    tape = Tape(load(file))

    async def investigated() -> Diagnosis:
        async with case(tape, tape.head.symptom) as incident:
            return incident.answer()

    # Its loop is another one than the test's.
    return await asyncio.to_thread(on_virtual_time, investigated())


def asked(recording: Recording) -> list[tuple[float, str]]:
    """When what was asked."""
    return [
        (line.t, " ".join(str(word) for word in command))
        for line in recording.lines if isinstance(line, Ask) for command in line.commands
    ]  # fmt: skip


def causes(answer: dict[str, Any] | Diagnosis) -> tuple[str, list[str]]:
    if isinstance(answer, Diagnosis):
        return answer.outcome, [cause.id for cause in answer.causes]
    return answer["outcome"], [cause["id"] for cause in answer["causes"]]


WHOLE = (
    "CONFIG GET *", "SLOWLOG GET 128", "SLOWLOG LEN", "CLIENT LIST", "LATENCY LATEST", "LATENCY DOCTOR", "MEMORY STATS",
    "MEMORY DOCTOR", "ACL WHOAMI", "ACL LOG 128", "ROLE", "DBSIZE", "LASTSAVE", "TIME", "MODULE LIST",
)  # fmt: skip


async def test_everything_is_in_it_at_the_start_and_at_the_end(kind: ServerKind, tmp_path: Path) -> None:
    file, rng = tmp_path / "calm.rec", random.Random(2)
    async with running(kind, latency_monitor_threshold="1") as server, application(server.url, rng, name="orders"):
        await fill(server.url, rng, 300)
        live = await triage(server.url, "requests are slow")
        done = await captured(server.url, "requests are slow", file)
    recording = load(file)
    assert not recording.cut
    assert "1 node" in done.out
    told = asked(recording)
    for command in WHOLE:
        times = [t for t, words in told if words == command]
        assert len(set(times)) >= 2, command
    newer = {"LATENCY HISTOGRAM": (7, 0), "FUNCTION STATS": (7, 0), "COMMANDLOG GET 128 large-reply": (8, 1)}
    for command, since in newer.items():
        there = kind.at_least(*since) and (not command.startswith("COMMANDLOG") or kind.name.startswith("valkey"))
        assert any(words == command for _, words in told) == there, command
    # What this version can't know isn't asked for: under an ACL the refusal would be an entry in a log.
    assert not any("unknown" in str(line.replies) for line in recording.lines if isinstance(line, Ask))
    # The first look's two, the whole state twice, and a moment in between at least.
    assert sum(words == "INFO everything" for _, words in told) >= 5
    seen = [line.reading.tool for line in recording.lines if isinstance(line, Seen)]
    assert {seen.count(tool) for tool in ("process", "sockets", "machine", "disk", "log", "config_drift")} <= {3, 4}
    # It's what the servers said: no verdict of anybody's.
    assert not [line for line in recording.lines if isinstance(line, Happened)]
    again = await replayed(file)
    assert causes(again) == causes(live) == ("no-fault", []), (live["unknown"], again.unknown)


@pytest.mark.live
async def test_an_event_of_the_latency_monitor_brings_its_history(tmp_path: Path) -> None:
    file = tmp_path / "slow.rec"
    async with running(installed()[0], latency_monitor_threshold="1") as server, crew() as hands:
        wire = await hands.dial(server.url)
        await wire.ask("EVAL", "local i = 0 while i < 3000000 do i = i + 1 end", "0")
        await captured(server.url, "slow", file)
    assert any(words == "LATENCY HISTORY command" for _, words in asked(load(file)))


async def test_a_full_server_is_captured_through_the_slot_that_was_found(kind: ServerKind, tmp_path: Path) -> None:
    file = tmp_path / "full.rec"
    async with running(kind, maxclients="12") as server, crew() as hands:
        for _ in range(12):
            await hands.dial(server.url, name="orders")
        live = await triage(server.url, "max number of clients reached", "--deadline", "12")
        capturing = asyncio.create_task(captured(server.url, "max number of clients reached", file))
        await asyncio.sleep(4)
        await hands.drop(next(iter(hands.held)))
        await capturing
    assert "maxclients-exhausted" in causes(live)[1]
    again = await replayed(file)
    assert again.causes[0].id == causes(live)[1][0]
    assert any(words == "CLIENT LIST" for _, words in asked(load(file)))


@pytest.mark.live
async def test_a_frozen_server_is_looked_at_again_each_time(tmp_path: Path) -> None:
    file = tmp_path / "frozen.rec"
    async with running(installed()[0]) as server:
        server.signal(signal.SIGSTOP)
        live = await triage(server.url, "everything times out")
        done = await captured(server.url, "everything times out", file, "--duration", "5")
        server.signal(signal.SIGCONT)
    assert "(0 answered at the end)" in done.out
    recording = load(file)
    silent = [line for line in recording.lines if getattr(line, "end", None) is not None]
    assert max(line.t for line in silent) - min(line.t for line in silent) > 5
    assert causes(live)[1][0] == "process-frozen"
    assert causes(await replayed(file)) == causes(live)


@pytest.mark.live
async def test_a_dead_server_leaves_a_recording_too(tmp_path: Path) -> None:
    file = tmp_path / "dead.rec"
    async with running(installed()[0]) as server:
        server.signal(signal.SIGKILL)
        live = await triage(server.url, "connection refused")
        await captured(server.url, "connection refused", file)
    assert causes(live)[1][0] == causes(await replayed(file))[1][0] == "process-down"


async def test_all_nodes_of_a_deployment_are_in_it(kind: ServerKind, tmp_path: Path) -> None:
    file = tmp_path / "replicated.rec"
    async with replicated(kind, replicas=2, password="s3cret-of-the-lab") as deployment:
        deployment.replicas[1].server.signal(signal.SIGSTOP)
        live = await triage(deployment.primary.url, "old values are read from one replica")
        done = await captured(deployment.primary.url, "old values are read from one replica", file)
        names = {member.name for member in deployment.members}
    recording = load(file)
    assert "3 nodes (2 answered at the end)" in done.out
    told = {line.node for line in recording.lines if isinstance(line, Ask) if ("CONFIG", "GET", "*") in line.commands}
    assert told == names - {deployment.replicas[1].name}
    assert "s3cret-of-the-lab" not in "".join(line.model_dump_json() for line in recording.lines)
    again = await replayed(file)
    assert set(again.target.nodes) == names
    assert causes(again) == causes(live)
    assert [cause.where for cause in again.causes] == [cause["where"] for cause in live["causes"]]


@pytest.mark.live
async def test_sentinels_are_asked_for_what_they_know(tmp_path: Path) -> None:
    file = tmp_path / "sentinels.rec"
    async with sentinels(installed()[0]) as deployment:
        watching = ",".join(one.name for one in deployment.sentinels)
        await captured(f"redis+sentinel://{watching}/mymaster", "", file)
    told = asked(load(file))
    for command in ("SENTINEL CKQUORUM mymaster", "SENTINEL REPLICAS mymaster", "SENTINEL SENTINELS mymaster"):
        assert sum(words == command for _, words in told) >= 2 * len(deployment.sentinels)
    assert (await replayed(file)).target.topology == "sentinel"


@pytest.mark.live
async def test_what_is_refused_is_in_it_and_ends_nothing(tmp_path: Path) -> None:
    file = tmp_path / "denied.rec"
    async with running(installed()[0]) as server, crew() as hands:
        wire = await hands.dial(server.url)
        await wire.ask("ACL", "SETUSER", "few", "on", ">pw", "~*", "+@all", "-config", "-slowlog", "-info")
        url = server.url.replace("//", "//few:pw@")
        live = await triage(url, "slow")
        await captured(url, "slow", file)
    refused = [line for line in load(file).lines if isinstance(line, Ask) and "NOPERM" in str(line.replies)]
    assert {str(line.commands[0][0]) for line in refused} >= {"CONFIG", "SLOWLOG", "INFO"}
    assert any(words == "MODULE LIST" for _, words in asked(load(file)))
    assert causes(await replayed(file)) == causes(live)


@pytest.mark.live
async def test_a_password_that_is_wrong_is_tried_no_more(tmp_path: Path) -> None:
    file = tmp_path / "wrong.rec"
    async with running(installed()[0], requirepass="right") as server:
        await captured(server.url.replace("//", "//:wrong@"), "", file, "--duration", "4", "--every", "0.5")
    assert sum(words.startswith("AUTH") for _, words in asked(load(file))) <= 3


@pytest.mark.live
async def test_ctrl_c_leaves_a_whole_file(tmp_path: Path) -> None:
    file = tmp_path / "cut.rec"
    async with running(installed()[0]) as server:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(ROOT / "rediagnose.py"), "capture", server.url, "-o", str(file), stdin=DEVNULL,
            stdout=PIPE, stderr=PIPE,
        )  # fmt: skip
        assert process.stderr
        async for line in process.stderr:
            if b"4 of 20 s" in line:
                process.send_signal(signal.SIGINT)
        assert process.stdout
        out = (await process.stdout.read()).decode()
        assert await process.wait() == 130
    recording = load(file)
    assert not recording.cut
    assert "INTERRUPTED, it ends there" in out
    assert not [line for line in recording.lines if getattr(line, "end", None)]
    assert causes(await replayed(file)) == ("no-fault", [])


@pytest.mark.parametrize("args", [(), ("--duration", "0"), ("--every", "soon"), ("more", "than two")])
async def test_wrong_usage(args: Sequence[str], tmp_path: Path) -> None:
    file = tmp_path / "there.rec"
    file.write_text("mine")
    done = await rediagnose("capture", "redis://127.0.0.1:1", "-o", str(file), *args)
    assert (done.status, len(done.err.splitlines())) == (2, 1)
    assert file.read_text() == "mine"
    assert (await rediagnose("capture", "redis://127.0.0.1:1")).status == 2


@pytest.mark.live
async def test_a_long_one_has_the_counters_of_each_second(tmp_path: Path) -> None:
    file = tmp_path / "long.rec"
    async with running(installed()[0]) as server:
        incident = Investigation(
            parse_target(server.url, environ={}), "slow", runbooks(), SystemClock(), lambda event: None, Options(),
            Sources(record=file),
        )  # fmt: skip
        try:
            incident.start(ModelUse(name="offline"))
            await incident.survey()
            done = await capture(incident, duration=5.4, every=3, light=True, long=True)
        finally:
            await incident.close()
    assert done.moments == 5
    words = [words for _, words in asked(load(file))]
    # A full sample at 3 s, and the cheap one at the other four seconds.
    assert words.count("INFO") == 4
    assert sum(one == "MODULE LIST" for one in words) == 1
    # Ten minutes of that are far from the limits of what is read back.
    assert file.stat().st_size < 60_000


@pytest.mark.live
async def test_the_lab_can_have_it_light(tmp_path: Path) -> None:
    file = tmp_path / "light.rec"
    async with running(installed()[0]) as server:
        incident = Investigation(
            parse_target(server.url, environ={}), "slow", runbooks(), SystemClock(), lambda event: None, Options(),
            Sources(record=file),
        )  # fmt: skip
        try:
            incident.start(ModelUse(name="offline"))
            await incident.survey()
            before, bound = incident.readings(), incident.budget.limits.commands
            done = await capture(incident, duration=2.2, every=1, light=True)
            assert incident.readings() == before
            assert incident.budget.limits.commands > bound
        finally:
            await incident.close()
    assert (done.nodes, done.answered, done.moments) == (1, 1, 2)
    assert sum(words == "MODULE LIST" for _, words in asked(load(file))) == 1
    with pytest.raises(ValueError, match="recorded"):
        await capture(
            Investigation(
                parse_target("redis://127.0.0.1:1", environ={}), "", runbooks(), SystemClock(), lambda event: None,
                Options(),
            )
        )  # fmt: skip
