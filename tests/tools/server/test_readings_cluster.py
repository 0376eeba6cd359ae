"""A cluster as one of its nodes sees it: whole, with a node down, with an open slot, with clients that go astray."""

import asyncio

import pytest
from hiredis import ReplyError

from evals.lab.servers import ServerKind, running
from evals.lab.topologies import Deployment, Member, clustered, until
from tests.looking import number
from tests.members import read
from tools.errors import Unanswered
from tools.records import Values
from tools.server.cluster import cluster, parse_nodes

SLOT, KEY = 5061, "bar"
"""A slot of the first of three nodes, and a key in it."""


async def wait_for(member: Member, field: str, expected: object) -> Values:
    """The first reading in which the field has this value."""
    values: Values = {}

    async def seen() -> bool:
        values.clear()
        values.update(await read(cluster, member, window=0))
        return values[field] == expected

    await until(seen, f"{field} is {expected}")
    return values


async def test_a_whole_cluster(kind: ServerKind) -> None:
    async with clustered(kind, nodes=3, replicas=1) as deployment:
        values = await read(cluster, deployment.primary, window=0.5)
        below = await read(cluster, deployment.members[3], window=0)
    assert (values["cluster_state"], values["slots_unserved"], values["slots_unassigned"]) == ("ok", 0, 0)
    assert (values["nodes"], values["nodes.ok"], values["primaries"], values["replicas"]) == (6, 6, 3, 3)
    assert (values["my_role"], values["my_slots"], values["my_replicas_ok"]) == ("primary", 5461, 1)
    assert (values["my_share"], values["share_max"], values["primaries_without_replica"]) == (0.3333, 0.3334, 0)
    assert (values["slots_migrating"], values["slots_importing"]) == (0, 0)
    assert (values["cluster-node-timeout"], values["cluster-require-full-coverage"]) == (2000, "yes")
    assert "down1.address" not in values and "errorstat_MOVED.count" not in values
    assert (below["my_role"], below["my_slots"]) == ("replica", 0)


async def test_a_node_that_died_takes_its_slots_along(kind: ServerKind) -> None:
    async with clustered(kind, nodes=3, node_timeout=1000) as deployment:
        dead = deployment.members[2]
        await dead.server.stop()
        values = await wait_for(deployment.primary, "cluster_state", "fail")
    assert (values["nodes.fail"], values["nodes.ok"]) == (1, 2)
    assert (values["down1.address"], values["down1.state"], values["down1.role"]) == (dead.name, "fail", "primary")
    assert values["cluster_slots_fail"] == values["slots_unserved"] == values["down1.slots"] == 5462
    assert (values["down1.replicas_ok"], values["primaries_without_replica"]) == (0, 3)


async def test_a_dead_primary_whose_replica_took_over(kind: ServerKind) -> None:
    async with clustered(kind, nodes=3, replicas=1, node_timeout=1000) as deployment:
        dead, heir = deployment.primary, deployment.members[3]
        await dead.server.stop()
        values = await wait_for(heir, "my_role", "primary")
        values = await wait_for(heir, "cluster_state", "ok")
    assert (values["my_slots"], values["slots_unserved"]) == (5461, 0)
    assert (values["down1.address"], values["down1.slots"]) == (dead.name, 0)
    assert values["primaries_without_replica"] == 1


async def opened(deployment: Deployment) -> None:
    """Open a slot between the first two nodes, as a migration that was broken off leaves it."""
    source, target, _ = deployment.members
    source_id, target_id = await source.ask("CLUSTER", "MYID"), await target.ask("CLUSTER", "MYID")
    await source.ask("SET", KEY, "1")
    await target.ask("CLUSTER", "SETSLOT", SLOT, "IMPORTING", source_id)
    await source.ask("CLUSTER", "SETSLOT", SLOT, "MIGRATING", target_id)


async def test_an_open_slot_shows_at_its_two_nodes_only(kind: ServerKind) -> None:
    async with clustered(kind, nodes=3) as deployment:
        await opened(deployment)
        source, target, other = [await read(cluster, one, window=0) for one in deployment.members]
    assert (source["open1.slot"], source["open1.direction"], source["open1.keys"]) == (SLOT, "migrating", 1)
    assert (source["open1.peer"], source["open1.peer_state"]) == (deployment.members[1].name, "ok")
    assert (target["open1.slot"], target["open1.direction"], target["open1.keys"]) == (SLOT, "importing", 0)
    assert target["open1.peer"] == deployment.members[0].name
    assert (other["slots_migrating"], other["slots_importing"]) == (0, 0)
    assert source["cluster_state"] == "ok"


