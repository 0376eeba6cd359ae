"""The lab's deployments: in order when they're handed over, and gone without a trace afterwards."""

from collections.abc import Iterator

import psutil
import pytest

from evals.lab.servers import ServerKind
from evals.lab.topologies import MASTER, SLOTS, Deployment, clustered, fields, replicated, sentinels, until
from evals.lab.wire import LOST


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    before = set(psutil.Process().children(recursive=True))
    yield
    assert set(psutil.Process().children(recursive=True)) <= before


async def test_what_the_primary_takes_reaches_every_replica(kind: ServerKind) -> None:
    async with replicated(kind, replicas=2, password="hush", maxmemory="50mb") as deployment:
        await deployment.primary.ask("SET", "cart:1", "full")

        async def everywhere() -> bool:
            return [await one.ask("GET", "cart:1") for one in deployment.members] == ["full"] * 3

        await until(everywhere, "the key is everywhere")
        assert (await deployment.primary.info())["connected_slaves"] == "2"
        assert await deployment.replicas[0].ask("CONFIG", "GET", "maxmemory") == ["maxmemory", str(50 * 2**20)]


async def test_replicas_can_be_chained(kind: ServerKind) -> None:
    async with replicated(kind, replicas=2, cascading=True) as deployment:
        above = [(await one.info())["master_port"] for one in deployment.replicas]
    assert above == [str(one.server.port) for one in deployment.members[:2]]


async def test_links_that_are_meant_to_fail_are_not_waited_for(kind: ServerKind) -> None:
    wrong = {"masterauth": "wrong"}
    async with replicated(kind, replicas=1, password="hush", replica=wrong, in_sync=False) as deployment:
        assert (await deployment.replicas[0].info())["master_link_status"] == "down"


async def test_sentinels_agree_and_fail_over(kind: ServerKind) -> None:
    async with sentinels(kind, password="hush", down_after=500) as deployment:
        assert await answers(deployment) == {deployment.primary.name}
        await deployment.primary.server.stop()

        async def moved() -> bool:
            return await answers(deployment) <= {one.name for one in deployment.replicas}

        await until(moved, "every sentinel names another primary", 30)


async def answers(deployment: Deployment) -> set[str]:
    """Which primaries the sentinels name."""
    asked = [await one.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER) for one in deployment.sentinels]
    return {":".join(answer) for answer in asked}


async def test_a_cluster_serves_every_slot(kind: ServerKind) -> None:
    async with clustered(kind, nodes=3, replicas=1, password="hush") as deployment:
        assert len(deployment.members) == 6
        for member in deployment.members:
            info = fields(await member.ask("CLUSTER", "INFO"))
            assert (info["cluster_state"], info["cluster_slots_ok"]) == ("ok", str(SLOTS))
        roles = [(await member.info())["role"] for member in deployment.members]
        assert roles == ["master"] * 3 + ["slave"] * 3


async def test_an_error_inside_ends_every_server(kind: ServerKind) -> None:
    with pytest.raises(RuntimeError, match="mine"):
        async with sentinels(kind) as deployment:
            raise RuntimeError("mine")
    assert len(deployment.servers) == 6
    for server in deployment.servers:
        assert not psutil.pid_exists(server.pid) and not server.folder.exists()
    with pytest.raises(LOST):
        await deployment.primary.ask("PING")
