"""What a world brings is there, whoever looks is given the way in that it says, and nothing of it is left."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import psutil
import pytest
from redis.asyncio import Redis

from evals.lab.apart import begun
from evals.lab.crowd import KEYS
from evals.lab.fault import Incident
from evals.lab.servers import installed
from evals.lab.worlds import CLIENTS, OTHERS, REPLICAS, WORLDS, unsuitable
from tests.program import rediagnose
from tools.server.users import NAMES

pytestmark = pytest.mark.live


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    before = set(_servers())
    yield
    assert set(_servers()) <= before


def _servers() -> Iterator[psutil.Process]:
    for one in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if "server" in one.name():
                yield one


async def sent(client: Redis, *command: str) -> str:
    ask = cast(Callable[..., Awaitable[object]], client.execute_command)
    return str(await ask(*command))


@asynccontextmanager
async def healthy(*worlds: str, fault: str = "healthy-slowlog-off") -> AsyncIterator[tuple[Incident, Redis]]:
    usable = [kind for kind in installed() if unsuitable(kind, worlds) is None]
    if not usable:
        pytest.skip("; ".join({str(unsuitable(kind, worlds)) for kind in installed()}))
    async with begun(fault, usable[-1], 3, worlds) as incident:
        # A server that holds a million keys may be slow to answer on a machine that has other work.
        client = Redis.from_url(incident.url, protocol=2, socket_timeout=20, decode_responses=True)
        try:
            yield incident, client
        finally:
            await client.aclose()


async def test_keys_clients_and_replicas_are_there_together() -> None:
    async with healthy("million-keys", "clients5000", "replicas12") as (_, client):
        assert await client.dbsize() >= KEYS
        info = await client.info()
        assert info["connected_clients"] >= CLIENTS and info["connected_slaves"] == REPLICAS
        assert all(info[f"slave{number}"]["state"] == "online" for number in range(REPLICAS))


@pytest.mark.parametrize(("fault", "primaries"), [("healthy-slowlog-off", 1), ("healthy-cluster", 3)])
async def test_a_cluster_of_six(fault: str, primaries: int) -> None:
    async with healthy("cluster6", fault=fault) as (_, client):
        lines = (await sent(client, "CLUSTER", "NODES")).splitlines()
        assert len(lines) == OTHERS + 1 and sum("master" in line for line in lines) == primaries
        state = (await sent(client, "CLUSTER", "INFO")).splitlines()
        assert {"cluster_state:ok", "cluster_slots_ok:16384"} <= set(state)


async def test_tls_beside_a_user_who_may_only_read() -> None:
    async with healthy("tls", "acl") as (incident, client):
        parts = urlsplit(incident.url)
        assert parts.scheme == "rediss" and Path(parts.query.partition("=")[2]).exists()
        assert await client.acl_whoami() == NAMES["reader"]
        for denied in (("CONFIG", "SET", "maxclients", "9"), ("GET", "key"), ("CLIENT", "KILL", "ID", "1")):
            with pytest.raises(Exception, match="permission"):
                await sent(client, *denied)
        # That it's the user that the program itself advises is seen by the program.
        done = await rediagnose("acl", incident.url, "--check")
        assert done.status == 0, done.err
    assert not Path(parts.query.partition("=")[2]).exists()


async def test_the_same_seed_is_the_same_fault_in_any_world() -> None:
    tickets = set()
    for worlds in ((), ("acl",)):
        async with healthy(*worlds) as (incident, _):
            tickets.add(incident.ticket)
    assert len(tickets) == 1


async def test_a_world_that_there_is_not_is_wrong_usage() -> None:
    done = await rediagnose("lab", "start", "healthy-load", "--world", "moon")
    assert done.status == 2 and all(name in done.err for name in WORLDS)
    old = [kind.name for kind in installed() if unsuitable(kind, ("cluster6",))]
    if old:
        done = await rediagnose("lab", "start", "healthy-load", "--kind", old[0], "--world", "cluster6")
        assert done.status == 3 and "bus port" in done.err