async def test_a_slot_that_nobody_has(kind: ServerKind) -> None:
    async with clustered(kind, nodes=3) as deployment:
        for member in deployment.members:
            await member.ask("CLUSTER", "DELSLOTS", SLOT)
        values = await wait_for(deployment.primary, "cluster_state", "fail")
    assert (values["slots_unassigned"], values["slots_unserved"]) == (1, 1)
    assert values["nodes.ok"] == 3


async def test_clients_that_go_astray_and_where_the_keys_are(kind: ServerKind) -> None:
    async with clustered(kind, nodes=3) as deployment:
        for at in range(20):
            await deployment.primary.ask("SET", f"{{{KEY}}}:{at}", "1")
        reading = [asyncio.create_task(read(cluster, one, window=1)) for one in deployment.members]
        await asyncio.sleep(0.3)
        for _ in range(3):
            with pytest.raises(ReplyError, match=f"MOVED {SLOT}"):
                await deployment.members[1].ask("GET", KEY)
        with pytest.raises(ReplyError, match="CROSSSLOT"):
            await deployment.members[1].ask("MGET", "a", "b")
        first, second, third = [await one for one in reading]
    assert (second["errorstat_MOVED.count.delta"], second["errorstat_CROSSSLOT.count.delta"]) == (3, 1)
    assert (first["cluster_state"], second["cluster_state"]) == ("ok", "ok")
    assert "errorstat_MOVED.count" not in third
    assert (first["keys"], second["keys"]) == (20, 0)
    if kind.name.startswith("valkey") or kind.at_least(8, 2):
        assert (first["slot1.slot"], first["slot1.key_count"], "slot2.slot" in first) == (SLOT, 20, False)
    else:
        assert first["slot_stats.unavailable"] == "unknown-command"


async def test_work_on_one_node_only(kind: ServerKind) -> None:
    async with clustered(kind, nodes=3) as deployment:
        reading = [asyncio.create_task(read(cluster, one, window=1)) for one in deployment.members]
        await asyncio.sleep(0.2)
        for _ in range(50):
            await deployment.primary.ask("GET", KEY)
        rates = [number(await one, "total_commands_processed.rate") for one in reading]
    assert rates[0] > 10 * max(rates[1:])


async def test_a_server_that_is_no_cluster(kind: ServerKind) -> None:
    async with running(kind) as server:
        with pytest.raises(Unanswered) as refused:
            await read(cluster, Member(server), window=0)
    assert refused.value.kind == "unknown-command"


def test_lines_of_every_version() -> None:
    text = (
        "a 10.0.0.1:6379@16379,cache-1.internal,shard-id=f00 myself,master - 0 0 3 connected 0-9 12 [7->-b] [20-<-c]\n"
        "b ::1:6380@16380 slave,fail? a 1 2 3 disconnected\n"
        "c :0@0 master,noaddr - 1 2 4 disconnected 100-199\n"
        "d 10.0.0.4:6379 master,fail - 1 2 4 connected\n"
        "e :6379@16379,,tls-port=0 handshake - 1 2 4 connected\n"
        "vars currentEpoch 6 lastVoteEpoch 0\n"
    )
    a, b, c, d, e = parse_nodes(text)
    assert (a.host, a.port, a.hostname, a.slots, a.ranges) == (
        "10.0.0.1",
        6379,
        "cache-1.internal",
        11,
        ((0, 9), (12, 12)),
    )
    assert (a.migrating, a.importing, a.myself, a.state) == ({7: "b"}, {20: "c"}, True, "ok")
    assert (b.host, b.port, b.master, b.state, b.primary) == ("::1", 6380, "a", "pfail", False)
    assert (c.host, c.port, c.slots, c.state) == ("", 0, 100, "noaddr")
    assert [d.state, e.state, e.hostname] == ["fail", "handshake", ""]
    assert parse_nodes("") == ()
