"""The watch as `serve` runs it: on real servers, over rounds and checks, and what triage makes of it later."""

import asyncio
import contextlib
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.fleet.look import Member
from agent.runbooks.library import load
from agent.watch.checks import check_once
from agent.watch.metrics import metrics_text
from agent.watch.pace import Pace, watch
from agent.watch.rounds import watch_once
from evals.lab.servers import ServerKind, running
from evals.lab.wire import crew, dial
from tests.program import rediagnose
from tools.clock import SystemClock
from tools.connection.target import parse_target
from tools.past.store import Store

pytestmark = pytest.mark.live


class OtherTime(SystemClock):
    """The machine's time, moved back by so many seconds."""

    def __init__(self, ago: float = 0.0) -> None:
        self.ago = ago

    def now(self) -> datetime:
        return datetime.now(UTC) - timedelta(seconds=self.ago)


def member(url: str, name: str = "orders") -> Member:
    return Member(name=name, target=parse_target(url, environ={}))


async def test_it_goes_on_at_its_pace_and_leaves_the_investigated_alone(kind: ServerKind, tmp_path: Path) -> None:
    store, problems, busy = Store(tmp_path / "past.db"), list[str](), set[str]()
    async with running(kind) as server, running(kind, maxmemory="3mb") as full, crew() as hands:
        wire = await hands.dial(full.url)
        with contextlib.suppress(Exception):
            for number in range(8000):
                await wire.ask("SET", f"k{number}", "x" * 1000)

        async def members() -> list[Member]:
            return [member(server.url), member(full.url, "full")]

        pace = Pace(interval=0.2, check_interval=0.5)
        work = asyncio.create_task(
            watch(members, store, SystemClock(), pace, load(), busy=busy.__contains__, heard=problems.append,
                  chance=random.Random(1))
        )  # fmt: skip
        reader = store.reader()
        async with asyncio.timeout(60):
            while len([one for one in reader.states() if one.checked and one.looked]) < 2:
                await asyncio.sleep(0.1)
            node = reader.node(f"127.0.0.1:{server.port}")
            while node is None or len(reader.samples(node, 0, 2e9)) < 4:
                await asyncio.sleep(0.1)
        busy.add("orders")
        await asyncio.sleep(1.0)
        still = len(reader.samples(node, 0, 2e9))
        await asyncio.sleep(1.0)
        assert len(reader.samples(node, 0, 2e9)) == still
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
        text = metrics_text(store)
    assert problems == []
    assert 'rediagnose_target_level{level="incident",target="full"} 1.0' in text
    assert 'rediagnose_finding_probability{finding="oom-noeviction"' in text
    assert 'rediagnose_target_level{level="incident",target="orders"} 0.0' in text


async def test_triage_says_what_changed_and_since_when_without_a_prometheus(kind: ServerKind, tmp_path: Path) -> None:
    store, clock = Store(tmp_path / "past.db"), OtherTime()
    async with running(kind, slowlog_log_slower_than="0") as server, crew() as hands:
        for minute in range(30, 4, -1):
            clock.ago = 60.0 * minute
            await watch_once([member(server.url)], store, clock)
        wire = await dial(server.url)
        await wire.ask("CONFIG", "SET", "maxclients", "700")
        await wire.ask("SORT", "absent-list")
        for _ in range(80):
            one = await hands.dial(server.url)
            await one.ask("CLIENT", "SETNAME", "worker-1")
        for minute in (4, 3, 2):
            clock.ago = 60.0 * minute
            await watch_once([member(server.url)], store, clock)
        await wire.ask("SLOWLOG", "RESET")
        await wire.close()
        given = (server.url, "timeouts", "--model", "offline", "--history", str(store.path))
        done = await rediagnose("triage", *given, "--format", "json")
        assert done.status == 0, done.err
        answer = json.loads(done.out)
        (past,) = [one for one in answer["readings"] if one["tool"] == "history"]
        assert past["unavailable"] is None
        values = past["values"]
        assert values["source"] == "rediagnose"
        changed = {values[f"changed{number}.field"] for number in range(1, values["changed"] + 1)}
        assert {"connected_clients", "clients_worker-*.count", "maxclients"} <= changed
        assert (values["config1.parameter"], values["config1.after"]) == ("maxclients", "700")
        assert values["slowlog_kept"] > 0 and values["slow1.usec"] > 0
        text = (await rediagnose("triage", *given, "-v")).out
        assert "maxclients was set from 10000 to 700 at " in text.replace("\n", " ")
        # Without the file nothing is said of it, nor is its absence.
        without = await rediagnose("triage", server.url, "--model", "offline", "--format", "json")
        assert "history" not in {one["tool"] for one in json.loads(without.out)["readings"]}
        missing = await rediagnose("triage", server.url, "--history", str(tmp_path / "no.db"))
        assert missing.status == 2 and "--history" in missing.err


