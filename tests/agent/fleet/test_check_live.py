"""`rediagnose check` on real servers: one process, one table, each target with its own fault or none."""

import asyncio
import contextlib
import json
import random
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from evals.lab.faults.encryption import encrypted
from evals.lab.servers import ServerKind, installed, running
from evals.lab.topologies import clustered, replicated
from evals.lab.wire import crew
from tests.program import Done, rediagnose
from tests.prometheus import Sample, exporter, needs_prometheus, prometheus

pytestmark = pytest.mark.live


async def check(*args: str, said: str | None = None, **environ: str) -> tuple[Done, dict[str, dict[str, Any]]]:
    done = await rediagnose("check", *args, "--format", "json", said=said, **environ)
    told = json.loads(done.out) if done.out else {"targets": []}
    return done, {one["name"]: one for one in told["targets"]}


def levels(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: one["level"] for name, one in found.items()}


async def test_each_target_has_its_own_line_and_the_worst_stands_first(kind: ServerKind, tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        well, cache, full, locked, frozen = [
            await stack.enter_async_context(one)
            for one in (
                running(kind), running(kind, maxmemory="5mb", maxmemory_policy="allkeys-lru"),
                running(kind, maxmemory="3mb"), running(kind, requirepass="s3cret"), running(kind),
            )
        ]  # fmt: skip
        dead = await stack.enter_async_context(running(kind))
        await dead.stop()
        hands = await stack.enter_async_context(crew())
        for server in (cache, full):
            wire = await hands.dial(server.url)
            with contextlib.suppress(Exception):
                for number in range(8000):
                    await wire.ask("SET", f"k{number}", "x" * 1000)
        frozen.signal(signal.SIGSTOP)
        lines = [f"well={well.url}", f"cache={cache.url}", f"full={full.url}", f"locked={locked.url}",
                 f"wrong=redis://:other@127.0.0.1:{locked.port}/1", f"frozen={frozen.url}", f"dead={dead.url}",
                 "nonsense=redis://", "\x1b[31mnasty=redis://127.0.0.1:1?x=1"]  # fmt: skip
        inventory = tmp_path / "list"
        inventory.write_text("\n".join(lines))
        done, found = await check("--inventory", str(inventory))
        assert done.status == 1, done.err
        assert levels(found) == {
            "well": levels(found)["well"], "cache": levels(found)["cache"], "full": "incident", "dead": "incident",
            "frozen": "incident", "locked": "unanswered", "wrong": "unanswered", "nonsense": "unanswered",
            "nasty": "unanswered",
        }  # fmt: skip
        # A version with a known fault is all that is said of those that are well.
        for name in ("well", "cache"):
            assert {one["id"] for one in found[name]["preventive"]} <= {"version-known-bad"}, found[name]
        named = {name: found[name]["causes"][0]["id"] for name in ("full", "dead", "frozen")}
        assert named == {"full": "oom-noeviction", "dead": "process-down", "frozen": "process-frozen"}
        assert found["locked"]["said"] == "can't log in: no password was given"
        assert found["wrong"]["said"] == "can't log in: the user or password was refused"
        assert "s3cret" not in done.out and "other" not in done.out
        text = await rediagnose("check", "--inventory", "-", said="\n".join(lines))
        rows = text.out.splitlines()
        assert {len(row) <= 80 for row in rows} == {True}
        assert [row.split()[0] for row in rows[1:4]] == ["FAULT"] * 3
        assert rows[0].startswith("9 targets: 3 faulty, 4 unknown")


async def test_what_comes_next_is_a_finding_and_no_fault(kind: ServerKind) -> None:
    async with running(kind, maxclients="50") as server, crew() as hands:
        pool = [await hands.dial(server.url, name="shop") for _ in range(46)]

        async def work() -> None:
            while True:
                for wire in pool:
                    await wire.ask("PING")
                await asyncio.sleep(0.1)

        working = asyncio.create_task(work())
        done, found = await check(server.url)
        (line,) = found.values()
        assert (line["level"], done.status) == ("preventive", 0), line
        assert line["preventive"][0]["id"] == "clients-nearly-full"
        assert line["said"].startswith("94% of maxclients (47 of 50)")
        strict, _ = await check(server.url, "--fail-on", "preventive")
        assert strict.status == 1
        coded, _ = await check(server.url, "--fail-on", "preventive", "--exit-code")
        assert coded.status == 10
        working.cancel()


@pytest.mark.skipif(not any(kind.tls for kind in installed()), reason="no server here was built with TLS")
@pytest.mark.parametrize(("days", "level"), [(9, "preventive"), (80, "healthy"), (-1, "incident")])
async def test_a_certificate_that_ends_soon(days: float, level: str) -> None:
    kind = next(kind for kind in installed() if kind.tls)
    async with encrypted(kind, random.Random(1), (-24 * 300, 24 * days)) as server:
        url = f"rediss://127.0.0.1:{server.port}"
        _, found = await check(url, "--cacert", str(server.folder / "redis.crt"))
    (line,) = found.values()
    assert line["level"] == level, line
    if level == "preventive":
        assert line["said"] in ("certificate expires in 9 days", "certificate expires in 8 days")


async def test_a_cluster_is_one_target_and_a_node_of_it_may_be_one(kind: ServerKind) -> None:
    async with clustered(kind, 3, 1) as cluster:
        _, found = await check(cluster.url)
        (line,) = found.values()
        assert (line["topology"], line["nodes"]) == ("cluster", 6)
        assert line["level"] in ("healthy", "preventive")
        _, found = await check(cluster.url, "--one-node")
        (line,) = found.values()
        assert line["nodes"] == 1
        await cluster.members[1].server.stop()
        await asyncio.sleep(4)
        done, found = await check(cluster.url)
        assert done.status == 1 and next(iter(found.values()))["level"] == "incident"


async def test_a_replica_is_well_when_it_is(kind: ServerKind) -> None:
    async with replicated(kind, 1) as deployment:
        _, found = await check(deployment.url, deployment.replicas[0].url)
    assert set(levels(found).values()) <= {"healthy", "preventive"}, found
    assert {one["id"] for line in found.values() for one in line["preventive"]} <= {"version-known-bad"}


async def test_the_settings_name_targets_and_know_their_passwords(kind: ServerKind, tmp_path: Path) -> None:
    async with running(kind, requirepass="s3cret") as server:
        file = tmp_path / "rediagnose.toml"
        file.write_text(f'[[targets]]\nname = "orders"\nurl = "{server.url}"\npassword_env = "ORDERS"\n')
        given = {"REDIAGNOSE_CONFIG": str(file), "ORDERS": "s3cret"}
        _, found = await check("--all", **given)
        assert levels(found)["orders"] in ("healthy", "preventive") and found["orders"]["configured"]
        # The same address from a list has the settings' name and login.
        _, again = await check("--inventory", "-", said=server.url, **given)
        assert levels(again) == levels(found)


async def test_nothing_that_could_be_asked_is_no_answer(kind: ServerKind) -> None:
    async with running(kind, requirepass="s3cret") as server:
        done, found = await check(server.url)
    assert (done.status, levels(found)) == (3, {f"127.0.0.1:{server.port}": "unanswered"})


async def test_the_time_for_all_is_kept_and_what_is_left_out_is_said(kind: ServerKind) -> None:
    async with running(kind) as server:
        words = [f"{server.url}/{number}" for number in range(12)]
        done, _ = await check(*words, "--jobs", "2", "--total-deadline", "5")
    told = json.loads(done.out)
    assert len(told["targets"]) == 12 and told["complete"] is False
    assert any("--total-deadline" in one["said"] for one in told["targets"])
    assert done.status == 1


async def test_a_low_limit_of_open_files_is_raised(kind: ServerKind) -> None:
    async with running(kind, databases="40") as server:
        urls = [f"{server.url}/{number}" for number in range(40)]
        words = " ".join((".venv/bin/rediagnose", "check", *urls, "--format", "json"))
        process = await asyncio.create_subprocess_shell(f"ulimit -Sn 24; exec {words}", stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
    counts = json.loads(out)["counts"]
    assert process.returncode == 0 and counts["healthy"] + counts["preventive"] == 40, counts


async def test_an_interruption_prints_what_is_known(kind: ServerKind) -> None:
    async with running(kind) as server, running(kind) as other, crew() as hands:
        wire = await hands.dial(server.url)
        process = await asyncio.create_subprocess_exec(
            ".venv/bin/rediagnose", "check", server.url, other.url, "--jobs", "1", "--window", "8", "--format", "json",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        # Until it's in the middle of the first target.
        while "\nconnected_clients:1\r" in str(await wire.ask("INFO", "clients")).replace("# Clients\r", ""):
            await asyncio.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert process.returncode == 130, err
    assert len(json.loads(out)["targets"]) == 2


@pytest.fixture
async def kept(kind: ServerKind) -> AsyncIterator[tuple[str, str]]:
    async with running(kind) as server, exporter(server) as port, prometheus([port]) as url:
        yield server.url, url


@needs_prometheus
@pytest.mark.parametrize("kind", installed()[:1], ids=lambda kind: kind.name)
async def test_prometheus_knows_the_targets(kept: tuple[str, str]) -> None:
    server, url = kept
    _, found = await check("--prometheus", url)
    (line,) = found.values()
    assert line["url"] == server and line["level"] in ("healthy", "preventive"), line


@needs_prometheus
async def test_the_growth_of_hours_is_what_prometheus_kept() -> None:
    async with running(installed()[0], maxmemory="100mb") as server, exporter(server) as port:
        labels, now = {"instance": f"127.0.0.1:{port}", "job": "redis"}, time.time()
        # Ten MB an hour until a few minutes ago.
        past = [
            Sample("redis_memory_used_bytes", labels, 10e6 * (6 - ago / 3600), now - ago)
            for ago in range(600, 6 * 3600, 60)
        ]
        async with prometheus([port], past) as url:
            _, found = await check("--prometheus", url)
    (line,) = found.values()
    assert line["level"] == "preventive", line
    first = line["preventive"][0]
    assert first["id"] == "memory-fills-up" and first["what"].endswith("at the rate of the last hours"), first
    assert 6 * 3600 < first["seconds"] < 20 * 3600
