"""Replication from one end, in every state that a replica gets into."""

import asyncio
import signal

import pytest
from hiredis import ReplyError

from evals.lab.servers import ServerKind
from evals.lab.topologies import Member, replicated, until
from evals.lab.wire import dial, packed
from tests.looking import number
from tests.members import read
from tools.records import Values
from tools.server.replication import attached, peers, replication


async def write(member: Member, megabytes: int) -> None:
    """Write so many megabytes over ten keys."""
    wire = await dial(member.url)
    for turn in range(megabytes):
        await wire.pipeline(packed("SET", f"cart:{turn % 10}", b"x" * 2**20), 1)
    await wire.close()


async def test_both_ends_of_a_link_that_is_well(kind: ServerKind) -> None:
    async with replicated(kind, replicas=2, min_replicas_to_write="1") as deployment:
        above = await read(replication, deployment.primary, window=0.5)
        below = await read(replication, deployment.replicas[0], window=0.5)
    assert (above["role"], above["replicas_online"], above["good_replicas_missing"]) == ("master", 2, 0)
    assert {above["replica1.address"], above["replica2.address"]} == {one.name for one in deployment.replicas}
    assert above["replica1.state"] == "online"
    assert (above["sync_full"], above["sync_full.delta"]) == (2, 0)
    assert (above["output.clients"], above["output.limit_hard"]) == (2, 256 * 2**20)
    assert (above["repl-timeout"], above["replica-serve-stale-data"]) == (60, "yes")
    assert (below["role"], below["master_link_status"], below["link_state"]) == ("slave", "up", "connected")
    assert f"{below['master_host']}:{below['master_port']}" == deployment.primary.name
    assert below["master_replid"] == above["master_replid"]
    assert "good_replicas_missing" not in below


async def test_a_link_whose_primary_died(kind: ServerKind) -> None:
    async with replicated(kind, replicas=1) as deployment:
        await deployment.primary.server.stop()
        values: Values = {}

        async def noticed() -> bool:
            values.update(await read(replication, deployment.replicas[0], window=0))
            return values["master_link_status"] == "down" and number(values, "master_link_down_since_seconds") >= 1

        await until(noticed, "the link is down")
    assert values["link_state"] in ("connect", "connecting")
    assert values["master_repl_offset.rate"] is None


@pytest.mark.parametrize(("masterauth", "word"), [("wrong", "WRONGPASS"), ("", "NOAUTH")])
async def test_a_masterauth_that_does_not_fit_shows_at_the_primary(
    kind: ServerKind, masterauth: str, word: str
) -> None:
    replica = {"masterauth": masterauth}
    async with replicated(kind, replicas=1, replica=replica, in_sync=False, password="pw") as deployment:
        below = await read(replication, deployment.replicas[0], window=0)
        # A replica tries again each second.
        above = await read(replication, deployment.primary, window=2.5)
    assert below["master_link_status"] == "down" and below["link_state"] != "connected"
    assert number(above, f"errorstat_{word}.count.delta") > 0
    assert (above["connected_slaves"], above["replicas_online"]) == (0, 0)


async def test_a_replica_that_stands_still_falls_behind(kind: ServerKind) -> None:
    async with replicated(kind, replicas=2) as deployment:
        still = deployment.replicas[1]
        still.server.signal(signal.SIGSTOP)
        reading = asyncio.create_task(read(replication, deployment.primary, window=3))
        await asyncio.sleep(0.3)
        await write(deployment.primary, 16)
        values = await reading
    assert values["replica1.address"] == still.name
    assert number(values, "replica1.lag_bytes") > 15 * 2**20
    assert number(values, "replica1.lag_bytes.delta") > 15 * 2**20
    assert values["lag_bytes_max"] == values["replica1.lag_bytes"]
    assert number(values, "replica2.lag_bytes") < number(values, "replica1.lag_bytes")
    assert number(values, "replica1.lag") >= 1
    assert number(values, "master_repl_offset.rate") > 2**20
    # What the socket didn't take waits in the server.
    assert number(values, "output.omem_max") > 2**20


async def test_a_replica_over_its_output_limit_syncs_again_and_again(kind: ServerKind) -> None:
    limit = "replica 1mb 1mb 60"
    async with replicated(kind, 1, client_output_buffer_limit=limit, repl_backlog_size="16kb") as deployment:
        reading = asyncio.create_task(read(replication, deployment.primary, window=4))
        await asyncio.sleep(0.3)
        deployment.replicas[0].server.signal(signal.SIGSTOP)
        await write(deployment.primary, 16)
        deployment.replicas[0].server.signal(signal.SIGCONT)
        values = await reading
    assert number(values, "sync_full.delta") >= 1
    # The backlog had nothing left of what was missed.
    assert number(values, "sync_partial_err.delta") >= 1
    assert values["output.limit_hard"] == values["output.limit_soft"] == 2**20
    assert values["repl-backlog-size"] == values["repl_backlog_size"] == 16384
    assert number(values, "backlog_seconds") < 1