async def test_the_usual_file_is_used_without_being_named(kind: ServerKind, tmp_path: Path) -> None:
    store, clock = Store(tmp_path / "rediagnose" / "watch.db"), OtherTime()
    async with running(kind) as server, running(kind) as other:
        for minute in range(20, 0, -1):
            clock.ago = 60.0 * minute
            await watch_once([member(server.url)], store, clock)
        environ = {"XDG_STATE_HOME": str(tmp_path)}
        found = {}
        for name, url in (("known", server.url), ("unknown", other.url)):
            done = await rediagnose("triage", url, "--model", "offline", "--format", "json", **environ)
            answer = json.loads(done.out)
            found[name] = next(one for one in answer["readings"] if one["tool"] == "history")
            assert answer["outcome"] == "no-fault", answer["summary"]
        assert found["known"]["unavailable"] is None
        assert found["unknown"]["unavailable"]["kind"] == "not-recorded"


async def test_a_recording_keeps_what_the_file_said(kind: ServerKind, tmp_path: Path) -> None:
    store, clock = Store(tmp_path / "past.db"), OtherTime()
    async with running(kind) as server:
        for minute in range(20, 0, -1):
            clock.ago = 60.0 * minute
            await watch_once([member(server.url)], store, clock)
        record = tmp_path / "incident.json.gz"
        given = ("--model", "offline", "--history", str(store.path), "--record", str(record))
        done = await rediagnose("triage", server.url, *given)
        assert done.status == 0, done.err
    from agent.recordings.replay import case, on_virtual_time
    from tools.record.load import load as load_recording
    from tools.record.tape import Tape

    async def replayed() -> list[str]:
        async with case(Tape(load_recording(record)), "") as incident:
            return [one.tool for one in incident.answer().readings if one.tool == "history" and not one.unavailable]

    assert await asyncio.to_thread(on_virtual_time, replayed()) == ["history"]


async def test_growth_over_hours_is_a_finding_without_a_prometheus(kind: ServerKind, tmp_path: Path) -> None:
    store, clock = Store(tmp_path / "past.db"), OtherTime()
    async with running(kind, maxmemory="40mb", maxmemory_policy="noeviction") as server:
        wire = await dial(server.url)
        for hour in (5, 4, 3, 2, 1, 0):
            clock.ago = 3600.0 * hour
            for number in range(400):
                await wire.ask("SET", f"{hour}:{number}", "x" * 4000)
            await watch_once([member(server.url)], store, clock)
        await wire.close()
        report = await check_once([member(server.url)], store, SystemClock(), load())
        (line,) = report.targets
        (found,) = [one for one in line.preventive if one.id == "memory-fills-up"]
        assert line.level == "preventive" and found.seconds and 3 * 3600 < found.seconds < 48 * 3600
        assert 'rediagnose_preventive_finding_seconds{finding="memory-fills-up"' in metrics_text(store)


async def test_check_uses_what_serve_knows_of_hours_on_this_machine(kind: ServerKind, tmp_path: Path) -> None:
    folder = tmp_path / "rediagnose"
    folder.mkdir()
    store, clock = Store(folder / "watch.db"), OtherTime()
    async with running(kind, maxmemory="40mb", maxmemory_policy="noeviction") as server:
        wire = await dial(server.url)
        for hour in (5, 4, 3, 2, 1, 0):
            clock.ago = 3600.0 * hour
            for number in range(400):
                await wire.ask("SET", f"{hour}:{number}", "x" * 4000)
            await watch_once([member(server.url)], store, clock)
        await wire.close()
        given = ("check", server.url, "--window", "0.5", "--format", "json", "--fail-on", "preventive")
        known = await rediagnose(*given, XDG_STATE_HOME=str(tmp_path))
        unknown = await rediagnose(*given, XDG_STATE_HOME=str(tmp_path / "elsewhere"))
    found = [one["what"] for one in json.loads(known.out)["targets"][0]["preventive"]]
    assert any("at the rate of the last hours" in one for one in found), known.out
    assert "last hours" not in unknown.out
