"""A sentinel's view: well, without its colleagues, without a replica to promote, and while it fails over."""

import asyncio
import signal

import pytest

from evals.lab.servers import ServerKind, running
from evals.lab.topologies import MASTER, Deployment, Member, sentinels, until
from tests.members import read
from tools.connection.protocol import ServerError
from tools.errors import ToolError, Unanswered
from tools.records import Values
from tools.server.sentinel import parse_quorum, sentinel


async def wait_for(member: Member, field: str, *expected: object) -> Values:
    """The first reading in which the field has one of these values."""
    values: Values = {}

    async def seen() -> bool:
        values.update(await read(sentinel, member, window=0))
        return values[field] in expected

    await until(seen, f"{field} is one of {expected}")
    return values


async def test_all_is_well(kind: ServerKind) -> None:
    async with sentinels(kind) as deployment:
        values = await read(sentinel, deployment.sentinels[0], window=0.5)

        async def nobody_is_left() -> bool:
            return not await clients(deployment.sentinels[0])

        await until(nobody_is_left, "our connection is closed")
    assert (values["masters"], values["masters.s_down"], values["sentinel_tilt"]) == (1, 0, 0)
    assert (values["m1.name"], values["m1.address"], values["m1.flags"]) == (MASTER, deployment.primary.name, "master")
    assert (values["m1.ckquorum"], values["m1.usable_sentinels"], values["m1.quorum"]) == ("ok", 3, 2)
    assert (values["m1.num-slaves"], values["m1.good_replicas"], values["m1.r1.barred"]) == (2, 2, None)
    assert {values["m1.r1.address"], values["m1.r2.address"]} == {one.name for one in deployment.replicas}
    assert (values["m1.sentinels_reachable"], values["m1.s1.reachable"]) == (2, True)
    assert (values["events"], values["events.newest"]) == (0, None)


async def clients(member: Member) -> list[str]:
    """The connections of readings that are left at a sentinel."""
    return [line for line in str(await member.ask("CLIENT", "LIST")).splitlines() if "name=rediagnose" in line]


@pytest.mark.parametrize(
    ("quorum", "ended", "answer"),
    [(2, 2, "no-quorum-no-majority"), (3, 1, "no-quorum"), (1, 2, "no-majority")],
)
async def test_too_few_sentinels_are_left(kind: ServerKind, quorum: int, ended: int, answer: str) -> None:
    async with sentinels(kind, quorum=quorum, replicas=1) as deployment:
        for one in deployment.sentinels[3 - ended :]:
            await one.server.stop()
        values = await wait_for(deployment.sentinels[0], "m1.ckquorum", answer)
    assert values["m1.usable_sentinels"] == 3 - ended
    assert values["m1.sentinels_reachable"] == 2 - ended
    # Those in trouble come first.
    assert values["m1.s1.reachable"] is False
    assert values["m1.s1.address"] in {one.name for one in deployment.sentinels[3 - ended :]}


async def test_a_failover_finds_no_good_replica(kind: ServerKind) -> None:
    async with sentinels(kind, replicas=1, replica={"replica-priority": "0"}) as deployment:
        values = await read(sentinel, deployment.sentinels[0], window=0)
        assert (values["m1.good_replicas"], values["m1.r1.barred"]) == (0, "priority-0")
        assert values["m1.r1.slave-priority"] == 0
        every = await overheard(deployment, 8, signal.SIGKILL)
    # Only the sentinel that leads the failover finds out.
    assert any("-failover-abort-no-good-slave.count" in values for values in every)
    assert all(values["m1.s_down"] for values in every)
    assert all(values["+sdown.master.address"] == deployment.primary.name for values in every)


async def test_a_primary_that_stands_still_is_replaced(kind: ServerKind) -> None:
    async with sentinels(kind) as deployment:
        every = await overheard(deployment, 6, signal.SIGSTOP)
        assert deployment.primary.server.running
    for values in every:
        assert values["+sdown.master.count"] == 1
        assert values["+sdown.master.address"] == values["+switch-master.from"] == deployment.primary.name
        assert values["+switch-master.to"] == values["m1.address"]
        assert values["+switch-master.to"] in {one.name for one in deployment.replicas}
        assert values["m1.config-epoch"] == 1
        # The old primary is known as a replica that is down.
        assert values["m1.r1.address"] == deployment.primary.name
        assert (values["m1.r1.barred"], values["m1.good_replicas"]) == ("s_down", 1)


async def overheard(deployment: Deployment, seconds: float, number: signal.Signals) -> list[Values]:
    """What every sentinel tells of the seconds in which the primary gets a signal."""
    reading = asyncio.gather(*(read(sentinel, one, window=seconds) for one in deployment.sentinels))
    await asyncio.sleep(0.5)
    deployment.primary.server.signal(number)
    return await reading


async def test_a_replica_that_stands_still_is_barred(kind: ServerKind) -> None:
    async with sentinels(kind) as deployment:
        deployment.replicas[0].server.signal(signal.SIGSTOP)
        values = await wait_for(deployment.sentinels[0], "m1.good_replicas", 1)
    assert values["m1.r1.address"] == deployment.replicas[0].name
    assert values["m1.r1.barred"] in ("s_down", "disconnected")
    assert (values["m1.s_down"], values["m1.r2.barred"]) == (False, None)


async def test_one_of_several_masters_can_be_asked_for(kind: ServerKind) -> None:
    async with sentinels(kind, replicas=1) as deployment:
        one = deployment.sentinels[0]
        await one.ask("SENTINEL", "MONITOR", "cache", "127.0.0.1", 1, 2)
        every = await read(sentinel, one, window=0)
        chosen = await read(sentinel, one, window=0, master=MASTER)
        with pytest.raises(ToolError, match="watches no master of that name"):
            await read(sentinel, one, window=0, master="nobody")
    assert every["masters"] == chosen["masters"] == 2
    assert {every["m1.name"], every["m2.name"]} == {MASTER, "cache"}
    assert (chosen["m1.name"], "m2.name" in chosen) == (MASTER, False)


async def test_a_data_node_is_no_sentinel(kind: ServerKind) -> None:
    async with running(kind) as server:
        with pytest.raises(Unanswered) as refused:
            await read(sentinel, Member(server), window=0)
    assert refused.value.kind == "unknown-command"


def test_an_answer_that_is_not_known_is_neither_good_nor_bad() -> None:
    assert parse_quorum(ServerError("ERR No such master with that name")).answer == "no-such-master"
    assert parse_quorum(ServerError("NOPERM this user has no permissions")).answer == "unknown"
    assert parse_quorum("OK then").answer == "unknown"
