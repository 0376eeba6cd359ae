"""A deployment of several nodes: all found from one, all read at once, and one that is dead doesn't stop the others."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from agent.investigation.investigation import Investigation
from agent.investigation.sources import Options
from agent.loop.prompts import compose
from agent.loop.run import offered_tools
from agent.runbooks.library import load
from evals.lab.servers import ServerKind, running
from evals.lab.topologies import Deployment, clustered, replicated, sentinels
from tests.program import checked, rediagnose, triage
from tools.clock import SystemClock
from tools.connection.budget import PER_NODE
from tools.connection.target import parse_target
from tools.errors import ToolError

PASSWORD = "s3cret-of-the-lab"


def roles(answer: dict[str, Any]) -> dict[str, str]:
    """Role by node, as the topology reading tells."""
    values = next(reading["values"] for reading in answer["readings"] if reading["tool"] == "topology")
    return {values[f"n{n}.node"]: values[f"n{n}.role"] for n in range(1, values["nodes"] + 1)}


def of(answer: dict[str, Any], tool: str) -> dict[str, dict[str, Any]]:
    """The newest reading of a tool by node."""
    return {reading["node"]: reading for reading in answer["readings"] if reading["tool"] == tool}


def names(deployment: Deployment) -> set[str]:
    return {member.name for member in deployment.members}


@pytest.mark.alone
async def test_replicas_are_found_from_either_end(kind: ServerKind) -> None:
    async with replicated(kind, replicas=2, password=PASSWORD) as deployment:
        for given in (deployment.primary, deployment.replicas[0]):
            answer = await triage(given.url, "old values are read")
            checked(answer)
            assert answer["target"]["topology"] == "replication"
            assert answer["target"]["nodes"][0] == given.name
            assert set(answer["target"]["nodes"]) == names(deployment)
            assert set(of(answer, "info")) == names(deployment)
            assert roles(answer)[deployment.primary.name] == "primary"
            assert [roles(answer)[one.name] for one in deployment.replicas] == ["replica", "replica"]
            assert answer["outcome"] == "no-fault"
            assert answer["footprint"]["pings"] <= 200
            assert PASSWORD not in str(answer)


async def test_a_node_under_two_names_is_one(kind: ServerKind) -> None:
    async with replicated(kind, replicas=1) as deployment:
        answer = await triage(deployment.replicas[0].url.replace("127.0.0.1", "localhost"), "old values are read")
    assert len(answer["target"]["nodes"]) == 2
    assert answer["target"]["nodes"][1] == deployment.primary.name


@pytest.mark.alone
async def test_a_cluster_is_found_from_one_node_and_goes_on_without_another(kind: ServerKind) -> None:
    async with clustered(kind, nodes=3) as deployment:
        answer = await triage(deployment.members[1].url, "CLUSTERDOWN in the application's log")
        assert answer["target"]["topology"] == "cluster"
        assert set(answer["target"]["nodes"]) == set(of(answer, "cluster")) == names(deployment)
        assert answer["outcome"] == "no-fault"
        dead = deployment.members[2]
        dead.server.signal(signal.SIGKILL)
        answer = await triage(deployment.members[1].url, "CLUSTERDOWN in the application's log")
    checked(answer)
    assert of(answer, "connect")[dead.name]["unavailable"]["kind"] == "refused"
    assert set(of(answer, "info")) == names(deployment) - {dead.name}
    assert ("process-down", dead.name) in [(cause["id"], cause["where"]) for cause in answer["causes"]]


@pytest.mark.alone
async def test_of_a_large_cluster_all_nodes_are_seen_and_the_sick_ones_looked_at(kind: ServerKind) -> None:
    async with clustered(kind, nodes=9, cluster_require_full_coverage="no") as deployment:
        named, full, dead = deployment.members[4], deployment.members[8], deployment.members[1]
        answer = await triage(named.url, "some requests fail")
        assert (answer["outcome"], answer["causes"]) == ("no-fault", []), answer["unknown"]
        seen = answer["target"]["looked_at"]
        assert (seen["known"], seen["answered"], len(seen["in_depth"])) == (9, 9, 6)
        assert set(of(answer, "info")) == {named.name}, "what is well is no part of the answer"
        assert any(line.startswith("3 of 9 nodes were only looked at briefly") for line in answer["unknown"])
        whole = await triage(named.url, "some requests fail", "--all-readings")
        assert set(of(whole, "info")) == set(of(whole, "slowlog")) == names(deployment)
        await full.ask("CONFIG", "SET", "maxmemory", "1mb")
        dead.server.signal(signal.SIGKILL)
        await asyncio.sleep(2)
        answer = await triage(named.url, "some requests fail")
    checked(answer)
    assert {full.name, dead.name} <= set(answer["target"]["looked_at"]["in_depth"])
    told = {cause["id"]: cause["where"] for cause in answer["findings"] if cause["probability"] >= 0.5}
    assert (told["oom-noeviction"], told["process-down"]) == (full.name, dead.name)
    assert {cause["where"] for cause in answer["causes"]} >= {full.name}


async def test_a_frozen_replica_is_a_reading_of_its_own(kind: ServerKind) -> None:
    async with replicated(kind, replicas=2) as deployment:
        frozen = deployment.replicas[1]
        frozen.server.signal(signal.SIGSTOP)
        answer = await triage(deployment.primary.url, "old values are read from one replica")
    checked(answer)
    assert of(answer, "connect")[frozen.name]["unavailable"]["kind"] == "timeout"
    assert ("process-frozen", frozen.name) in [(cause["id"], cause["where"]) for cause in answer["causes"]]
    assert set(of(answer, "info")) == names(deployment) - {frozen.name}


async def test_a_sentinel_url_finds_all(kind: ServerKind) -> None:
    async with sentinels(kind) as deployment:
        watching = ",".join(one.name for one in deployment.sentinels)
        answer = await triage(f"redis+sentinel://127.0.0.1:1,{watching}/mymaster", "failovers don't happen")
        checked(answer)
        assert answer["target"]["topology"] == "sentinel"
        assert answer["target"]["nodes"][0] == deployment.primary.name
        assert names(deployment) | {one.name for one in deployment.sentinels} < set(answer["target"]["nodes"])
        assert of(answer, "connect")["127.0.0.1:1"]["unavailable"]["kind"] == "refused"
        assert set(of(answer, "sentinel")) == {one.name for one in deployment.sentinels}
        assert set(of(answer, "info")) >= names(deployment)
        wrong = await rediagnose("triage", f"redis+sentinel://{watching}/nobody", "x", "--model", "offline")
    assert wrong.status == 2
    assert "no master 'nobody'" in wrong.err and "mymaster" in wrong.err


async def test_sentinels_with_a_password_on_the_data_nodes_only(kind: ServerKind) -> None:
    async with sentinels(kind, password=PASSWORD) as deployment:
        url = f"redis+sentinel://:{PASSWORD}@{deployment.sentinels[0].name}/mymaster"
        answer = await triage(url, "failovers don't happen")
    assert set(of(answer, "info")) >= names(deployment)
    assert not [one for one in of(answer, "connect").values() if one["unavailable"]]
    assert PASSWORD not in str(answer)


async def test_a_primary_that_died_is_found_from_its_replica(kind: ServerKind) -> None:
    async with replicated(kind, replicas=1) as deployment:
        deployment.primary.server.signal(signal.SIGKILL)
        await asyncio.sleep(0.3)
        answer = await triage(deployment.replicas[0].url, "READONLY You can't write against a read only replica")
    checked(answer)
    assert ("process-down", deployment.primary.name) in [(one["id"], one["where"]) for one in answer["causes"]]


@pytest.mark.parametrize("option", [["--max-commands", "20"], ["--max-pings", "7"]])
async def test_a_small_budget_is_held_and_still_answers(kind: ServerKind, option: list[str]) -> None:
    async with running(kind) as server:
        answer = await triage(server.url, "requests time out", *option)
    assert answer["footprint"]["commands"] <= answer["footprint"]["budget"]["commands"]
    assert answer["footprint"]["pings"] <= answer["footprint"]["budget"]["pings"]
    assert int(option[1]) in answer["footprint"]["budget"].values()


async def test_a_second_look_stays_within_one_nodes_commands(kind: ServerKind) -> None:
    async with running(kind) as server:
        answer = await triage(server.url, "latency spikes now and then")
    assert answer["seconds"] > 8, "there was a second look"
    assert answer["footprint"]["commands"] <= PER_NODE


async def test_a_unix_socket_is_read_like_any_node(kind: ServerKind) -> None:
    async with running(kind, unixsocket="redis.sock") as server:
        url = f"unix://{server.folder / 'redis.sock'}"
        answer = await triage(url, "requests time out")
    checked(answer)
    assert answer["target"]["nodes"] == [f"unix:{server.folder / 'redis.sock'}"]
    assert answer["outcome"] == "no-fault", answer["unknown"]


async def test_a_managed_service_without_config_slowlog_and_acl_is_still_read(kind: ServerKind) -> None:
    blocked = "".join(f'rename-command {name} ""\n' for name in ("CONFIG", "SLOWLOG", "LATENCY", "ACL"))

    def prepare(folder: Path) -> None:
        with (folder / "redis.conf").open("a") as file:
            file.write(blocked)

    async with running(kind, prepare=prepare) as server:
        answer = await triage(server.url, "requests time out")
    checked(answer)
    unread = {
        name: of(answer, name)[server.url.removeprefix("redis://")] for name in ("config_get", "slowlog", "access")
    }
    assert unread["config_get"]["unavailable"]["kind"] == "unknown-command"
    # Valkey 8.1 keeps COMMANDLOG, which tells the same.
    assert unread["slowlog"]["unavailable"] is None or unread["slowlog"]["unavailable"]["kind"] == "unknown-command"
    assert answer["outcome"] == "no-fault"
    said = " ".join(answer["unknown"])
    assert "idle-timeout" in said and "config_get (unknown-command" in said
    # The agent's own errors aren't the server's.
    assert of(answer, "info")[answer["target"]["nodes"][0]]["values"].get("errorstat_ERR.count.delta", 0) == 0


async def test_a_model_names_the_node_that_it_asks(kind: ServerKind) -> None:
    async with replicated(kind, replicas=1) as deployment:
        case = Investigation(
            parse_target(deployment.url, environ={}), "old values are read", load(), SystemClock(), lambda event: None,
            Options(window=0.5),
        )  # fmt: skip
        await case.survey()
        replica = deployment.replicas[0].name
        reading = await case.toolbox.call("replication", {"node": replica, "window": 0})
        with pytest.raises(ToolError, match=r"it has no node '127\.0\.0\.1:1'"):
            await case.toolbox.call("replication", {"node": "127.0.0.1:1"})
        tools = {
            tool["function"]["name"]: tool["function"]["parameters"]["properties"]
            for tool in offered_tools(case.toolbox)
        }
        first = compose(case.symptom, case.readings(), (), {}, offered_tools(case.toolbox)).first
        await case.close()
    assert (reading.node, reading.get("role")) == (replica, "slave")
    assert "node" in tools["reading"] and "node" in tools["info"] and "topology" not in tools
    assert f"{deployment.primary.name}:" in first and f"{replica}:" in first
