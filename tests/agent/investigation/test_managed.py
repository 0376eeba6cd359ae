"""A managed service on real servers that refuse what it refuses: recognised, and answered in its own terms."""

import asyncio
import contextlib
import itertools
from pathlib import Path

import pytest

from agent.evidence.managed import service_of
from agent.evidence.view import View
from agent.recordings.replay import Case, case, on_virtual_time
from evals.lab.servers import ServerKind, running
from evals.lab.topologies import Member
from evals.lab.wire import LOST
from evals.scoring.scenario import BUNDLED, load
from tests.program import checked, rediagnose
from tools.connection.managed import services
from tools.record.load import load as recording
from tools.record.refusals import managed
from tools.record.tape import Tape
from tools.records import Reading

UNKNOWN_HERE = ("SYNC", "PSYNC", "REPLCONF", "FAILOVER")
"""Blocked commands that a server needs itself, or that not every version has."""
PASSWORD = "s3cret-of-the-lab"
OOM = "OOM command not allowed when used memory > 'maxmemory'"


def renaming(service: str) -> str:
    """The lines of a configuration file that take away the commands that a service blocks as a whole."""
    names = [one for one in services()[service].blocks if " " not in one and one not in UNKNOWN_HERE]
    return "".join(f'rename-command {name} ""\n' for name in names)


async def writes(member: Member) -> None:
    """An application that goes on writing to a full server."""
    for number in itertools.count():
        with contextlib.suppress(*LOST):
            await member.ask("SET", f"cart:{number}", "x" * 100_000)
        await asyncio.sleep(0.01)


def reading(tool: str, values: dict[str, str], node: str | None = "10.0.0.1:6379") -> Reading:
    """A reading with these values."""
    return Reading(
        id="r1", tool=tool, args={}, node=node, at="2026-01-31T02:05:07Z", ms=1, values=dict(values), unavailable=None
    )


@pytest.mark.parametrize(("readings", "node", "expected"), [
    ([reading("info", {"os": "Amazon ElastiCache"})], "10.0.0.1:6379", "elasticache"),
    ([reading("info", {"os": "Linux 6.1 x86_64"})], "10.0.0.1:6379", None),
    ([reading("service", {"service": "memorystore"}, None)], "10.0.0.1:6379", "memorystore"),
    ([], "shop.redis.cache.windows.net:6380", "azure"),
    ([reading("service", {"service": "elasticache"}, None)], "shop.redis.cache.windows.net:6380", "elasticache"),
])  # fmt: skip
def test_settings_come_before_the_address_and_info(readings: list[Reading], node: str, expected: str | None) -> None:
    found = service_of(View(readings, node))
    assert (found.id if found else None) == expected


def managed_case(fault: str, service: str) -> Case:
    """A recorded incident as if that service ran the server."""
    scenario = next(one for one in load(BUNDLED) if one.fault == fault and one.attack is None)

    async def investigate() -> Case:
        tape = Tape(recording(BUNDLED / scenario.file))
        async with case(tape, scenario.ticket, refusals=managed(service)) as investigation:
            investigation.verdict = investigation.weighed_again()
            return investigation

    return on_virtual_time(investigate())


def test_one_address_for_several_servers_is_what_an_endpoint_is() -> None:
    answered = managed_case("balancer-over-replicas", "elasticache").answer()
    assert "balancer-over-replicas" not in [one.id for one in answered.findings]


@pytest.mark.parametrize("service", ["elasticache", "azure"])
def test_a_timeout_that_nobody_can_read_is_not_said_to_be_off(service: str) -> None:
    answered = managed_case("idle-timeout", service).answer()
    assert answered.causes[0].id == "idle-timeout", answered.summary
    assert "timeout is 0" not in " ".join(one.why for one in answered.findings)


def test_what_is_not_seen_says_where_it_stands() -> None:
    answered = managed_case("cpu-throttled", "elasticache").answer()
    assert answered.outcome != "no-fault"
    said = " ".join((*(one.what for one in answered.blind), *answered.unknown))
    assert "CloudWatch EngineCPUUtilization" in said
    assert "config-drift" not in {id for one in answered.blind for id in one.hides}


@pytest.mark.live
@pytest.mark.parametrize(("service", "way"), [
    ("elasticache", "renamed"), ("azure", "renamed"), ("memorystore", "renamed"), ("memorystore", "denied"),
])  # fmt: skip
async def test_a_full_server_gets_the_remedy_of_its_service(
    kind: ServerKind, service: str, way: str, tmp_path: Path
) -> None:
    def prepare(folder: Path) -> None:
        if way == "renamed":
            with (folder / "redis.conf").open("a") as file:
                file.write(renaming(service))

    async with running(kind, prepare=prepare, maxmemory="4mb", maxmemory_policy="noeviction") as server:
        if way == "denied":
            rules = ("-config", "-slowlog", "-latency", "-client", "-acl", "-cluster", "-memory")
            await Member(server).ask("ACL", "SETUSER", "app", "on", f">{PASSWORD}", "~*", "+@all", *rules, timeout=10)
        url = server.url if way == "renamed" else server.url.replace("://", "://app@")
        login = "" if way == "renamed" else 'password_env = "CACHE_PASSWORD"\n'
        settings = tmp_path / "rediagnose.toml"
        settings.write_text(f'[[targets]]\nname = "cache"\nurl = "{url}"\nservice = "{service}"\n{login}')
        writer = asyncio.create_task(writes(Member(server)))
        try:
            done = await rediagnose(
                "triage", "cache", OOM, "--model", "offline", "--format", "json", REDIAGNOSE_CONFIG=str(settings),
                CACHE_PASSWORD=PASSWORD,
            )  # fmt: skip
        finally:
            writer.cancel()
    answer = done.answer()
    checked(answer)
    assert PASSWORD not in done.out
    assert answer["target"]["service"] == service
    assert answer["causes"][0]["id"] == "oom-noeviction", answer["summary"]
    assert any(services()[service].terms["bigger"] in step["action"] for step in answer["plan"])
    assert all(step["kind"] != "config_set" and "CONFIG" not in step["action"] for step in answer["plan"])


async def test_a_service_of_another_name_is_no_setting(tmp_path: Path) -> None:
    settings = tmp_path / "rediagnose.toml"
    settings.write_text('[[targets]]\nname = "cache"\nurl = "redis://127.0.0.1:1"\nservice = "elastic"\n')
    done = await rediagnose("triage", "cache", "x", "--model", "offline", REDIAGNOSE_CONFIG=str(settings))
    assert done.status == 2
    assert "no service of this name is known; write one of elasticache" in done.err