async def test_a_short_break_is_bridged_by_the_backlog(kind: ServerKind) -> None:
    async with replicated(kind, replicas=1) as deployment:
        reading = asyncio.create_task(read(replication, deployment.primary, window=3))
        await asyncio.sleep(0.3)
        await deployment.primary.ask("CLIENT", "KILL", "TYPE", "replica")
        values = await reading
    assert (values["sync_partial_ok.delta"], values["sync_full.delta"], values["sync_partial_err.delta"]) == (1, 0, 0)


async def test_too_few_replicas_for_a_write(kind: ServerKind) -> None:
    async with replicated(kind, replicas=1, min_replicas_to_write="2") as deployment:
        reading = asyncio.create_task(read(replication, deployment.primary, window=1))
        await asyncio.sleep(0.3)
        with pytest.raises(ReplyError, match="NOREPLICAS"):
            await deployment.primary.ask("SET", "cart:1", "full")
        values = await reading
    assert (values["min-replicas-to-write"], values["min_slaves_good_slaves"]) == (2, 1)
    assert values["good_replicas_missing"] == 1
    assert values["errorstat_NOREPLICAS.count.delta"] == 1


async def test_a_replica_in_the_middle_of_a_chain_has_both_ends(kind: ServerKind) -> None:
    async with replicated(kind, replicas=2, cascading=True) as deployment:
        values = await read(replication, deployment.replicas[0], window=0)
    assert (values["role"], values["link_state"]) == ("slave", "connected")
    assert (values["replicas_online"], values["replica1.address"]) == (1, deployment.replicas[1].name)


async def test_a_write_to_a_replica_is_counted_there(kind: ServerKind) -> None:
    async with replicated(kind, replicas=1, replica={"replica-serve-stale-data": "no"}) as deployment:
        reading = asyncio.create_task(read(replication, deployment.replicas[0], window=1))
        await asyncio.sleep(0.3)
        with pytest.raises(ReplyError, match="READONLY"):
            await deployment.replicas[0].ask("SET", "cart:1", "full")
        values = await reading
    assert values["errorstat_READONLY.count.delta"] == 1
    assert (values["replica-read-only"], values["replica-serve-stale-data"]) == ("yes", "no")


async def test_what_a_user_may_not_ask_is_unavailable_and_the_rest_is_told(kind: ServerKind) -> None:
    async with replicated(kind, replicas=1) as deployment:
        replica = deployment.replicas[0]
        for member in (replica, deployment.primary):
            await member.ask("ACL", "SETUSER", "reader", "on", ">pw", "-@all", "+info", "+client|setname", "+client|id")
        values = await read(replication, replica, user="reader", window=0)
        above = await read(replication, deployment.primary, user="reader", window=0)
    assert values["master_link_status"] == "up"
    assert {values[f"{part}.unavailable"] for part in ("config", "link_state")} == {"denied"}
    assert values["link_state"] is None and "repl-timeout" not in values
    assert above["output.unavailable"] == "denied" and above["output.omem_max"] is None
    # Who has no replicas isn't asked for their buffers.
    assert "output.unavailable" not in values and values["output.omem_max"] == 0


def test_peers_and_order_of_replicas() -> None:
    info: Values = {
        "role": "slave", "master_host": "10.0.0.1", "master_port": 6379, "master_repl_offset": 900,
        "slave0.ip": "::1", "slave0.port": 6380, "slave0.state": "online", "slave0.offset": 800, "slave0.lag": 1,
        "slave1.ip": "10.0.0.3", "slave1.port": 0, "slave1.state": "wait_bgsave", "slave1.offset": 0, "slave1.lag": 0,
        "slave2.ip": "10.0.0.4", "slave2.port": 6381, "slave2.state": "online", "slave2.offset": 100, "slave2.lag": 0,
    }  # fmt: skip
    assert peers(info) == [("10.0.0.1", 6379), ("::1", 6380), ("10.0.0.4", 6381)]
    assert peers({**info, "role": "master"}) == [("::1", 6380), ("10.0.0.4", 6381)]
    assert [(one.address, one.behind) for one in attached(info)] == [
        ("10.0.0.3:0", None), ("10.0.0.4:6381", 800), ("[::1]:6380", 100),
    ]  # fmt: skip
